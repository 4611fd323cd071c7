"""Simulated markets whose truth is known, for the measures that regress or maximise a likelihood."""

from __future__ import annotations

import numpy as np


def covered(found, truth, row=-1):
    """Share of a row's 95 % intervals that hold the truth."""
    ends = found.interval(0.95)
    there = np.isfinite(found.std_error[row])
    return float(np.mean((ends.lower[row] <= truth)[there] & (truth <= ends.upper[row])[there]))


def friction_market(rng, rows, columns, low=-0.01, high=0.015, beta=0.8, sigma=0.02, market=0.01):
    """Returns (rows, columns) seen through the model of Lesmond, Ogden and Trzcinka, and the market's returns."""
    m = rng.normal(0, market, (rows, columns))
    true = beta * m + rng.normal(0, sigma, (rows, columns))
    return np.where(true < low, true - low, np.where(true > high, true - high, 0.0)), m


def prices(returns):
    """Prices that have these log returns from their second row on; a zero return leaves the price exactly as it was."""
    out = np.empty((len(returns) + 1, *returns.shape[1:]))
    out[0] = 100.0
    for t, r in enumerate(returns):
        out[t + 1] = np.where(r == 0.0, out[t], out[t] * np.exp(r))
    return out
