"""A panel as a tidy table and as an xarray Dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from drainstats.errors import require_extra
from drainstats.panel.records import dumped, frame_record
from drainstats.panel.status import State
from drainstats.panel.tables import nanoseconds_of

if TYPE_CHECKING:
    from drainstats.panel.holding import Held


def long_of(panel: Held) -> pd.DataFrame:
    """A tidy table with a row a time and asset that has at least one value (`LiquidityPanel.to_long`)."""
    there = np.zeros(panel.available.shape, dtype=bool)
    for table in panel.fields.values():
        there |= table.notna().to_numpy()
    rows, columns = np.nonzero(there)
    values = {f: v.to_numpy()[rows, columns] for f, v in panel.fields.items()}
    names = pd.Index(panel.assets, dtype="str")
    return pd.DataFrame({"time": panel.index[rows], "asset": names[columns], **values})


def xarray_of(panel: Held) -> Any:
    """An xarray Dataset with dimensions time and asset (`LiquidityPanel.to_xarray`)."""
    xarray = require_extra("xarray", "arrays")
    over = ("time", "asset")
    data: dict[str, Any] = {f: (over, v.to_numpy(), {"units": panel.units[f]}) for f, v in panel.fields.items()}
    known = nanoseconds_of(panel.available).T.view("datetime64[ns]")
    meanings = " ".join(s.label.replace(" ", "_") for s in State)
    flags = {"flag_values": np.array(list(State), dtype=np.int8), "flag_meanings": meanings}
    data |= {
        "available_at": (over, known, {"long_name": "when the bar was known, UTC"}),
        "status": (over, panel.status.to_numpy(), flags),
    }
    ends = panel.clock.end(panel.index).tz_localize(None)
    coords: dict[str, Any] = {"time": panel.index.tz_localize(None), "asset": panel.assets, "end": ("time", ends)}
    for name, column in panel.asset_table.items():
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            coords[str(name)] = ("asset", pd.DatetimeIndex(column).tz_localize(None))
        else:
            plain = column.dtype.kind in "fiub"
            coords[str(name)] = ("asset", column.to_numpy() if plain else column.astype(str).to_numpy(dtype=object))
    attrs = {
        "clock": panel.clock.name,
        "provenance": dumped(dict(panel.provenance)),
        "ledger": dumped(frame_record(panel.ledger)),
    }
    return xarray.Dataset(data, coords=coords, attrs=attrs)
