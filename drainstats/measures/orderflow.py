"""Order flow imbalance: what came to the bid less what came to the ask, at the best quotes and behind them.

With b, B price and size at a level of the bid, a, A those of the ask, and a subscript 1 for the row before, the flow of
a row is

    e = [b ≥ b₁] B − [b ≤ b₁] B₁ − [a ≤ a₁] A + [a ≥ a₁] A₁

and the imbalance of an interval the sum of its rows. A level that is empty, or lacks a size, in a row or in the row
before has no flow there: the chain breaks and begins again. Rows of one stamp count one after the other.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, check_option, check_whole
from drainstats.frames import as_wide, refuse_extreme, to_pandas
from drainstats.measures.inputs import check_window
from drainstats.measures.tidy import Events, events, interval_of, stamps, still, stretches
from drainstats.typing import FloatArray, IntArray

Crossed = Literal["keep", "break"]
CROSSED = ("keep", "break")
_CELLS, _ROUNDING = 2**20, 1e-12


def ofi(quotes: Any, every: Any = None, crossed: Crossed = "keep", by_day: bool = True) -> pd.Series | pd.DataFrame:
    """Order flow imbalance at the best quotes (Cont, Kukanov and Stoikov, 2014).

    Parameters
    ----------
    quotes : table of n quotes
        As `drainstats.read_quotes` returns it: index of stamps, in time order for each asset, ``bid``, ``bid_size``,
        ``ask``, ``ask_size``, and ``asset`` when there are several.
    every : length of time, optional
        Sum over intervals [t, t + every) from midnight UTC on, up to a day long; by default the flow of each quote.
    crossed : {"keep", "break"}, default "keep"
        Whether quotes whose bid lies above their ask count, as in `drainstats.tick_bars`, or break the chain.
    by_day : bool, default True
        The chain begins again at midnight UTC, as in `tick_bars`.

    Returns
    -------
    Series or DataFrame
        Base units; positive when demand grew. Without ``every`` a row a quote, NaN where the chain begins. With it a
        row an interval that holds a quote, labelled by its start and known at its end; NaN where no quote of it has a
        flow; a column an asset where the quotes have them. Observed, not estimated: there is no standard error.

    Raises
    ------
    DataError
        A missing column, no stamps, stamps of an asset that run backwards, negative or infinite sizes.
    OptionError
        An unknown option, a length of time that is not allowed.

    References
    ----------
    Cont, Kukanov and Stoikov (2014), Journal of Financial Econometrics 12(1), 47-88.

    Examples
    --------
    >>> import pandas as pd, drainstats as ds
    >>> clock = pd.date_range("2024-01-02 10:00", periods=3, freq="10s", tz="UTC")
    >>> quotes = pd.DataFrame({"bid": 99.0, "bid_size": [5.0, 7, 7], "ask": 101.0, "ask_size": [3.0, 3, 4]}, clock)
    >>> ds.measures.ofi(quotes).tolist(), ds.measures.ofi(quotes, every="1min").tolist()
    ([nan, 2.0, -1.0], [1.0])
    """
    check_option("crossed", crossed, CROSSED)
    shown = events(quotes, "quotes", ("bid", "bid_size", "ask", "ask_size"))
    _check_sizes(shown)
    flow = np.empty(len(shown.time))
    for _, rows in shown.parts():
        flow[rows] = _flow(shown, rows, [""], crossed, by_day)[:, 0]
    if every is None:
        return pd.Series(flow, index=shown.index.rename("time"), name="ofi")
    start = interval_of(shown.time, every)
    sums = {}
    for name, rows in shown.parts():
        first = stretches(start[rows])
        sums[name] = pd.Series(_sums(flow[rows][:, None], first)[:, 0], index=stamps(start[rows][first[:-1]]))
    return sums[None].rename("ofi") if shown.asset is None else pd.DataFrame(sums).sort_index()


def multilevel_ofi(
    book: Any,
    depth: int | None = None,
    every: Any = None,
    normalise: Literal["none", "depth"] = "none",
    crossed: Crossed = "keep",
    by_day: bool = True,
) -> pd.DataFrame:
    """Order flow imbalance at each level of the book (Xu, Gould and Howison, 2018).

    Parameters
    ----------
    book : table of T snapshots of one asset
        As `drainstats.read_book` returns it: ``bid_0 bid_size_0 ask_0 ask_size_0 bid_1 …``, in time order.
    depth : int, optional
        Levels to take; by default all.
    every : length of time, optional
        As in `ofi`.
    normalise : {"none", "depth"}, default "none"
        "depth" divides the flows of an interval by the mean size that stood at a level and side in it, over all levels
        taken (Cont, Cucuringu and Zhang, 2023); it needs ``every``.
    crossed, by_day
        As in `ofi`; a snapshot is crossed when its best bid lies above its best ask.

    Returns
    -------
    DataFrame
        Columns ``ofi_0``, ``ofi_1`` …: base units, or multiples of the mean size. Rows as in `ofi`. A level that no
        pair of snapshots holds is NaN.

    Raises
    ------
    DataError
        No snapshots, several assets, stamps that run backwards, negative or infinite sizes.
    OptionError
        More levels than there are, "depth" without an interval.

    References
    ----------
    Xu, Gould and Howison (2018), Market Microstructure and Liquidity 4(3-4), 1950011. Cont, Cucuringu and Zhang (2023),
    Quantitative Finance 23(10), 1373-1393.

    Examples
    --------
    >>> import pandas as pd, drainstats as ds
    >>> clock = pd.date_range("2024-01-02 10:00", periods=2, freq="10s", tz="UTC")
    >>> book = pd.DataFrame({"bid_0": 99.0, "bid_size_0": [5.0, 7.0], "ask_0": 101.0, "ask_size_0": 3.0}, clock)
    >>> book = book.assign(bid_1=98.0, bid_size_1=[4.0, 1.0], ask_1=102.0, ask_size_1=4.0)
    >>> ds.measures.multilevel_ofi(book, every="1min").to_numpy().tolist()
    [[2.0, -3.0]]
    """
    check_option("crossed", crossed, CROSSED)
    check_option("normalise", normalise, ["none", "depth"])
    if normalise == "depth" and every is None:
        raise OptionError('normalise="depth" takes the mean size of an interval: give its length with every=.')
    taken, levels = _snapshots(book, depth)
    names = [f"ofi_{level.removeprefix('_')}" for level in levels]
    flow = _flow(taken, slice(None), levels, crossed, by_day)
    if every is None:
        return pd.DataFrame(flow, index=taken.index.rename("time"), columns=names)
    start = interval_of(taken.time, every)
    first = stretches(start)
    sums = _sums(flow, first)
    if normalise == "depth":
        size = np.concatenate([_matrix(taken, slice(None), name, levels) for name in ("bid_size", "ask_size")], axis=1)
        mean = _mean_size(size, first)
        sums = np.divide(sums, mean, out=np.full_like(sums, np.nan), where=mean > 0)
    return pd.DataFrame(sums, index=stamps(start[first[:-1]]), columns=names)


def integrated_ofi(levels: Any, window: int = 30) -> pd.Series:
    """One number for the imbalances of all levels: their first principal component (Cont, Cucuringu and Zhang, 2023).

    The weights are the eigenvector of the largest eigenvalue of the covariance of the levels, divided by the sum of
    its absolute values, with the sign that makes the weights sum to a positive number.

    Parameters
    ----------
    levels : (T, L) table
        Imbalances of intervals, a column a level, as `multilevel_ofi` with ``normalise="depth"`` returns them.
    window : int, default 30
        Rows of the covariance, at least 2, this one included. So the weights look back only; the authors take them
        from the half hour in which they are used, whole.

    Returns
    -------
    Series of T
        In the unit of the levels. NaN before the first full window, where the row lacks a level, where fewer than two
        rows of the window are complete, where the levels did not vary, and where the weights sum to zero, so that they
        have no sign. A row that lacks a level takes no part; an infinite one counts as missing.

    Raises
    ------
    DataError
        Text, labels that repeat or run backwards, numbers whose squares overflow, fewer rows than the window.
    OptionError

    References
    ----------
    Cont, Cucuringu and Zhang (2023), Quantitative Finance 23(10), 1373-1393.

    Examples
    --------
    >>> import pandas as pd, drainstats as ds
    >>> levels = pd.DataFrame({"ofi_0": [1.0, -2.0, 3.0], "ofi_1": [1.0, -2.0, 3.0]})
    >>> ds.measures.integrated_ofi(levels, window=3).round(6).tolist()
    [nan, nan, 3.0]
    """
    check_whole("window", window, 2)
    wide = as_wide(levels, "levels")
    if not wide.values.shape[1]:
        raise DataError("levels has no columns; pass at least one.")
    window = check_window(window, len(wide.values), 2)
    refuse_extreme(wide.values, wide.columns)
    x = np.where(np.isfinite(wide.values), wide.values, np.nan)
    x[np.isnan(x).any(axis=1)] = np.nan
    out = np.full(len(x), np.nan)
    chunk = max(1, _CELLS // (window * x.shape[1]))
    for start in range(window - 1, len(x), chunk):
        stop = min(start + chunk, len(x))
        out[start:stop] = _first_component(x[start - window + 1 : stop], window)
    return pd.Series(out, index=wide.index, name="integrated_ofi")


def _first_component(x: FloatArray, window: int) -> FloatArray:
    """(T − window + 1,) the last row of each window along the window's first component."""
    views = np.lib.stride_tricks.sliding_window_view(x, window, axis=0)
    there = ~np.isnan(views)
    count = there[:, 0].sum(axis=1)
    mean = np.where(there, views, 0.0).sum(axis=2) / np.maximum(count, 1)[:, None]
    away = np.where(there, views - mean[:, :, None], 0.0)
    vectors = np.linalg.eigh(away @ away.transpose(0, 2, 1))[1][:, :, -1]
    total, size = vectors.sum(axis=1), np.abs(vectors).sum(axis=1)
    weights = vectors * np.sign(total)[:, None] / size[:, None]
    # A number that is not binary varies by rounding, and weights that sum to zero have no sign.
    moves = (np.abs(away).max(axis=(1, 2)) > _ROUNDING * np.abs(mean).max(axis=1)) & (count > 1)
    moves &= np.abs(total) > _ROUNDING * size
    return np.where(moves, (weights * x[window - 1 :]).sum(axis=1), np.nan)


