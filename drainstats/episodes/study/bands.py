"""Paths through the event window with bands: at each row by itself, and for the whole path at once.

One event: the mean over assets of A_d, of its running sum, or of the buy-and-hold difference

    BHAR_d = prod_(s <= d) (1 + R_s) - prod_(s <= d) (1 + R_s - A_s)          (log returns: exp of sums)

with the standard error of KP-BMP at each row, s_d / sqrt(n) sqrt[(1 + (n - 1) r) / (1 - r)]. The critical value is the
level's quantile, over placebo dates, of the studentised path |mean_d / error_d| (pointwise) or of its largest value
over the window (simultaneous, sup-t). With fewer than `FEWEST` placebo dates it is that of t(n - 1), by Bonferroni over
the rows of the window for the simultaneous band. Several events: the dispersion across events, t(events - 1) pointwise,
and sup-t from draws of one placebo date an event.

The two bands of the textbooks take assets (of several events, the events) for independent draws: mean +- t(n - 1) s /
sqrt(n), and the median with the interval of the signed-rank test, whose ends are ordered Walsh averages
(x_i + x_j) / 2, for outcomes that are symmetric about their centre (Hollander, Wolfe and Chicken 2014, section 3.3).

References
----------
Montiel Olea, J. and Plagborg-Moller, M. (2019), "Simultaneous confidence bands", Journal of Applied Econometrics 34(1),
1-17. Barber, B. and Lyon, J. (1997), Journal of Financial Economics 43(3), 341-372 (buy-and-hold).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from drainstats.episodes.study.commondate import effective_number, kp_factor
from drainstats.episodes.study.dated import DatedEvent
from drainstats.episodes.study.expected.abnormal import Offsets
from drainstats.episodes.study.testing.signs import signed_rank_law
from drainstats.errors import check_number, check_option, check_whole
from drainstats.typing import BoolArray, FloatArray

PATHS = ("abnormal", "cumulative", "buy_and_hold")
BANDS = ("simultaneous", "pointwise", "independent", "signed_rank")
FEWEST = 39
DRAWS = 1999


def buy_and_hold(observed: FloatArray, abnormal: FloatArray, returns: str) -> FloatArray:
    """Difference between holding the asset and holding what was expected, from the first row on; (..., m, n)."""
    check_option("returns", returns, ("log", "simple"))
    expected = observed - abnormal
    if returns == "log":
        return np.asarray(np.exp(observed.cumsum(axis=-2)) - np.exp(expected.cumsum(axis=-2)))
    return np.asarray((1.0 + observed).cumprod(axis=-2) - (1.0 + expected).cumprod(axis=-2))


def path_of(observed: FloatArray, abnormal: FloatArray, kind: str, returns: str) -> FloatArray:
    """The path of every asset (..., m, n) of a kind in `PATHS`."""
    if kind == "buy_and_hold":
        return buy_and_hold(observed, abnormal, returns)
    return abnormal.cumsum(axis=-2) if kind == "cumulative" else abnormal


def banded_path(
    done: tuple[DatedEvent, ...], offsets: Offsets, kind: str, band: str, level: float, returns: str, seed: int
) -> pd.DataFrame:
    """Mean path with its band: a row an offset, columns mean, low, high, error, critical."""
    check_option("kind", kind, PATHS)
    check_option("band", band, BANDS)
    check_number("level", level, 0.0, 1.0)
    index = pd.RangeIndex(offsets.window[0], offsets.window[1] + 1, name="offset")
    if band in ("independent", "signed_rank"):
        return _textbook_band(_units(done, kind, returns), band, level, index)
    if len(done) == 1:
        mean, error, critical = _one(done[0], kind, band, level, returns)
    else:
        mean, error, critical = _several(done, kind, band, level, returns, seed)
    columns = {"mean": mean, "low": mean - critical * error, "high": mean + critical * error, "error": error}
    return pd.DataFrame(columns, index).assign(critical=critical)


def _mean_and_error(paths: FloatArray, usable: BoolArray, correlation: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean over assets of paths (..., m, n) and its error, both (..., m)."""
    used = usable[..., None, :].astype(np.float64)
    n = used.sum(axis=-1)
    held = np.where(usable[..., None, :], paths, 0.0)
    mean = held.sum(axis=-1) / np.maximum(n, 1.0)
    variance = (used * (held - mean[..., None]) ** 2).sum(axis=-1) / np.maximum(n - 1.0, 1.0)
    n = np.broadcast_to(n, mean.shape)
    factor = kp_factor(np.broadcast_to(correlation[..., None], mean.shape), n)
    return mean, np.sqrt(variance / np.maximum(n, 1.0)) / factor


