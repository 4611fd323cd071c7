"""Did the series move together more during an episode than before it?

    rho(w) = mean over pairs of the correlation of z_i and z_j in the window w
    difference = rho(during) - rho(before)

z are residuals standardised by their own variance models: raw correlations rise in any turmoil because variances do
(Forbes and Rigobon, 2002, Journal of Finance 57, 2223-2261). The standard error is that of the influence function of
each window's mean correlation with Newey and West (1987, Econometrica 55, 703-708) weights; windows of a month hold too
few rows for it, so that the same windows are also laid over every other place of the sample, and the difference is
ranked among those.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, require_extra
from drainstats.models.coliquidity.inputs import complete_rows
from drainstats.typing import FloatArray

Window = tuple[Any, Any]
MIN_ROWS = 8


@dataclass(frozen=True, eq=False)
class CorrelationContrast:
    """The change of the mean correlation between two windows.

    Attributes
    ----------
    before, during : mean correlations of all pairs.
    difference : float
    std_error : float, of the difference; windows are taken as independent.
    p_value : two-sided, normal.
    placebo_p_value : share of all placements of the same two windows in the sample, the asked one among them, whose
        difference is as large (one-sided: a rise). NaN when fewer than 20 fit.
    placements : how many there are.
    pairs : frame, a row a pair: before, during, difference, std_error, p_value, p_holm (Holm, 1979).
    windows : ((first, last), (first, last)) rows used, and their counts in ``rows``.
    rows : (int, int)
    """

    before: float
    during: float
    difference: float
    std_error: float
    p_value: float
    placebo_p_value: float
    placements: int
    pairs: pd.DataFrame
    windows: tuple[Window, Window]
    rows: tuple[int, int]

    def __repr__(self) -> str:
        spans = [f"{a!s} to {b!s} ({n} rows)" for (a, b), n in zip(self.windows, self.rows, strict=True)]
        return "\n".join(
            [
                f"<CorrelationContrast, mean of {len(self.pairs)} pairs",
                f" before {self.before:.4f}  {spans[0]}",
                f" during {self.during:.4f}  {spans[1]}",
                f" difference {self.difference:+.4f} ± {self.std_error:.4f}, p = {self.p_value:.4g}; "
                f"as large in {self.placebo_p_value:.4g} of {self.placements} placements>",
            ]
        )

    def plot(self, ax: Any = None) -> Any:
        """Each pair's correlation before against during; returns the axes."""
        ax = require_extra("matplotlib.pyplot", "plot").subplots()[1] if ax is None else ax
        ax.plot(self.pairs["before"], self.pairs["during"], ".", ms=4)
        ends = [min(self.pairs[["before", "during"]].min()), 1.0]
        ax.plot(ends, ends, color="0.7", lw=0.8)
        ax.plot([self.before], [self.during], "k+", ms=12, label="mean of all pairs")
        ax.set_xlabel("correlation before")
        ax.set_ylabel("correlation during")
        ax.legend()
        return ax


def correlation_contrast(z: Any, before: Window, during: Window) -> CorrelationContrast:
    """Compare the correlations of two windows, with a standard error and a rank among placebos.

    Parameters
    ----------
    z : (T, N) table of standardised residuals (``res.std_resid``), complete rows.
    before, during : (first, last) row labels, both included; ``during`` comes after ``before``.

    Returns
    -------
    CorrelationContrast

    Raises
    ------
    DataError
        Windows that overlap or hold fewer than 8 rows; a series that does not vary in one of them.

    Notes
    -----
    A window that was chosen because correlations were high in it makes every p-value too small; give the dates of the
    event.

    Examples
    --------
    >>> import numpy as np, drainstats as ds
    >>> rng = np.random.default_rng(0)
    >>> z = rng.standard_normal((600, 3))
    >>> z[500:530] += 1.5 * rng.standard_normal((30, 1))
    >>> ds.correlation_contrast(z, before=(380, 499), during=(500, 529)).placebo_p_value < 0.05
    True
    """
    wide = complete_rows(z, 2 * MIN_ROWS)
    if wide.values.shape[1] < 2:
        raise DataError("z has one asset and a correlation needs two.")
    spans = [_rows(wide.index, name, w) for name, w in (("before", before), ("during", during))]
    (b0, b1), (d0, d1) = spans
    if d0 < b1:
        raise DataError("The window during must start after the window before ends.")
    values = wide.values
    for name, (low, high) in zip(("before", "during"), spans, strict=True):
        flat = np.flatnonzero(np.ptp(values[low:high], axis=0) == 0.0)
        if len(flat):
            raise DataError(f"A series does not vary in the window {name}; leave it out.", column=wide.columns[flat[0]])
    old, new = (_pair_correlations(values[low:high]) for low, high in spans)
    gap = new.mean() - old.mean()
    errors = [_errors(values[low:high]) for low, high in spans]
    error = float(np.hypot(errors[0][1], errors[1][1]))
    placebos = _placebos(values, b1 - b0, d0 - b1, d1 - d0)
    rank = float((placebos >= gap - 1e-12).mean()) if len(placebos) >= 20 else float("nan")
    first, second = np.tril_indices(values.shape[1], -1)[::-1]
    pairs = pd.DataFrame(
        {"before": old, "during": new, "difference": new - old, "std_error": np.hypot(errors[0][0], errors[1][0])},
        index=pd.MultiIndex.from_arrays([wide.columns[first], wide.columns[second]], names=["first", "second"]),
    )
    pairs["p_value"] = _two_sided(pairs["difference"].to_numpy() / pairs["std_error"].to_numpy())
    pairs["p_holm"] = _holm(pairs["p_value"].to_numpy())
    return CorrelationContrast(
        before=float(old.mean()),
        during=float(new.mean()),
        difference=float(gap),
        std_error=error,
        p_value=float(_two_sided(np.array([gap / error]))[0]),
        placebo_p_value=rank,
        placements=len(placebos),
        pairs=pairs,
        windows=((wide.index[b0], wide.index[b1 - 1]), (wide.index[d0], wide.index[d1 - 1])),
        rows=(b1 - b0, d1 - d0),
    )


