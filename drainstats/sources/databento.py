"""Databento: CSV files, and DBN files through its own library (extra ``dbn``)."""

from __future__ import annotations

import io
import re
import warnings
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError, require_extra
from drainstats.sources.layout import Format, Layout, Source, name_symbols
from drainstats.sources.schema import SIDES
from drainstats.sources.stamps import StampColumn

_NANO = 10**9
_RECORDS = 2**12
# Fixed prices come as whole billionths unless the file was written with decimals; this one stands for none.
_NO_PRICE = np.iinfo(np.int64).max
_OHLC = {name: name for name in ("open", "high", "low", "close")}
_SCHEMAS = {
    "bars": re.compile(r"ohlcv-"),
    "trades": re.compile(r"trades|tc?bbo|c?mbp-1$"),
    "quotes": re.compile(r"c?bbo-|c?mbp-1$|tc?bbo"),
    "book": re.compile(r"mbp-10|mbo"),
}


def _levels(columns: Any) -> dict[str, str]:
    fields = {}
    for level in range(sum(bool(re.fullmatch(r"bid_px_\d\d", str(c))) for c in columns)):
        for side in ("bid", "ask"):
            fields[f"{side}_{level}"] = f"{side}_px_{level:02d}"
            fields[f"{side}_size_{level}"] = f"{side}_sz_{level:02d}"
    return fields


def _quotes() -> dict[str, str]:
    return {"bid": "bid_px_00", "bid_size": "bid_sz_00", "ask": "ask_px_00", "ask_size": "ask_sz_00"}


def _fields(table: str, columns: Any) -> dict[str, str]:
    if table == "bars":
        return _OHLC | {"volume": "volume"}
    if table == "trades":
        return {"price": "price", "amount": "size"}
    if table == "quotes":
        return _quotes()
    return _levels(columns) or {"price": "price", "amount": "size"}


def _csv(source: Source, table: str) -> pd.DataFrame:
    fields = _fields(table, source.columns)
    prices = [ours for ours, theirs in fields.items() if theirs in (*_OHLC, "price") or "_px_" in theirs]
    orders = "price" in fields
    first = dict(zip(source.columns, source.row(1), strict=False))
    fixed = first.get(fields[prices[0]], "").lstrip("-").isdigit()
    dated = "ts_event" if source.has("ts_event") else "ts_recv"
    layout = Layout(
        dated,
        fields,
        divide=dict.fromkeys(prices, _NANO) if fixed else {},
        side=("side", SIDES) if orders else None,
        labels={"action": "action"} if orders else {},
        ids={"id": "order_id"} if table == "book" and orders else {},
        received="ts_recv" if dated == "ts_event" else None,
        symbol="symbol",
    )
    return _cleaned(layout.read(source), table, fixed)


def _cleaned(frame: pd.DataFrame, table: str, fixed: bool) -> pd.DataFrame:
    """Fixed prices that stand for none become missing; of trades with an action only trades stay."""
    attrs = frame.attrs
    for name in (c for c in frame.columns if c in (*_OHLC, "price") or re.match(r"(bid|ask)(_\d+)?$", c)):
        absent = frame[name] >= _NO_PRICE / _NANO
        if fixed and absent.any():
            frame[name] = frame[name].mask(absent)
    if table == "trades" and "action" in frame:
        frame = frame[np.asarray(frame.pop("action") == "T")]
    frame.attrs = attrs
    return frame


def _store(source: Source) -> Any:
    databento = require_extra("databento", "dbn")
    _refuse_cut(source)
    try:
        return databento.DBNStore.from_bytes(io.BytesIO(source.content.data))
    except Exception as error:
        raise DataError(f"The file is not DBN ({error}).", file=source.path) from error


