"""Rolling and expanding refits: what would the model have said at the time?

At every origin the spec is fitted on the rows before it and run forward at those parameters until the next origin. What
is collected for row t was knowable after row t - 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from inspect import signature
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError, check_whole
from drainstats.frames import as_wide
from drainstats.parallel import Failure, pmap


@dataclass(frozen=True, eq=False)
class RollingFits:
    """Refits along time.

    Attributes
    ----------
    fits : frame, a row a refit, labelled by its last row: ``first`` row fitted, ``rows``, ``loglikelihood``,
        ``converged``, ``reason`` (why it failed, else empty).
    params : refits × parameters; NaN where a fit failed.
    path : Series or frame of what was collected, on the rows after the first origin; NaN where the fit failed.
    """

    fits: pd.DataFrame
    params: pd.DataFrame
    path: Any

    def __repr__(self) -> str:
        failed = int((self.fits["reason"] != "").sum())
        unconverged = int((~self.fits["converged"]).sum()) - failed
        first, last = self.fits.index[0], self.fits.index[-1]
        return (
            f"<RollingFits: {len(self.fits)} refits, {first!s} to {last!s}, {unconverged} not converged, "
            f"{failed} failed; {len(self.path)} rows out of sample>"
        )

    def plot(self, ax: Any = None) -> Any:
        """The collected path, refits as ticks below; returns the axes."""
        from drainstats.errors import require_extra

        ax = require_extra("matplotlib.pyplot", "plot").subplots()[1] if ax is None else ax
        frame = pd.DataFrame(self.path)
        ax.plot(frame.index, frame.to_numpy(), label=[str(c) for c in frame.columns])
        ax.plot(self.fits.index, np.zeros(len(self.fits)), "|", color="0.5", transform=ax.get_xaxis_transform())
        ax.legend()
        return ax


def average_correlation(result: Any) -> pd.Series:
    """Mean conditional correlation of all pairs: what `rolling_fits` collects unless told otherwise."""
    return pd.Series(result.average_correlation)


def rolling_fits(
    spec: Any,
    y: Any,
    window: int = 1000,
    every: int = 20,
    expanding: bool = False,
    collect: Callable[[Any], Any] = average_correlation,
    n_jobs: int = 1,
    progress: bool = False,
) -> RollingFits:
    """Refit a model along time and collect what it says about the rows ahead.

    Parameters
    ----------
    spec : a spec whose ``fit`` gives a result with ``filter``: `DCC`, `CCC`, `DECO`, `GARCH` ...
    y : (T, N) table or array
    window : int, default 1000
        Rows of a fit; with ``expanding`` those of the first.
    every : int, default 20
        Rows from one refit to the next.
    expanding : bool, default False
        Fit on all rows so far instead of the last ``window``.
    collect : callable, default `average_correlation`
        Result → Series or frame with the time labels of the data, whose row t must use rows before t only: a
        conditional correlation, volatility or risk.
    n_jobs : int, default 1
        Workers of `drainstats.parallel.pmap`; the answer does not depend on it.
    progress : bool, default False

    Returns
    -------
    RollingFits
        Where ``spec.fit`` takes a ``start`` (DCC and its family), every refit starts from the estimates of the first:
        the answer does not depend on the order in which workers run.

    Raises
    ------
    DataError
        No more rows than ``window``.

    Examples
    --------
    >>> import numpy as np, drainstats as ds
    >>> y = np.random.default_rng(0).standard_normal((260, 2)) @ np.array([[1.0, 0.5], [0.0, 1.0]])
    >>> rolled = rolling_fits(ds.DCC(margins=ds.GARCH(mean="zero")), y, window=200, every=30)
    >>> len(rolled.fits), len(rolled.path)
    (2, 60)
    """
    check_whole("window", window, 10)
    check_whole("every", every, 1)
    wide = as_wide(y, "y")
    frame = pd.DataFrame(wide.values, index=wide.index, columns=wide.columns)
    if len(frame) <= window:
        raise DataError(f"y has {len(frame)} rows and the first fit takes {window}; take a shorter window.")
    origins = range(window, len(frame), every)
    spans = [(0 if expanding else r - window, r, min(r + every, len(frame))) for r in origins]
    first = pmap(partial(_refit, spec, frame, collect, None), spans[:1], on_error="record")
    warm = "start" in signature(spec.fit).parameters and not isinstance(first[0], Failure)
    start = first[0][0] if warm else None
    rest = partial(_refit, spec, frame, collect, start)
    done = first + pmap(rest, spans[1:], n_jobs=n_jobs, on_error="record", progress=progress, label="refits")
    return _assemble(done, spans, frame.index)


def _refit(
    spec: Any, frame: pd.DataFrame, collect: Callable[[Any], Any], start: Any, span: tuple[int, int, int]
) -> Any:
    """Parameters, log-likelihood, convergence and what is collected, of one origin."""
    low, origin, high = span
    sample = frame.iloc[low:origin]
    result = spec.fit(sample) if start is None else spec.fit(sample, start=start)
    rows = frame.index[origin:high]
    try:
        ahead = collect(result.filter(frame.iloc[low:high]))
    except DataError:
        # A model that refuses a later row has still something to say about the rows before it.
        whole = np.isfinite(frame.iloc[origin:high].to_numpy()).all(axis=1)
        end = origin + (len(whole) if whole.all() else int(whole.argmin()))
        ahead = collect(result.filter(frame.iloc[low:end]))
    # By label: margins that condition on lags begin some rows later.
    ahead = ahead.reindex(rows)
    return result.params, result.loglikelihood, result.converged, ahead


def _assemble(done: list[Any], spans: list[tuple[int, int, int]], index: pd.Index) -> RollingFits:
    failed = [isinstance(d, Failure) for d in done]
    if all(failed):
        raise DataError(f"No refit went through. The first failed for this reason: {done[0].message}")
    like = next(d for d, f in zip(done, failed, strict=True) if not f)
    rows, params, pieces = [], [], []
    for d, f, (low, origin, high) in zip(done, failed, spans, strict=True):
        facts = (np.nan, False, d.message) if f else (d[1], d[2], "")
        rows.append((index[low], origin - low, *facts))
        params.append(like[0] * np.nan if f else d[0])
        empty = like[3].iloc[:0].reindex(index[origin:high])
        pieces.append(empty if f else d[3])
    ends = index[[origin - 1 for _, origin, _ in spans]]
    return RollingFits(
        fits=pd.DataFrame(rows, index=ends, columns=["first", "rows", "loglikelihood", "converged", "reason"]),
        params=pd.DataFrame([p.to_numpy() for p in params], index=ends, columns=like[0].index),
        path=pd.concat(pieces),
    )
