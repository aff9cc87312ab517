"""Makes levels.json: tables of noise levels, a Karras grid and dynamic thresholds, in float64 with NumPy.

    python levels.py levels.json
"""
import json
import sys

import numpy as np

ENTRIES = [0, 1, 2, 10, 250, 499, 500, 750, 998, 999]


def squared_cosine(n):
    bar = lambda u: np.cos((u + 0.008) / 1.008 * np.pi / 2) ** 2
    i = np.arange(n)
    return np.minimum(1 - bar((i + 1) / n) / bar(i / n), 0.999)


def table(betas):
    return np.cumprod(1 - betas)[ENTRIES].tolist()


def karras(n, rho, low, high):
    i = np.arange(n)
    return ((high ** (1 / rho) + i / (n - 1) * (low ** (1 / rho) - high ** (1 / rho))) ** rho).tolist()


def threshold(x, percentile, most=np.inf):
    s = np.quantile(np.abs(x), percentile, axis=1, method="linear", keepdims=True)
    s = np.clip(s, 1, most)
    return (np.clip(x, -s, s) / s).ravel().tolist()


# Three samples: inside the range, some values beyond it, all far beyond it.
values = np.sin(1.7 * np.arange(3 * 22) + 0.3).reshape(3, 22) * np.array([[0.9], [1.8], [40.0]])

json.dump({
    "entries": ENTRIES,
    "alphas_cumprod": {
        "linear": table(np.linspace(1e-4, 0.02, 1000)),
        "scaled_linear": table(np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2),
        "squared_cosine": table(squared_cosine(1000)),
    },
    "karras_18": karras(18, 7, 0.002, 80),
    "threshold": {
        "values": values.ravel().tolist(),
        "0.5": threshold(values, 0.5),
        "0.9": threshold(values, 0.9),
        "0.995": threshold(values, 0.995),
        "1.0": threshold(values, 1.0),
        "0.9_at_most_1.5": threshold(values, 0.9, 1.5),
    },
}, open(sys.argv[1], "w"), indent=1)
