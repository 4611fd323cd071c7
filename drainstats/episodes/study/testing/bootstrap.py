"""Resampling tests: of assets (wild), and of whole calendar rows in blocks.

    wild_bootstrap            Each asset's standardised value Z_i takes a random sign. The studentised mean (`bmp`) is
                              ranked among its values under the sign vectors. Exact when the Z_i are independent and
                              symmetric about zero; all 2^n vectors are taken when they are no more than the draws.
    calendar_block_bootstrap  Windows of m rows are made of blocks of consecutive estimation rows, all assets together,
                              so that what assets share on a date stays shared. Each window's residuals, summed and
                              standardised, give a studentised mean as the event did; the event's is ranked among them
                              by its tail in t(n - 1). A window no longer than a block is one block, and all of them
                              are taken instead of drawn; their overlap is allowed for as in the placebo test.

Studentised across assets, a jump of all variances by one factor cancels. The blocks keep the dependence within
`block_length` rows.

References
----------
Liu, R. (1988), "Bootstrap procedures under some non-i.i.d. models", Annals of Statistics 16(4), 1696-1708. Kunsch, H.
(1989), "The jackknife and the bootstrap for general stationary observations", Annals of Statistics 17(3), 1217-1241.
"""

from __future__ import annotations

import numpy as np

from drainstats.episodes.study.commondate import cross_section, placebo_p_value
from drainstats.episodes.study.sample import EventSample
from drainstats.episodes.study.testing.outcome import (
    Outcome,
    count,
    cross_sectional_t,
    exact_outcome,
    ratio,
    residuals,
    standardized,
)
from drainstats.typing import FloatArray

SIGN_DRAWS = 4096
WINDOW_DRAWS = 999


def wild_bootstrap(sample: EventSample, seed: int = 0) -> Outcome:
    """Random signs of the assets' standardised values: `bmp` without a law."""
    z = standardized(sample)
    n = z.shape[-1]
    every = 2**n <= SIGN_DRAWS
    if every:
        vectors = 1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    else:
        vectors = np.random.default_rng(seed).choice([-1.0, 1.0], size=(SIGN_DRAWS - 1, n))
    # The squares keep their sum under a change of signs: the studentised mean is extreme when the plain sum is.
    found, drawn = np.abs(z.sum(axis=-1)), np.abs(z @ vectors.T)
    extreme = (drawn >= found[..., None] * (1.0 - 1e-12)).sum(axis=-1)
    p_value = extreme / 2.0**n if every else (1.0 + extreme) / SIGN_DRAWS
    least = 2.0 ** (1.0 - count(sample))
    law = f"all {2**n} sign vectors" if every else f"{SIGN_DRAWS - 1} sign vectors"
    statistic = cross_sectional_t(z, sample)
    return exact_outcome(statistic, p_value, least if every else np.maximum(least, 1.0 / SIGN_DRAWS), law)


def block_length(rows: int) -> int:
    """Rows of a block: the cube root of the estimation rows, rounded."""
    return max(1, round(rows ** (1.0 / 3.0)))


def calendar_block_bootstrap(sample: EventSample, seed: int = 0) -> Outcome:
    """Windows of whole calendar rows from the estimation window, studentised as the event is."""
    m, rows = sample.event.shape[-2], sample.estimation.shape[-2]
    block = block_length(rows)
    z = ratio(residuals(sample), sample.sigma[..., None, :])
    picks = None if m <= block else _draws(rows, m, block, seed)
    pseudo = _tails(z, m, picks, sample)
    statistic = cross_sectional_t(standardized(sample), sample)
    score = _tail(statistic, count(sample))
    windows = pseudo.shape[-1]
    if picks is not None:
        extreme = (pseudo <= score[..., None]).sum(axis=-1)
        p_value, least = (1.0 + extreme) / (windows + 1.0), np.full(score.shape, 1.0 / (windows + 1.0))
        return exact_outcome(statistic, p_value, least, f"{windows} windows of blocks of {block} rows")
    p_value, _, effective = placebo_p_value(score, pseudo)
    return exact_outcome(statistic, p_value, 1.0 / (effective + 1.0), f"{windows} windows of the estimation rows")


def _draws(rows: int, m: int, block: int, seed: int) -> FloatArray:
    """How often each row stands in a drawn window, (draws, rows)."""
    starts = np.random.default_rng(seed).integers(0, rows - block + 1, (WINDOW_DRAWS, -(-m // block)))
    members = (starts[:, :, None] + np.arange(block)).reshape(WINDOW_DRAWS, -1)[:, :m]
    counts = np.zeros((WINDOW_DRAWS, rows))
    np.add.at(counts, (np.arange(WINDOW_DRAWS)[:, None], members), 1.0)
    return counts


def _tails(z: FloatArray, m: int, picks: FloatArray | None, sample: EventSample) -> FloatArray:
    """Tail of the studentised mean of each window, (..., windows); 1 where fewer than two assets are whole in it."""
    seen = np.isfinite(z)
    sums = _sums(np.where(seen, z, 0.0), m, picks)
    part = sample.usable[..., None, :].astype(np.float64)
    if not seen.all():
        part = part * (_sums((~seen).astype(np.float64), m, picks) == 0.0)
    n, mean, variance = cross_section(sums, np.broadcast_to(part, sums.shape))
    return np.nan_to_num(_tail(ratio(mean, np.sqrt(variance / np.maximum(n, 1.0))), n), nan=1.0)


def _sums(values: FloatArray, m: int, picks: FloatArray | None) -> FloatArray:
    """Sums over drawn windows, or over every run of m rows."""
    if picks is not None:
        return np.asarray(picks @ values)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(values, m, axis=-2).sum(axis=-1))


def _tail(t: FloatArray, n: FloatArray) -> FloatArray:
    from scipy.special import stdtr

    return np.asarray(2.0 * stdtr(np.maximum(n - 1.0, 1.0), -np.abs(t)))
