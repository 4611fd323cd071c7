"""`episode_catalogue`: documented crash episodes since 1987, with what is disputed and how far each claim was checked.

Stamps are UTC moments, not bar labels, and each has a precision: the moment lies in the month, day, hour, minute or
second that begins there. Of every claim the table says whether it stands in a page that was read (``page``), was
computed from market data (``data``), is remembered and was not looked up (``memory``), or is our own reading
(``judgement``). Pages were often read in their opening part only, and some are copies: a mark is no proof.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

import pandas as pd

from drainstats.episodes.episode import Episode
from drainstats.errors import check_option

MARKETS = ("equity", "crypto", "bonds", "credit", "commodities", "fx", "funding", "volatility")
PRECISIONS = ("month", "day", "hour", "minute", "second")
_STAMPS = ("onset", "trough", "price_recovery", "liquidity_recovery", "last")
_CLAIM = ("key", "name", "about", "text", "value", "unit", "time", "precision", "dispute", "checked", "reference")


@dataclass(frozen=True, eq=False, repr=False)
class DocumentedEpisode(Episode):
    """An episode of the catalogue: an `Episode` with what the literature says of it.

    ``end`` is the first moment at which half of the fall of prices was regained; where nobody dated that, ``recovered``
    is false and ``end`` is the last stamp that there is. ``members`` are the markets that were hit.

    Parameters
    ----------
    key : str
        Short name; the key of `catalogue_table`.
    classes : tuple of str
        ``flash``: minutes to two sessions, mostly reversed; ``bleed``: days to weeks; ``regime``: a lasting change.
        Mixed cases have several.
    control : bool
        True for what a detector should not call a drain, or only as local.
    source_rises : bool
        True when the price of what it began in rose: a short squeeze, a currency that funds others.
    source_told : str
        The source in the accounts.
    source_assets : tuple of str
        Tickers of the source, where the accounts name a traded one.
    liquidity_end : Timestamp or NaT
        When liquidity was back, where that is known to differ from prices.
    onset_precision, trough_precision, end_precision, liquidity_precision : str
        ``month``, ``day``, ``hour``, ``minute`` or ``second``; empty without the stamp.
    onset_checked : str
        How the onset was checked: ``page``, ``data``, ``memory``, or two of them.
    disputes : tuple of str
        What accounts differ in, with each of them.
    """

    key: str = ""
    classes: tuple[str, ...] = ()
    control: bool = False
    source_rises: bool = False
    source_told: str = ""
    source_assets: tuple[str, ...] = ()
    liquidity_end: Any = pd.NaT
    onset_precision: str = ""
    trough_precision: str = ""
    end_precision: str = ""
    liquidity_precision: str = ""
    onset_checked: str = ""
    disputes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        half = "half back" if self.recovered else "last stamp"
        rows = [
            ("class", ", ".join(self.classes) + (" (control: no drain)" if self.control else "")),
            ("markets", ", ".join(self.members)),
            ("onset", f"{_said(self.onset, self.onset_precision)}, from {self.onset_checked}"),
            ("trough", _said(self.trough, self.trough_precision)),
            (half, _said(self.end, self.end_precision)),
            ("liquidity", _said(self.liquidity_end, self.liquidity_precision)),
            ("source", self.source_told + (" (its price rose)" if self.source_rises else "")),
            *(("disputed", d) for d in self.disputes),
            ("reference", self.reference),
        ]
        lines = [f"  {label:<11}{text}" for label, text in rows if text]
        return "\n".join([f"Documented episode: {self.name}", *lines])


def episode_catalogue(market: str | None = None, *, controls: bool = True) -> list[DocumentedEpisode]:
    """Documented episodes, in time order, each with its references, the source as told and what is disputed.

    They were dated by others, or from other data than yours unless the claim is marked ``data``; so a signal that is
    scored against them shares few inputs with its labels.

    Parameters
    ----------
    market : {"equity", "crypto", "bonds", "credit", "commodities", "fx", "funding", "volatility"}, optional
        Only episodes that hit this market; all by default.
    controls : bool, default True
        Whether to give the crashes that are no drains (``control``): leave them out where episodes are labels.

    Returns
    -------
    list of DocumentedEpisode
        ``kind`` is "documented"; ``notes`` says the class, the source as told, and what is missing.

    Raises
    ------
    OptionError
        For an unknown market.

    Examples
    --------
    >>> import drainstats as ds
    >>> len(ds.episode_catalogue())
    46
    >>> [e.name for e in ds.episode_catalogue("crypto")][:3]
    ['Ether on one venue', 'Volmageddon', 'Crypto Black Thursday']
    """
    chosen = _chosen(market, controls)
    blank = DocumentedEpisode(onset=pd.NaT)
    return [replace(blank, **_fields(r)) for r in chosen]


def catalogue_table(market: str | None = None, *, controls: bool = True) -> pd.DataFrame:
    """Every claim of the catalogue, a row each, with its reference and how far it was checked.

    Parameters
    ----------
    market, controls
        As in `episode_catalogue`.

    Returns
    -------
    DataFrame
        ``key`` and ``name`` of the episode; ``about``: ``onset``, ``trough``, ``price_recovery``,
        ``liquidity_recovery``, ``last`` (stamps in ``time``, UTC, with their ``precision``), ``stamp``, ``recovery``,
        ``source``, ``hit``, ``measure``, ``mechanism`` or ``literature``; the ``text``; ``value`` in ``unit`` (NaN when
        there is no number); ``dispute``: the question on which accounts differ, empty for undisputed claims;
        ``checked``: ``page``, ``data``, ``memory``, ``judgement``, or two of them; ``reference``.

    Raises
    ------
    OptionError
        For an unknown market.

    Examples
    --------
    >>> import drainstats as ds
    >>> table = ds.catalogue_table("crypto")
    >>> depth = table[(table["key"] == "crypto-cascade-2025-10") & (table["dispute"] == "loss of depth")]
    >>> depth["value"].tolist()
    [-90.0, -98.0]
    """
    rows = [row for r in _chosen(market, controls) for row in _claims(r)]
    table = pd.DataFrame(rows, columns=list(_CLAIM))
    table["value"] = table["value"].astype(float)
    table["time"] = pd.DatetimeIndex([pd.NaT if t is None else _utc(t) for t in table["time"]], tz="UTC")
    return table


@cache
def _records() -> tuple[dict[str, Any], ...]:
    folder = files("drainstats.episodes").joinpath("catalogue_data")
    texts = [p.read_text(encoding="utf-8") for p in folder.iterdir() if p.name.endswith(".json")]
    records = [r for text in texts for r in json.loads(text)]
    return tuple(sorted(records, key=lambda r: _utc(r["stamps"]["onset"]["at"])))


def _chosen(market: str | None, controls: bool) -> list[dict[str, Any]]:
    if market is not None:
        check_option("market", market, MARKETS)
    return [r for r in _records() if (market is None or market in r["markets"]) and (controls or not r["control"])]


def _utc(at: str) -> pd.Timestamp:
    stamp = pd.Timestamp(at)
    return stamp.tz_localize("UTC") if stamp.tz is None else stamp.tz_convert("UTC")


def _fields(r: dict[str, Any]) -> dict[str, Any]:
    stamps = r["stamps"]
    when = {k: _utc(stamps[k]["at"]) if k in stamps else pd.NaT for k in _STAMPS}
    precision = {k: stamps[k]["precision"] if k in stamps else "" for k in _STAMPS}
    end = next(k for k in ("price_recovery", "last", "trough") if k in stamps)
    # What is known to the day begins no earlier than what came before it on that day.
    trough = max(when["onset"], when["trough"]) if "trough" in stamps else pd.NaT
    return {
        "onset": when["onset"],
        "trough": trough,
        "end": max(t for t in (when["onset"], trough, when[end]) if not pd.isna(t)),
        "members": tuple(r["markets"]),
        "recovered": end == "price_recovery",
        "name": r["name"],
        "reference": "; ".join(ref["text"] for ref in r["references"]),
        "notes": tuple(_notes(r, end)),
        "key": r["key"],
        "classes": tuple(r["classes"]),
        "control": r["control"],
        "source_rises": r["source_rises"],
        "source_told": r["source"],
        "source_assets": tuple(r["source_assets"]),
        "liquidity_end": when["liquidity_recovery"],
        "onset_precision": precision["onset"],
        "trough_precision": precision["trough"],
        "end_precision": precision[end],
        "liquidity_precision": precision["liquidity_recovery"],
        "onset_checked": _checked(stamps["onset"]),
        "disputes": tuple(_disputes(r)),
    }


def _notes(r: dict[str, Any], end: str) -> Iterator[str]:
    yield f"class: {', '.join(r['classes'])}"
    if r["control"]:
        yield "control: no drain, or a local one"
    yield f"source as told: {r['source']}"
    if end != "price_recovery":
        yield "nobody dated the recovery; the end is the last stamp that there is"


def _disputes(r: dict[str, Any]) -> Iterator[str]:
    """Each question with all its accounts."""
    for question in dict.fromkeys(c["dispute"] for c in r["claims"] if "dispute" in c):
        accounts = [c for c in r["claims"] if c.get("dispute") == question]
        told = [f"{c['text']}{_amount(c)} ({_checked(c)})".removeprefix(f"{question}: ") for c in accounts]
        yield f"{question}: {'; or '.join(told)}"


def _amount(claim: dict[str, Any]) -> str:
    """The number with its unit, unless the text has it."""
    number = f"{claim['value']:,}" if "value" in claim else ""
    if re.search(rf"(?<![\d.,]){re.escape(number)}(?!\d)", claim["text"]):
        return ""
    return f": {number} {claim['unit']}"


def _said(stamp: Any, precision: str) -> str:
    if pd.isna(stamp):
        return ""
    forms = {"month": "%Y-%m", "day": "%Y-%m-%d", "second": "%Y-%m-%dT%H:%M:%SZ"}
    return f"{stamp.strftime(forms.get(precision, '%Y-%m-%dT%H:%MZ'))} (to the {precision})"


def _claims(r: dict[str, Any]) -> Iterator[dict[str, Any]]:
    own = {"key": r["key"], "name": r["name"], "value": float("nan"), "unit": "", "time": None, "precision": ""}
    for about, stamp in r["stamps"].items():
        yield own | _source(r, stamp) | _dated(about, stamp)
    for claim in r["claims"]:
        yield own | {k: claim[k] for k in ("about", "text", "value", "unit") if k in claim} | _source(r, claim)
    judged = {"dispute": "", "checked": "judgement", "reference": "the editors' reading"}
    yield own | {"about": "mechanism", "text": r["mechanism"]} | judged
    for reference in r["references"]:
        yield own | {"about": "literature", "text": reference["text"]} | _source(r, reference)


def _dated(about: str, stamp: dict[str, Any]) -> dict[str, Any]:
    at, precision = stamp["at"], stamp["precision"]
    return {"about": about, "text": _said(_utc(at), precision), "time": at, "precision": precision}


def _source(r: dict[str, Any], claim: dict[str, Any]) -> dict[str, str]:
    where = [r["pages"][letter] for letter in claim.get("pages", "")]
    if "data" in claim:
        where.append(f"computed from {claim['data']} data".replace("totals data", "totals of events"))
    if claim.get("memory"):
        where.append("remembered, not looked up")
    return {"dispute": claim.get("dispute", ""), "checked": _checked(claim), "reference": "; ".join(where)}


def _checked(claim: dict[str, Any]) -> str:
    degrees = {"page": "pages", "data": "data", "memory": "memory"}
    return " and ".join(degree for degree, field in degrees.items() if claim.get(field))
