"""Values of scikit-learn on seeded arrays, stored in sklearn_metrics.json for the tests of src/evaluate.

Run: python sklearn_metrics.py > sklearn_metrics.json        (scikit-learn 1.9.1, numpy 2.4.6)

Large cases are not stored as arrays: `values` below is repeated in TypeScript (oracle.ts), from the same generator.
"""
import json
import sys

import numpy as np
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss, ndcg_score, roc_auc_score

MASK = 0xFFFFFFFF


def uniforms(seed, count):
    """mulberry32: exact in 32-bit integer arithmetic, so both languages draw the same numbers."""
    state = seed & MASK
    values = np.empty(count)
    for i in range(count):
        state = (state + 0x6D2B79F5) & MASK
        t = state
        t = ((t ^ (t >> 15)) * (t | 1)) & MASK
        t ^= (t + (((t ^ (t >> 7)) * (t | 61)) & MASK)) & MASK
        values[i] = ((t ^ (t >> 14)) & MASK) / 4294967296
    return values


def values(seed, count, levels):
    """Rows with scores rounded to `levels` steps (0: not rounded), labels that follow them, weights, users, requests."""
    u = uniforms(seed, 3 * count)
    scores = 0.01 + 0.98 * u[:count] * u[:count]
    if levels > 0:
        scores = (np.floor(scores * levels) + 0.5) / levels
    scores = scores.astype(np.float32).astype(np.float64)
    labels = (u[count : 2 * count] < 0.02 + 0.5 * u[:count]).astype(int)
    weights = 0.25 + np.floor(u[2 * count :] * 8)
    users = np.floor(u[2 * count :] * max(2, count // 12)).astype(int)
    requests = np.arange(count) // 7
    return labels, scores, weights, users, requests


def expected_tie_reciprocal_rank(labels, scores, rng, rounds):
    """Mean over random orders of ties, checked against the closed form to sampling error."""
    total = 0.0
    for _ in range(rounds):
        order = np.lexsort((rng.random(len(scores)), -scores))
        total += 1 / (1 + np.argmax(labels[order] == 1))
    return total / rounds


def case(name, seed, count, levels):
    labels, scores, weights, users, requests = values(seed, count, levels)
    per_user = [(roc_auc_score(labels[users == u], scores[users == u]), int((users == u).sum()))
                for u in np.unique(users) if 0 < labels[users == u].sum() < (users == u).sum()]
    ndcg = {5: [], 10: []}
    mrr = []
    for r in np.unique(requests):
        y, s = labels[requests == r], scores[requests == r]
        if y.sum() == 0:
            continue
        for k, found in ndcg.items():
            # scikit-learn refuses a single document: its nDCG is 1 by definition.
            found.append(1.0 if len(y) == 1 else ndcg_score([y], [s], k=k, ignore_ties=False))
        if len(np.unique(s)) == len(s):
            mrr.append(1 / (1 + np.argmax(y[np.argsort(-s)] == 1)))
    observed, predicted = calibration_curve(labels, scores, n_bins=10, strategy="quantile")
    edges = np.percentile(scores, np.linspace(0, 1, 11) * 100)
    sizes = np.bincount(np.searchsorted(edges[1:-1], scores), minlength=10)
    sizes = sizes[sizes > 0]
    rate = labels.mean()
    loss = log_loss(labels, scores)
    return {
        "name": name, "seed": seed, "count": count, "levels": levels,
        "auc": roc_auc_score(labels, scores),
        "weightedAuc": roc_auc_score(labels, scores, sample_weight=weights),
        "logLoss": loss,
        "weightedLogLoss": log_loss(labels, scores, sample_weight=weights),
        "ne": loss / log_loss(labels, np.full(count, rate)),
        "gauc": float(np.average([a for a, _ in per_user], weights=[n for _, n in per_user])),
        "gaucGroups": len(per_user),
        "ndcg5": float(np.mean(ndcg[5])), "ndcg10": float(np.mean(ndcg[10])),
        # Only where no request has ties: argsort breaks them arbitrarily.
        "mrr": float(np.mean(mrr)) if levels == 0 else None,
        "calibrationRatio": float(scores.sum() / labels.sum()),
        "weightedCalibrationRatio": float((weights * scores).sum() / (weights * labels).sum()),
        "ece": float(np.sum(sizes * np.abs(observed - predicted)) / count),
        "curve": {"observed": observed.tolist(), "predicted": predicted.tolist(), "rows": sizes.tolist()},
    }


def explicit(labels, scores):
    """A case given by its arrays."""
    y, s = np.array(labels), np.array(scores)
    return {
        "labels": labels, "scores": scores, "auc": roc_auc_score(y, s), "logLoss": log_loss(y, s),
        "ndcg3": ndcg_score([y], [s], k=3), "ndcgAll": ndcg_score([y], [s]),
        "reciprocalRankSampled": expected_tie_reciprocal_rank(y, s, np.random.default_rng(7), 200_000),
    }


json.dump({
    "cases": [case("30 rows", 11, 30, 0), case("500 rows in 4 levels", 5, 500, 4), case("10,000 rows", 3, 10_000, 0),
              case("10,000 rows in 200 levels", 4, 10_000, 200)],
    "explicit": [
        explicit([0, 1], [0.2, 0.8]), explicit([0, 1, 0, 1], [0.5, 0.5, 0.5, 0.5]),
        explicit([1, 0, 0, 1, 0, 0], [0.1, 0.9, 0.4, 0.4, 0.4, 0.05]),
        explicit([0, 0, 1, 1, 0], [0.7, 0.7, 0.7, 0.2, 0.2]),
        explicit([1, 0, 1, 0], [0.0, 1.0, 1.0, 0.3]),
    ],
}, sys.stdout, indent=1)
