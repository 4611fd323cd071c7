"""Proofs that nothing looks ahead.

`assert_causal` asks two things of a function of data along time, at many cut points: that its answer on the data up to
the cut is the answer it gives there on all data (prefix invariance), and that the answer up to the cut stays the same
when what comes later is blanked, shuffled or multiplied by a thousand (future perturbation). A function that peeks
fails one of them, and the error names the first time stamp that moved. The second catches what the first can miss:
options that depend on the length of the data.

The lists say of every public name whether its time-indexed output is causal; the tests run the proof over `CAUSAL`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from drainstats.errors import DataError, LookAheadError, OptionError
from drainstats.frames import to_pandas
from drainstats.typing import BoolArray

CAUSAL: dict[str, str] = {
    "measures.edge": "trailing window",
    "measures.ohlc_spread": "trailing window",
    "measures.corwin_schultz": "trailing window",
    "measures.abdi_ranaldo": "trailing window",
    "measures.roll": "trailing window",
    "measures.parkinson": "trailing window",
    "measures.garman_klass": "trailing window",
    "measures.amihud": "trailing window",
    "measures.high_low_impact": "trailing window",
    "measures.kyle_obizhaeva": "trailing window",
    "measures.amivest": "trailing window",
    "measures.turnover": "row by row",
    "measures.pastor_stambaugh": "trailing window",
    "measures.kyle_lambda": "trailing window",
    "measures.hasbrouck_lambda": "trailing window",
    "measures.zero_returns": "trailing window",
    "measures.fht": "trailing window",
    "measures.lot": "trailing window",
    "measures.resilience": "trailing window",
    "measures.rolling_regression": "trailing window",
    "measures.dollar_volume": "row by row",
    "measures.square_root_cost": "row by row",
    "measures.rolling_commonality": "trailing window",
    "measures.absorption_ratio": "trailing window",
    "measures.absorption_shift": "trailing window",
    "measures.rolling_factors": "loadings of the rows up to then",
    "measures.depth_within": "row by row",
    "measures.depth_reach": "row by row",
    "measures.book_imbalance": "row by row",
    "measures.book_slope": "row by row",
    "measures.book_cost": "row by row",
    "measures.trade_measures": "the row and earlier quotes; later_mid, realised_spread and price_impact at known_at",
    "measures.average_costs": "each interval at its end; what needs a horizon at the last known_at of its trades",
    "measures.ofi": "the row and the one before; each interval at its end",
    "measures.multilevel_ofi": "the row and the one before; each interval at its end",
    "measures.integrated_ofi": "trailing window",
    "measures.vpin": "trailing window",
    "measures.excess_vpin": "trailing window",
    "measures.vpin_chance": "trailing window",
    "measures.flow_split": "the row and the one before",
    "measures.fund_flow": "the row and the one before",
    "measures.stable_share": "the row, the one before and the first",
    "measures.peg_deviation": "row by row",
    "measures.protocol_outflow": "the row and the one before",
    "measures.composition_break": "the row and the one before",
    "measures.annualised_funding": "trailing window",
    "measures.funding_paid": "trailing window",
    "measures.funding_stress": "the row against the rows before it",
    "measures.liquidations": "each bar at its end",
    "measures.liquidation_intensity": "trailing window",
    "tick_bars": "each bar at its end; realised_spread and price_impact at the end plus the horizon",
    "sign_trades": "the row, earlier ones of its day and earlier quotes",
    "bulk_volume": "trailing window",
    "LiquidityPanel.measure": "as the measure",
    "LiquidityPanel.join": "each bar in the first row that ends no earlier than the bar was known",
    "LiquidityPanel.resample": "each row at its end",
    "LiquidityPanel.carry": "the last close before the row",
    "LiquidityPanel.convert": "the last rate known when the row was",
    "innovations": "with method log_difference: the row and the one before",
    "log_illiquidity": "constants of the first rows, ranks of the rows up to then; with history=None the whole sample",
    "breadth_null": "trailing window; the block length too",
    "detect_episodes": "onset, detected_at and source of alarms raised; every field from known_at on",
    "event_outcome": "the row and earlier ones; innovations from coefficients of the rows before",
    "drift_burst": "prices up to the test time",
    "drift_burst_test": "each day at its end",
    "DriftBurst.update": "the state before the price, and the price",
    "realised_measures": "each day at its end, or trailing window",
    "jump_test": "each day at its end, or trailing window",
    "lee_mykland": "the row against the rows before it",
    "intraday_seasonality": "days before the row's own",
    "drawdowns": "each row from known_at on",
    "flash_events": "each row from known_at on",
    "event_study": 'rows after the event window do not enter; with placebos="all" they do',
    "signals.CoLiquidityLevel": "refitted on rows up to then, filtered forward",
    "signals.threshold_alarms": "thresholds from earlier rows only",
    "GARCHResult.filter": "fixed parameters, variance from earlier rows",
    "seasonal_dummies": "the calendar of the row",
    "GivenMargins.filter": "row by row",
    "CCCResult.filter": "fixed parameters",
    "DCCResult.filter": "fixed parameters, target and start",
    "CompositeResult.filter": "fixed parameters, targets and start",
    "DECOResult.filter": "fixed parameters, target and start",
    "CopulaDCCResult.filter": "fixed parameters, laws or ranks, target and start",
    "LoadingResult.filter": "fixed parameters, target and start",
    "DrivenDCCResult.filter": "fixed parameters, target and start; x of the row before",
    "BEKKResult.filter": "fixed parameters, mean and start",
    "rolling_fits": "refitted on rows before the origin, run forward at fixed parameters",
    "OnlineCorrelation.update": "the state before the row, and the row",
    "OGARCHResult.filter": "fixed parameters, mean and mixing",
    "GOGARCHResult.filter": "fixed parameters, mean and mixing",
}
NOT_CAUSAL: dict[str, str] = {
    "measures.liquidity_factors": "factors and loadings from the whole sample",
    "measures.liquidity_innovations": "a regression over all periods; level and change do not look ahead",
    "GARCHResult.conditional_volatility": "parameters from the whole sample",
    "GARCHResult.std_resid": "parameters from the whole sample",
    "GARCHResult.conditional_mean": "parameters from the whole sample",
    "CCCResult.correlation": "parameters from the whole sample",
    "CCCResult.covariance": "parameters from the whole sample",
    "DCCResult.correlation": "parameters and target from the whole sample",
    "DCCResult.covariance": "parameters and target from the whole sample",
    "DCCResult.pair": "parameters and target from the whole sample",
    "DCCResult.average_correlation": "parameters and target from the whole sample",
    "DCCResult.pairs": "parameters and target from the whole sample",
    "DCCResult.average": "parameters and target from the whole sample",
    "DCCResult.portfolio_volatility": "parameters and target from the whole sample",
    "DCCResult.eigenvalue_share": "parameters and target from the whole sample",
    "DECOResult.rho": "parameters and target from the whole sample",
    "CopulaDCCResult.pit": "parameters or ranks from the whole sample",
    "CopulaDCCResult.scores": "parameters or ranks from the whole sample",
    "CopulaDCCResult.tail_dependence": "parameters and target from the whole sample",
    "BEKKResult.covariance": "parameters and target from the whole sample",
    "BEKKResult.whitened": "parameters and target from the whole sample",
    "OGARCHResult.factor_variance": "parameters and mixing from the whole sample",
    "GOGARCHResult.factor_variance": "parameters and mixing from the whole sample",
    "correlation_contrast": "compares windows, and places them over the whole sample",
    "co_liquidity_index": "as the result it is given: causal on a filtered one, but for the band of the fit",
    "portfolio_risk": "as the result it is given: causal on a filtered one",
    "impulse_response": "as the result it is given; rows after the shock do not enter",
    "PanelRegressionResult.residuals": "parameters from the whole sample",
    "backtest_signals": "scores the whole history; its alarms use earlier rows only",
    "load_dataset": "repairs and adjusted prices use the whole history",
    "read_bars": "a file as it is",
    "read_trades": "a file as it is",
    "read_quotes": "a file as it is",
    "read_book": "a file as it is",
    "read_flows": "a file as it is",
    "fetch_dataset": "files as they are, or a panel of them",
    "LiquidityPanel.quality": "describes the whole history",
    "LiquidityPanel.adjust": 'with method "back" prices depend on later actions; with "forward" on earlier ones only',
    "LiquidityPanel.mark": "first and last days and inferred outages use the whole history; values do not change",
    "quality": "describes the whole history",
}

PERTURBATIONS = ("nan", "permute", "scale")


@dataclass(frozen=True, slots=True)
class _Table:
    """A table or array as `Timed` data (see `drainstats.typing.Timed`)."""

    values: Any

    @property
    def index(self) -> pd.Index:
        """Labels of the rows; positions for an array."""
        return (
            self.values.index if isinstance(self.values, (pd.DataFrame, pd.Series)) else pd.RangeIndex(len(self.values))
        )

    def cut(self, rows: int) -> _Table:
        """The first ``rows`` rows."""
        return _Table(self.values.iloc[:rows] if hasattr(self.values, "iloc") else self.values[:rows])

    def known_at(self, row: int) -> Any:
        """The row's own label: a table does not say when it was known."""
        return self.index[row]

    def disturbed(self, rows: int, how: str, seed: int) -> _Table:
        """A copy whose rows from ``rows`` on are blanked, shuffled or scaled."""
        numbers = np.array(self.values, dtype=np.float64)
        if how == "permute":
            numbers[rows:] = np.random.default_rng(seed).permutation(numbers[rows:])
        else:
            numbers[rows:] = numbers[rows:] * (np.nan if how == "nan" else 1000.0)
        if isinstance(self.values, pd.DataFrame):
            return _Table(pd.DataFrame(numbers, index=self.values.index, columns=self.values.columns))
        if isinstance(self.values, pd.Series):
            return _Table(pd.Series(numbers, index=self.values.index, name=self.values.name))
        return _Table(numbers)


