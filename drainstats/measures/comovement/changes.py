"""What a test of commonality looks at: changes of liquidity, never levels, which share trends."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from drainstats.errors import DataError, check_option
from drainstats.frames import Wide, as_wide
from drainstats.typing import FloatArray

Changes = Literal["log", "percent", "difference", "none"]
CHANGES = ("log", "percent", "difference", "none")


def changes_of(liquidity: Any, how: Changes, assets: int = 2, name: str = "liquidity") -> Wide:
    """Changes since the row before, (T, N), the first row missing.

    "log" and "percent" need values above zero (others make their changes missing: nothing is filled); "difference"
    takes signed levels, such as estimated spreads; "none" takes the table as it is, for innovations and returns.
    """
    check_option("changes", how, CHANGES)
    wide = as_wide(liquidity, name)
    values = wide.values
    if np.isinf(values).any():
        row, column = np.argwhere(np.isinf(values))[0]
        raise DataError(f"{name} is infinite; set it to missing.", row=wide.index[row], column=wide.columns[column])
    if values.shape[1] < assets:
        raise DataError(f"{name}: {values.shape[1]} assets came; commonality is about {assets} or more.")
    if how != "none":
        values = np.concatenate([np.full((1, values.shape[1]), np.nan), _steps(values, how)])
        if np.isnan(values).all() and np.isfinite(wide.values).any():
            raise DataError(
                f"{name} has no change: {how!r} needs two rows on end with values above zero; "
                'take changes="difference" for signed levels.'
            )
    return Wide(values, wide.index, wide.columns, wide.kind)


def _steps(values: FloatArray, how: Changes) -> FloatArray:
    if how == "difference":
        return np.diff(values, axis=0)
    levels = np.where(values > 0, values, np.nan)
    return np.diff(np.log(levels), axis=0) if how == "log" else levels[1:] / levels[:-1] - 1
