"""Turning points of a path: a move ends when it is given back by more than a threshold."""

from __future__ import annotations

from drainstats.kernels.jit import kernel
from drainstats.typing import FloatArray, IntArray


@kernel
def zigzag(path: FloatArray, threshold: FloatArray, turns: IntArray) -> int:
    """Write the moves of a path into turns (n + 1, 4) and return their number.

    path (n,) finite; threshold (n,): what may be given back, as of the row where the move's extremum stands; NaN
    there counts as zero. A row of turns: first row, row of the extremum, row in which the move is known to be over
    (−1 while it is not), direction.
    """
    rows, count = path.shape[0], 0
    start, top, way = 0, 0, 0
    for t in range(1, rows):
        if way == 0:
            if path[t] == path[start]:
                continue
            way = 1 if path[t] > path[start] else -1
            start, top = t - 1, t
            continue
        away = way * (path[t] - path[top])
        bar = threshold[start]
        if away > 0.0:
            top = t
        elif -away > (bar if bar == bar else 0.0):
            turns[count, 0], turns[count, 1], turns[count, 2], turns[count, 3] = start, top, t, way
            count += 1
            start, top, way = top, t, -way
    if way != 0:
        turns[count, 0], turns[count, 1], turns[count, 2], turns[count, 3] = start, top, -1, way
        count += 1
    return count