def assert_causal(
    function: Callable[..., Any],
    data: Any,
    *,
    cuts: int = 50,
    min_rows: int = 2,
    seed: int = 0,
    rtol: float = 1e-9,
    atol: float = 1e-12,
) -> None:
    """Raise unless the past of a function's answer is independent of the future of its data.

    Parameters
    ----------
    function : callable
        Called with ``data``, or with its members when it is a tuple. Returns a table, Series or array whose rows are
        the rows of the data, or a table or Series with fewer rows, indexed by time stamps of its own (alarms,
        episodes): then rows stamped up to the moment at which the cut's last row was known are compared.
    data : table, Series, array, panel, or a tuple of them
        They are cut at the same row.
    cuts : int, default 50
        Number of cut points, spread over the rows from ``min_rows`` on; all of them when there are fewer rows.
    min_rows : int, default 2
        Shortest prefix: what the function needs to give an answer at all.
    seed : int, default 0
        For the places of the cuts and the shuffles.
    rtol, atol : float
        How much two numbers may differ, for functions whose summation order depends on the length.

    Raises
    ------
    LookAheadError
        With ``first``, the first time stamp that moved.
    DataError
        When the data have too few rows to be cut.

    Examples
    --------
    >>> import numpy as np, pandas as pd, drainstats as ds
    >>> x = pd.Series(np.random.default_rng(0).normal(size=200), pd.date_range("2024-01-01", periods=200, tz="UTC"))
    >>> ds.causal.assert_causal(lambda s: s.rolling(5).mean(), x)
    >>> try:
    ...     ds.causal.assert_causal(lambda s: (s - s.mean()) / s.std(), x)
    ... except ds.errors.LookAheadError as error:
    ...     print(f"{error.first:%Y-%m-%d}")
    2024-01-01
    """
    if cuts < 1 or min_rows < 1:
        raise OptionError(f"cuts={cuts} and min_rows={min_rows} must be at least 1.")
    parts = [_timed(part) for part in (data if isinstance(data, tuple) else (data,))]
    rows = len(parts[0].index)
    if rows <= min_rows:
        raise DataError(f"{rows} rows came; a cut needs more than min_rows={min_rows}.")
    whole = _answer(function, parts)
    for number, cut in enumerate(_cut_points(rows, cuts, min_rows, seed)):
        _compare(whole, _answer(function, [p.cut(cut) for p in parts]), parts[0], cut, "cut away", rtol, atol)
        how, changed = _disturbed(function, parts, cut, number, seed)
        _compare(whole, changed, parts[0], cut, f"disturbed ({how})", rtol, atol)


