"""`Episode`: a dated account of one drain, with what was knowable when.

``onset``, ``trough`` and ``end`` are bar labels; ``detected_at`` and ``known_at`` are availability times. Shares and
probabilities are fractions, durations are in bars of the panel's clock, costs are fractions of the notional.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import pandas as pd

from drainstats.episodes.card import card
from drainstats.episodes.flight import Flight
from drainstats.episodes.serial import MEMBER_STAMPS, STAMPS, empty_members, frame, number, parse, plain, stamp, stamps
from drainstats.errors import DataError


@dataclass(frozen=True, eq=False, repr=False)
class Episode:
    """One drain episode, detected, documented or the user's own.

    Parameters
    ----------
    onset : Timestamp
        Label (start) of the first bar of the drain. Retrospective.
    detected_at : Timestamp or NaT
        When the alarm could first have been raised: the availability time of the bar that raised it.
    known_at : Timestamp or NaT
        When the record stopped changing; NaT while the episode is open.
    trough : Timestamp or NaT
        Label of the bar in which the members' median stress was highest.
    end : Timestamp or NaT
        Label of the last bar before the market was calm again; NaT while the episode is open.
    members : tuple of str
        Assets that drained, in order of arrival.
    arrivals : Series
        Asset → label of the bar in which it crossed the line.
    breadth : float
        Largest share of observed assets above the line.
    breadth_p_value : float
        Share of the trailing history whose breadth was at least that of the alarm bar, counting itself; an earlier
        episode counts once, equal breadths are ordered by the median stress.
    breadth_p_horizon : float
        Chance that the widest bar of a calm stretch (``horizon`` bars, 20 by default) is as wide, by the stationary
        bootstrap of that history (`drainstats.breadth_null`).
    depth : float
        Share of baseline liquidity left at the trough (median over members): 0.1 means that nine tenths were gone.
    speed_bars, speed : float, Timedelta
        From 10 to 90 % of the loss of the members' median, interpolated between bars; what happens within one bar
        takes 0.8 of it. NaN and NaT when the path before the onset is not seen.
    source : Series
        Asset → share of being the source; sums to one over the assets observed from the onset to the alarm. From what
        each had lost before the others and by the alarm (`drainstats.episodes.detection.source`); rows after the alarm
        do not enter.
    source_identified : bool
        True when one asset led all others by two bars or more and its share is .6 or more: in simulated markets of
        other families than the shares were calibrated on, it is then the source in nine cases of ten or more. False
        when arrivals share a bar.
    source_basis : str
        Where the shares come from: ``simulator-calibrated``, or ``as told`` for your own.
    exit_cost, exit_cost_baseline : float
        Cost of leaving ``notional`` at the trough and before, a fraction: medians over the members that have it at both
        times. NaN without a book, or prices and volumes, or when there is no such member.
    exit_law : str
        What the exit cost rests on: ``spread and depth`` where the panel has a book, else ``square-root law, a proxy``.
    notional : float
        In quote currency.
    flight : Flight
        Where the money went: net flow of stable coins against placebo windows, premium, pegs by venue, and the pattern
        of their signs. ``not measured`` unless you pass stable coins.
    half_life : float
        Bars in which the fitted exponential decay after the trough halves; NaN when it cannot be fitted.
    half_life_censored : bool
        True when half of the stress was not gone before the data, or the episode, ended.
    recovered : bool
        True when the members were calm again inside the data.
    kind : {"flash", "bleed", "regime", "documented"}
        Back within a few bars, later, not within the data; or given by the user.
    evidence : str
        What the data can show: ``price range`` for bars of prices, which cannot tell a drain from plain volatility;
        and what corroborated the alarm, as in ``book depth, forced sales``.
    corroborated : bool
        True when the alarm rests on evidence that common volatility without a drain has not: rare forced sales, or
        books thinner than volatility explains.
    member_table : DataFrame
        Member × (``arrival``, ``trough``, ``half_back_at``, ``calm_at``, ``seen_until``, labels; ``depth``, share left
        at its own trough; ``bars_to_half``, bars from its trough on in which more than half of its loss in logs was
        missing, and ``bars_to_calm``, until it was calm: missing when that was not seen; ``bars_seen``, bars followed
        after its trough). `recovery_curves` pools them.
    field_known_at : Series
        Field → moment from which on it does not change; NaT for one that still may.
    name, reference : str
        For documented episodes.
    notes : tuple of str

    Examples
    --------
    >>> import drainstats as ds
    >>> ds.Episode.from_dates("2020-03-12", "2020-03-20", name="Black Thursday").is_open
    False
    """

    onset: pd.Timestamp
    detected_at: Any = pd.NaT
    known_at: Any = pd.NaT
    trough: Any = pd.NaT
    end: Any = pd.NaT
    members: tuple[str, ...] = ()
    arrivals: pd.Series = field(default_factory=lambda: pd.Series(dtype=STAMPS))
    breadth: float = float("nan")
    breadth_p_value: float = float("nan")
    breadth_p_horizon: float = float("nan")
    depth: float = float("nan")
    speed_bars: float = float("nan")
    speed: Any = pd.NaT
    source: pd.Series = field(default_factory=lambda: pd.Series(dtype=float))
    source_identified: bool = False
    source_basis: str = ""
    exit_cost: float = float("nan")
    exit_cost_baseline: float = float("nan")
    exit_law: str = ""
    notional: float = float("nan")
    flight: Flight = field(default_factory=Flight)
    half_life: float = float("nan")
    half_life_censored: bool = True
    recovered: bool = False
    kind: str = "documented"
    evidence: str = "documented"
    corroborated: bool = False
    member_table: pd.DataFrame = field(default_factory=empty_members)
    field_known_at: pd.Series = field(default_factory=lambda: pd.Series(dtype=STAMPS))
    name: str = ""
    reference: str = ""
    notes: tuple[str, ...] = ()

    @classmethod
    def from_dates(
        cls,
        onset: Any,
        end: Any = None,
        *,
        trough: Any = None,
        members: str | Iterable[str] = (),
        source: str | Mapping[str, float] | None = None,
        known_at: Any = None,
        name: str = "",
        reference: str = "",
    ) -> Episode:
        """An episode that you date yourself, accepted wherever a detected one is.

        Parameters
        ----------
        onset, end, trough : time stamps
            Naive ones are read as UTC. Without ``end`` the episode is open.
        members : str or iterable of str
        source : str or mapping, optional
            One asset, or shares that are scaled to sum to one.
        known_at : time stamp, optional
            When the label became known; NaT by default, which means "not stated".
        name, reference : str

        Raises
        ------
        DataError
            When a date cannot be read, or the end or trough lies before the onset.

        Examples
        --------
        >>> import drainstats as ds
        >>> e = ds.Episode.from_dates("2020-03-12", "2020-03-20", source="BTC", name="Black Thursday")
        >>> e.source.to_dict(), e.source_identified
        ({'BTC': 1.0}, True)
        """
        dates = {"onset": onset, "end": end, "trough": trough, "known_at": known_at}
        dated = {key: stamp(key, value) for key, value in dates.items()}
        if pd.isna(dated["onset"]):
            raise DataError("An episode needs an onset.")
        for key in ("end", "trough"):
            if not pd.isna(dated[key]) and dated[key] < dated["onset"]:
                raise DataError(
                    f"The {key} {dated[key]:%Y-%m-%d %H:%M} lies before the onset {dated['onset']:%Y-%m-%d %H:%M}."
                )
        shares = pd.Series({source: 1.0} if isinstance(source, str) else dict(source or {}), dtype=float)
        if len(shares) and (shares.min() < 0 or not shares.sum() > 0):
            raise DataError("Source shares are positive numbers; they are scaled to sum to one.")
        return cls(
            **dated,
            members=(members,) if isinstance(members, str) else tuple(members),
            source=shares / shares.sum() if len(shares) else shares,
            source_identified=len(shares) == 1,
            source_basis="as told" if len(shares) else "",
            recovered=not pd.isna(dated["end"]),
            name=name,
            reference=reference,
        )

    @property
    def is_open(self) -> bool:
        """True while no end is known."""
        return bool(pd.isna(self.end))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: ISO stamps, lists and numbers; missing ones are None."""
        return {
            f.name: plain(self.flight.to_dict() if f.name == "flight" else getattr(self, f.name)) for f in fields(self)
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Episode:
        """The episode that `to_dict` wrote, documented ones as such; fields that are missing take their defaults.

        Raises
        ------
        DataError
            Without an onset, or with a date or another field that cannot be read.
        """
        if not isinstance(values, Mapping) or values.get("onset") is None:
            raise DataError("An episode needs an onset.")
        if cls is Episode and "control" in values:
            from drainstats.episodes.catalogue import DocumentedEpisode

            return DocumentedEpisode.from_dict(values)
        return cls(**{f.name: _read(f.name, str(f.type), values[f.name]) for f in fields(cls) if f.name in values})

    def to_json(self, *, indent: int | None = None) -> str:
        """JSON text, which `from_json` reads back without loss.

        Examples
        --------
        >>> import drainstats as ds
        >>> e = ds.Episode.from_dates("2020-03-12", source="BTC")
        >>> ds.Episode.from_json(e.to_json()) == e
        True
        """
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False, indent=indent)

    @classmethod
    def from_json(cls, text: str) -> Episode:
        """The episode that `to_json` wrote."""
        return cls.from_dict(parse(text))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Episode):
            return NotImplemented
        return self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash((self.onset, self.members, self.name))

    def __repr__(self) -> str:
        return card(self)


