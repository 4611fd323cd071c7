"""Splits and cash dividends taken out of prices and volumes.

A split of ``r`` new shares for one divides the prices before its ex-date by ``r`` and multiplies the volumes by ``r``.
A dividend ``D`` (money per share as the shares were on the ex-date) multiplies the prices before its ex-date by
``1 - D/P`` with ``P`` the last close before it, and leaves volumes alone: no share was added. Dollar volume is what was
paid and stays as it was.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, check_option
from drainstats.frames import to_pandas
from drainstats.panel.cleaning import PRICES, Ledger
from drainstats.panel.sessions import REGULAR, installed, sessions
from drainstats.panel.tables import table_of, values_of
from drainstats.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from drainstats.panel.panel import LiquidityPanel

KINDS = ("split", "dividend")
METHODS = ("back", "forward")


def adjusted(panel: LiquidityPanel, actions: Any, method: str) -> LiquidityPanel:
    """The panel with corporate actions taken out (`LiquidityPanel.adjust`)."""
    check_option("method", method, METHODS)
    if "adjusted" in panel.provenance:
        raise DataError("The panel is adjusted already; adjust the raw prices once, with all the actions.")
    table, ledger = _checked(panel, actions), Ledger()
    dates = _local_dates(panel)
    fields = _with_dollar_volume(panel)
    units = {**panel.units, **({"dollar_volume": "quote currency"} if "dollar_volume" in fields else {})}
    changed = {f: values_of(fields[f]).copy() for f in (*PRICES, "volume", "buy_volume") if f in fields}
    for asset, own in table.groupby("asset", sort=False):
        line = panel.assets.index(str(asset))
        close = values_of(panel.fields["close"])[line]
        price, share = _factors(str(asset), own, dates, close, method, panel.index, ledger)
        for name, values in changed.items():
            values[line] *= share if name in ("volume", "buy_volume") else price
    listed = [[a, f"{d:%Y-%m-%d}", k, float(v)] for a, d, k, v in table.itertuples(index=False)]
    return replace(
        panel,
        fields={**fields, **{f: table_of(v, panel.index, panel.assets) for f, v in changed.items()}},
        units=units,
        provenance={**panel.provenance, "adjusted": {"method": method, "actions": listed}},
        ledger=ledger.after(panel.ledger),
    )


def _checked(panel: LiquidityPanel, actions: Any) -> pd.DataFrame:
    frame = to_pandas(actions)
    if not isinstance(frame, pd.DataFrame):
        raise DataError("Corporate actions are a table with the columns asset, ex_date, kind and value.")
    frame = frame if "ex_date" in frame else frame.reset_index()
    lacking = [c for c in ("asset", "ex_date", "kind", "value") if c not in frame]
    if lacking:
        raise DataError(f"The actions lack the column {lacking[0]!r}; they have {', '.join(map(str, frame.columns))}.")
    if "close" not in panel.fields:
        raise OptionError("Actions change prices and the panel has no close.")
    table = frame[["asset", "ex_date", "kind", "value"]].copy()
    table["ex_date"] = pd.to_datetime(table["ex_date"], utc=True).dt.normalize()
    for row in table.itertuples(index=False):
        if row.asset not in panel.asset_table.index:
            raise OptionError(f"An action names the asset {row.asset!r}, which the panel does not have.")
        check_option("kind", row.kind, KINDS)
        if not (np.isfinite(row.value) and row.value > 0) or pd.isna(row.ex_date):
            raise DataError(f"The {row.kind} of {row.asset!r} needs a date and a positive value, {row.value!r} came.")
    if (twice := table.duplicated(["asset", "ex_date", "kind"])).any():
        row = table[twice].iloc[0]
        raise DataError(f"The {row['kind']} of {row['asset']!r} on {row['ex_date']:%Y-%m-%d} stands twice.")
    # On one day the split comes first: a dividend is paid on the shares as they are on that day.
    return table.sort_values(["ex_date", "kind"], ascending=[True, False], kind="stable").reset_index(drop=True)


def _local_dates(panel: LiquidityPanel) -> IntArray:
    """The exchange's date of each row; the date of UTC on other clocks."""
    code, index = panel.clock.session, panel.index
    if code is None or panel.clock.whole_sessions or not len(index):
        return np.asarray(index.normalize().as_unit("ns").asi8)
    zone = sessions(code, index[0], index[-1]).zone if installed() else REGULAR[code][0]
    return np.asarray(index.tz_convert(zone).tz_localize(None).normalize().as_unit("ns").asi8)


def _with_dollar_volume(panel: LiquidityPanel) -> dict[str, pd.DataFrame]:
    """The fields with dollar volume among them, taken before anything is adjusted."""
    fields = dict(panel.fields)
    if "dollar_volume" in panel.field_names:
        fields["dollar_volume"] = panel["dollar_volume"]
    return fields


def _factors(
    asset: str,
    own: pd.DataFrame,
    dates: IntArray,
    close: FloatArray,
    method: str,
    index: pd.DatetimeIndex,
    ledger: Ledger,
) -> tuple[FloatArray, FloatArray]:
    """What prices and volumes of an asset are multiplied by, row by row."""
    price, share = np.ones(len(dates)), np.ones(len(dates))
    closes = np.flatnonzero(~np.isnan(close))
    for row in own.itertuples(index=False):
        cut = int(np.searchsorted(dates, row.ex_date.as_unit("ns").value))
        before = closes[closes < cut]
        if not len(before) or cut >= len(dates) or not (closes >= cut).any():
            ledger.note(asset, "action-outside-span", pd.DatetimeIndex([row.ex_date]))
            continue
        if row.kind == "split":
            by, many = 1.0 / row.value, row.value
        else:
            by, many = 1.0 - row.value / (close[before[-1]] / _splits_on(own, row.ex_date)), 1.0
            if by <= 0:
                raise DataError(f"The dividend of {asset!r} on {row.ex_date:%Y-%m-%d} exceeds its last close.")
        rows = slice(None, cut) if method == "back" else slice(cut, None)
        price[rows] *= by if method == "back" else 1 / by
        share[rows] *= many if method == "back" else 1 / many
        ledger.note(asset, f"{row.kind}-adjusted", index[rows][~np.isnan(close[rows])])
    return price, share


def _splits_on(own: pd.DataFrame, day: pd.Timestamp) -> float:
    """The split of the same day, which makes the last close one of fewer shares."""
    same = own[(own["ex_date"] == day) & (own["kind"] == "split")]
    return float(same["value"].prod())
