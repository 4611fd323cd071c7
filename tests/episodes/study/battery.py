"""Samples on which the battery of event tests is tried, and plain twins of what several test files need."""

from __future__ import annotations

import numpy as np

from drainstats.episodes.study.expected.abnormal import Offsets
from drainstats.episodes.study.expected.linear import event_sample
from drainstats.episodes.study.sample import EventSample

RANDOM = ("wild_bootstrap", "calendar_block_bootstrap")


def sample(values, m=1, market=None, min_rows=10) -> EventSample:
    """The last m rows are the event, all before them the estimation window; (..., T, n)."""
    rows = values.shape[-2] - m
    return event_sample(values, Offsets((-rows, -1), (0, m - 1)), rows, market=market, min_rows=min_rows)


def draws(seed, shape, rho=0.0, missing=0.0, errors="normal"):
    """Values (..., T, n) with one common factor; every ``missing``-th share of estimation cells has none."""
    rng = np.random.default_rng(seed)
    draw = rng.standard_normal if errors == "normal" else lambda size: rng.standard_t(4, size)
    values = np.sqrt(rho) * draw((*shape[:-1], 1)) + np.sqrt(1 - rho) * draw(shape)
    if missing:
        hole = rng.random(shape) < missing
        hole[..., -5:, :] = False
        values[hole] = np.nan
    return values


def columns(s: EventSample):
    """Of each asset that takes part: residuals seen, event rows, sigma, total error, freedom."""
    for i in np.flatnonzero(s.usable):
        seen = s.estimation[:, i]
        yield seen[np.isfinite(seen)], s.event[:, i], s.sigma[i], s.total_error[i], s.freedom[i]


def rank_of(value, values):
    """Rank of a value among values that hold it, ties at their mean."""
    return sum(v < value for v in values) + (sum(v == value for v in values) + 1) / 2
