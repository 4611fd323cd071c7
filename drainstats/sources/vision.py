"""`fetch_binance`: files of Binance's public archive by symbol, kind and date, each checked against its checksum.

The archive holds a zip a day and a zip a month, in ``<market>/<daily or monthly>/<kind>/<symbol>/[<interval>/]`` and by
the name of ``<symbol>-<interval or kind>-<date>.zip``, each beside a ``.zip.CHECKSUM`` with its sha256. Whole months
are taken from the monthly files; the days at both ends, and months that have no file yet, from the daily ones.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from drainstats.errors import DataError, FetchError, OptionError, check_option
from drainstats.parallel import pmap
from drainstats.sources.archives import sole_member
from drainstats.sources.fetch import cache_folder, cached, download, not_cached
from drainstats.sources.transport import Terms, check_address

BASE = "https://data.binance.vision/data"
_FOLDERS = {"spot": "spot", "um": "futures/um", "cm": "futures/cm"}
_INTERVALS = ("1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1mo")
_FUTURES = ("um", "cm")
_BOTH, _DAILY, _MONTHLY = ("monthly", "daily"), ("daily",), ("monthly",)
# Kind: markets that have it, archives that hold it, whether it comes by interval.
_KINDS: dict[str, tuple[tuple[str, ...], tuple[str, ...], bool]] = {
    "klines": (("spot", *_FUTURES), _BOTH, True),
    "aggTrades": (("spot", *_FUTURES), _BOTH, False),
    "trades": (("spot", *_FUTURES), _BOTH, False),
    "bookTicker": (_FUTURES, _DAILY, False),
    "bookDepth": (_FUTURES, _DAILY, False),
    "metrics": (_FUTURES, _DAILY, False),
    "fundingRate": (_FUTURES, _MONTHLY, False),
    "liquidationSnapshot": (_FUTURES, _DAILY, False),
    "markPriceKlines": (_FUTURES, _BOTH, True),
    "indexPriceKlines": (_FUTURES, _BOTH, True),
}
_TERMS = Terms()
_LONGEST_NOTE = 4096


def fetch_binance(
    symbols: str | Iterable[str],
    kind: str = "klines",
    *,
    start: Any,
    end: Any,
    interval: str = "1d",
    market: str = "spot",
    offline: bool = False,
    n_jobs: int = 4,
    cache: str | os.PathLike[str] | None = None,
    base: str = BASE,
    terms: Terms = _TERMS,
) -> pd.DataFrame:
    """Fetch files of Binance's public archive into the cache, verified, several at a time.

    Read them with `drainstats.read_bars` (klines; mark- and index-price klines hold no volume and are refused there),
    `read_trades`, `read_quotes` (bookTicker), `read_book` (bookDepth) and `read_flows` (metrics, fundingRate,
    liquidationSnapshot), or hand them to the tick engine.

    Parameters
    ----------
    symbols : str or iterable of str
        Such as ``"BTCUSDT"``; ``"BTCUSD_PERP"`` on the coin-margined market.
    kind : str, default "klines"
        ``klines``, ``aggTrades``, ``trades``; on futures also ``bookTicker``, ``bookDepth``, ``metrics``,
        ``fundingRate``, ``liquidationSnapshot``, ``markPriceKlines``, ``indexPriceKlines``.
    start, end : date
        First and last day, both included: text or any date. Of ``fundingRate`` there are months only.
    interval : str, default "1d"
        ``1s`` to ``1mo``; for the klines.
    market : {"spot", "um", "cm"}, default "spot"
        Spot, USD-margined or coin-margined futures.
    offline : bool, default False
        Never touch the network: only what is in the cache is found.
    n_jobs : int, default 4
        Files fetched at a time, in threads.
    cache : path, optional
        Folder; default: the environment variable ``DRAINSTATS_CACHE``, else the user's cache folder. Files that are
        there are verified and not fetched again: a run that was interrupted goes on.
    base : str
        Where the archive is; a mirror has another address.
    terms : Terms
        Caps, time limits and patience of a single download.

    Returns
    -------
    DataFrame
        A row a file: symbol, kind, date (``2024-05`` for a month), path (missing if it failed), sha256, status: "ok" or
        the reason, such as "404: no archive for that day".

    Raises
    ------
    OptionError
        An unknown kind, market or interval; a kind that the market does not have; a symbol that is none; end before
        start.
    FetchError
        Not one file came.
    DataError
        Offline, and not one file is in the cache.
    MissingExtraError
        Without the extra ``fetch``.

    Examples
    --------
    >>> import tempfile, drainstats
    >>> from drainstats.sources.vision import fetch_binance
    >>> day = {"start": "2020-03-12", "end": "2020-03-12", "cache": tempfile.mkdtemp(), "offline": True}
    >>> try:
    ...     fetch_binance("BTCUSDT", interval="1m", **day)
    ... except drainstats.errors.DataError as error:
    ...     print(str(error)[:56])
    Not one of the 1 files is there; BTCUSDT 2020-03-12: BTC
    """
    names = [symbols] if isinstance(symbols, str) else list(symbols)
    _check(names, kind, interval, market)
    check_address(base)
    first, last = _day(start), _day(end)
    if last < first:
        raise OptionError(f"end={last:%Y-%m-%d} lies before start={first:%Y-%m-%d}.")
    store = _Store(base.rstrip("/"), cache_folder(cache) / "vision" / _plain(base), offline, terms)
    wanted = [a for name in names for a in _Series(name, kind, interval, market, first, last).archives()]
    return _table(_rows(store, wanted, n_jobs), offline)


@dataclass(frozen=True, slots=True)
class _Series:
    """What is asked of one symbol; first, last : days, both included."""

    symbol: str
    kind: str
    interval: str
    market: str
    first: pd.Timestamp
    last: pd.Timestamp

    def archives(self) -> list[_Archive]:
        """The files that hold it: months where they are whole or there are no days, days elsewhere."""
        _, where, _ = _KINDS[self.kind]
        found: list[_Archive] = []
        for month in pd.period_range(self.first, self.last, freq="M"):
            whole = self.first <= month.start_time and month.end_time.normalize() <= self.last
            if "monthly" in where and (whole or "daily" not in where):
                found.append(_Archive(self, "monthly", month))
            else:
                found += self.days(month)
        return found

    def days(self, month: pd.Period) -> list[_Archive]:
        """The daily files of a month, within the span."""
        first, last = max(self.first, month.start_time), min(self.last, month.end_time.normalize())
        return [_Archive(self, "daily", day) for day in pd.period_range(first, last, freq="D")]


@dataclass(frozen=True, slots=True)
class _Archive:
    """One file; span : "monthly" or "daily"; date : the month or day."""

    series: _Series
    span: str
    date: pd.Period

    @property
    def address(self) -> str:
        """Where it is, below the base."""
        asked = self.series
        by_interval = _KINDS[asked.kind][2]
        folder = f"{_FOLDERS[asked.market]}/{self.span}/{asked.kind}/{asked.symbol}/"
        folder += f"{asked.interval}/" if by_interval else ""
        return f"{folder}{asked.symbol}-{asked.interval if by_interval else asked.kind}-{self.date}.zip"

    def days(self) -> list[_Archive]:
        """The daily files that stand for a month's, where the kind has such."""
        monthly = self.span == "monthly" and "daily" in _KINDS[self.series.kind][1]
        return self.series.days(self.date) if monthly else []


