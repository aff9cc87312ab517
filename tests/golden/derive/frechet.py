"""Fréchet distances of Gaussians whose variances span 16 orders of magnitude, with mpmath.

usage: python frechet.py > ../frechet.json        (mpmath 1.3)

Each covariance is rounded to f64 entry by entry; the distance is that of the rounded matrices.
"""

import json
import random

from mpmath import mp, mpf, matrix, eigsy, sqrt

mp.dps = 80


def correlation(rng, d, strength):
    """A well-conditioned correlation matrix."""
    rows = [[rng.gauss(0, 1) for _ in range(2 * d)] for _ in range(d)]
    gram = [[sum(a * b for a, b in zip(r, s)) for s in rows] for r in rows]
    return [
        [1.0 if i == j else strength * gram[i][j] / (gram[i][i] * gram[j][j]) ** 0.5 for j in range(d)]
        for i in range(d)
    ]


def covariance(deviations, c):
    d = len(deviations)
    rows = [[0.0] * d for _ in range(d)]
    for i in range(d):
        for j in range(i + 1):
            rows[i][j] = rows[j][i] = float(mpf(deviations[i]) * mpf(deviations[j]) * mpf(c[i][j]))
    return rows


def root(a):
    values, vectors = eigsy(a)
    assert min(values) > 0, min(values)
    d = a.rows
    scaled = matrix(d, d)
    for i in range(d):
        for k in range(d):
            scaled[i, k] = vectors[i, k] * sqrt(values[k])
    return scaled * vectors.T


def distance(m1, s1, m2, s2):
    a, b = matrix(s1), matrix(s2)
    r = root(a)
    product = r * b * r
    product = (product + product.T) / 2
    values = eigsy(product, eigvals_only=True)
    assert min(values) > 0
    trace = sum(a[i, i] + b[i, i] for i in range(a.rows))
    shift = sum((mpf(x) - mpf(y)) ** 2 for x, y in zip(m1, m2))
    return shift + trace - 2 * sum(sqrt(v) for v in values), trace


def case(name, seed, exponents1, exponents2, strength):
    rng = random.Random(seed)
    d = len(exponents1)
    s = [10.0**e for e in exponents1]
    t = [10.0**e for e in exponents2]
    c1 = correlation(rng, d, strength)
    c2 = correlation(rng, d, strength)
    m1 = [rng.gauss(0, 1) * x for x in s]
    m2 = [rng.gauss(0, 1) * x for x in t]
    s1, s2 = covariance(s, c1), covariance(t, c2)
    found, trace = distance(m1, s1, m2, s2)
    flat = lambda rows: [x for row in rows for x in row]
    return {
        "name": name,
        "mean_1": m1,
        "covariance_1": flat(s1),
        "mean_2": m2,
        "covariance_2": flat(s2),
        "trace": float(trace),
        "distance": float(found),
    }


# Standard deviations from 1e4 to 1e-4: variances from 1e8 to 1e-8.
down = [4 - i for i in range(9)]
up = down[::-1]
cases = [
    case("same order", 1, down, down, 0.9),
    case("opposite order", 2, down, up, 0.9),
    case("opposite order, independent", 3, down, up, 0.0),
    case("one scale against many", 4, [0] * 9, down, 0.9),
    case("near", 5, down, [e + 0.001 for e in down], 0.5),
]
print(json.dumps(cases, indent=1))
