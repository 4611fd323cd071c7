"""`episode_catalogue`: documented crash episodes that bars of US shares and crypto coins can show.

Stamps are UTC moments, not bar labels: a stamp without an hour is known to the day only. ``end`` is the first close (or
print) at which half of the fall was regained.
"""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files

from drainstats.episodes.episode import Episode
from drainstats.errors import check_option

MARKETS = ("equity", "crypto")


def episode_catalogue(market: str | None = None) -> list[Episode]:
    """Documented episodes, in time order, each with its reference and the source as told.

    They were dated by others from other data, so a signal that is scored against them shares no input with its labels.

    Parameters
    ----------
    market : {"equity", "crypto"}, optional
        Only episodes that hit this market; all by default.

    Returns
    -------
    list of Episode
        ``kind`` is "documented"; ``notes`` holds the class and the source as told, with disputes.

    Raises
    ------
    OptionError
        For an unknown market.

    Examples
    --------
    >>> import drainstats as ds
    >>> [e.name for e in ds.episode_catalogue("crypto")]
    ['Volmageddon', 'Crypto Black Thursday']
    """
    if market is not None:
        check_option("market", market, MARKETS)
    records = json.loads(files("drainstats.episodes").joinpath("catalogue.json").read_text(encoding="utf-8"))
    return [
        replace(
            Episode.from_dates(
                r["onset"], r["end"], trough=r["trough"], members=r["markets"], name=r["name"], reference=r["reference"]
            ),
            notes=(f"class: {r['class']}", f"source as told: {r['source']}"),
        )
        for r in records
        if market is None or market in r["markets"]
    ]
