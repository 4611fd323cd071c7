"""Drift bursts: is the price going somewhere faster than its volatility allows?

With left-sided exponential weights w(s; h) = exp(−(t − s)/h) on the returns r_i known at t, s the time of the price
before the last,

    mean(t) = 1/h Σ w_i(h) r_i,
    sigma²(t) = 2/h' [ Σ z_i² + 2 Σ_{l<L} κ(l/L) Σ z_i z_{i−l} ],  z_i = w_i(h') r_i,
    statistic(t) = sqrt(2 h) mean(t) / sigma(t),

κ the Parzen weights. Without a burst the statistic is standard normal in the limit. A pre-averaged return is the mean
of the last k log prices less the mean of the k before, over k, so that its weights on returns sum to one and mean and
sigma keep their units. Every sum decays by one factor between prices, so that a test costs the lags and no history.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.episodes.crashes.paths import Paths, price_paths, stacked
from drainstats.errors import DataError, OptionError, check_number, check_option
from drainstats.typing import FloatArray

Lags = int | Literal["automatic", "newey_west"]
CAP = 20
COLUMNS = ["statistic", "mean", "sigma", "lags", "prices"]


@dataclass(frozen=True, slots=True)
class BurstOptions:
    """What `drift_burst` and `DriftBurst` have in common; refuses what makes no sense."""

    mean_bandwidth: float = 300.0
    variance_bandwidth: float = 900.0
    pre_average: int = 5
    lags: Lags = "automatic"
    start: Literal["raw", "scaled"] = "raw"
    longest_gap: float | None = None

    def __post_init__(self) -> None:
        for name in ("mean_bandwidth", "variance_bandwidth", "longest_gap"):
            value = getattr(self, name)
            if value is not None:
                check_number(name, value, 0.0)
        k = self.pre_average
        if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not 1 <= k <= 500:
            raise OptionError(f"pre_average={k!r} must be a whole number of prices from 1 to 500; 1 averages nothing.")
        whole = isinstance(self.lags, (int, np.integer)) and not isinstance(self.lags, bool)
        if not (self.lags in ("automatic", "newey_west") or (whole and 0 <= int(self.lags) <= 10000)):
            raise OptionError(f"lags={self.lags!r} is not 'automatic', 'newey_west' or a whole number from 0 to 10000.")
        check_option("start", self.start, ["raw", "scaled"])

    @property
    def cap(self) -> int:
        """The largest lag before the pre-averaging adds its own."""
        return int(self.lags) if not isinstance(self.lags, str) else CAP

    def numbers(self) -> FloatArray:
        """What the kernel reads."""
        fixed = {"automatic": -1.0, "newey_west": -2.0}.get(str(self.lags), float(self.cap))
        gap = np.inf if self.longest_gap is None else self.longest_gap
        return np.array([self.mean_bandwidth, self.variance_bandwidth, self.pre_average, self.cap, fixed, gap])

    def empty_state(self) -> tuple[FloatArray, FloatArray]:
        """Head (7,) and rings (4, L) before the first price."""
        from drainstats.kernels import driftburst as kernel

        length = max(self.cap + 2 * self.pre_average, kernel.CHOICES + 1)
        return np.zeros(7), np.zeros((4, length))

    def scaled(self, raw: FloatArray) -> FloatArray:
        """Sums of the kernel (m, 5) as statistic, mean, sigma, lags, prices."""
        h, narrow, age = self.mean_bandwidth, self.variance_bandwidth, raw[:, 4]
        mean, sigma, size = raw[:, 0] / h, np.sqrt(2.0 * raw[:, 1] / narrow), np.full(len(raw), np.sqrt(2.0 * h))
        if self.start == "scaled":
            with np.errstate(invalid="ignore", divide="ignore"):
                shares = -np.expm1(-age / h), -np.expm1(-2.0 * age / h), -np.expm1(-2.0 * age / narrow)
                mean, sigma = mean / shares[0], sigma / np.sqrt(shares[2])
                size = size * shares[0] / np.sqrt(shares[1])
        statistic = np.divide(size * mean, sigma, out=np.full(len(raw), np.nan), where=sigma > 0)
        return np.column_stack([statistic, mean, sigma, raw[:, 2], raw[:, 3]])


def drift_burst(
    log_price: Any,
    test_times: Any = None,
    mean_bandwidth: float = 300.0,
    variance_bandwidth: float = 900.0,
    pre_average: int = 5,
    *,
    lags: Lags = "automatic",
    start: Literal["raw", "scaled"] = "raw",
    longest_gap: float | None = None,
    times: Any = None,
) -> pd.DataFrame:
    """Drift-burst statistic of Christensen, Oomen and Renò (2022) at chosen times.

    Parameters
    ----------
    log_price : (T, N) table, Series or array
        Log prices. Labels are stamps or seconds; equal stamps are allowed. An array without ``times`` has a row a
        second. Missing prices are left out.
    test_times : stamps or seconds, optional
        In time order. By default the end of every minute that holds a price.
    mean_bandwidth, variance_bandwidth : float, default 300 and 900
        Seconds.
    pre_average : int, default 5
        Prices k in each of the two means whose difference is a pre-averaged return; 1 takes returns as they are.
    lags : int or {"automatic", "newey_west"}, default "automatic"
        L, to which 2(k − 1) is added. "newey_west": the rule of Newey and West (1994) for Parzen weights on the lagged
        products of all returns so far, n being the sum of the mean's weights. "automatic": the same rule with Σ (j − i)
        times the product at lag j, over j > i, in the place of the product at lag i, which is what the authors'
        program does. Both stop at 20.
    start : {"raw", "scaled"}, default "raw"
        Soon after the first price the sums lack the weights of what came before. "raw" leaves that: the statistic's
        deviation is then above one until about ``variance_bandwidth`` has passed. "scaled" divides by the weights that
        are there.
    longest_gap : float, optional
        Seconds without a price after which everything starts anew, such as a night.
    times : (T,) stamps or seconds, optional
        Of the rows of an array.

    Returns
    -------
    DataFrame
        A row a test time; columns statistic, mean (log price a second), sigma (per root of a second), lags (L with
        2(k − 1)) and prices (seen since the start). For a table the columns are pairs (quantity, asset). The statistic
        is NaN before 2k prices and while the price does not move.

    Raises
    ------
    DataError
        Infinite prices, stamps that are missing or run backwards, test times of another kind.
    OptionError
        Bandwidths not above zero, a ``pre_average`` below one.

    References
    ----------
    Christensen, Oomen and Renò (2022), Journal of Econometrics 227(2), 461-497. Newey and West (1994), Review of
    Economic Studies 61(4), 631-653.

    Examples
    --------
    >>> import numpy as np, drainstats as ds
    >>> r = np.random.default_rng(0).normal(0, 1e-4, 7200)
    >>> r[5400:5700] -= 5e-5
    >>> bursts = ds.drift_burst(r.cumsum(), test_times=[5400, 5700])
    >>> bursts["statistic"].round(1).tolist()
    [-0.8, -4.6]
    """
    options = BurstOptions(mean_bandwidth, variance_bandwidth, pre_average, lags, start, longest_gap)
    paths = price_paths(log_price, times)
    if test_times is None:
        tests, index = _minutes(paths)
    else:
        if isinstance(test_times, str) or not isinstance(test_times, Iterable):
            raise DataError(f"test_times={test_times!r} is no list of moments; put one moment into a list.")
        listed = test_times if isinstance(test_times, (pd.Index, np.ndarray)) else list(test_times)
        tests = paths.in_seconds(listed, "test_times")
        index = pd.Index(listed)
    found = {}
    for number, column in enumerate(paths.columns):
        _, seconds, values = paths.one(number)
        found[column] = pd.DataFrame(_one(seconds, values, tests, options), index=index, columns=COLUMNS)
    return stacked(found, paths)


def _one(seconds: FloatArray, values: FloatArray, tests: FloatArray, options: BurstOptions) -> FloatArray:
    from drainstats.kernels import driftburst as kernel

    raw = np.full((len(tests), 5), np.nan)
    kernel.burst(seconds, values, tests, options.numbers(), *options.empty_state(), raw)
    return options.scaled(raw)


def _minutes(paths: Paths) -> tuple[FloatArray, pd.Index]:
    """Ends of the minutes that hold a price, in seconds and as labels."""
    if not len(paths.index):
        raise DataError("No prices came.")
    shift = 0.0 if paths.origin is None else (paths.origin.value % 60_000_000_000) / 1e9
    tests = np.unique(np.ceil((paths.seconds + shift) / 60.0)) * 60.0 - shift
    return tests, paths.stamps(tests)