def _flow(taken: Events, rows: Any, levels: list[str], crossed: str, by_day: bool) -> FloatArray:
    """(n, L) flows of one asset's rows; ``levels`` are what the names of columns end with."""
    from drainstats.kernels import orderflow as kernels

    parts = [_matrix(taken, rows, name, levels) for name in ("bid", "bid_size", "ask", "ask_size")]
    # No comparison with a missing price is true: a one-sided row is not crossed.
    usable = np.ones(len(parts[0]), dtype=bool) if crossed == "keep" else ~(parts[0][:, 0] > parts[2][:, 0])
    out = np.empty_like(parts[0])
    kernels.level_flow(still(taken.time[rows]), *parts, bool(by_day), usable, out)
    return out


def _check_sizes(taken: Events) -> None:
    for name, values in taken.numbers.items():
        bad = np.flatnonzero((values < 0) | np.isinf(values))
        if "size" in name and len(bad):
            value = float(values[bad[0]])
            raise DataError(
                f"{name}={value!r} {'is infinite' if np.isinf(value) else 'is negative'}; set it to missing.",
                row=taken.index[bad[0]], column=name,
            )  # fmt: skip


def _matrix(taken: Events, rows: Any, name: str, levels: list[str]) -> FloatArray:
    return np.stack([taken.numbers[name + level][rows] for level in levels], axis=1)