def _timed(part: Any) -> Any:
    return part if all(hasattr(part, name) for name in ("cut", "known_at", "disturbed")) else _Table(to_pandas(part))


def _answer(function: Callable[..., Any], parts: list[Any]) -> Any:
    answer = function(*(p.values if isinstance(p, _Table) else p for p in parts))
    return to_pandas(answer)


def _disturbed(function: Callable[..., Any], parts: list[Any], cut: int, number: int, seed: int) -> tuple[str, Any]:
    """The answer on a disturbed future; a function that refuses missing data gets a scaled future instead."""
    how = PERTURBATIONS[number % len(PERTURBATIONS)]
    try:
        return how, _answer(function, [p.disturbed(cut, how, seed) for p in parts])
    except DataError:
        if how != "nan":
            raise
    return "scale", _answer(function, [p.disturbed(cut, "scale", seed) for p in parts])


def _cut_points(rows: int, cuts: int, min_rows: int, seed: int) -> list[int]:
    """Cut points in order: a jittered grid, so that none is far from any row, with both ends among them."""
    possible = np.arange(min_rows, rows)
    if len(possible) <= cuts:
        return [int(c) for c in possible]
    edges = np.linspace(0, len(possible), cuts + 1).astype(int)
    rng = np.random.default_rng(seed)
    chosen = {int(possible[rng.integers(a, b)]) for a, b in pairwise(edges)}
    return sorted(chosen | {min_rows, rows - 1})


