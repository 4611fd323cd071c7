"""The corrected threshold bipower test term by term."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import drainstats as ds


def local_variance_by_hand(r, reach=25):
    """Corsi, Pirino and Renò (2010), appendix B: kernel exp(-(i/L)²/2) over |i| = 2 ... L, till nothing leaves."""
    n, variance, kept = len(r), np.full(len(r), np.inf), None
    while kept is None or not np.array_equal(kept, r**2 <= 9 * variance):
        kept = r**2 <= 9 * variance
        variance = np.empty(n)
        for t in range(n):
            there = [t + i for i in range(-reach, reach + 1) if abs(i) > 1 and 0 <= t + i < n and kept[t + i]]
            weight = np.exp(-0.5 * ((np.array(there) - t) / reach) ** 2)
            variance[t] = weight @ r[there] ** 2 / weight.sum()
    return variance


def test_threshold_by_hand():
    r = np.random.default_rng(4).normal(0, 1e-3, 150) * np.exp(0.4 * np.sin(np.arange(150) / 25))
    r[[40, 60, 61, 66, 110]] += [0.008, 0.007, -0.006, 0.005, -0.004]
    n, bar = len(r), 9 * local_variance_by_hand(r)
    large = r**2 > bar
    assert large.sum() >= 4

    def expected(power):
        # E|Z|^power given |Z| > 3, in units of the threshold, by quadrature.
        x = np.linspace(3.0, 12.0, 400_001)
        density = np.exp(-(x**2) / 2)
        return np.where(large, (x**power @ density) / density.sum() * (bar / 9) ** (power / 2), np.abs(r) ** power)

    z, w = expected(1.0), expected(4 / 3)
    four_thirds = 2 ** (2 / 3) * math.gamma(7 / 6) / math.sqrt(math.pi)
    calm = math.pi / 2 * n / (n - 1) * sum(z[i] * z[i - 1] for i in range(1, n))
    fourth = n * four_thirds**-3 * n / (n - 2) * sum(w[i] * w[i - 1] * w[i - 2] for i in range(2, n))
    spread = (math.pi**2 / 4 + math.pi - 5) / n * max(1, fourth / calm**2)
    found = ds.jump_test(pd.Series(np.r_[0.0, r.cumsum()], np.arange(n + 1) * 60.0), "threshold")["statistic"].iloc[0]
    # The quadrature's step of 2e-5 leaves about as much of the constants.
    assert found == pytest.approx((1 - calm / (r @ r)) / math.sqrt(spread), rel=3e-5)
