"""What the co-liquidity models demand of their data, said in sentences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError
from drainstats.frames import Wide, as_wide, refuse_extreme
from drainstats.typing import FloatArray

COMPLETE = "drop them with y.dropna() or fill them by a rule of your own"
COMPLETE_PAIRS = "drop them with y.dropna(), or use DCC (normal shocks, convention 'engle') or CCC, which take them"


def complete_rows(data: Any, least: int, varying: bool = True, remedy: str = COMPLETE) -> Wide:
    """Take ``data`` apart; insist on finite values, distinct names, enough rows and, if ``varying``, no flat series."""
    wide = as_wide(data, "y")
    values, columns = wide.values, wide.columns
    if values.shape[1] == 0:
        raise DataError("y has no column; pass time × asset.")
    if not columns.is_unique:
        raise DataError(f"y has the column {columns[columns.duplicated()][0]!r} twice; give every asset its own name.")
    bad = ~np.isfinite(values)
    if bad.any():
        row, column = (int(k[0]) for k in np.nonzero(bad))
        where = {"row": wide.index[row], "column": columns[column]}
        if np.isnan(values[row, column]):
            raise DataError(
                f"y has {int(np.isnan(values).sum())} missing values and the model needs complete rows; {remedy}. "
                "The first stands at",
                **where,
            )
        raise DataError(
            "y holds an infinite value; look for a logarithm or a ratio of zero. The first stands at", **where
        )
    if len(values) < least:
        raise DataError(f"y has {len(values)} rows and the model needs at least {least}; take a longer sample.")
    if not varying:
        return wide
    refuse_extreme(values, columns)
    spread = np.ptp(values, axis=0)
    flat = np.flatnonzero(spread <= 1e-13 * np.abs(values).max(axis=0))
    if len(flat):
        raise DataError(
            "A series does not vary, so it has no variance to model; leave it out.", column=columns[flat[0]]
        )
    return wide


def usable_series(data: Any, least: int) -> tuple[Wide, list[str]]:
    """Take ``data`` apart, missing values left where they are; why a series cannot be used, or "", stands in the list.

    What is wrong with the whole table, or with every series, is raised.
    """
    wide = as_wide(data, "y")
    if wide.values.shape[1] == 0:
        raise DataError("y has no column; pass time × asset.")
    if not np.isnan(wide.values).any():
        try:
            return complete_rows(data, least), [""] * len(wide.columns)
        except DataError:
            pass
    reasons: list[str] = []
    for i in range(len(wide.columns)):
        try:
            _values_there(wide, i, least)
            reasons.append("")
        except DataError as error:
            reasons.append(str(error))
    if all(reasons):
        _values_there(wide, 0, least)
    return wide, reasons


def _values_there(wide: Wide, i: int, least: int) -> None:
    """`complete_rows` of what is not missing in one series."""
    there = ~np.isnan(wide.values[:, i])
    if len(there) and not there.any():
        raise DataError("A series has no value at all, only missing ones; leave it out.", column=wide.columns[i])
    complete_rows(pd.Series(wide.values[there, i], index=wide.index[there], name=wide.columns[i]), least)


def several_assets(data: Any, least: int, crowded: bool = False) -> Wide:
    """`complete_rows` for a model of correlations: two assets or more, more rows than assets unless ``crowded``."""
    wide = complete_rows(data, least, remedy=COMPLETE_PAIRS)
    rows, assets = wide.values.shape
    if assets < 2:
        raise DataError("y has one asset and a correlation needs two; use GARCH for a single series.")
    if rows <= assets and not crowded:
        raise DataError(
            f"y has {rows} rows for {assets} assets, so the target is singular; take fewer assets or more rows, or a "
            "model whose target can be shrunk."
        )
    return wide


def whole(margins: Any, model: str) -> Any:
    """Filtered margins, for a model that needs complete rows."""
    if np.isfinite(margins.std_resid_values).all():
        return margins
    raise DataError(f"The new data have missing values and {model} needs complete rows; {COMPLETE_PAIRS}.")


def check_target(target: FloatArray, columns: Any) -> None:
    """Refuse a correlation target that is singular and name the pair that makes it so, if one does."""
    scale = np.sqrt(np.diag(target))
    correlation = target / np.outer(scale, scale)
    if np.linalg.eigvalsh(correlation)[0] > 1e-9:
        return
    refuse_duplicates(correlation, columns)
    raise DataError(
        "The correlation target is singular: some series is a combination of others; leave one of them out."
    )


def refuse_duplicates(correlation: FloatArray, columns: Any) -> None:
    """Name two assets that carry the same series, if two do."""
    off = np.abs(np.tril(correlation, -1))
    i, j = np.unravel_index(int(off.argmax()), off.shape)
    if off[i, j] > 1.0 - 1e-6:
        raise DataError(
            f"{columns[j]!r} and {columns[i]!r} carry the same series (correlation {correlation[i, j]:.8f}); keep one."
        )


def same_columns(wide: Wide, columns: Any) -> None:
    """New data must have the assets of the fit, in their order."""
    if len(wide.columns) != len(columns) or (wide.kind == "frame" and list(wide.columns) != list(columns)):
        raise DataError(
            f"The new data have the columns {list(wide.columns)}, the fit {list(columns)}; pass the same, in order."
        )
