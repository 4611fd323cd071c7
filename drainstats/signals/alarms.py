"""From a score to alarms, with thresholds from the past only."""

from __future__ import annotations

import numpy as np
import pandas as pd

from drainstats.errors import OptionError
from drainstats.typing import BoolArray, IntArray


def threshold_alarms(score: pd.Series, quantile: float = 0.9, min_history: int = 252) -> pd.Series:
    """True where the score is above the quantile of its own earlier values.

    Parameters
    ----------
    score : Series
        High values warn.
    quantile : float, default 0.9
    min_history : int, default 252
        Earlier values that a threshold needs.

    Returns
    -------
    Series of bool, labelled as ``score``

    Raises
    ------
    OptionError

    Examples
    --------
    >>> import pandas as pd, drainstats as ds
    >>> ds.signals.threshold_alarms(pd.Series([1.0, 2, 1, 5, 1]), min_history=3).tolist()
    [False, False, False, True, False]
    """
    if not 0 < quantile < 1 or min_history < 1:
        raise OptionError(f"quantile={quantile} lies between 0 and 1, min_history={min_history} is at least 1.")
    threshold = score.expanding(min_history).quantile(quantile).shift()
    return (score > threshold).rename(score.name)


def starts(active: BoolArray, refractory: int) -> IntArray:
    """Rows in which an alarm begins: one long alarm counts once, and so do alarms with gaps of up to ``refractory``."""
    on = np.flatnonzero(active)
    if not len(on):
        return on
    return on[np.concatenate([[True], np.diff(on) > refractory + 1])]
