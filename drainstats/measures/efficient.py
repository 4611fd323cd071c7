"""Spreads from open, high, low and close: EDGE and the four generalized estimators that it combines.

With m the middle of a bar's log range and a subscript 1 for the row before, let r1 = m − o, r2 = o − m1, r3 = m − c1,
r4 = c1 − m1, r5 = o − c1, and let tau say that a bar shows a price change (h ≠ l or l ≠ c1). Each estimator is

    S² = −8/π · E[(a − tau E[a] / E[tau]) b],

OHL with (a, b) = (r1, r2), OHLC (r1, r5), CHL (r3, r4), CHLO (r5, r4); π counts how often the open (for CHL and CHLO
the close before) differs from its bar's high, plus how often it differs from the low, in bars with a price change.
EDGE weights the mean of OHL and CHL against that of OHLC and CHLO by their variances.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from drainstats.errors import DataError, OptionError, check_option
from drainstats.measures.estimates import estimated_root
from drainstats.measures.inference import hac_method, smooth_error
from drainstats.measures.inputs import (
    apply_negative,
    check_window,
    checked,
    in_blocks,
    signed_root,
    window_mean,
    without_crossed,
)
from drainstats.typing import FloatArray, Negative

Missing = Literal["joint", "separate"]
PAIRS = {"OHL": ("r1", "r2"), "OHLC": ("r1", "r5"), "CHL": ("r3", "r4"), "CHLO": ("r5", "r4")}


def edge(
    open: Any,
    high: Any,
    low: Any,
    close: Any,
    window: int = 21,
    negative: Negative = "keep",
    *,
    missing: Missing = "joint",
    with_se: bool = False,
    hac_lags: int | None = None,
) -> Any:
    """Efficient spread from open, high, low and close prices (Ardia, Guidotti and Kroencke, 2024).

    Parameters
    ----------
    open, high, low, close : (T, N) tables, Series or arrays
        Prices above zero; NaN where there is none.
    window : int, default 21
        Rows of a window, at least 3.
    negative : {"keep", "nan", "zero", "abs"}, default "keep"
    missing : {"joint", "separate"}, default "joint"
        "joint": a row enters when all of its parts are there, the formula of one window. "separate": each product is
        averaged over its own rows, as the rolling versions of R's and Python's ``bidask`` do.
    with_se : bool, default False
        Return an `Estimate` with standard errors: delta method, the two weights taken as known.
    hac_lags : int, optional
        Rows of serial dependence in the errors; by default floor(4 (window / 100)^(2/9)).

    Returns
    -------
    Same kind and shape as ``close``, or an `Estimate` of such tables
        Spread as a fraction of the price; NaN before the first full window and where fewer than two rows of a window
        show a price change, or no open or close differs from its high or low.

    Raises
    ------
    DataError
        A price that is not above zero or infinite, tables that do not match, fewer rows than the window.
    OptionError

    References
    ----------
    Ardia, Guidotti and Kroencke (2024), Journal of Financial Economics 161, 103916.

    Examples
    --------
    >>> import drainstats as ds
    >>> o, h, l, c = [10.0, 10.1, 10.0], [10.2, 10.2, 10.1], [9.9, 10.0, 9.9], [10.1, 10.1, 9.9]
    >>> ds.measures.edge(o, h, l, c, window=3).round(6)
    array([      nan,       nan, -0.005001])
    """
    from drainstats.kernels import edge as kernels

    check_option("missing", missing, ["joint", "separate"])
    wides = checked({"open": open, "high": high, "low": low, "close": close}, {}, copy=False)
    window = check_window(window, len(wides[0].values), 3)

    def block(*prices: FloatArray) -> list[FloatArray]:
        logs = _logs(*prices)
        root = kernels.edge(logs, window) if missing == "joint" else None
        if root is not None and not with_se:
            return [root]
        moments = _Moments(logs, window, missing)
        weight = moments.weight
        if root is None:
            square = weight * moments.mean_square(["OHL", "CHL"]) + (1 - weight) * moments.mean_square(["OHLC", "CHLO"])
        else:
            square = np.copysign(root**2, root)
        shares = {"OHL": weight / 2, "CHL": weight / 2, "OHLC": (1 - weight) / 2, "CHLO": (1 - weight) / 2}
        return [square, moments.error(shares, hac_lags)] if with_se else [signed_root(square)]

    found, *errors = in_blocks(block, *wides)
    if not with_se:
        return wides[3].like(apply_negative(found, negative))
    return estimated_root(wides[3], found, errors[0], hac_method(window - 1, hac_lags), negative)


def ohlc_spread(
    open: Any,
    high: Any,
    low: Any,
    close: Any,
    window: int = 21,
    negative: Negative = "keep",
    *,
    method: str = "OHLC",
    missing: Missing = "joint",
    with_se: bool = False,
    hac_lags: int | None = None,
) -> Any:
    """The generalized estimators behind EDGE (Ardia, Guidotti and Kroencke, 2024).

    Parameters
    ----------
    open, high, low, close : (T, N) tables, Series or arrays
        Prices above zero; ``open=None`` for CHL, which needs none.
    window : int, default 21
        Rows of a window, at least 3.
    negative : {"keep", "nan", "zero", "abs"}, default "keep"
    method : str, default "OHLC"
        "OHL", "OHLC", "CHL", "CHLO", or several joined by a dot, such as "OHL.CHL": the root of the mean square.
    missing, with_se, hac_lags
        As in `edge`.

    Returns
    -------
    Same kind and shape as ``close``, or an `Estimate` of such tables
        Spread as a fraction of the price; NaN as in `edge`.

    Raises
    ------
    DataError, OptionError
        As in `edge`.

    References
    ----------
    Ardia, Guidotti and Kroencke (2024), Journal of Financial Economics 161, 103916.

    Examples
    --------
    >>> import drainstats as ds
    >>> o, h, l, c = [10.0, 10.1, 10.0], [10.2, 10.2, 10.1], [9.9, 10.0, 9.9], [10.1, 10.1, 9.9]
    >>> ds.measures.ohlc_spread(o, h, l, c, window=3, method="CHL").round(6)
    array([      nan,       nan, -0.007072])
    """
    check_option("missing", missing, ["joint", "separate"])
    names = method.split(".") if isinstance(method, str) else []
    if not names or not set(names) <= set(PAIRS):
        raise OptionError(f"method={method!r} is one of {', '.join(PAIRS)}, or several joined by a dot: 'OHL.CHL'.")
    if open is None and names != ["CHL"]:
        raise DataError(f'method={method!r} needs the open; without one use method="CHL".')
    prices = {"open": close if open is None else open, "high": high, "low": low, "close": close}
    wides = checked(prices, {}, copy=False)
    window = check_window(window, len(wides[0].values), 3)

    def block(*prices: FloatArray) -> list[FloatArray]:
        moments = _Moments(_logs(*prices), window, missing, range_is_change=missing == "separate")
        square = moments.mean_square(names)
        if not with_se:
            return [signed_root(square)]
        return [square, moments.error(dict.fromkeys(names, 1 / len(names)), hac_lags)]

    found, *errors = in_blocks(block, *wides)
    if not with_se:
        return wides[3].like(apply_negative(found, negative))
    return estimated_root(wides[3], found, errors[0], hac_method(window - 1, hac_lags), negative)


def _logs(o: FloatArray, h: FloatArray, l: FloatArray, c: FloatArray) -> list[FloatArray]:
    """Logs of the prices, crossed bars missing."""
    return [np.log(price) for price in (o, *without_crossed(h, l), c)]


@dataclass
class _Moments:
    """What the estimators average, over every window; all arrays are (T, N)."""

    logs: list[FloatArray]
    window: int
    missing: Missing
    range_is_change: bool = False

    def __post_init__(self) -> None:
        o, h, l, c = self.logs
        h1, l1, c1 = (_before(p) for p in (h, l, c))
        m, m1 = (h + l) / 2, (h1 + l1) / 2
        self.r = {"r1": m - o, "r2": o - m1, "r3": m - c1, "r4": c1 - m1, "r5": o - c1}
        change = ((h != l) | (l != c1)).astype(np.float64)
        # A bar with a range shows a price change whatever the close before was: R's generalized estimators take it for
        # one also where that close is missing, its EDGE does not.
        unknown = np.isnan(h) | np.isnan(l) | (np.isnan(c1) & ((h == l) | (not self.range_is_change)))
        self.tau = np.where(unknown, np.nan, change)
        self.at_open = (self.tau * _differs(o, h), self.tau * _differs(o, l))
        self.at_close = (self.tau * _differs(c1, h1), self.tau * _differs(c1, l1))
        for row in (*self.r.values(), self.tau, *self.at_open, *self.at_close):
            row[0] = np.nan  # the first row has none before it

    def mean(self, values: FloatArray) -> FloatArray:
        """Mean over the rows of each window but its first, which serves as the row before only."""
        out = window_mean(values, self.window - 1)
        out[: self.window - 1] = np.nan
        return out

    @cached_property
    def p_tau(self) -> FloatArray:
        """Share of rows with a price change; NaN where fewer than two rows of a window have one."""
        changes = self.mean(np.nan_to_num(self.tau)) * (self.window - 1)
        return np.where(changes < 1.5, np.nan, self.mean(self.tau))

    @cached_property
    def p(self) -> dict[str, FloatArray]:
        """π of each estimator; NaN where it is zero."""
        opened, closed = (self.mean(high) + self.mean(low) for high, low in (self.at_open, self.at_close))
        opened, closed = (np.where(x == 0, np.nan, x) for x in (opened, closed))
        return {"OHL": opened, "OHLC": opened, "CHL": closed, "CHLO": closed}

    @cached_property
    def means(self) -> dict[str, FloatArray]:
        """E[a] of r1, r3, r5, each over its own rows."""
        return {name: self.mean(self.r[name]) for name in ("r1", "r3", "r5")}

    def products(self, name: str) -> tuple[FloatArray, FloatArray]:
        """Rows of a b and tau b; with "joint" both need all parts."""
        a, b = (self.r[r] for r in PAIRS[name])
        product, shift = a * b, self.tau * b
        if self.missing == "joint":
            lost = np.isnan(product + shift)
            product, shift = np.where(lost, np.nan, product), np.where(lost, np.nan, shift)
        return product, shift

    def square(self, name: str) -> FloatArray:
        """S² of one estimator."""
        product, shift = (self.mean(x) for x in self.products(name))
        return -8 / self.p[name] * (product - self.means[PAIRS[name][0]] * shift / self.p_tau)

    def mean_square(self, names: list[str]) -> FloatArray:
        """Mean S² of several."""
        return np.asarray(sum(self.square(name) for name in names) / len(names))

    @cached_property
    def weight(self) -> FloatArray:
        """Weight of the mean of OHL and CHL in EDGE: the share of the other pair's variance."""
        v1, v2 = self._variance("OHL", "CHL"), self._variance("OHLC", "CHLO")
        total = v1 + v2
        return np.where(total > 0, np.divide(v2, total, out=np.full_like(v2, 0.5), where=total > 0), 0.5 + 0 * total)

    def _variance(self, first: str, second: str) -> FloatArray:
        """Variance of the row whose mean is the mean S² of two estimators."""
        total = np.zeros_like(self.tau)
        for one in (first, second):
            for other in (first, second):
                total = total + 16 / (self.p[one] * self.p[other]) * self._cross(one, other)
        return total - self.mean_square([first, second]) ** 2

    def _cross(self, one: str, other: str) -> FloatArray:
        """E[(a − tau E[a]/E[tau]) b (a′ − tau E[a′]/E[tau]) b′]."""
        (a, b), (a2, b2) = ((self.r[r] for r in PAIRS[name]) for name in (one, other))
        shift, shift2 = (self.means[PAIRS[name][0]] / self.p_tau for name in (one, other))
        rows = [a * b * a2 * b2, self.tau * b * a2 * b2, self.tau * a * b * b2, self.tau * b * b2]
        if self.missing == "joint":
            lost = np.isnan(sum(rows))
            rows = [np.where(lost, np.nan, row) for row in rows]
        full, left, right, both = (self.mean(row) for row in rows)
        return full - shift * left - shift2 * right + shift * shift2 * both

    def error(self, shares: dict[str, Any], lags: int | None) -> FloatArray:
        """Standard error of a weighted mean of the squares of estimators, the weights taken as known."""
        rows: dict[str, FloatArray] = {"tau": self.tau}
        slopes: dict[str, FloatArray] = {"tau": np.zeros_like(self.tau)}
        for name, share in shares.items():
            a = PAIRS[name][0]
            high, low = self.at_open if name.startswith("O") else self.at_close
            product, shift = self.products(name)
            scale = -8 * share / self.p[name]
            mean_shift = self.mean(shift)
            terms = {
                f"product {name}": (product, scale),
                f"shift {name}": (shift, -scale * self.means[a] / self.p_tau),
                a: (self.r[a], -scale * mean_shift / self.p_tau),
                "tau": (self.tau, scale * self.means[a] * mean_shift / self.p_tau**2),
                f"bounce {name[0]}": (high + low, -share * self.square(name) / self.p[name]),
            }
            for key, (row, slope) in terms.items():
                rows[key] = row
                slopes[key] = slopes.get(key, 0.0) + slope
        error = smooth_error(list(rows.values()), [slopes[key] for key in rows], self.window - 1, lags)
        error[: self.window - 1] = np.nan
        return error


def _before(values: FloatArray) -> FloatArray:
    return np.concatenate([np.full((1, values.shape[1]), np.nan), values[:-1]])


def _differs(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.where(np.isnan(a) | np.isnan(b), np.nan, a != b)
