"""Files of daily and hourly bars as people keep them: Yahoo, yfinance, Alpaca, Stooq, CryptoDataDownload, LEAN."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from drainstats.errors import DataError
from drainstats.sources.layout import Format, Layout, Source

_OHLC = {name: name for name in ("open", "high", "low", "close")}
_YAHOO = Layout("date", _OHLC | {"volume": "volume", "adjusted": "adj close"})
_STOOQ = Layout(
    "<date>", {name: f"<{name}>" for name in _OHLC} | {"volume": "<vol>"}, labels={"clock": "<time>"}, symbol="<ticker>"
)
_NEW_YORK = "America/New_York"
_NEW_YORK_MIDNIGHT = re.compile(r"\d{4}-\d{2}-\d{2} 0[45]:00:00\+00:00$")
_LEAN_ROW = re.compile(r"\d{8} \d{2}:\d{2},\d+,\d+,\d+,\d+,\d+(\.\d+)?$")
_LEAN_PRICE_UNIT = 10_000


def _is_yahoo(source: Source) -> bool:
    return source.has("date", "open", "high", "low", "close", "adj close", "volume")


def _is_alpaca(source: Source) -> bool:
    return _is_yahoo(source) and bool(source.row(1)) and bool(_NEW_YORK_MIDNIGHT.match(source.row(1)[0]))


def _alpaca(source: Source) -> pd.DataFrame:
    table = _YAHOO.read(source)
    local = table.index.tz_convert(_NEW_YORK)
    _refuse_clock(np.asarray(local != local.normalize()), table, source, "midnight in New York")
    # A session is labelled by its date.
    table.index = local.tz_localize(None).tz_localize("UTC").rename("time")
    table.attrs["rules"] = ["session-date"]
    return table


def _refuse_clock(bad: np.ndarray, table: pd.DataFrame, source: Source, expected: str, names: object = None) -> None:
    rows = np.flatnonzero(bad)
    if len(rows):
        line = int(rows[0]) + 1 + (names is None)
        raise DataError(f"{table.index[rows[0]]} is not {expected}, as the first row is.", file=source.path, row=line)


def _is_yfinance(source: Source) -> bool:
    lines = source.lines
    return len(lines) > 2 and lines[0].startswith("Price,") and lines[1].startswith("Ticker,")


def _yfinance(source: Source) -> pd.DataFrame:
    """Three or four header lines: fields, tickers (twice in some versions), and the name of the index."""
    fields, tickers = source.row(0)[1:], [cell.strip() for cell in (*source.lines, "", "")[1].split(",")][1:]
    skip = next((n for n, line in enumerate(source.lines) if re.match(r"Date(time)?(,|$)", line)), 0) + 1
    pairs = list(zip(fields, tickers, strict=False))
    if len(fields) != len(tickers) or skip < 3 or len(set(pairs)) < len(pairs):
        raise DataError(
            "The three header lines Price, Ticker and Date are not there as yfinance writes them.",
            file=source.path,
            row=1,
        )
    # Some versions write the name of the adjusted close as a second "Price".
    ours = {"price": "adjusted", "adj close": "adjusted", **_OHLC, "volume": "volume"}
    names = ("time", *(f"{field}\n{ticker}".lower() for field, ticker in pairs))
    layout = Layout("time", {n: n for n in names[1:] if n.partition("\n")[0] in ours}, names=names, skip=skip)
    table = layout.read(source)
    table.attrs["ignored"] = [n.partition("\n")[0] for n in table.attrs["ignored"]]
    parts = []
    for ticker in dict.fromkeys(tickers):
        theirs = {f"{f}\n{t}".lower(): ours[f] for f, t in pairs if t == ticker and f in ours}
        if "close" not in theirs.values():
            raise DataError(f"{ticker} has no column Close.", file=source.path, row=1)
        parts.append(table[list(theirs)].set_axis(list(theirs.values()), axis=1).assign(asset=ticker))
    return _stacked(parts, table.attrs)


def _stacked(parts: list[pd.DataFrame], attrs: dict[str, object]) -> pd.DataFrame:
    if len(parts) == 1:
        attrs = attrs | {"symbol": parts[0]["asset"].iloc[0]}
        table = parts[0].drop(columns="asset")
    else:
        table = pd.concat(parts)
        table.insert(0, "asset", table.pop("asset"))
    table.attrs = attrs
    return table


def _stooq(source: Source) -> pd.DataFrame:
    table = _STOOQ.read(source)
    attrs = table.attrs
    if "clock" in table:
        clock = table.pop("clock")
        intraday = ~np.asarray(clock.isin(["", "0", "000000"]))
        # 153000 without a zone: Stooq's own, Warsaw's, which a reader cannot know of a file.
        _refuse_clock(intraday, table, source, "a daily bar (intraday stamps of Stooq name no time zone)")
    table.attrs = attrs
    return table


def _is_cryptodatadownload(source: Source) -> bool:
    first = source.columns
    cells = source.row(1) if first and "cryptodatadownload" in first[0] else first
    return cells[:3] in (("unix", "date", "symbol"), ("unix timestamp", "date", "symbol"))


def _cryptodatadownload(source: Source) -> pd.DataFrame:
    skip = int("cryptodatadownload" in source.columns[0])
    header = source.row(skip)
    volumes = [name for name in header if name.startswith("volume")]
    first_row = source.row(skip + 1)
    symbol = first_row[2].replace("/", "").replace("-", "") if len(first_row) > 2 else ""
    # Of the two volumes the one whose currency ends the symbol is in the quote currency.
    quoted = [v for v in volumes if v != "volume" and symbol.endswith(v.removeprefix("volume").strip())]
    base = [v for v in volumes if v not in quoted]
    if len(quoted) > 1 or len(base) > 1:
        raise DataError(
            f"Which of {', '.join(volumes)} is in the base currency of {symbol!r}?", file=source.path, row=skip + 1
        )
    fields = _OHLC | {"trades": "tradecount"}
    fields |= {"volume": base[0]} if base else {}
    fields |= {"dollar_volume": quoted[0]} if quoted else {}
    stamp = next((name for name in header if name.startswith("unix")), "unix")
    return Layout(stamp, fields, skip=skip, symbol="symbol", mixed=True).read(source)


def _is_lean(source: Source) -> bool:
    return bool(source.lines) and bool(_LEAN_ROW.match(source.lines[0]))


def _lean(source: Source) -> pd.DataFrame:
    names = ("time", *_OHLC, "volume")
    daily = source.lines[0].split(",")[0].endswith(" 00:00")
    zone = "UTC" if daily else _NEW_YORK
    fields = {name: name for name in names[1:]}
    layout = Layout("time", fields, names=names, divide=dict.fromkeys(_OHLC, _LEAN_PRICE_UNIT), zone=zone)
    table = layout.read(source)
    if daily:
        _refuse_clock(np.asarray(table.index != table.index.normalize()), table, source, "a date", names)
    table.attrs |= {
        "rules": ["session-date"] if daily else ["new-york-to-utc"],
        "symbol": source.name.split(".")[0].upper(),
    }
    return table


FORMATS = (
    Format(
        "cryptodatadownload", "bars", "CryptoDataDownload, with and without the line of its address",
        _is_cryptodatadownload, _cryptodatadownload,
        "newest row first; seconds and milliseconds in one column; stamps twice; the order of the volumes changes",
    ),
    Format(
        "lean", "bars", "LEAN hourly and daily zip (US equity)", _is_lean, _lean,
        "prices in 1/10000 dollar; New York time; a ticker carries the history of whoever held it before",
    ),
    Format(
        "yfinance", "bars", "yfinance CSV with three header lines", _is_yfinance, _yfinance,
        "several tickers side by side; the adjusted close may be called Price",
    ),
    Format(
        "alpaca", "bars", "Alpaca daily CSV", _is_alpaca, _alpaca,
        "stamped at New York midnight; volume of one venue, not of the market",
    ),
    Format(
        "yahoo", "bars", "Yahoo CSV", _is_yahoo, _YAHOO.read,
        "opens of 0 and days without volume in old histories; prices unadjusted for dividends, volumes adjusted for "
        "splits",
    ),
    Format(
        "stooq", "bars", "Stooq bulk CSV (<TICKER>,<PER>,<DATE> …); the single-file download is read as generic",
        lambda s: s.has("<ticker>", "<date>", "<time>", "<close>"), _stooq,
        "old volumes are adjusted and fractional; intraday files are refused, since they name no time zone",
        genuine=False,
    ),
)  # fmt: skip