@dataclass(frozen=True, slots=True)
class _Store:
    """The archive and its image in the cache."""

    base: str
    folder: Path
    offline: bool
    terms: Terms

    def row(self, archive: _Archive) -> dict[str, Any]:
        """Fetch or find one file; what goes wrong becomes the row's status."""
        path = self.folder / archive.address
        row = {"symbol": archive.series.symbol, "kind": archive.series.kind, "date": str(archive.date)}
        try:
            sha256 = self._settled(archive.address, path)
        except (DataError, FetchError) as error:
            missing = getattr(error, "status", None) == 404
            length = {"daily": "day", "monthly": "month"}[archive.span]
            reason = f"404: no archive for that {length}" if missing else str(error)
            return row | {"path": None, "sha256": None, "status": reason}
        return row | {"path": str(path), "sha256": sha256, "status": "ok"}

    def _settled(self, address: str, path: Path) -> str:
        note = path.with_name(f"{path.name}.CHECKSUM")
        recorded = _recorded(note, path.name) if note.is_file() else None
        if recorded and cached(path, recorded):
            return recorded
        if self.offline:
            raise not_cached(path)
        url = f"{self.base}/{quote(address)}"
        # Archives are replaced now and then: what is fetched now must match the checksum of now.
        download(f"{url}.CHECKSUM", note, None, replace(self.terms, max_bytes=_LONGEST_NOTE), refresh=True)
        recorded = _recorded(note, path.name)
        if recorded is None:
            raise DataError(f"The checksum file states no sha256 for {path.name}; try again later.", file=note)
        download(url, path, recorded, self.terms, inspect=sole_member)
        return recorded


