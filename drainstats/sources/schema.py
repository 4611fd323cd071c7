"""The tidy bar table: a row a bar, a UTC index of bar starts, float columns with these names."""

from __future__ import annotations

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


def canonical(header: str) -> str | None:
    """The schema's name for a header of a file, or None."""
    plain = header.strip().lower()
    return next((name for name, others in ALIASES.items() if plain in others), None)
