"""Bars that share a row become one: first open, highest high, lowest low, last close, summed volumes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from drainstats.errors import check_option
from drainstats.typing import BoolArray, FloatArray, IntArray

SUMMED = ("volume", "dollar_volume", "trades", "buy_volume")
HOW = {"open": "first", "high": "max", "low": "min", "close": "last", **dict.fromkeys(SUMMED, "sum")}
WAYS = ("first", "max", "min", "last", "sum", "mean")


def rule_of(field: str, given: Mapping[str, str] | None = None) -> str:
    """How a field is merged: as asked for, else by its name; a field of another name keeps its last value."""
    how = (given or {}).get(field, HOW.get(field, "last"))
    check_option(f"how[{field!r}]", how, WAYS)
    return how


def merged(values: FloatArray, starts: IntArray, how: str) -> FloatArray:
    """Merge runs of neighbouring values; missing ones do not count, and a run of only missing ones stays missing.

    Parameters
    ----------
    values : (T,) array
    starts : (G,) array of int
        Where each run begins, increasing from 0.
    how : str
        One of `WAYS`.

    Returns
    -------
    (G,) array

    Examples
    --------
    >>> merged(np.array([1.0, np.nan, 3.0, np.nan]), np.array([0, 2, 3]), "sum").tolist()
    [1.0, 3.0, nan]
    """
    if how == "max":
        return np.fmax.reduceat(values, starts)
    if how == "min":
        return np.fmin.reduceat(values, starts)
    there = ~np.isnan(values)
    if how in ("sum", "mean"):
        count = np.add.reduceat(there, starts, dtype=np.int64)
        total = np.add.reduceat(np.where(there, values, 0.0), starts)
        total[count == 0] = np.nan
        return total / np.maximum(count, 1) if how == "mean" else total
    place = np.arange(len(values))
    if how == "last":
        at = np.maximum.reduceat(np.where(there, place, -1), starts)
    else:
        at = np.minimum.reduceat(np.where(there, place, len(values)), starts)
    found = (at >= 0) & (at < len(values))
    return np.where(found, values[np.where(found, at, 0)], np.nan)


def repeated(rows: IntArray) -> BoolArray:
    """Which entries equal the one before."""
    return np.r_[False, rows[1:] == rows[:-1]][: len(rows)]


def runs(rows: IntArray) -> IntArray:
    """Where each run of equal neighbours begins."""
    return np.flatnonzero(~repeated(rows))
