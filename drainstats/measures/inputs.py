"""What every measure asks of its input, and what it does with a negative estimate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from drainstats.errors import DataError, OptionError, check_option
from drainstats.frames import Wide, as_wides
from drainstats.typing import FloatArray

NEGATIVE = ("keep", "nan", "zero", "abs")
_LEAST = 5e-324
_CELLS = 2**16


def positive(**tables: Any) -> tuple[Wide, ...]:
    """Aligned tables whose numbers are finite and above zero; NaN means not observed."""
    return checked(tables, {})


def not_negative(**tables: Any) -> tuple[Wide, ...]:
    """Aligned tables whose numbers are finite and at least zero; NaN means not observed."""
    return checked({}, tables)


def checked(prices: Mapping[str, Any], amounts: Mapping[str, Any], *, copy: bool = True) -> tuple[Wide, ...]:
    """Aligned tables, prices first: finite numbers, prices above zero and amounts at least zero.

    Without ``copy`` their values must not be written to; `in_blocks` hands out copies.
    """
    wides = as_wides(copy=copy, **prices, **amounts)
    for name, wide in zip((*prices, *amounts), wides, strict=True):
        if name in prices:
            _refuse(name, wide, _LEAST, "is not above zero")
        else:
            _refuse(name, wide, 0.0, "is negative")
    return wides


def _refuse(name: str, wide: Wide, low: float, what: str) -> None:
    """A `DataError` for the first number that is infinite or below the least number allowed."""
    values = wide.values.ravel(order="K")
    parts = (values[first : first + _CELLS] for first in range(0, len(values), _CELLS))
    if not any(((part < low) | (part == np.inf)).any() for part in parts):
        return
    row, column = np.argwhere((wide.values < low) | (wide.values == np.inf))[0]
    value = float(wide.values[row, column])
    what = "is infinite" if np.isinf(value) else what
    raise DataError(f"{name}={value!r} {what}; set it to missing.", row=wide.index[row], column=wide.columns[column])


def in_blocks(function: Callable[..., Sequence[FloatArray]], *wides: Wide) -> list[FloatArray]:
    """A function of (T, n) arrays, column by column independent, over blocks of columns of (T, N) tables.

    What it makes on the way stays in the cache. It gets copies of its own, and returns (T, n) arrays.
    """
    rows, columns = wides[0].values.shape
    width = max(8, 2 * _CELLS // max(rows, 1))
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


def check_window(window: int, rows: int, least: int) -> None:
    """A window is a whole number from ``least`` to the number of rows."""
    if not isinstance(window, (int, np.integer)) or isinstance(window, bool) or window < least:
        raise OptionError(f"window={window!r} must be a whole number of rows, at least {least}.")
    if rows < window:
        raise DataError(f"{rows} rows came, fewer than the window of {window}: pass more history or a shorter window.")


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
    windows.window_mean(np.ascontiguousarray(values), width, min_count, out)
    return out