def _refuse_cut(source: Source) -> None:
    """A last record that is cut off: the library leaves it out without a word. Its first byte counts 4-byte words."""
    data = source.content.data
    at = 8 + int.from_bytes(data[4:8], "little")
    while at < len(data):
        step = 4 * data[at]
        if not step or at + step > len(data):
            raise DataError("The last record of the file is cut off.", file=source.path)
        # Records of one length follow each other: as many as do so are stepped over at once.
        lengths = np.frombuffer(data, np.uint8, min(len(data) - at, step * _RECORDS), at)[::step]
        same = len(lengths) if (lengths == data[at]).all() else int(np.argmax(lengths != data[at]))
        at += step * max(1, min(same, (len(data) - at) // step))


def _records(store: Any, source: Source) -> pd.DataFrame:
    try:
        with warnings.catch_warnings():
            # The library's own use of pandas; nothing that a reader of the file could mend.
            warnings.simplefilter("ignore")
            return store.to_df(price_type="float", pretty_ts=True, map_symbols=True).reset_index()
    except Exception as error:
        raise DataError(f"The records of the file cannot be decoded ({error}).", file=source.path) from error


def _matches_dbn(source: Source, table: str) -> bool:
    if not source.is_dbn:
        return False
    schema = str(_store(source).schema or "")
    if not any(pattern.match(schema) for pattern in _SCHEMAS.values()):
        raise DataError(f"The file holds records of the schema {schema!r}, which are no market data.", file=source.path)
    return bool(_SCHEMAS[table].match(schema))


def _dbn(source: Source, table: str) -> pd.DataFrame:
    store = _store(source)
    raw = _records(store, source)
    if raw.empty:
        raise DataError("The file has no records.", file=source.path)
    if table == "trades" and "action" in raw:
        raw = raw[raw["action"] == "T"]
    fields = _fields(table, raw.columns)
    # A sampled quote is dated by the end of its interval; its event is the last trade, which may be none.
    stamp = "ts_recv" if re.match(r"c?bbo-", str(store.schema)) else "ts_event"
    index = _stamps(raw, stamp, source)
    columns: dict[str, Any] = {o: raw[t].to_numpy(dtype=np.float64) for o, t in fields.items() if t in raw}
    if "price" in fields and "side" in raw:
        columns["side"] = _sides(raw["side"], source)
    if table == "book" and "price" in fields and "action" in raw:
        columns |= {"id": raw["order_id"].to_numpy(dtype=np.uint64), "action": raw["action"].to_numpy(dtype=object)}
    if stamp == "ts_event" and "ts_recv" in raw:
        columns["received"] = _stamps(raw, "ts_recv", source)
    frame = pd.DataFrame(columns, index=index.rename("time"))
    used = {*fields.values(), stamp, "ts_recv", "symbol", "side", "action", "order_id", "instrument_id"}
    frame.attrs = {"rules": [f"dbn-{store.schema}"], "ignored": [c for c in raw if c not in used]}
    # An instrument to which the file gives no name goes by its number.
    numbers = raw["instrument_id"].astype(str)
    names = raw["symbol"].fillna(numbers) if "symbol" in raw else numbers
    name_symbols(frame, pd.Categorical(names.astype(str).to_numpy(dtype=object)))
    return frame


def _stamps(raw: pd.DataFrame, name: str, source: Source) -> pd.DatetimeIndex:
    return StampColumn(raw[name].reset_index(drop=True), name, source.path, lambda row: row + 1).to_utc([])


def _sides(values: pd.Series, source: Source) -> np.ndarray:
    sides = values.astype(str).str.lower().map(SIDES)
    if sides.isna().any():
        row = int(np.flatnonzero(sides.isna())[0])
        raise DataError(f"{values.iloc[row]!r} is no side.", file=source.path, row=row + 1, column="side")
    return sides.to_numpy(dtype=np.int8)


def _has_csv(source: Source, table: str) -> bool:
    if not source.has("rtype", "publisher_id", "instrument_id"):
        return False
    return {
        "bars": source.has("open", "close", "volume"),
        "trades": source.has("price", "size", "action") and not source.has("order_id") and not source.has("bid_px_01"),
        "quotes": source.has("bid_px_00", "ask_px_00") and not source.has("bid_px_01"),
        "book": source.has("bid_px_01") or source.has("order_id"),
    }[table]


_TRAPS = "prices in billionths, or decimals if so ordered; 9223372036854775807 stands for no price"
_TITLES = {
    "bars": "ohlcv",
    "trades": "trades, and those in tbbo and mbp-1",
    "quotes": "mbp-1, bbo, cbbo, tbbo",
    "book": "mbp-10 (levels) and mbo (orders)",
}
FORMATS = tuple(
    Format(
        "databento-csv", table, f"Databento CSV: {title}", partial(_has_csv, table=table), partial(_csv, table=table),
        _TRAPS, genuine=False,
    )
    for table, title in _TITLES.items()
) + tuple(
    Format(
        "dbn", table, f"Databento DBN: {title}", partial(_matches_dbn, table=table), partial(_dbn, table=table),
        "needs the extra dbn; a file of definitions holds no market data and is refused",
    )
    for table, title in _TITLES.items()
)  # fmt: skip
