"""Prices carried over rows without a bar: the close only, not too old, and flagged."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from drainstats.errors import OptionError
from drainstats.panel.cleaning import Ledger
from drainstats.panel.status import State
from drainstats.panel.tables import NAT, nanoseconds_of, stamps_of, table_of, values_of

if TYPE_CHECKING:
    from drainstats.panel.panel import LiquidityPanel

# An asset that is not there has no price to carry.
_GONE = (State.DELISTED, State.NOT_YET_LISTED)


def carried(panel: LiquidityPanel, max_age: str | pd.Timedelta) -> LiquidityPanel:
    """Missing closes filled with the last one that is at most that old (`LiquidityPanel.carry`)."""
    age = pd.Timedelta(max_age)
    if not age > pd.Timedelta(0):
        raise OptionError(f"max_age={max_age!r} must be a positive length of time, such as '72h'.")
    if "close" not in panel.fields:
        raise OptionError(f"Only closes are carried and the panel has none; it has {', '.join(panel.fields)}.")
    close, available = values_of(panel.fields["close"]).copy(), nanoseconds_of(panel.available)
    status, ledger = values_of(panel.status).copy(), Ledger()
    ends = panel.clock.end(panel.index).as_unit("ns").asi8
    rows = np.arange(len(ends))
    for line, asset in enumerate(panel.assets):
        own = ~np.isnan(close[line])
        last = np.maximum.accumulate(np.where(own, rows, -1))
        there = available[line] != NAT
        late = max(int((available[line] - ends)[there].max(initial=0)), 0)
        fill = ~own & (last >= 0) & (ends - ends[last] <= age.as_unit("ns").value) & ~np.isin(status[line], _GONE)
        close[line, fill] = close[line, last[fill]]
        empty = fill & ~there
        available[line, empty], status[line, empty] = ends[empty] + late, State.STALE
        ledger.note(asset, "price-carried", panel.index[fill])
    return replace(
        panel,
        fields={**panel.fields, "close": table_of(close, panel.index, panel.assets)},
        available=stamps_of(available, panel.index, panel.assets),
        status=table_of(status, panel.index, panel.assets),
        provenance={**panel.provenance, "carried": {"max_age": str(age)}},
        ledger=ledger.after(panel.ledger),
    )
