"""Fits of scikit-learn and scipy on seeded rows, stored in calibration_fits.json for the tests of src/calibrate.

Run: python calibration_fits.py > calibration_fits.json        (scikit-learn 1.9.1, scipy 1.17.1, numpy 2.4.6)

Rows are not stored: `rows_of` below is repeated in TypeScript (calibration-fits.test.ts), from the same generator.
"""
import json
import sys

import numpy as np
from scipy.optimize import minimize
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

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


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softplus(z):
    return np.logaddexp(0, z)


def rows_of(seed, count, offset, slope):
    """Logits from -5 to 1 on a grid of 1/64, and labels whose true logit is a line of them."""
    u = uniforms(seed, 2 * count)
    logits = np.floor(384 * u[:count]) / 64 - 5
    labels = (u[count:] < sigmoid(offset + slope * logits)).astype(int)
    return logits, labels


def lowest(columns, labels, start, bounds):
    """Minimum of the log loss of `columns @ parameters`, by L-BFGS-B and then Newton steps to the last digits."""
    def loss(parameters):
        z = columns @ parameters
        return np.sum(softplus(z) - labels * z)

    def gradient(parameters):
        return columns.T @ (sigmoid(columns @ parameters) - labels)

    found = minimize(loss, start, jac=gradient, bounds=bounds, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 10_000})
    parameters = found.x
    free = [j for j, (low, _) in enumerate(bounds) if low is None or parameters[j] > low + 1e-9]
    for _ in range(20):
        p = sigmoid(columns @ parameters)
        hessian = (columns * (p * (1 - p))[:, None]).T @ columns
        step = np.linalg.solve(hessian[np.ix_(free, free)], gradient(parameters)[free])
        parameters[free] -= step
    return parameters.tolist()


def fits(seed, count, offset, slope):
    logits, labels = rows_of(seed, count, offset, slope)
    one = np.ones(count)
    affine = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000, solver="newton-cholesky").fit(logits[:, None], labels)
    return {
        "seed": seed, "count": count, "offset": offset, "slope": slope,
        "positives": int(labels.sum()),
        # All as calibrated logits: shift + z; s z; a + s z; c - below softplus(-z) + above softplus(z).
        "shift": shift_of(logits, labels),
        "temperature": lowest(logits[:, None], labels, [1], [(0, None)])[0],
        "affine": [float(affine.intercept_[0]), float(affine.coef_[0, 0])],
        "beta": lowest(np.c_[one, -softplus(-logits), softplus(logits)], labels, [0, 1, 1], [(None, None), (0, None), (0, None)]),
    }


def shift_of(logits, labels):
    """The shift after which predictions sum to the labels."""
    shift = 0.0
    for _ in range(100):
        p = sigmoid(logits + shift)
        shift -= (p.sum() - labels.sum()) / (p * (1 - p)).sum()
    return float(shift)


def pooled(seed, count):
    u = uniforms(seed, 2 * count)
    values = np.floor(16 * (np.arange(count) / count + u[:count])) / 16
    weights = 1 + np.floor(8 * u[count:])
    fitted = IsotonicRegression().fit_transform(np.arange(count), values, sample_weight=weights)
    return {"seed": seed, "count": count, "values": values.tolist(), "weights": weights.tolist(), "fitted": fitted.tolist()}


json.dump({
    "fits": [fits(1, 2000, -0.4, 0.8), fits(2, 5000, 0.7, 1.3), fits(3, 300, 0.0, 1.0), fits(4, 4000, -1.5, -0.2)],
    "pooled": [pooled(5, 1), pooled(6, 12), pooled(7, 60)],
}, sys.stdout, indent=1)