def _any_time(name: str, value: Any) -> Any:
    if name == "speed":
        return pd.NaT if value is None else pd.Timedelta(value)
    return stamp(name, value)


def _series(name: str, value: Any) -> pd.Series:
    if name == "source":
        return pd.Series({k: number(v) for k, v in value.items()}, dtype=float)
    return stamps(value)


def _texts(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)):
        raise TypeError
    return tuple(str(v) for v in value)


def _read(name: str, kind: str, value: Any) -> Any:
    """A field from what `to_dict` wrote, or a sentence."""
    try:
        return _READ[kind](name, value)
    except DataError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{name}={value!r} is not what to_dict writes for that field of an episode.") from error


# How a field of each annotated type is read from plain values.
_READ: dict[str, Callable[[str, Any], Any]] = {
    "pd.Timestamp": stamp,
    "Any": _any_time,
    "pd.Series": _series,
    "pd.DataFrame": lambda name, value: frame(value, MEMBER_STAMPS),
    "tuple[str, ...]": _texts,
    "float": lambda name, value: number(value),
    "Flight": lambda name, value: Flight.from_dict(value),
    "bool": lambda name, value: bool(value),
    "str": lambda name, value: str(value),
}


def as_episodes(given: Iterable[Episode]) -> list[Episode]:
    """A list of episodes, or a sentence about what came instead."""
    if isinstance(given, Episode) or not isinstance(given, Iterable):
        raise DataError(f"A list of episodes is needed, one {type(given).__name__} came; put episodes into a list.")
    episodes = list(given)
    for e in episodes:
        if not isinstance(e, Episode):
            raise DataError(f"Episodes are needed, a {type(e).__name__} came; make one with Episode.from_dates.")
    return episodes
