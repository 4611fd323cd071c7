"""What every measure asks of its input, and what it does with a negative estimate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from drainstats.errors import DataError, OptionError, check_option
from drainstats.frames import Wide, as_wides
from drainstats.typing import BoolArray, FloatArray

NEGATIVE = ("keep", "nan", "zero", "abs")
# Ratios of two such numbers, and squares of them, are still numbers.
SMALLEST, LARGEST = 1e-100, 1e100
CELLS = 2**16


def positive(**tables: Any) -> tuple[Wide, ...]:
    """Aligned tables whose numbers are finite and above zero; NaN means not observed."""
    return checked(tables, {})


def not_negative(**tables: Any) -> tuple[Wide, ...]:
    """Aligned tables whose numbers are finite and at least zero; NaN means not observed."""
    return checked({}, tables)


def checked(
    prices: Mapping[str, Any], amounts: Mapping[str, Any], flows: Mapping[str, Any] | None = None, *, copy: bool = True
) -> tuple[Wide, ...]:
    """Aligned tables, prices first, then amounts, then flows: prices above zero, amounts at least zero, flows signed.

    All are finite and within 1e±100, or zero. Without ``copy`` their values must not be written to; `in_blocks` hands
    out copies.
    """
    flows = {} if flows is None else flows
    wides = as_wides(copy=copy, **prices, **amounts, **flows)
    for name, wide in zip((*prices, *amounts, *flows), wides, strict=True):
        _refuse(name, wide, "price" if name in prices else "amount" if name in amounts else "flow")
    return wides


def _refuse(name: str, wide: Wide, kind: str) -> None:
    """A `DataError` for the first number that is not allowed."""

    def bad(part: FloatArray) -> BoolArray:
        if kind == "price":
            return np.asarray((part < SMALLEST) | (part > LARGEST))
        size = part if kind == "amount" else np.abs(part)
        return np.asarray(((size < SMALLEST) & (size != 0)) | (size > LARGEST))

    values = wide.values.ravel(order="K")
    if not any(bad(values[first : first + CELLS]).any() for first in range(0, len(values), CELLS)):
        return
    row, column = np.argwhere(bad(wide.values))[0]
    value = float(wide.values[row, column])
    what = "is too far from one to compute with; change its unit."
    if np.isinf(value):
        what = "is infinite; set it to missing."
    elif kind == "price" and value <= 0:
        what = "is not above zero; set it to missing."
    elif kind == "amount" and value < 0:
        what = "is negative; set it to missing."
    raise DataError(f"{name}={value!r} {what}", row=wide.index[row], column=wide.columns[column])


def in_blocks(function: Callable[..., Sequence[FloatArray]], *wides: Wide) -> list[FloatArray]:
    """A function of (T, n) arrays, column by column independent, over blocks of columns of (T, N) tables.

    What it makes on the way stays in the cache. It gets copies of its own, and returns (T, n) arrays.
    """
    rows, columns = wides[0].values.shape
    width = max(8, 2 * CELLS // max(rows, 1))
    if columns <= width:
        return list(function(*(np.array(w.values, order="C") for w in wides)))
    out: list[FloatArray] = []
    for first in range(0, columns, width):
        part = slice(first, first + width)
        found = function(*(np.array(w.values[:, part], order="C") for w in wides))
        out = out or [np.empty((rows, columns)) for _ in found]
        for whole, piece in zip(out, found, strict=True):
            whole[:, part] = piece
    return out


def without_crossed(high: FloatArray, low: FloatArray) -> tuple[FloatArray, FloatArray]:
    """High and low, both missing in bars whose high is below their low: such a bar says nothing of its range."""
    crossed = high < low
    if not crossed.any():
        return high, low
    return np.where(crossed, np.nan, high), np.where(crossed, np.nan, low)


def check_window(window: int, rows: int, least: int) -> int:
    """A window is a whole number from ``least`` to the number of rows; returns it as a plain integer."""
    if not isinstance(window, (int, np.integer)) or isinstance(window, bool) or window < least:
        raise OptionError(f"window={window!r} must be a whole number of rows, at least {least}.")
    if rows < window:
        raise DataError(f"{rows} rows came, fewer than the window of {window}: pass more history or a shorter window.")
    return int(window)


def apply_negative(spread: FloatArray, negative: str) -> FloatArray:
    """Keep the sign, or turn negative estimates into NaN, zero, or their absolute value."""
    check_option("negative", negative, NEGATIVE)
    if negative == "abs":
        return np.abs(spread)
    if negative in ("nan", "zero"):
        return np.where(spread < 0, np.nan if negative == "nan" else 0.0, spread)
    return spread


def signed_root(square: FloatArray) -> FloatArray:
    """Root of the absolute value with the sign of the square."""
    return np.copysign(np.sqrt(np.abs(square)), square)


def window_mean(values: FloatArray, width: int, min_count: int = 1) -> FloatArray:
    """Mean of the numbers among the last ``width`` rows of each column; NaN before the first full window.

    Windows with fewer than ``min_count`` numbers are NaN.
    """
    from drainstats.kernels import windows

    out = np.empty_like(values)
    windows.window_mean(np.ascontiguousarray(values), int(width), int(min_count), out)
    return out
