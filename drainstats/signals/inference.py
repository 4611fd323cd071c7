"""Whether a score warns, with few events: AUROC against every circular shift of the labels.

Persistent scores make naive p-values worthless: with four events in ten years and an AR(1) of 0.98, a rank-sum test
rejects a true null in a third of the cases. Shifting the labels around the circle keeps the persistence of both sides
and breaks only their timing, and all T shifts cost two Fourier transforms: with r the ranks of the score and y the
labels, U(s) = Σ_t r_t y_{t−s} − n₁ (n₁ + 1) / 2.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError, check_option
from drainstats.typing import BoolArray, FloatArray

_TIE = 1e-9


def auroc(score: Any, labels: Any) -> float:
    """Probability that a row before an event scores above one that is not, ties counting one half.

    Parameters
    ----------
    score : (T,) array or Series
        High values warn; no missing values.
    labels : (T,) array or Series of bool

    Returns
    -------
    float
        0.5 means that the score says nothing.

    Raises
    ------
    DataError
        Missing values, lengths that differ, or only one class.

    Examples
    --------
    >>> import drainstats as ds
    >>> ds.signals.auroc([0.1, 0.4, 0.35, 0.8], [False, False, True, True])
    0.75
    """
    x, y = _checked(score, labels)
    return float(_all_shifts(x, y)[0])


def circular_shift_pvalue(score: Any, labels: Any, metric: Literal["auroc"] = "auroc") -> float:
    """Share of all circular shifts of the labels whose AUROC is at least the one observed.

    The null: the score's timing has nothing to do with the events'. Both keep their own persistence and clustering.

    Parameters
    ----------
    score : (T,) array or Series
        High values warn; no missing values.
    labels : (T,) array or Series of bool
        True in the rows before an event.
    metric : {"auroc"}, default "auroc"

    Returns
    -------
    float
        One-sided p-value; the identity is one of the T shifts, so it is at least 1 / T.

    Raises
    ------
    DataError
        Missing values, lengths that differ, or only one class.

    Examples
    --------
    >>> import numpy as np, drainstats as ds
    >>> labels = np.zeros(100, dtype=bool); labels[40:45] = True
    >>> ds.signals.circular_shift_pvalue(labels + 0.0, labels)
    0.01
    """
    check_option("metric", metric, ["auroc"])
    x, y = _checked(score, labels)
    shifted = _all_shifts(x, y)
    return float(np.mean(shifted >= shifted[0] - _TIE))


def detectable_auroc(score: FloatArray, labels: BoolArray, level: float = 0.05) -> float:
    """Smallest AUROC that would be significant at ``level`` for this score and this pattern of events."""
    shifted = np.round(_all_shifts(*_checked(score, labels)), 9)
    values, counts = np.unique(shifted, return_counts=True)
    at_least = counts[::-1].cumsum()[::-1]
    enough = values[at_least <= level * len(shifted)]
    return float(enough[0]) if len(enough) else float("nan")


def _checked(score: Any, labels: Any) -> tuple[FloatArray, BoolArray]:
    labelled = isinstance(score, pd.Series) and isinstance(labels, pd.Series)
    if labelled and len(score) == len(labels) and not score.index.equals(labels.index):
        raise DataError("Score and labels have different row labels; align them first, as with labels.reindex.")
    x = _floats(score, "The score")
    y = _floats(labels, "Labels")
    if x.ndim != 1 or x.shape != y.shape:
        raise DataError(f"The score has shape {x.shape}, the labels {y.shape}: both are one row of the same length.")
    missing = int(np.isnan(x).sum())
    if missing:
        raise DataError(f"{missing} values of the score are missing; drop those rows from score and labels.")
    if not np.isin(y, (0, 1)).all():
        raise DataError("Labels are True before an event and False elsewhere; other values came.")
    flags = y.astype(np.bool_)
    if flags.all() or not flags.any():
        raise DataError("All rows have the same label: there is no event to score against, or nothing else.")
    return x, flags


def _floats(values: Any, what: str) -> FloatArray:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{what} must be numbers without missing ones, other values came.") from error


def _all_shifts(x: FloatArray, y: BoolArray) -> FloatArray:
    """AUROC for the labels shifted by 0, 1, …, T − 1 rows."""
    from scipy.fft import irfft, next_fast_len, rfft
    from scipy.stats import rankdata

    rows, events = len(x), int(y.sum())
    ranks = rankdata(x) - (rows + 1) / 2  # centred, so that rounding stays small
    if events < 64:
        at = np.flatnonzero(y)
        total = np.zeros(rows)
        for position in at:
            total += np.concatenate([ranks[position:], ranks[:position]])
    else:
        # A circular correlation of length T from transforms of a length that is fast: the ranks are laid out twice.
        size = next_fast_len(2 * rows, real=True)
        twice = np.concatenate([ranks, ranks])
        spectrum = rfft(twice, size) * np.conj(rfft(y.astype(np.float64), size))
        total = irfft(spectrum, size)[:rows]
    u = total + events * (rows + 1) / 2 - events * (events + 1) / 2
    return u / (events * (rows - events))
