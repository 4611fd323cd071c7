"""How large does the largest drift-burst statistic of a day get by chance?

In the limit the statistic along time is a stationary Gaussian process whose correlation over d seconds is exp(−d/h), h
the bandwidth of the mean: an Ornstein-Uhlenbeck process. The chance that its absolute value stays below c at given
times follows from passing a density from time to time and cutting it at c. This replaces the simulation of the paper,
which draws autoregressions with the fitted first autocorrelation and scales their maxima as in Gumbel's limit.
"""

from __future__ import annotations

import itertools
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, check_number, check_option, check_whole
from drainstats.frames import in_utc
from drainstats.typing import FloatArray

Law = Literal["bandwidth", "fitted", "gumbel"]
# Classes of steps, least nodes, nodes a standard deviation of a step, and the shortest step in bandwidths.
_STEPS, _FAR, _NEAR, _SHORTEST = 32, 40.0, 6.0, 0.001


def drift_burst_test(
    bursts: Any, mean_bandwidth: float = 300.0, level: float = 0.01, law: Law = "bandwidth", burn_in: int = 0
) -> pd.DataFrame:
    """Is the largest drift-burst statistic of a day too large for chance?

    Parameters
    ----------
    bursts : frame of `drift_burst`, or (m,) Series or (m, N) frame of its statistic
        Days are those of the labels; labels in seconds are one day.
    mean_bandwidth : float, default 300
        Seconds, as given to `drift_burst`.
    level : float, default 0.01
        For the critical value.
    law : {"bandwidth", "fitted", "gumbel"}, default "bandwidth"
        "bandwidth": the maximum of an Ornstein-Uhlenbeck process with that bandwidth at the times of the tests.
        "fitted": of an autoregression with the day's own first autocorrelation, as in the paper. "gumbel": of
        independent normal variables, by Gumbel's limit, which asks for too much when tests are close.
    burn_in : int, default 0
        Tests at the start of each day that are left out.

    Returns
    -------
    DataFrame
        A row a day (and asset): tests, maximum (of the absolute statistic), statistic (with its sign), at (label),
        critical, p_value. Days without a statistic are NaN. A day's row is final when the day is over.

    Raises
    ------
    DataError
        No column or series of statistics, no row.
    OptionError
        A level outside (0, 1), a law of another name, a bandwidth or a burn-in below zero.

    References
    ----------
    Christensen, Oomen and Renò (2022), Journal of Econometrics 227(2), 461-497.

    Examples
    --------
    >>> import numpy as np, drainstats as ds
    >>> r = np.random.default_rng(0).normal(0, 1e-4, 7200)
    >>> r[5400:5700] -= 8e-5
    >>> bursts = ds.drift_burst(r.cumsum(), start="scaled")
    >>> found = ds.drift_burst_test(bursts)
    >>> found["at"].tolist(), bool(found["p_value"].iloc[0] < 0.001)
    ([5700.0], True)
    """
    check_option("law", law, ["bandwidth", "fitted", "gumbel"])
    if not 0 < level < 1:
        raise OptionError(f"level={level!r} must lie between 0 and 1.")
    check_number("mean_bandwidth", mean_bandwidth, 0.0)
    check_whole("burn_in", burn_in, 0)
    table, single = _statistics(bursts)
    if not len(table):
        raise DataError("bursts has no rows; give drift_burst a time to test.")
    stamped = isinstance(table.index, pd.DatetimeIndex)
    days = in_utc(table.index).floor("D") if stamped else pd.Index(np.zeros(len(table), dtype=np.int64), name="day")
    zone = in_utc(table.index) if stamped else table.index
    seconds = zone.as_unit("ns").asi8 / 1e9 if stamped else np.asarray(table.index, dtype=np.float64)
    rows = []
    for day, places in pd.Series(np.arange(len(table))).groupby(np.asarray(days)).groups.items():
        where = np.asarray(places)[burn_in:]
        for column in table.columns:
            values = table[column].to_numpy()[where]
            kept = where[np.isfinite(values)]
            row = {"day": pd.Timestamp(day) if stamped else day, "asset": column}
            rows.append(row | _one(table[column].to_numpy()[kept], seconds[kept], kept, mean_bandwidth, level, law))
    found = pd.DataFrame(rows)
    found["at"] = [table.index[int(k)] if np.isfinite(k) else pd.NaT if stamped else np.nan for k in found["at"]]
    return found.drop(columns="asset").set_index("day") if single else found.set_index(["day", "asset"])


def _statistics(bursts: Any) -> tuple[pd.DataFrame, bool]:
    if isinstance(bursts, pd.Series):
        return bursts.to_frame(), True
    if not isinstance(bursts, pd.DataFrame):
        raise DataError("bursts is no frame of drift_burst and no Series or frame of its statistic.")
    if "statistic" not in bursts.columns.get_level_values(0):
        return bursts, False
    part = bursts["statistic"]
    return (part.to_frame(), True) if isinstance(part, pd.Series) else (part, False)


