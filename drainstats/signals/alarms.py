"""From a score to alarms, with thresholds from the past only."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError, check_number, check_whole
from drainstats.frames import as_wide
from drainstats.typing import BoolArray, IntArray


def threshold_alarms(score: Any, quantile: float = 0.9, min_history: int = 252) -> pd.Series:
    """True where the score is above the quantile of its own earlier values.

    Parameters
    ----------
    score : Series, table of one column or (T,) array
        High values warn.
    quantile : float, default 0.9
    min_history : int, default 252
        Earlier values that a threshold needs.

    Returns
    -------
    Series of bool, labelled as ``score``

    Raises
    ------
    DataError
        Several columns, text, labels that repeat or run backwards.
    OptionError

    Examples
    --------
    >>> import pandas as pd, drainstats as ds
    >>> ds.signals.threshold_alarms(pd.Series([1.0, 2, 1, 5, 1]), min_history=3).tolist()
    [False, False, False, True, False]
    """
    check_number("quantile", quantile, 0.0, 1.0)
    check_whole("min_history", min_history, 1)
    wide = as_wide(score, "score")
    if wide.values.shape[1] != 1:
        raise DataError(f"score has {wide.values.shape[1]} columns; pass one score, such as frame['a'].")
    score = pd.Series(wide.values[:, 0], wide.index, name=wide.columns[0] if wide.kind == "series" else None)
    threshold = score.expanding(min_history).quantile(quantile).shift()
    return (score > threshold).rename(score.name)


def starts(active: BoolArray, refractory: int) -> IntArray:
    """Rows in which an alarm begins: one long alarm counts once, and so do alarms with gaps of up to ``refractory``."""
    on = np.flatnonzero(active)
    if not len(on):
        return on
    return on[np.concatenate([[True], np.diff(on) > refractory + 1])]
