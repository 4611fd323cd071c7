"""The tidy bar table: a row a bar, a UTC index of bar starts, float columns with these names."""

from __future__ import annotations

from collections.abc import Iterable

# Spellings in order of preference: when a file has both ``close`` and ``last``, the first of them is the close.
ALIASES = {
    "time": ("time", "timestamp", "datetime", "date", "day", "ts", "open_time", "opentime", "unix"),
    "open": ("open", "o", "price_open"),
    "high": ("high", "h", "price_high"),
    "low": ("low", "l", "price_low"),
    "close": ("close", "c", "last", "price_close"),
    "volume": ("volume", "vol", "v", "base_volume"),
    "dollar_volume": ("dollar_volume", "quote_volume", "quote_asset_volume", "turnover", "amount"),
    "adjusted": ("adjusted", "adj close", "adj_close", "adjclose"),
}
BAR_COLUMNS = tuple(name for name in ALIASES if name != "time")


def canonical(headers: Iterable[str]) -> dict[str, str]:
    """The schema's name → the header of a file that stands for it, by the preferred spelling."""
    plain = {header.strip().lower(): header for header in headers}
    found = {name: next((plain[a] for a in aliases if a in plain), None) for name, aliases in ALIASES.items()}
    return {name: header for name, header in found.items() if header is not None}
