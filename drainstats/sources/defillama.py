"""DefiLlama exports: prices and supply of stablecoins, value locked and borrowed; one column or a column an asset."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from drainstats.errors import DataError
from drainstats.sources.layout import Format, Layout, Source

# What single columns are called, and what they hold.
_COLUMNS = {
    "tvl": "tvl",
    "borrowed_assets": "borrowed",
    "total_circulating_usd": "supply_usd",
    "total_minted_usd": "minted_usd",
    "total_bridged_to_usd": "bridged_usd",
    "individual_stablecoin_supply": "supply",
    "total_chain_supply": "chain_supply",
    "stablecoin_dominance": "dominance_percent",
    "total circulating ($)": "supply_usd",
    "total circulating (stablecoin units)": "supply",
    "% off peg": "off_peg_percent",
}
_WIDE = (("price", "price"), ("tvl", "tvl"), ("circulating", "supply"), ("supply", "supply"), ("borrow", "borrowed"))


def _dated(source: Source) -> bool:
    return source.columns[:1] == ("date",) and len(source.columns) > 1


def _is_single(source: Source) -> bool:
    return _dated(source) and any(c in _COLUMNS for c in source.columns[1:])


def _is_wide(source: Source) -> bool:
    """A column an asset: nothing but the file's name and values tell what they hold."""
    return _dated(source) and not source.has("open") and not source.has("close") and _held(source) != ""


def _held(source: Source) -> str:
    name = source.path.name.lower()
    # The last word of the name that says something: stablecoin_prices, USDC_circulating_by_chain, Aave_TVL_by_Token.
    found = [(name.rfind(word), field) for word, field in _WIDE if word in name]
    return max(found)[1] if found else ""


def _single(source: Source) -> pd.DataFrame:
    known = {_COLUMNS[c]: c for c in source.columns[1:] if c in _COLUMNS}
    others = [c for c in source.columns[1:] if c not in _COLUMNS]
    if "off_peg_percent" in known and len(others) == 1:
        # The column of prices bears the coin's name.
        known["price"] = others[0]
    return Layout("date", known, money=True).read(source)


def _wide(source: Source) -> pd.DataFrame:
    field = _held(source)
    if not field:
        raise DataError(
            "The name of the file does not say what its columns hold: one of price, tvl, circulating, supply, borrow "
            "is expected in it.",
            file=source.path,
        )
    names = source.cells().names[1:]
    table = Layout("date", {name: name.lower() for name in names}, money=True).read(source)
    long = table.set_axis([re.sub(r"_Circulating$", "", c) for c in table.columns], axis=1).stack(future_stack=True)
    long = long.dropna()
    if long.empty:
        raise DataError("The file holds no value.", file=source.path)
    out = pd.DataFrame(
        {"asset": long.index.get_level_values(1).astype(str), field: long.to_numpy(dtype=np.float64)},
        index=long.index.get_level_values(0).rename("time"),
    )
    out.attrs = table.attrs
    return out


FORMATS = (
    Format(
        "defillama", "flows", "DefiLlama exports with named columns", _is_single, _single,
        "four styles of dates; money as text; supply dominance in per cent",
    ),
    Format(
        "defillama-wide", "flows", "DefiLlama exports with a column an asset or chain", _is_wide, _wide,
        "only the file's name says whether prices, supply or value locked; empty cells are left out",
    ),
)  # fmt: skip