def _one(z: FloatArray, seconds: FloatArray, rows: Any, h: float, level: float, law: str) -> dict[str, Any]:
    if not len(z):
        nothing = dict.fromkeys(("maximum", "statistic", "at", "critical", "p_value"), np.nan)
        return {"tests": 0} | nothing
    top = int(np.abs(z).argmax())
    c = float(abs(z[top]))
    if law == "gumbel":
        chance, critical = _gumbel(c, len(z)), _gumbel_critical(level, len(z))
    else:
        rho = np.exp(-np.diff(seconds) / h)
        if law == "fitted":
            first = float(z[1:] @ z[:-1] / (z @ z)) if len(z) > 2 else 0.0
            rho = np.full(len(rho), min(max(first, 0.0), 0.9999))
        chance, critical = _exceedance(c, rho), _critical(level, rho)
    return {
        "tests": len(z), "maximum": c, "statistic": float(z[top]), "at": float(rows[top]), "critical": critical,
        "p_value": chance,
    }  # fmt: skip


def _gumbel(c: float, m: int) -> float:
    a, b = _norming(m)
    return float(-np.expm1(-np.exp(-(c - b) * a)))


def _gumbel_critical(level: float, m: int) -> float:
    a, b = _norming(m)
    return float(b - np.log(-np.log1p(-level)) / a)


def _norming(m: int) -> tuple[float, float]:
    """Scale and centre of the largest of m absolute normal variables; of at least three."""
    a = np.sqrt(2.0 * np.log(max(m, 3)))
    return float(a), float(a - 0.5 * np.log(np.pi * np.log(max(m, 3))) / a)


def _exceedance(c: float, rho: FloatArray) -> float:
    """Chance that one of len(rho) + 1 values of a Gaussian chain with these correlations exceeds c in size.

    Where it is too small for the difference to one, twice the normal tail times the number of values.
    """
    from scipy.special import ndtr

    bound = min(1.0, 2.0 * float(ndtr(-c)) * (len(rho) + 1))
    if bound < 1e-9:
        return bound
    nodes, weights = _nodes(c, rho)
    density = 2.0 * _phi(nodes)
    steps, passing = [float(r) for r in _classes(rho)], {}
    for r in set(steps):
        s = np.sqrt(1.0 - r * r)
        away = nodes[:, None] - r * nodes[None, :], nodes[:, None] + r * nodes[None, :]
        passing[r] = (_phi(away[0] / s) + _phi(away[1] / s)) / s * weights
    for r, run in itertools.groupby(steps):
        density = _passed(passing[r], weights, density, len(list(run)))
    over = 1.0 - float(weights @ density)
    return min(max(over, 0.0), bound)


def _passed(step: FloatArray, weights: FloatArray, density: FloatArray, times: int) -> FloatArray:
    """A density after equal steps; once each takes the same share away, the rest is a power."""
    left, before = float(weights @ density), np.nan
    for k in range(times):
        density = step @ density
        now = float(weights @ density)
        share = now / left if left > 0 else 0.0
        if abs(share - before) < 1e-14:
            return density * share ** (times - k - 1)
        left, before = now, share
    return density


def _classes(rho: FloatArray) -> FloatArray:
    """Correlations of the steps; many different ones are put into classes of like length."""
    gaps = np.maximum(-np.log(np.maximum(rho, 1e-12)), _SHORTEST)
    short = np.unique(np.round(gaps, 9))
    if len(short) <= _STEPS:
        return np.exp(-np.round(gaps, 9))
    edges = np.unique(np.quantile(gaps, np.linspace(0.0, 1.0, _STEPS + 1)))
    place = np.clip(np.searchsorted(edges, gaps, side="right") - 1, 0, len(edges) - 2)
    middle = np.bincount(place, gaps) / np.maximum(np.bincount(place), 1)
    return np.asarray(np.exp(-middle[place]))


def _nodes(c: float, rho: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes on [0, c], close enough for the narrowest step."""
    step = np.sqrt(1.0 - float(np.max(_classes(rho), initial=0.0)) ** 2)
    x, w = np.polynomial.legendre.leggauss(int(min(max(_FAR, _NEAR * c / step), 600)))
    return 0.5 * c * (x + 1.0), 0.5 * c * w


def _phi(x: FloatArray) -> FloatArray:
    return np.asarray(np.exp(-0.5 * x * x) / np.sqrt(2.0 * np.pi))


_found: dict[tuple[float, bytes], float] = {}


def _critical(level: float, rho: FloatArray) -> float:
    """The size that is exceeded with chance ``level``; kept, as days share their times."""
    from scipy.optimize import brentq
    from scipy.special import ndtri

    key = level, np.round(rho, 6).tobytes()
    if key not in _found:
        low, high = -float(ndtri(level / 2.0)), -float(ndtri(level / 2.0 / (len(rho) + 1))) + 0.01
        _found.clear() if len(_found) > 500 else None
        _found[key] = brentq(lambda c: _exceedance(c, rho) - level, low - 0.01, high, xtol=1e-4)
    return _found[key]
