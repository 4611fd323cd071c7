"""The drift burst price by price: a state of fixed size that equals `drift_burst` on all prices so far."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from drainstats.episodes.crashes.driftburst import BurstOptions
from drainstats.errors import DataError
from drainstats.frames import in_utc
from drainstats.typing import FloatArray


@dataclass(frozen=True, eq=False, slots=True)
class DriftBurst(BurstOptions):
    """Drift burst that goes on as prices arrive (Christensen, Oomen and Renò, 2022).

    Parameters
    ----------
    mean_bandwidth, variance_bandwidth, pre_average, lags, start, longest_gap
        As in `drift_burst`.

    Attributes
    ----------
    statistic, mean, sigma : float, as of the last time; NaN before there are enough prices.
    prices : int, seen since the start.

    Examples
    --------
    >>> import numpy as np, drainstats as ds
    >>> path = np.random.default_rng(0).normal(0, 1e-4, 600).cumsum()
    >>> state = ds.DriftBurst(pre_average=2)
    >>> for second, price in enumerate(path):
    ...     state = state.update(second, price)
    >>> whole = ds.drift_burst(path, [599], pre_average=2)["statistic"].iloc[0]
    >>> bool(abs(state.statistic - whole) < 1e-10)
    True
    """

    _head: FloatArray | None = None
    _rings: FloatArray | None = None
    _origin: pd.Timestamp | None = None
    _row: FloatArray | None = None

    def update(self, time: Any, log_price: float) -> DriftBurst:
        """Take in the next price.

        Parameters
        ----------
        time : stamp, or float in seconds
            Not before the last one. Naive stamps are read as UTC.
        log_price : float
            NaN leaves the state as it is, at the new time.

        Returns
        -------
        DriftBurst
            A new state; this one stays as it is.

        Raises
        ------
        DataError
            A time before the last one, or stamps after seconds; an infinite price.
        """
        from drainstats.kernels import driftburst as kernel

        stamped = not isinstance(time, (int, float, np.integer, np.floating))
        if not isinstance(log_price, Real):
            raise DataError(f"log_price={log_price!r} is no number; convert it first.")
        try:
            stamp = in_utc(pd.DatetimeIndex([time]))[0] if stamped else None
        except (TypeError, ValueError) as error:
            raise DataError(f"The time {time!r} is neither a stamp nor seconds.") from error
        started = self._head is not None
        if started and stamped != (self._origin is not None):
            raise DataError("The times so far are of another kind; give stamps or seconds throughout.")
        if np.isinf(log_price):
            raise DataError(f"log_price={log_price!r} is infinite; leave it out.")
        origin = self._origin if started else stamp
        second = float(time) if stamp is None or origin is None else (stamp - origin).value / 1e9
        if self._head is None or self._rings is None:
            head, rings = self.empty_state()
        else:
            head, rings = self._head.copy(), self._rings.copy()
        if not np.isfinite(second) or (head[kernel.COUNT] > 0 and second < head[kernel.LAST]):
            raise DataError(f"The time {time!s} comes before the last one; prices go in by time.")
        moment, raw = np.array([second]), np.full((1, 5), np.nan)
        known = np.array([log_price], dtype=np.float64)[: 0 if np.isnan(log_price) else 1]
        kernel.burst(moment[: len(known)], known, moment, self.numbers(), head, rings, raw)
        return replace(self, _head=head, _rings=rings, _origin=origin, _row=self.scaled(raw)[0])

    @property
    def statistic(self) -> float:
        """Drift-burst statistic as of the last time."""
        return self._value(0)

    @property
    def mean(self) -> float:
        """Drift, log price a second."""
        return self._value(1)

    @property
    def sigma(self) -> float:
        """Volatility per root of a second."""
        return self._value(2)

    @property
    def prices(self) -> int:
        """Prices seen since the start."""
        return 0 if self._head is None else int(self._head[3])

    def _value(self, place: int) -> float:
        return float("nan") if self._row is None else float(self._row[place])

    def __repr__(self) -> str:
        return f"<DriftBurst: {self.prices} prices, statistic {self.statistic:.3f}, sigma {self.sigma:.3g}>"
