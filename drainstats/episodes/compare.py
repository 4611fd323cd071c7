"""`compare_episodes`: what was detected beside what is documented.

A detected and a documented episode can be one when their falls (onset to trough) lie within ``tolerance`` of each
other. A stamp that is known to the day is that whole day and a bar is its whole length, so that stamps of different
precision are no error as long as they touch. Pairs are one to one: as many as possible, and of those the pairing with
the smallest total distance of onsets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from drainstats.episodes.catalogue import episode_catalogue
from drainstats.episodes.episode import Episode, as_episodes
from drainstats.episodes.matching import (
    UNITS,
    ZERO,
    Fall,
    bars_apart,
    best_pairs,
    digits_of,
    gap,
    inside,
    of_markets,
    spans_of,
    unit_of,
)
from drainstats.errors import OptionError, check_number, check_option, require_extra

_COLUMNS = [
    *("status", "name", "onset", "detected_onset", "onset_error", "onset_error_bars", "trough_error"),
    *("trough_error_bars", "alarm_delay", "overlap", "source_share", "shares_inputs", "key", "documented", "detected"),
]
_COLOURS = {
    "hit": "#1f4e79",
    "miss": "#c0392b",
    "extra": "#e08e0b",
    "control called": "#8e44ad",
    "control quiet": "0.6",
}


@dataclass(frozen=True, eq=False, repr=False)
class EpisodeComparison:
    """What `compare_episodes` found.

    table : a row a documented episode inside the coverage, and a row a detected one that matches none; summary : counts
    with exact binomial intervals; notes : sentences on how to read it; detected, documented : the two lists.
    """

    table: pd.DataFrame
    summary: pd.DataFrame
    notes: tuple[str, ...]
    detected: tuple[Episode, ...]
    documented: tuple[Episode, ...]

    def __repr__(self) -> str:
        rows = [
            f"  {name:<20}{r['count']:.0f} of {r['of']:.0f}"
            + (f" ({r['share']:.0%}, {r['low']:.0%} to {r['high']:.0%})" if r["of"] else "")
            for name, r in self.summary.iterrows()
        ]
        return "\n".join(["Episodes, detected beside documented", *rows, *(f"  note: {n}" for n in self.notes)])

    def plot(self, ax: Any = None) -> Any:
        """Both lists along time, documented above detected, pairs joined; returns the axes. Needs the extra ``plot``.

        Parameters
        ----------
        ax : matplotlib axes, optional
        """
        if ax is None:
            ax = require_extra("matplotlib.pyplot", "plot").subplots(figsize=(9, 3.2))[1]
        for row in self.table.itertuples():
            stamps = {1.0: row.onset, 0.0: row.detected_onset}
            known = {level: stamp for level, stamp in stamps.items() if not pd.isna(stamp)}
            ax.plot(list(known.values()), list(known), "o-", color=_COLOURS[row.status], lw=0.9, ms=4)
        named = self.table.dropna(subset="onset")
        line = {"arrowstyle": "-", "color": "0.7", "lw": 0.5, "shrinkA": 0, "shrinkB": 3}
        for name, onset, place in zip(named["name"], named["onset"], self._places(named["onset"]), strict=True):
            ax.annotate(name, (onset, 1.0), (place, 1.25), rotation=60, fontsize=7, arrowprops=line)
        ax.set_yticks([0.0, 1.0], ["detected", "documented"])
        ax.set_ylim(-0.4, 1.3)
        seen = [status for status in _COLOURS if (self.table["status"] == status).any()]
        dots = [ax.plot([], [], "o", color=_COLOURS[status], ms=4)[0] for status in seen]
        ax.legend(dots, seen, loc="lower left", fontsize=7, ncols=5, frameon=False)
        ax.spines[["top", "right", "left"]].set_visible(False)
        return ax

    def _places(self, onsets: pd.Series) -> list[pd.Timestamp]:
        """Where the names stand: above their onsets, or further right where there is no room."""
        both = pd.concat([onsets, self.table["detected_onset"]]).dropna()
        room = (both.max() - both.min()) / 45
        places: list[pd.Timestamp] = []
        for onset in onsets:
            places.append(max(onset, places[-1] + room) if places else onset)
        return places


def compare_episodes(
    detected: Iterable[Episode],
    catalogue: Iterable[Episode] | None = None,
    tolerance: str | pd.Timedelta = "5D",
    *,
    reach: str = "fall",
    coverage: Any = None,
    bar: str | pd.Timedelta | None = None,
    level: float = 0.95,
) -> EpisodeComparison:
    """Match detected with documented episodes: hits, misses, extra calls, and the controls that were called.

    Parameters
    ----------
    detected : iterable of Episode
    catalogue : iterable of Episode, optional
        `drainstats.episode_catalogue` by default; or a list of your own.
    tolerance : Timedelta, default 5 days
        Largest gap between the two.
    reach : {"fall", "onset"}, default "fall"
        What may lie no further apart: the falls from onset to trough, so that a late call inside a documented fall
        counts, or the onsets alone.
    coverage : pair of stamps, or mapping market → pair, optional
        What the data can show: only episodes that begin inside take part, with a mapping only those that hit its
        markets (or assets, where an episode names assets as members). By default everything takes part, and what the
        data cannot show counts as missed.
    bar : Timedelta, optional
        Length of the detector's bars. By default the largest of a day, an hour and a minute that fits its onsets.
    level : float, default 0.95
        Of the intervals.

    Returns
    -------
    EpisodeComparison
        ``table`` columns: ``status`` (``hit``, ``miss``, ``extra``, ``control called``, ``control quiet``); the two
        onsets; ``onset_error`` and ``trough_error``, the time between the two stamps (positive when detected later,
        zero when they touch), and the same in whole bars of the detector's length (zero when the bar holds the
        documented stamp; weekends count); ``alarm_delay``, from the documented onset to ``detected_at``;
        ``overlap``, the common share of the time from onset to end of both; ``source_share``, what the detected source
        shares give to the assets that the accounts name (NaN when they name none of them); ``shares_inputs``, whether
        the documented onset was itself computed from market data; rows of the two lists. ``summary``: found drains,
        calls that match a drain, called controls, each ``count`` ``of`` and ``share`` with the Clopper-Pearson interval
        ``low``, ``high``.

    Raises
    ------
    DataError
        When something else than episodes came, or a coverage that cannot be read.
    OptionError
        A tolerance below zero, a bar of no length, an unknown ``reach``.

    References
    ----------
    Clopper and Pearson (1934), Biometrika 26, 404-413, for the intervals.

    Examples
    --------
    >>> import drainstats as ds
    >>> panel = ds.load_dataset("crypto-venues-daily").window("2019-01-01", "2020-12-07")
    >>> found = ds.compare_episodes(
    ...     ds.detect_episodes(panel),
    ...     ds.episode_catalogue("crypto"),
    ...     coverage=("2019-04-01", "2020-12-07"),
    ... )
    >>> found.table[["status", "name", "onset_error_bars"]].to_numpy().tolist()
    [['hit', 'Crypto Black Thursday', 0.0]]
    """
    check_option("reach", reach, ("fall", "onset"))
    check_number("level", level, 0.0, 1.0)
    slack = _length("tolerance", tolerance)
    found = as_episodes(detected)
    told = as_episodes(episode_catalogue() if catalogue is None else catalogue)
    spans = spans_of(coverage)
    step = _bar(found, bar)
    ours = [Fall.of(e, step) for e in found]
    theirs = [Fall.of(e) for e in told]
    calls = [i for i, f in enumerate(ours) if not spans or inside(f, spans.values())]
    facts = [i for i, f in enumerate(theirs) if not spans or inside(f, of_markets(told[i], spans))]
    pairs = best_pairs([ours[i] for i in calls], [theirs[i] for i in facts], reach, slack)
    matched = {facts[k]: calls[c] for c, k in pairs}
    rows = [_row(told[k], theirs[k], k, found, ours, matched.get(k)) for k in facts]
    rows += [_extra(found[c], c) for c in calls if c not in matched.values()]
    table = _table(rows)
    summary = _summary(table, level)
    notes = _notes(table, told, len(told) - len(facts), spans)
    return EpisodeComparison(table, summary, notes, tuple(found), tuple(told))


def _bar(detected: Sequence[Episode], bar: str | pd.Timedelta | None) -> pd.Timedelta:
    if bar is not None:
        step = _length("bar", bar)
        if step == ZERO:
            raise OptionError("bar=0 has no length; pass the length of the detector's bars, such as '1D'.")
        return step
    digits = {digits_of(e.onset) for e in detected}
    return UNITS[next((u for u in ("minute", "hour") if u in digits), "day")]


def _length(name: str, value: Any) -> pd.Timedelta:
    try:
        length = pd.Timedelta(value)
    except (TypeError, ValueError):
        length = pd.NaT
    if isinstance(value, (int, float)) or pd.isna(length) or length < ZERO:
        raise OptionError(f"{name}={value!r} must be a length of time, such as '5D'.")
    return length


def _row(
    e: Episode, fall: Fall, place: int, found: Sequence[Episode], ours: Sequence[Fall], call: int | None
) -> dict[str, Any]:
    control = bool(getattr(e, "control", False))
    row: dict[str, Any] = {
        "status": ("control quiet" if control else "miss") if call is None else "control called" if control else "hit",
        "name": e.name,
        "onset": e.onset,
        "shares_inputs": e.evidence != "documented" or "data" in getattr(e, "onset_checked", ""),
        "key": getattr(e, "key", ""),
        "documented": place,
        "detected": -1,
    }
    if call is None:
        return row
    own, span = found[call], ours[call]
    bar = span.onset_until - span.onset
    timed = not (pd.isna(e.trough) or pd.isna(own.trough))
    return row | {
        "detected": call,
        "detected_onset": own.onset,
        "onset_error": gap(span[:2], fall[:2]),
        "onset_error_bars": bars_apart(span[:2], fall[:2], bar),
        "trough_error": gap(span[2:], fall[2:]) if timed else pd.NaT,
        "trough_error_bars": bars_apart(span[2:], fall[2:], bar) if timed else float("nan"),
        "alarm_delay": own.detected_at - e.onset,
        "overlap": _overlap(own, e, bar),
        "source_share": _source_share(own, e),
    }


def _extra(e: Episode, place: int) -> dict[str, Any]:
    own = {"status": "extra", "name": e.name, "detected_onset": e.onset, "shares_inputs": False, "key": ""}
    return own | {"documented": -1, "detected": place}


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=_COLUMNS)
    for name in ("onset", "detected_onset"):
        table[name] = pd.to_datetime(table[name], utc=True)
    for name in ("onset_error", "trough_error", "alarm_delay"):
        table[name] = pd.to_timedelta([None if pd.isna(v) else v for v in table[name]])
    for name in ("onset_error_bars", "trough_error_bars", "overlap", "source_share"):
        table[name] = table[name].astype(float)
    order = table["onset"].fillna(table["detected_onset"]).argsort(kind="stable")
    return table.iloc[order].reset_index(drop=True)


def _overlap(own: Episode, e: Episode, bar: pd.Timedelta) -> float:
    """Common time over all time of the two stretches from onset to end; NaN while one is open."""
    if own.is_open or e.is_open:
        return float("nan")
    own_end, end = own.end + bar, e.end + unit_of(e, "end")
    common = max(min(own_end, end) - max(own.onset, e.onset), ZERO)
    return float(common / ((own_end - own.onset) + (end - e.onset) - common))


def _source_share(own: Episode, e: Episode) -> float:
    named = [*getattr(e, "source_assets", ()), *e.source[e.source > 0].index]
    shares = own.source.set_axis([str(a).upper() for a in own.source.index])
    known = shares.index.isin([str(a).upper() for a in named])
    return float(shares[known].sum()) if known.any() else float("nan")


def _summary(table: pd.DataFrame, level: float) -> pd.DataFrame:
    counts = table["status"].value_counts().reindex(["hit", "miss", "extra", "control called", "control quiet"])
    hit, miss, extra, called, quiet = counts.fillna(0).astype(int)
    rows = {
        "drains found": (hit, hit + miss),
        "calls that match": (hit, hit + extra + called),
        "controls called": (called, called + quiet),
    }
    records = {name: {"count": k, "of": n} | _interval(k, n, level) for name, (k, n) in rows.items()}
    return pd.DataFrame.from_dict(records, orient="index")


def _interval(k: int, n: int, level: float) -> dict[str, float]:
    from scipy.special import betaincinv

    tail = (1.0 - level) / 2.0
    low = float(betaincinv(k, n - k + 1, tail)) if k else 0.0
    high = float(betaincinv(k + 1, n - k, 1.0 - tail)) if k < n else 1.0
    return {"share": k / n if n else float("nan"), "low": low, "high": high}


def _notes(table: pd.DataFrame, told: Sequence[Episode], outside: int, spans: Mapping[str, Any]) -> tuple[str, ...]:
    notes = []
    if not spans:
        notes.append("no coverage was given: what the data cannot show counts as missed")
    elif outside:
        notes.append(f"{outside} of {len(told)} documented episodes lie outside the coverage and take no part")
    if any(e.evidence != "documented" for e in told):
        notes.append("the episodes compared with were themselves cut from data: labels and calls may share inputs")
    else:
        shared = int(table.loc[table["documented"] >= 0, "shares_inputs"].sum())
        if shared:
            notes.append(
                f"{shared} documented onsets were computed from market data: agreement on them may be by construction"
            )
    if (table["status"] == "extra").any():
        notes.append("an extra call is not a false one: the list of documented episodes is a choice, not a census")
    return tuple(notes)