def _rows(index: pd.Index, name: str, window: Window) -> tuple[int, int]:
    """Positions of a window of labels, the end excluded."""
    if not isinstance(window, (tuple, list)) or len(window) != 2:
        raise OptionError(f"{name}={window!r} must be (first, last) row labels.")
    span = index.slice_indexer(*window)
    rows = span.stop - span.start
    if rows < MIN_ROWS:
        raise DataError(f"The window {name} holds {max(rows, 0)} rows and a correlation needs {MIN_ROWS}.")
    return span.start, span.stop


def _standardised(z: FloatArray) -> FloatArray:
    centred = z - z.mean(axis=0)
    return np.asarray(centred / np.sqrt((centred**2).mean(axis=0)))


def _pair_correlations(z: FloatArray) -> FloatArray:
    """Correlations of all pairs, below the diagonal (N (N - 1) / 2,)."""
    u = _standardised(z)
    return np.asarray((u.T @ u / len(u))[np.tril_indices(z.shape[1], -1)])


def _errors(z: FloatArray) -> tuple[FloatArray, float]:
    """Standard errors of the pairs' correlations and of their mean, from influence functions."""
    u = _standardised(z)
    T, N = u.shape
    rows, cols = np.tril_indices(N, -1)
    R = u.T @ u / T
    square = u**2
    lags = int(4.0 * (T / 100.0) ** (2.0 / 9.0))
    pairs = np.empty(len(rows))
    for i in range(1, N):
        mine = rows == i
        j = cols[mine]
        pairs[mine] = np.sqrt(
            _long_run(u[:, [i]] * u[:, j] - 0.5 * R[i, j] * (square[:, [i]] + square[:, j]), lags) / T
        )
    # The mean needs no pairs: sum_i<j u_i u_j = ((sum u)^2 - sum u^2) / 2.
    count = N * (N - 1) / 2
    mean = 0.5 * (u.sum(axis=1) ** 2 - square.sum(axis=1)) - 0.5 * square @ (R.sum(axis=1) - 1.0)
    return pairs, float(np.sqrt(_long_run(mean[:, None] / count, lags)[0] / T))


def _long_run(x: FloatArray, lags: int) -> FloatArray:
    """Bartlett-weighted long-run variance of each column; never below a tenth of the plain one."""
    x = x - x.mean(axis=0)
    plain = (x**2).mean(axis=0)
    total = plain.copy()
    for k in range(1, lags + 1):
        total += 2.0 * (1.0 - k / (lags + 1.0)) * (x[k:] * x[:-k]).sum(axis=0) / len(x)
    return np.asarray(np.maximum(total, 0.1 * plain))


def _placebos(values: FloatArray, old: int, gap: int, new: int) -> FloatArray:
    """Differences of the mean correlation at every placement of the two windows, the asked one among them."""
    starts = np.arange(0, len(values) - (old + gap + new) + 1)
    level = {n: _moving_mean_correlation(values, n) for n in {old, new}}
    found = level[new][starts + old + gap] - level[old][starts]
    return np.asarray(found[np.isfinite(found)])


def _moving_mean_correlation(values: FloatArray, rows: int) -> FloatArray:
    """Mean correlation of all pairs in every window of ``rows`` rows, by its first row: O(T N) a window."""
    N = values.shape[1]
    windows = np.lib.stride_tricks.sliding_window_view(values, rows, axis=0)
    out = np.empty(len(windows))
    with np.errstate(invalid="ignore", divide="ignore"):
        for first in range(0, len(windows), max(1, 2**20 // (rows * N))):
            block = windows[first : first + max(1, 2**20 // (rows * N))]
            u = block - block.mean(axis=2, keepdims=True)
            u = u / np.sqrt((u**2).mean(axis=2, keepdims=True))
            out[first : first + len(u)] = ((u.sum(axis=1) ** 2).mean(axis=1) - N) / (N * (N - 1))
    return out


def _two_sided(z: FloatArray) -> FloatArray:
    from scipy.special import ndtr

    return np.asarray(2.0 * ndtr(-np.abs(z)))


def _holm(p: FloatArray) -> FloatArray:
    """Holm's step-down adjustment."""
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    out = np.empty(len(p))
    out[order] = np.minimum(stepped, 1.0)
    return out