def _one(event: DatedEvent, kind: str, band: str, level: float, returns: str) -> tuple[FloatArray, ...]:
    from scipy.special import stdtrit

    sample = event.sample
    paths = path_of(event.observed, sample.event, kind, returns)
    mean, error = _mean_and_error(paths, np.ones(paths.shape[-1], dtype=np.bool_), event.at.correlation[0])
    m, n = paths.shape
    t = _placebo_paths(event, kind, returns)
    if len(t) < FEWEST:
        tail = (1.0 - level) / 2.0 / (m if band == "simultaneous" else 1)
        return mean, error, np.full(m, stdtrit(n - 1.0, 1.0 - tail))
    if band == "simultaneous":
        return mean, error, np.full(m, _quantile(t.max(axis=1), level))
    return mean, error, np.array([_quantile(column, level) for column in t.T])


def _placebo_paths(event: DatedEvent, kind: str, returns: str) -> FloatArray:
    """Studentised paths |mean / error| of the placebo dates that have one, (D, m)."""
    if len(event.placebo_labels) < FEWEST:
        return np.empty((0, event.sample.event.shape[0]))
    windows = event.again()
    paths = path_of(windows.observed, windows.event, kind, returns)
    mean, error = _mean_and_error(paths, windows.usable, windows.correlation)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(mean / error)
    return np.asarray(t[np.isfinite(t).all(axis=1)])


def _quantile(values: FloatArray, level: float) -> float:
    """The level's quantile such that a further exchangeable value stays below it with that probability."""
    k = effective_number(values)
    return float(np.quantile(values, min(1.0, level * (float(k) + 1.0) / float(k))))


def _several(
    done: tuple[DatedEvent, ...], kind: str, band: str, level: float, returns: str, seed: int
) -> tuple[FloatArray, ...]:
    """The unit is the event: without a band for two of them."""
    from scipy.special import stdtrit

    means = np.array([_event_mean(e.observed, e.sample.event, kind, returns) for e in done])
    count, m = means.shape
    mean = means.mean(axis=0)
    if count < 3:
        return mean, np.full(m, np.nan), np.full(m, np.nan)
    error = means.std(axis=0, ddof=1) / np.sqrt(count)
    if band == "pointwise":
        return mean, error, np.full(m, stdtrit(count - 1.0, 0.5 + level / 2.0))
    if min(len(e.placebo_labels) for e in done) < FEWEST:
        return mean, error, np.full(m, stdtrit(count - 1.0, 1.0 - (1.0 - level) / (2.0 * m)))
    check_whole("seed", seed, 0)
    rng = np.random.default_rng(seed)
    draws = []
    for event in done:
        windows = event.again()
        kept = np.where(windows.usable[:, None, :], path_of(windows.observed, windows.event, kind, returns), np.nan)
        with np.errstate(invalid="ignore"):
            paths = np.nanmean(kept, axis=-1)
        draws.append(paths[rng.integers(len(paths), size=DRAWS)])
    drawn = np.array(draws)
    t = np.abs(drawn.mean(axis=0)) / (drawn.std(axis=0, ddof=1) / np.sqrt(count))
    return mean, error, np.full(m, np.quantile(t.max(axis=1), level))


def _units(done: tuple[DatedEvent, ...], kind: str, returns: str) -> FloatArray:
    """The paths of the assets of one event, or the mean paths of several, (m, n)."""
    if len(done) == 1:
        return path_of(done[0].observed, done[0].sample.event, kind, returns)
    return np.array([_event_mean(e.observed, e.sample.event, kind, returns) for e in done]).T


def _textbook_band(paths: FloatArray, band: str, level: float, index: pd.Index) -> pd.DataFrame:
    from scipy.special import stdtrit

    n = paths.shape[1]
    if band == "signed_rank":
        low, high = _walsh_interval(paths, level)
        return pd.DataFrame({"median": np.median(paths, axis=1), "low": low, "high": high}, index)
    mean, error = paths.mean(axis=1), paths.std(axis=1, ddof=1) / np.sqrt(n)
    critical = float(stdtrit(n - 1.0, 0.5 + level / 2.0))
    columns = {"mean": mean, "low": mean - critical * error, "high": mean + critical * error, "error": error}
    return pd.DataFrame(columns, index).assign(critical=critical)


def _walsh_interval(paths: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    """Ends of the exact signed-rank interval of every row; NaN where so few units cannot reach the level."""
    i, j = np.triu_indices(paths.shape[1])
    averages = np.sort((paths[:, i] + paths[:, j]) / 2.0, axis=1)
    out = int(np.searchsorted(signed_rank_law(paths.shape[1]), (1.0 - level) / 2.0))
    if out == 0:
        none = np.full(len(paths), np.nan)
        return none, none
    return averages[:, out - 1], averages[:, -out]


def _event_mean(observed: FloatArray, abnormal: FloatArray, kind: str, returns: str) -> FloatArray:
    return np.asarray(path_of(observed, abnormal, kind, returns).mean(axis=-1))
