"""Bitstamp's order events and TrueFX's quotes."""

from __future__ import annotations

import pandas as pd

from drainstats.sources.layout import Format, Layout, Source, sided

_SATOSHI = 100_000_000
# The exchange's stamp is that of the order's creation, days before some of the events: the event's own is of receipt.
_BITSTAMP = Layout(
    "timestamp", {"price": "price", "amount": "volume"}, ids={"id": "id"}, divide={"amount": _SATOSHI},
    side=sided("direction"), labels={"action": "action"}, whole=True,
)  # fmt: skip
_TRUEFX = Layout("stamp", {"bid": "bid", "ask": "ask"}, names=("pair", "stamp", "bid", "ask"), symbol="pair")


def _bitstamp(source: Source) -> pd.DataFrame:
    table = _BITSTAMP.read(source)
    table.attrs["rules"].append("received-as-time")
    return table


def _is_bare_truefx(source: Source) -> bool:
    first = source.lines[0].split(",") if source.lines else []
    return len(first) == 4 and "/" in first[0] and len(first[1]) == 21 and first[1][8:9] == " "


FORMATS = (
    Format(
        "bitstamp-orders", "book", "Bitstamp order events",
        lambda s: s.has("exchange.timestamp", "action", "direction"), _bitstamp,
        "amounts in 1e-8 coins; what is left of the order, also where it is deleted; the exchange's stamp is that of "
        "the order's creation, so time is that of receipt",
    ),
    Format(
        "truefx", "quotes", "TrueFX ticks without header", _is_bare_truefx, _TRUEFX.read,
        "dates without dashes; no sizes", genuine=False,
    ),
)  # fmt: skip
