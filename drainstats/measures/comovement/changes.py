"""What a test of commonality looks at: changes of liquidity, never levels, which share trends."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from drainstats.errors import DataError, check_option
from drainstats.frames import Wide, as_wide

Changes = Literal["log", "percent", "none"]


def changes_of(liquidity: Any, how: Changes, assets: int = 2) -> Wide:
    """Changes since the row before, (T, N), the first row missing.

    "log" and "percent" need values above zero (others make their changes missing: nothing is filled); "none" takes the
    table as it is, for innovations and returns.
    """
    check_option("changes", how, ["log", "percent", "none"])
    wide = as_wide(liquidity, "liquidity")
    values = wide.values
    if np.isinf(values).any():
        row, column = np.argwhere(np.isinf(values))[0]
        raise DataError("liquidity is infinite; set it to missing.", row=wide.index[row], column=wide.columns[column])
    if values.shape[1] < assets:
        raise DataError(f"{values.shape[1]} assets came; commonality is about {assets} or more.")
    if how != "none":
        levels = np.where(values > 0, values, np.nan)
        steps = np.diff(np.log(levels), axis=0) if how == "log" else levels[1:] / levels[:-1] - 1
        values = np.concatenate([np.full((1, values.shape[1]), np.nan), steps])
    return Wide(values, wide.index, wide.columns, wide.kind)
