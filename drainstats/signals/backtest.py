"""`backtest_signals`: does a signal lead, with what confidence, at what cost in false alarms?

An alarm begins in the row in which the signal rises above a quantile of its own past, and is known when that row is.
It is a *warning* when it was known at the earliest member's onset, in one of the ``horizon`` rows known last by then;
*coincident* when it was known later but before the episode's end; else a *false alarm*. Its lead is counted in bars
from the moment when it was known: 0 when that is the onset. A long alarm counts once. Rows inside episodes take no part
in the AUROC, and years without a threshold (before ``min_history`` values) none in the rate of false alarms.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from drainstats.episodes.episode import Episode
from drainstats.errors import DataError, OptionError, check_number, check_whole, require_extra
from drainstats.frames import as_wide, in_utc, known_stamps
from drainstats.signals.alarms import starts, threshold_alarms
from drainstats.signals.inference import auroc, circular_shift_pvalue, detectable_auroc
from drainstats.typing import BoolArray

_YEAR = pd.Timedelta("365.25D")


@dataclass(frozen=True, eq=False, repr=False)
class SignalBacktest:
    """What `backtest_signals` found.

    table : a row a signal and label set; alarms : a row an alarm; signals : the scores; episodes : the label sets;
    horizon : bars; notes : sentences on how to read it.
    """

    table: pd.DataFrame
    alarms: pd.DataFrame
    signals: pd.DataFrame
    episodes: Mapping[str, tuple[Episode, ...]]
    horizon: int
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        shown = ["events", "warned", "false_alarms_per_year", "auroc", "p_value", "shares_inputs", "verdict"]
        text = self.table[shown].to_string(float_format=lambda v: f"{v:.3f}")
        return "\n".join([f"SignalBacktest: horizon {self.horizon} bars", text, *(f"note: {n}" for n in self.notes)])

    def plot(self, signal: str | None = None, ax: Any = None) -> Any:
        """One signal along time with its alarms and every episode shaded; returns the axes."""
        name = signal or str(self.signals.columns[0])
        ax = require_extra("matplotlib.pyplot", "plot").subplots()[1] if ax is None else ax
        score = self.signals[name]
        ax.plot(score.index, score.to_numpy(), lw=0.9, color="#1f4e79")
        own = self.alarms[self.alarms["signal"] == name].drop_duplicates("start")
        ax.plot(own["start"], score.reindex(own["start"]), ls="", marker="v", color="#c0392b", ms=5)
        for episodes in self.episodes.values():
            for e in episodes:
                ax.axvspan(e.onset, e.onset if e.is_open else e.end, color="#c0392b", alpha=0.2)
        ax.set_ylabel(name)
        return ax


def backtest_signals(
    signals: Any,
    episodes: Any,
    horizon: int = 20,
    *,
    available_at: pd.Series | None = None,
    quantile: float = 0.9,
    min_history: int = 252,
    refractory: int = 5,
    shared_inputs: bool | Mapping[str, bool] | None = None,
    level: float = 0.05,
) -> SignalBacktest:
    """Score early-warning signals against episodes.

    Parameters
    ----------
    signals : Series, table, or mapping name → Series
        High values warn; indexed by bar labels (UTC).
    episodes : list of Episode, or mapping name → list
        Detected, documented or your own. Several sets are scored side by side.
    horizon : int, default 20
        The last rows known by an onset in which an alarm counts as a warning.
    available_at : Series, optional
        When each row was known (``panel.available_at``); by default a row is known when the next one starts.
    quantile, min_history
        As in `drainstats.signals.threshold_alarms`.
    refractory : int, default 5
        Alarms that follow each other within so many rows are one.
    shared_inputs : bool or mapping set → bool, optional
        Whether signal and labels come from the same data. By default: yes unless every episode is documented.
    level : float, default 0.05
        For the verdict.

    Returns
    -------
    SignalBacktest
        ``table`` columns: ``events`` in the span, ``warned``, ``coincident``, ``recall``, ``precision`` of alarms,
        ``lead_median`` (bars), ``false_alarms_per_year``, ``auroc``, ``p_value`` (circular shifts, one-sided),
        ``auroc_needed`` for significance with these events, ``base_rate``, ``rows``, ``shares_inputs``, ``verdict``.

    Raises
    ------
    DataError
        Duplicate or unordered stamps, no overlap of signal and episodes, a signal without values.

    Examples
    --------
    >>> import numpy as np, pandas as pd, drainstats as ds
    >>> day = pd.date_range("2018-01-01", periods=900, tz="UTC")
    >>> signal = pd.Series(np.random.default_rng(0).normal(size=900), day, name="noise")
    >>> result = ds.backtest_signals(signal, [ds.Episode.from_dates("2019-09-01", "2019-09-10")])
    >>> int(result.table["events"].iloc[0])
    1
    """
    check_whole("horizon", horizon, 1)
    check_whole("refractory", refractory, 0)
    check_number("level", level, 0.0, 1.0)
    table = _signals(signals)
    sets = _sets(episodes)
    known = _known(table, available_at)
    rows, alarms = [], []
    for name in table:
        score = table[name].dropna()
        if score.empty:
            raise DataError(f"The signal {name!r} has no value.")
        raised = threshold_alarms(score, quantile, min_history)
        for label, members in sets.items():
            shared = _shared(shared_inputs, label, members)
            counts = (horizon, min_history, refractory)
            row, list_of_alarms = _score(score, raised, known[score.index], members, counts, level)
            rows.append({"signal": name, "episodes": label} | row | {"shares_inputs": shared})
            alarms += [{"signal": name, "episodes": label} | a for a in list_of_alarms]
    result = pd.DataFrame(rows).set_index(["signal", "episodes"])
    columns = ["signal", "episodes", "start", "known_at", "kind", "lead"]
    notes = _notes(result, available_at)
    return SignalBacktest(result, pd.DataFrame(alarms, columns=columns), table, sets, horizon, notes)


def _signals(signals: Any) -> pd.DataFrame:
    wide = as_wide(pd.DataFrame(dict(signals)) if isinstance(signals, Mapping) else signals, "signals")
    index = wide.index
    if not len(wide.columns):
        raise DataError("signals has no column; pass one score or more.")
    if not isinstance(index, pd.DatetimeIndex):
        raise DataError("Signals need time stamps: give them a DatetimeIndex in UTC.")
    names = [name if name is not None else "signal" for name in wide.columns]
    return pd.DataFrame(wide.values, columns=names).set_axis(in_utc(index))


def _sets(episodes: Any) -> dict[str, tuple[Episode, ...]]:
    named = dict(episodes) if isinstance(episodes, Mapping) else {"episodes": episodes}
    sets = {}
    for label, members in named.items():
        if not isinstance(members, Iterable) or isinstance(members, str):
            members = (members,)
        sets[str(label)] = tuple(members)
    for e in (e for members in sets.values() for e in members):
        if not isinstance(e, Episode):
            raise DataError(
                f"Episodes are needed, a {type(e).__name__} came; make one with Episode.from_dates(onset, end)."
            )
    return sets


def _known(table: pd.DataFrame, available_at: pd.Series | None) -> pd.Series:
    index = table.index
    if available_at is None:
        step = index.to_series().diff().median()
        return pd.Series(index + step, index=index)
    return pd.Series(known_stamps(available_at, index, table.notna().any(axis=1).to_numpy()), index=index)


def _shared(given: bool | Mapping[str, bool] | None, label: str, episodes: Iterable[Episode]) -> bool:
    if isinstance(given, Mapping):
        if label not in given:
            raise OptionError(f"shared_inputs says nothing of the set {label!r}; give it True or False.")
        return bool(given[label])
    return bool(given) if given is not None else any(e.evidence != "documented" for e in episodes)


def _first_onset(episode: Episode) -> pd.Timestamp:
    return min([episode.onset, *episode.arrivals]) if len(episode.arrivals) else episode.onset


def _score(
    score: pd.Series,
    raised: pd.Series,
    known: pd.Series,
    episodes: Iterable[Episode],
    counts: tuple[int, int, int],
    level: float,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    horizon, min_history, refractory = counts
    index = score.index
    events = sorted((e for e in episodes if index[0] <= _first_onset(e) <= known.iloc[-1]), key=_first_onset)
    before, inside = _label_rows(known, events, horizon)
    alarms = [_alarm(int(i), known, events, horizon) for i in starts(raised.to_numpy(), refractory)]
    warned = {a["event"] for a in alarms if a["kind"] == "warning"}
    leads = [max(a["lead"] for a in alarms if a["event"] == k and a["kind"] == "warning") for k in warned]
    coincident = {a["event"] for a in alarms if a["kind"] == "coincident"} - warned
    false = sum(a["kind"] == "false alarm" for a in alarms)
    years = (index[-1] - index[min_history]) / _YEAR if len(index) > min_history else 0.0
    use = ~inside
    facts: dict[str, Any] = {
        "events": len(events),
        "warned": len(warned),
        "coincident": len(coincident),
        "recall": len(warned) / len(events) if events else np.nan,
        "precision": sum(a["kind"] == "warning" for a in alarms) / len(alarms) if alarms else np.nan,
        "lead_median": float(np.median(leads)) if leads else np.nan,
        "false_alarms_per_year": false / years if years else np.nan,
        "base_rate": float(before[use].mean()),
        "rows": int(use.sum()),
    }
    x, y = score.to_numpy()[use], before[use]
    if y.any() and not y.all():
        facts |= {
            "auroc": auroc(x, y),
            "p_value": circular_shift_pvalue(x, y),
            "auroc_needed": detectable_auroc(x, y, level),
        }
    else:
        facts |= dict.fromkeys(("auroc", "p_value", "auroc_needed"), np.nan)
    facts["verdict"] = _verdict(facts, level)
    return facts, alarms


def _label_rows(known: pd.Series, events: list[Episode], horizon: int) -> tuple[BoolArray, BoolArray]:
    """Rows known at most ``horizon`` bars before an onset, and rows known after an onset but not after its end."""
    stamps = pd.DatetimeIndex(known)
    before, inside = np.zeros(len(stamps), dtype=bool), np.zeros(len(stamps), dtype=bool)
    for e in events:
        last = stamps.searchsorted(_first_onset(e), side="right")
        over = len(stamps) if e.is_open else stamps.searchsorted(e.end, side="right") + 1
        before[max(last - horizon, 0) : last] = True
        inside[last:over] = True
    return before & ~inside, inside


def _alarm(row: int, known: pd.Series, events: list[Episode], horizon: int) -> dict[str, Any]:
    stamps = pd.DatetimeIndex(known)
    record = {"start": known.index[row], "known_at": stamps[row], "kind": "false alarm", "lead": np.nan, "event": -1}
    for number, e in enumerate(events):
        bars = int(stamps.searchsorted(_first_onset(e), side="right")) - 1 - row
        if 0 <= bars < horizon:
            return record | {"kind": "warning", "lead": bars, "event": number}
        if bars < 0 and (e.is_open or known.index[row] <= e.end):
            return record | {"kind": "coincident", "lead": bars, "event": number}
    return record


def _verdict(facts: Mapping[str, Any], level: float) -> str:
    if not facts["events"]:
        return "no event in the span"
    if facts["p_value"] <= level and facts["warned"]:
        return "leading"
    if facts["coincident"] > facts["warned"]:
        return "coincident"
    return "not shown to lead"


def _notes(table: pd.DataFrame, available_at: pd.Series | None) -> tuple[str, ...]:
    notes = []
    if available_at is None:
        notes.append("rows count as known when the next one starts; pass available_at to say otherwise")
    if table["shares_inputs"].any():
        notes.append("where label and signal share inputs the score flatters the signal")
    few = table.loc[table["events"].between(1, 9), ["events", "auroc_needed"]].dropna()
    if len(few):
        worst = few["auroc_needed"].max()
        notes.append(
            f"with {int(few['events'].min())} event(s) nothing below an AUROC of up to {worst:.2f} can be shown"
        )
    return tuple(notes)
