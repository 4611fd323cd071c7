"""Order flow at each level of the book, and what a draw of other buckets would have given."""

from __future__ import annotations

import numpy as np

from drainstats.kernels.jit import kernel
from drainstats.kernels.ticks import DAY
from drainstats.typing import BoolArray, FloatArray, IntArray


@kernel
def level_flow(
    time: IntArray, bid: FloatArray, bid_size: FloatArray, ask: FloatArray, ask_size: FloatArray, by_day: bool,
    usable: BoolArray, out: FloatArray,
) -> None:  # fmt: skip
    """Write the order flow (T, L) from each row to the next: what came to the bid less what came to the ask.

    time, usable : (T,); prices, sizes : (T, L), NaN where a level is empty. NaN stands in the first row (with
    ``by_day`` of each UTC day), where either row is not usable, and where a number of the level is missing in either.
    """
    for t in range(len(time)):
        goes_on = t > 0 and usable[t] and usable[t - 1] and not (by_day and time[t] // DAY != time[t - 1] // DAY)
        for k in range(bid.shape[1]):
            out[t, k] = np.nan
            if goes_on:
                e = 0.0
                e += _came(bid[t, k], bid_size[t, k], bid[t - 1, k], bid_size[t - 1, k])
                e -= _came(-ask[t, k], ask_size[t, k], -ask[t - 1, k], ask_size[t - 1, k])
                out[t, k] = e


@kernel(inline="always")
def _came(price: float, size: float, price_before: float, size_before: float) -> float:
    # What a side gained when its best price, higher being better, went from one to the other.
    if not (abs(price) < np.inf and abs(price_before) < np.inf):
        return np.nan
    if price > price_before:
        return size
    return size - size_before if price == price_before else -size_before


@kernel
def exceedance(
    imbalance: FloatArray, volume: FloatArray, window: int, history: int, draws: IntArray, out: FloatArray
) -> None:
    """Write the share of draws whose imbalance is at least that of the last ``window`` rows; these are among the draws.

    imbalance, volume : (T, N); draws : (D, window) places in a history of ``history`` rows. NaN before the first full
    history, and where a row of it lacks a number or the window has no volume.
    """
    rows, columns = imbalance.shape
    out[:] = np.nan
    for j in range(columns):
        clean = 0
        for t in range(rows):
            there = imbalance[t, j] == imbalance[t, j] and volume[t, j] == volume[t, j]
            clean = clean + 1 if there else 0
            if clean < history:
                continue
            moved, all_of_it = 0.0, 0.0
            for i in range(t - window + 1, t + 1):
                moved += imbalance[i, j]
                all_of_it += volume[i, j]
            if not all_of_it > 0.0:
                continue
            # Sums of other orders of the same rows differ by rounding: they count as equal.
            bound = moved / all_of_it * (1.0 - 1e-12)
            low, count = t - history + 1, 1
            for d in range(len(draws)):
                other, volumes = 0.0, 0.0
                for i in range(window):
                    other += imbalance[low + draws[d, i], j]
                    volumes += volume[low + draws[d, i], j]
                count += other >= bound * volumes
            out[t, j] = count / (len(draws) + 1.0)
