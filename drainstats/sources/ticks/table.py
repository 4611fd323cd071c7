"""The table of bars: columns from the kernel's rows, and VPIN, which looks back over the days of an asset."""

from __future__ import annotations

import numpy as np
import pandas as pd

from drainstats.sources.ticks.rule import BarRule, Harvest
from drainstats.typing import FloatArray, IntArray

QUOTED = ("ofi", "quoted_spread", "effective_spread", "realised_spread", "price_impact")


def table_of(harvest: Harvest, rule: BarRule, quotes: bool) -> pd.DataFrame:
    """Bars by asset (in alphabetical order) and time."""
    from drainstats.kernels import ticks as kernels
    from drainstats.kernels.tickcolumns import COLUMNS

    names = sorted(harvest.names)
    code = np.array([names.index(name) for name in harvest.names], dtype=np.int64)
    owner = code[harvest.places[:, kernels.O_SYMBOL]]
    order = np.lexsort((harvest.places[:, kernels.O_START], owner))
    places, bars, owner = harvest.places[order], harvest.bars[order], owner[order]
    found = dict(zip(COLUMNS, bars.T, strict=True))
    columns = {
        "asset": pd.Categorical.from_codes(owner, names).astype(str),
        "end": _stamps(places[:, kernels.O_END]),
        **{name: found.pop(name) for name in ("open", "high", "low", "close", "volume", "dollar_volume")},
        "trades": places[:, kernels.N],
        **{name: values for name, values in found.items() if name not in QUOTED},
        "vpin": vpin(owner, places, code, harvest, rule.window),
    }  # fmt: skip
    if quotes:
        columns |= {name: found[name] for name in QUOTED}
    if rule.by != "time":
        columns["complete"] = places[:, kernels.O_COMPLETE] == 1
    return pd.DataFrame(columns, index=_stamps(places[:, kernels.O_START]).rename("time"), copy=False)


def _stamps(nanoseconds: IntArray) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(np.ascontiguousarray(nanoseconds).view("datetime64[ns]")).tz_localize("UTC")


def vpin(owner: IntArray, places: IntArray, code: IntArray, harvest: Harvest, window: int) -> FloatArray:
    """Of each bar, the mean imbalance of the asset's last ``window`` buckets that were full when the bar ended."""
    from drainstats.kernels import ticks as kernels
    from drainstats.kernels.windows import window_mean

    out = np.full(len(places), np.nan)
    holder = code[harvest.runs[:, kernels.K_SYMBOL]]
    order = np.lexsort((harvest.runs[:, kernels.K_DAY], holder))
    holder, runs, values = holder[order], harvest.runs[order], harvest.values[order]
    for s in np.unique(holder):
        low, high = np.searchsorted(holder, (s, s + 1))
        repeat = runs[low:high, kernels.K_REPEAT]
        full = np.repeat(values[low:high], repeat)
        if len(full) < window:
            continue
        mean = np.empty((len(full), 1))
        window_mean(full[:, None], window, window, mean)
        first, last = np.searchsorted(owner, (s, s + 1))
        days = places[first:last, kernels.O_START] // kernels.DAY
        # Full buckets of earlier days, and those of the day up to the bar's end.
        known, at = np.unique(np.repeat(runs[low:high, kernels.K_DAY] // kernels.DAY, repeat), return_index=True)
        earlier = np.append(at, len(full))[np.searchsorted(known, days)]
        count = earlier + places[first:last, kernels.BUCKETS]
        there = count >= window
        out[first:last][there] = mean[count[there] - 1, 0]
    return out
