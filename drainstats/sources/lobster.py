"""LOBSTER: message and order book files of a NASDAQ day, without header; row k of the book follows message k."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from drainstats.errors import DataError
from drainstats.sources.layout import Format, Source
from drainstats.sources.stamps import seconds_after_midnight

ZONE = "America/New_York"
_NAME = re.compile(
    r"(?P<ticker>.+)_(?P<day>\d{4}-\d{2}-\d{2})_(?P<start>\d+)_(?P<end>\d+)_(?P<kind>message|orderbook)_(?P<level>\d+)"
)
_MESSAGE = ("seconds", "type", "id", "size", "price", "direction")
EXECUTIONS = (4, 5)
_PRICE_UNIT = 10_000
# What stands where the book has no such level.
_NO_LEVEL = 9_999_999_999


def _matches(source: Source, kind: str) -> bool:
    found = _NAME.match(source.name)
    return bool(found and found["kind"] == kind)


def _parts(source: Source) -> re.Match[str]:
    found = _NAME.match(source.name)
    if not found:
        raise DataError(
            "The day of a LOBSTER file stands in its name: TICKER_YYYY-MM-DD_start_end_message_level.csv.",
            file=source.path,
        )
    return found


def _messages(source: Source) -> tuple[dict[str, np.ndarray], pd.DatetimeIndex]:
    # Files with a seventh column name the market participant.
    names = (*_MESSAGE, "participant")[: max(6, len(source.columns))]
    cells = source.cells(names)
    raw = cells.read(dict.fromkeys(_MESSAGE, "number"))
    for name in _MESSAGE:
        cells.refuse(~np.isfinite(raw[name]), name, raw[name], "is no number")
    cells.refuse((raw["seconds"] < 0) | (raw["seconds"] > 86400), "seconds", raw["seconds"], "is no second of a day")
    cells.refuse(np.abs(raw["direction"]) != 1, "direction", raw["direction"], "is neither 1 nor -1")
    day = _parts(source)["day"]
    try:
        return raw, seconds_after_midnight(raw["seconds"], day, ZONE)
    except ValueError as error:
        raise DataError(f"{day!r} in the file's name is no date.", file=source.path) from error


def _trades(source: Source) -> pd.DataFrame:
    raw, index = _messages(source)
    done = np.isin(raw["type"], EXECUTIONS)
    # The direction is that of the resting order: an executed sell order was bought by a taker.
    columns = {
        "price": raw["price"][done] / _PRICE_UNIT,
        "amount": raw["size"][done],
        "side": -raw["direction"][done].astype(np.int8),
        "hidden": raw["type"][done] == 5,
    }
    table = pd.DataFrame(columns, index=index[done].rename("time"))
    table.attrs = {"rules": ["new-york-to-utc"], "ignored": [], "symbol": _parts(source)["ticker"]}
    return table


def _book(source: Source) -> pd.DataFrame:
    path = source.path
    messages = Path(path.parent, path.name.replace("_orderbook_", "_message_"))
    if not messages.is_file():
        raise DataError(
            f"The times of a LOBSTER book stand in its message file, {messages.name}, which is not there.", file=path
        )
    width = len(source.columns)
    if width % 4 or not width:
        raise DataError(f"A LOBSTER book has four columns a level, this one has {width}.", file=path, row=1)
    names = tuple(
        f"{side}{size}_{level}" for level in range(width // 4) for side in ("ask", "bid") for size in ("", "_size")
    )
    raw = source.cells(names).read(dict.fromkeys(names, "number"))
    # Its own messages give the times: row k is the book after message k.
    _, index = _messages(Source(messages))
    rows = len(raw[names[0]])
    if len(index) != rows:
        raise DataError(f"The book has {rows} rows, its message file {len(index)}.", file=path)
    columns = {}
    for level in range(width // 4):
        for side in ("bid", "ask"):
            price = raw[f"{side}_{level}"]
            empty = np.abs(price) >= _NO_LEVEL
            columns[f"{side}_{level}"] = np.where(empty, np.nan, price / _PRICE_UNIT)
            columns[f"{side}_size_{level}"] = np.where(empty, np.nan, raw[f"{side}_size_{level}"])
    table = pd.DataFrame(columns, index=index.rename("time"))
    table.attrs = {"rules": ["new-york-to-utc"], "ignored": [], "symbol": _parts(source)["ticker"]}
    return table


FORMATS = (
    Format(
        "lobster", "trades", "LOBSTER messages: executions", partial(_matches, kind="message"), _trades,
        "prices in 1/10000 dollar; the direction is that of the resting order; seconds after midnight in New York",
    ),
    Format(
        "lobster", "book", "LOBSTER order book", partial(_matches, kind="orderbook"), _book,
        "times stand in the message file beside it; 9999999999 marks an empty level; files saved again with semicolons",
    ),
)  # fmt: skip
