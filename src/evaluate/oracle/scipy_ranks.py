"""Spearman correlations of SciPy on seeded arrays with and without ties, stored in scipy_ranks.json.

Run: python scipy_ranks.py > scipy_ranks.json        (scipy 1.17.1, numpy 2.4.6)
"""
import json
import sys

import numpy as np
from scipy.stats import spearmanr

rng = np.random.default_rng(5)


def case(a, b):
    a, b = np.asarray(a, dtype=np.float32), np.asarray(b, dtype=np.float32)
    return {"a": [float(x) for x in a], "b": [float(x) for x in b], "correlation": float(spearmanr(a, b).statistic)}


noise = rng.random(60)
json.dump([
    case([0.1, 0.2, 0.3], [0.7, 0.8, 0.9]),
    case([0.1, 0.2, 0.3], [0.9, 0.8, 0.7]),
    case([0.5, 0.5, 0.1, 0.9, 0.5], [0.2, 0.1, 0.1, 0.4, 0.3]),
    case(noise, 0.7 * noise + 0.3 * rng.random(60)),
    case(np.round(noise, 1), np.round(rng.random(60), 1)),
], sys.stdout, indent=1)