def _compare(whole: Any, other: Any, data: Any, cut: int, what: str, rtol: float, atol: float) -> None:
    if len(whole) == len(data.index):
        a, b, stamps = pd.DataFrame(whole).iloc[:cut], pd.DataFrame(other).iloc[:cut], data.index[:cut]
    else:
        known = data.known_at(cut - 1)
        early, again = whole[whole.index <= known], other[other.index <= known]
        a, b = pd.DataFrame(early), pd.DataFrame(again)
        stamps = early.index if len(early) >= len(again) else again.index
        shorter = min(len(a), len(b))
        alike = a.shape[1] != b.shape[1] or _same(a.iloc[:shorter], b.iloc[:shorter], rtol, atol).all()
        if len(a) != len(b) and alike:
            _refuse(stamps[shorter], data, cut, what, f"{len(a)} rows against {len(b)}")
        a, b, stamps = a.iloc[:shorter], b.iloc[:shorter], stamps[:shorter]
    if a.shape[1] != b.shape[1]:
        _refuse(stamps[0], data, cut, what, f"{a.shape[1]} columns became {b.shape[1]}")
    if len(b) < len(a):
        _refuse(stamps[len(b)], data, cut, what, "the answer is shorter than its data")
    moved = ~_same(a, b, rtol, atol)
    if moved.any():
        row = int(np.flatnonzero(moved.any(axis=1))[0])
        column = int(np.flatnonzero(moved[row])[0])
        _refuse(stamps[row], data, cut, what, f"{a.iat[row, column]!s} became {b.iat[row, column]!s}")


def _same(a: pd.DataFrame, b: pd.DataFrame, rtol: float, atol: float) -> BoolArray:
    """Cell by cell (rows, columns): numbers up to rounding, stamps and text exactly."""
    out = np.ones(a.shape, dtype=np.bool_)
    for k in range(a.shape[1]):
        x, y = _comparable(a.iloc[:, k]), _comparable(b.iloc[:, k])
        if x.dtype == y.dtype == np.float64:
            out[:, k] = np.isclose(x, y, rtol=rtol, atol=atol, equal_nan=True)
        else:
            out[:, k] = [p == q for p, q in zip(x, y, strict=True)]
    return out


def _comparable(values: pd.Series) -> npt.NDArray[Any]:
    """Numbers as floats, stamps as whole nanoseconds, anything else as text."""
    if pd.api.types.is_datetime64_any_dtype(values):
        return np.asarray(pd.DatetimeIndex(values).as_unit("ns").asi8)
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_complex_dtype(values):
        return np.asarray(values, dtype=np.float64)
    return np.array([str(v) for v in values], dtype=object)


def _refuse(stamp: Any, data: Any, cut: int, what: str, change: str) -> None:
    after = data.index[cut - 1]
    raise LookAheadError(
        f"The answer at {stamp} uses the future: it moved when the data after {after} were {what}, {change}.",
        first=stamp,
    )
