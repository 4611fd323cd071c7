"""What a sudden move is on record: where it began, how far it went, how much came back, and when each was known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from drainstats.episodes.crashes.paths import Paths
from drainstats.errors import OptionError
from drainstats.typing import FloatArray

WAYS = {"down": (-1,), "up": (1,), "both": (-1, 1)}


@dataclass(frozen=True, slots=True)
class Move:
    """One move of a path, by rows of the known prices. ``over`` : seconds at which its extremum was known to be it."""

    onset: int
    detected: int
    extremum: int
    way: int
    over: float
    moves: int


def check_number(name: str, value: Any, low: float = 0.0) -> float:
    """A finite number above ``low``, as a float."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise OptionError(f"{name}={value!r} must be a number above {low:g}.")
    if not (np.isfinite(value) and value > low):
        raise OptionError(f"{name}={value!r} must be a number above {low:g}.")
    return float(value)


def recovery_of(
    seconds: FloatArray, path: FloatArray, move: Move, horizon: float, share: float
) -> tuple[float, float, float]:
    """Second of the recovery (NaN without one), largest share given back, the second at which both were known.

    Rows after the extremum and less than ``horizon`` seconds later count. The last is NaN while the data end before.
    """
    last = seconds[move.extremum] + horizon
    stop = int(np.searchsorted(seconds, last, side="left"))
    size = move.way * (path[move.extremum] - path[move.onset])
    after = move.way * (path[move.extremum] - path[move.extremum + 1 : stop]) / size
    back = np.flatnonzero(after >= share)
    if len(back):
        row = move.extremum + 1 + int(back[0])
        return float(seconds[row]), float(after[back[0]]), float(np.maximum(seconds[row], move.over))
    retraced = float(after.max()) if len(after) else 0.0
    # Nothing can fall within the horizon any more once a price at its end or later has come.
    known = float(np.maximum(last, move.over)) if stop < len(seconds) else np.nan
    return np.nan, max(retraced, 0.0), known


def table_of(
    moves: Iterable[tuple[Any, FloatArray, FloatArray, list[Move], float | None]], paths: Paths, share: float
) -> pd.DataFrame:
    """The moves of each asset (name, seconds, log prices, moves, horizon or None) as a table in time order."""
    rows = []
    for name, seconds, path, found, given in moves:
        for move in found:
            took = seconds[move.extremum] - seconds[move.onset]
            size = path[move.extremum] - path[move.onset]
            back, retraced, known = recovery_of(seconds, path, move, took if given is None else given, share)
            rows.append({
                "asset": name, "onset": seconds[move.onset], "detected_at": seconds[move.detected],
                "extremum": seconds[move.extremum], "recovery": back, "known_at": known,
                "direction": "up" if move.way > 0 else "down", "size": size, "seconds": took,
                "speed": size / took if took > 0 else np.nan, "moves": move.moves, "retraced": retraced,
            })  # fmt: skip
    columns = [
        "asset", "onset", "detected_at", "extremum", "recovery", "known_at", "direction", "size", "seconds", "speed",
        "moves", "retraced",
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=columns).sort_values(["onset", "detected_at"], kind="stable", ignore_index=True)
    for column in ("onset", "detected_at", "extremum", "recovery", "known_at"):
        table[column] = paths.stamps(table[column].to_numpy(dtype=np.float64))
    for column in ("size", "seconds", "speed", "retraced"):
        table[column] = table[column].astype(np.float64)
    return table.drop(columns="asset") if paths.single else table