def _sums(flow: FloatArray, first: IntArray) -> FloatArray:
    """(G, L) sums over the rows of each interval that have a flow; NaN where none has."""
    there = ~np.isnan(flow)
    total = np.add.reduceat(np.where(there, flow, 0.0), first[:-1], axis=0)
    return np.where(np.add.reduceat(there, first[:-1], axis=0, dtype=np.int64) > 0, total, np.nan)


def _mean_size(size: FloatArray, first: IntArray) -> FloatArray:
    """(G, 1) mean over the columns of the mean over each interval's rows, of the sizes that are there."""
    there = ~np.isnan(size)
    total = np.add.reduceat(np.where(there, size, 0.0), first[:-1], axis=0)
    count = np.add.reduceat(there, first[:-1], axis=0, dtype=np.int64)
    seen = count > 0
    mean = np.divide(total, count, out=np.zeros_like(total), where=seen)
    return np.asarray(mean.sum(axis=1, keepdims=True) / np.maximum(seen.sum(axis=1, keepdims=True), 1))


def _snapshots(book: Any, depth: int | None) -> tuple[Events, list[str]]:
    frame = to_pandas(book)
    names = frame.columns if isinstance(frame, pd.DataFrame) else []
    there = sum(bool(re.fullmatch(r"bid_\d+", str(name))) for name in names)
    if not there:
        raise DataError(
            "A table of snapshots with bid_0, bid_size_0, ask_0, ask_size_0 … is expected, as read_book returns it; "
            "updates must be applied to a book first."
        )
    if depth is not None:
        check_whole("depth", depth, 1)
        if depth > there:
            raise OptionError(f"depth={depth} levels are asked for, the book has {there}.")
    levels = [f"_{k}" for k in range(there if depth is None else depth)]
    wanted = tuple(name + level for level in levels for name in ("bid", "bid_size", "ask", "ask_size"))
    # The column side belongs to books of updates.
    taken = events(frame[[c for c in frame.columns if c != "side"]], "snapshots", wanted)
    _check_sizes(taken)
    if len(list(taken.parts())) > 1:
        raise DataError("The book holds several assets: pass one at a time.", column="asset")
    return taken, levels
