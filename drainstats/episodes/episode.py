"""`Episode`: a dated account of one drain, with what was knowable when.

``onset``, ``trough`` and ``end`` are bar labels; ``detected_at`` and ``known_at`` are availability times. Shares and
probabilities are fractions, durations are in bars of the panel's clock, costs are fractions of the notional.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import pandas as pd

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
    depth : float
        Share of baseline liquidity left at the trough (median over members): 0.1 means that nine tenths were gone.
    source : Series
        Asset → share of being the source; sums to one. Assets that arrive in one bar share it equally; one that
        arrives a bar later has half of theirs, because neighbouring bars are too close to order by.
    source_identified : bool
        True when one asset led all others by two bars or more; else the data do not name one source.
    exit_cost, exit_cost_baseline : float
        Cost of leaving ``notional`` by the square-root law at the trough and before: medians over the members that
        trade it in a bar at both times. NaN without prices and volumes, or when there is no such member.
    notional : float
        In quote currency.
    half_life : float
        Bars in which the fitted exponential decay after the trough halves; NaN when it cannot be fitted.
    half_life_censored : bool
        True when half of the stress was not gone before the data, or the episode, ended.
    recovered : bool
        True when the members were calm again inside the data.
    kind : {"flash", "bleed", "regime", "documented"}
        Back within a few bars, later, not within the data; or given by the user.
    evidence : str
        What the data can show: ``price range`` for bars of prices, which cannot tell a drain from plain volatility.
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
    arrivals: pd.Series = field(default_factory=lambda: pd.Series(dtype="datetime64[ns, UTC]"))
    breadth: float = float("nan")
    breadth_p_value: float = float("nan")
    depth: float = float("nan")
    source: pd.Series = field(default_factory=lambda: pd.Series(dtype=float))
    source_identified: bool = False
    exit_cost: float = float("nan")
    exit_cost_baseline: float = float("nan")
    notional: float = float("nan")
    half_life: float = float("nan")
    half_life_censored: bool = True
    recovered: bool = False
    kind: str = "documented"
    evidence: str = "documented"
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
        members: Iterable[str] = (),
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
        members : iterable of str
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
        stamps = {key: _stamp(key, value) for key, value in dates.items()}
        if pd.isna(stamps["onset"]):
            raise DataError("An episode needs an onset.")
        for key in ("end", "trough"):
            if not pd.isna(stamps[key]) and stamps[key] < stamps["onset"]:
                raise DataError(
                    f"The {key} {stamps[key]:%Y-%m-%d %H:%M} lies before the onset {stamps['onset']:%Y-%m-%d %H:%M}."
                )
        shares = pd.Series({source: 1.0} if isinstance(source, str) else dict(source or {}), dtype=float)
        if len(shares) and (shares.min() < 0 or not shares.sum() > 0):
            raise DataError("Source shares are positive numbers; they are scaled to sum to one.")
        return cls(
            **stamps,
            members=tuple(members),
            source=shares / shares.sum() if len(shares) else shares,
            source_identified=len(shares) == 1,
            recovered=not pd.isna(stamps["end"]),
            name=name,
            reference=reference,
        )

    @property
    def is_open(self) -> bool:
        """True while no end is known."""
        return bool(pd.isna(self.end))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: ISO stamps, lists and numbers; missing ones are None."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Episode:
        """The episode that `to_dict` wrote."""
        stamps = {k: _stamp(k, values.get(k)) for k in ("onset", "detected_at", "known_at", "trough", "end")}
        arrivals = pd.Series(
            {k: _stamp(k, v) for k, v in (values.get("arrivals") or {}).items()}, dtype="datetime64[ns, UTC]"
        )
        rest = {f.name: values[f.name] for f in fields(cls) if f.name in values and f.name not in {*stamps, "arrivals"}}
        rest = {k: float("nan") if v is None else tuple(v) if isinstance(v, list) else v for k, v in rest.items()}
        rest["source"] = pd.Series(rest.get("source", {}), dtype=float)
        return cls(**stamps, arrivals=arrivals, **rest)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Episode):
            return NotImplemented
        return json.dumps(self.to_dict()) == json.dumps(other.to_dict())

    def __hash__(self) -> int:
        return hash((self.onset, self.members, self.name))

    def __repr__(self) -> str:
        title = self.name or f"{self.kind} drain"
        rows = [
            ("source", _source_text(self)),
            ("onset", f"{_iso(self.onset)} (known to an observer {_iso(self.detected_at)})"),
            ("trough", _iso(self.trough)),
            ("end", "open" if self.is_open else f"{_iso(self.end)} (record final {_iso(self.known_at)})"),
            ("breadth", _breadth_text(self)),
            ("depth", f"{_percent(self.depth)} of baseline liquidity left"),
            ("exit cost", _exit_text(self)),
            ("recovery", _recovery_text(self)),
            ("evidence", self.evidence),
        ]
        lines = [f"Episode: {title}", *(f"  {label:<10}{text}" for label, text in rows)]
        return "\n".join([*lines, *(f"  note      {note}" for note in self.notes)])


def episodes_table(episodes: Iterable[Episode]) -> pd.DataFrame:
    """Episodes side by side, a row each, in the order given.

    Returns
    -------
    DataFrame
        Stamps in UTC, shares as fractions, half-life in bars, exit costs as fractions of the notional.

    Examples
    --------
    >>> import drainstats as ds
    >>> ds.episodes_table([ds.Episode.from_dates("2010-05-06", "2010-05-06")]).loc[0, "kind"]
    'documented'
    """
    columns = [f.name for f in fields(Episode) if f.name not in ("members", "arrivals", "source", "notes")]
    rows = [{c: getattr(e, c) for c in columns} | {"members": len(e.members), "top_source": _top(e)} for e in episodes]
    return pd.DataFrame(rows, columns=[*columns, "members", "top_source"])


def _stamp(name: str, value: Any) -> Any:
    if value is None or value is pd.NaT:
        return pd.NaT
    try:
        stamp = pd.Timestamp(value)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name}={value!r} is not a date; write it as 2020-03-12 or 2020-03-12T10:00Z.") from error
    return stamp.tz_localize("UTC") if stamp.tz is None else stamp.tz_convert("UTC")


def _plain(value: Any) -> Any:
    if isinstance(value, pd.Series):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    if value is pd.NaT or (isinstance(value, float) and value != value):
        return None
    return value


def _iso(stamp: Any) -> str:
    if pd.isna(stamp):
        return "not stated"
    return f"{stamp:%Y-%m-%d}" if stamp == stamp.normalize() else f"{stamp:%Y-%m-%dT%H:%MZ}"


def _number(value: float, form: str) -> str:
    return "not measured" if value != value else format(value, form)


def _percent(value: float) -> str:
    return _number(value, ".0%")


def _top(episode: Episode) -> str:
    return str(episode.source.idxmax()) if episode.source_identified else ""


def _source_text(episode: Episode) -> str:
    shares = episode.source[episode.source > 0].sort_values(ascending=False)
    if shares.empty:
        return "not stated"
    if episode.source_identified:
        return f"{shares.index[0]} ({shares.iloc[0]:.0%})"
    first = int((shares == shares.iloc[0]).sum())
    more = f", {len(shares) - first} one bar later" if len(shares) > first else ""
    names = ", ".join(map(str, shares.index[:3])) + (" …" if len(shares) > 3 else "")
    return f"not identified: {first} first in one bar{more} ({names})"


def _breadth_text(episode: Episode) -> str:
    rank = _number(episode.breadth_p_value, ".3f")
    return f"{_percent(episode.breadth)} of observed assets (p {rank}); {len(episode.members)} members"


def _exit_text(episode: Episode) -> str:
    if episode.exit_cost != episode.exit_cost:
        return "not measured (needs prices, and volumes above the notional)"
    ratio = episode.exit_cost / episode.exit_cost_baseline
    return (
        f"{1e4 * episode.exit_cost:.0f} bp to leave {episode.notional:,.0f} at the trough, "
        f"{1e4 * episode.exit_cost_baseline:.0f} bp before (× {ratio:.1f}; square-root law, a proxy)"
    )


def _recovery_text(episode: Episode) -> str:
    state = "calm again inside the data" if episode.recovered else "not calm again inside the data"
    if episode.half_life != episode.half_life:
        return f"{state}; no decay could be fitted"
    return (
        f"{state}; fitted half-life {episode.half_life:.1f} bars{' (censored)' if episode.half_life_censored else ''}"
    )