def _rows(store: _Store, wanted: list[_Archive], n_jobs: int) -> list[dict[str, Any]]:
    from joblib import parallel_config

    with parallel_config(backend="threading"):
        rows = pmap(store.row, wanted, n_jobs=n_jobs)
        # Offline nobody can say whether a month has no file; its days may be here all the same.
        absent = [row["path"] is None and (store.offline or row["status"].startswith("404")) for row in rows]
        parts = [a.days() if gone else [] for a, gone in zip(wanted, absent, strict=True)]
        days = iter(pmap(store.row, [a for part in parts for a in part], n_jobs=n_jobs))
    groups = [[next(days) for _ in part] if part else [row] for part, row in zip(parts, rows, strict=True)]
    return [row for group in groups for row in group]


def _check(symbols: list[str], kind: str, interval: str, market: str) -> None:
    check_option("market", market, _FOLDERS)
    check_option("kind", kind, _KINDS)
    check_option("interval", interval, _INTERVALS)
    markets = _KINDS[kind][0]
    if market not in markets:
        raise OptionError(f"kind={kind!r} is not in the archive of market={market!r}; it is in {', '.join(markets)}.")
    for symbol in symbols:
        if not re.fullmatch(r"\w+", symbol):
            raise OptionError(f"{symbol!r} is no symbol: letters, digits and underscores are expected, as in BTCUSDT.")
    if not symbols:
        raise OptionError("No symbols came: pass one such as BTCUSDT, or several.")


def _day(moment: Any) -> pd.Timestamp:
    stamp = pd.Timestamp(moment)
    return (stamp.tz_convert("UTC").tz_localize(None) if stamp.tzinfo else stamp).normalize()


def _plain(base: str) -> str:
    return re.sub(r"[^\w.-]+", "_", base.partition("://")[2])


def _recorded(note: Path, name: str) -> str | None:
    """The sha256 that a checksum file (``<hash>  <name>``, as sha256sum writes it) states for a name."""
    for line in note.read_text(encoding="utf-8", errors="replace").splitlines():
        match = re.fullmatch(r"([0-9a-fA-F]{64}) [ *](.+)", line.strip())
        if match and match[2] == name:
            return match[1].lower()
    return None


def _table(rows: list[dict[str, Any]], offline: bool) -> pd.DataFrame:
    if all(row["status"] != "ok" for row in rows):
        first = f"{rows[0]['symbol']} {rows[0]['date']}: {rows[0]['status']}"
        message = f"Not one of the {len(rows)} files is there; {first}"
        raise DataError(message) if offline else FetchError(message)
    return pd.DataFrame(rows)
