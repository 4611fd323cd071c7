"""`recovery_curves`: how fast, and whether at all, members of many episodes came back.

One episode does not tell a half-life from a share that never recovers; members × episodes do, as long as the errors
know that members of one episode are not independent. A member's duration is `Episode.member_table`'s: bars from its own
trough in which more than half of its loss was missing, censored when its episode was final before it came back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.episodes.episode import Episode, as_episodes
from drainstats.episodes.recovery.cure import LATENCIES, CureModel, fit_cure
from drainstats.episodes.recovery.survival import LogRank, band, kaplan_meier, log_rank, quantile_time
from drainstats.errors import DataError, OptionError, check_number, check_option, require_extra
from drainstats.typing import FloatArray

TARGETS = {"half": "bars_to_half", "calm": "bars_to_calm"}
ALL = "all"


@dataclass(frozen=True, eq=False, repr=False)
class RecoveryCurves:
    """Curves of the share of members that had not come back.

    Parameters
    ----------
    members : DataFrame
        A row a member and episode: ``episode`` (number), ``asset``, ``group``, ``bars``, ``observed`` (False: censored
        there).
    curves : DataFrame
        (group, bars) × (``at_risk``, ``events``, ``survival``, ``std_error`` clustered by episode, ``greenwood``, its
        limits ``ci_low`` and ``ci_high``).
    summary : DataFrame
        Group × (``episodes``, ``members``, ``came_back``, ``half_life``: bars after which half of the members had come
        back, infinite when that was not reached; ``ci_low``, ``ci_high``, clustered; ``naive_low``, ``naive_high``, by
        Greenwood; ``left``: share that had not come back at the end).
    log_rank : LogRank or None
        Whether the groups come back at the same pace; None without two groups.
    level : float
    """

    members: pd.DataFrame
    curves: pd.DataFrame
    summary: pd.DataFrame
    log_rank: LogRank | None
    level: float

    def cure(self, latency: str = "exponential", group: Any = None) -> CureModel:
        """The mixture cure model: the share that never comes back, and the half-life of the others.

        Parameters
        ----------
        latency : {"exponential", "weibull"}, default "exponential"
        group : label, optional
            One group only; all by default.

        Returns
        -------
        CureModel
            ``identified`` is False for fewer than three episodes or when follow-up was too short.

        Raises
        ------
        OptionError
            An unknown latency or group.
        """
        check_option("latency", latency, LATENCIES)
        table = self.members
        if group is not None:
            check_option("group", group, list(self.summary.index))
            table = table[table["group"] == group]
        duration, observed, cluster = _arrays(table)
        return fit_cure(duration, observed, cluster, latency, self.level)

    def plot(self, ax: Any = None) -> Any:
        """The curves with their clustered bands; the axis is returned."""
        if ax is None:
            ax = require_extra("matplotlib.pyplot", "plot").subplots()[1]
        for group in self.summary.index:
            curve = self.curves.loc[group]
            bars = np.r_[0.0, curve.index]
            row = self.summary.loc[group]
            label = f"{group}: half-life {_interval(row)}"
            (line,) = ax.step(bars, np.r_[1.0, curve["survival"]], where="post", label=label)
            low, high = (np.r_[1.0, curve[c]] for c in ("ci_low", "ci_high"))
            ax.fill_between(bars, low, high, step="post", alpha=0.2, color=line.get_color(), lw=0)
        ax.axhline(0.5, color="0.6", lw=0.8)
        ax.set_ylim(0, 1)
        ax.set_xlabel("bars from the member's trough")
        ax.set_ylabel("share not back")
        ax.legend(frameon=False)
        return ax

    def __repr__(self) -> str:
        lines = ["Recovery curves: members × episodes, errors clustered by episode"]
        for group, r in self.summary.iterrows():
            lines.append(
                f"  {group}: half-life {_interval(r)}; "
                f"{r['came_back']:.0f} of {r['members']:.0f} members of {r['episodes']:.0f} "
                f"episode{'s' if r['episodes'] > 1 else ''} came back"
            )
        if self.log_rank is not None:
            lines.append(f"  same pace in all groups: F {self.log_rank.statistic:.2f}, p {self.log_rank.p_value:.3f}")
        return "\n".join(lines)


def _interval(row: pd.Series) -> str:
    limits = f" [{row['ci_low']:.1f}, {row['ci_high']:.1f}]" if row["episodes"] > 1 else ""
    return f"{row['half_life']:.1f}{limits} bars"


def recovery_curves(
    episodes: Iterable[Episode],
    to: Literal["half", "calm"] = "half",
    *,
    by: str | Callable[[Episode], Any] | None = None,
    level: float = 0.95,
) -> RecoveryCurves:
    """Kaplan-Meier curves of members × episodes, with errors clustered by episode.

    Parameters
    ----------
    episodes : iterable of Episode
        With member tables, as `detect_episodes` and `follow_members` make them; others do not enter.
    to : {"half", "calm"}, default "half"
        When a member counts as back: half of its loss regained, or calm by the detector's line.
    by : str or function, optional
        Field of the episode (such as ``kind`` or ``evidence``), or a function of it, that names its group.
    level : float, default 0.95
        Of the limits; Student's t with one degree of freedom less than there are episodes.

    Returns
    -------
    RecoveryCurves

    Raises
    ------
    DataError
        No member in any episode.
    OptionError
        An unknown target, field or level, a group that is missing or not one label.

    Notes
    -----
    With one episode there are no clustered errors: the limits are missing.

    References
    ----------
    Kaplan and Meier (1958), Journal of the American Statistical Association 53(282), 457-481.
    Ying and Wei (1994), Journal of Multivariate Analysis 50(1), 17-29: the curve under dependence.
    Brookmeyer and Crowley (1982), Biometrics 38(1), 29-41: the interval of the median.

    Examples
    --------
    >>> import drainstats as ds
    >>> panel = ds.load_dataset("crypto-venues-daily").window("2019-01-01", "2020-12-07")
    >>> ds.recovery_curves(ds.detect_episodes(panel))
    Recovery curves: members × episodes, errors clustered by episode
      all: half-life 4.5 bars; 25 of 25 members of 1 episode came back
    """
    check_option("to", to, TARGETS)
    check_number("level", level, 0.0, 1.0)
    if isinstance(by, str):
        check_option("by", by, [f.name for f in fields(Episode)])
    elif by is not None and not callable(by):
        raise OptionError(f"by={by!r} is neither a field of an episode nor a function of it.")
    name = (lambda e: ALL) if by is None else by if callable(by) else (lambda e: getattr(e, str(by)))
    table = _members(as_episodes(episodes), TARGETS[to], name)
    groups = list(dict.fromkeys(table["group"]))
    curves, rows = {}, {}
    for group in groups:
        curves[group], rows[group] = _group(table[table["group"] == group], level)
    tested = None
    if len(groups) > 1 and table["observed"].any() and table["episode"].nunique() > len(groups):
        codes = table["group"].map({g: k for k, g in enumerate(groups)}).to_numpy()
        tested = log_rank(*_arrays(table), codes)
    return RecoveryCurves(
        table, pd.concat(curves, names=["group", "bars"]), pd.DataFrame.from_dict(rows, orient="index"), tested, level
    )


def _members(episodes: list[Episode], column: str, name: Callable[[Episode], Any]) -> pd.DataFrame:
    parts = []
    for number, e in enumerate(episodes):
        back = e.member_table[column]
        # A member of which nothing was seen after its trough says nothing.
        use = back.notna() | (e.member_table["bars_seen"] > 0)
        bars = back.where(back.notna(), e.member_table["bars_seen"])[use]
        group = name(e)
        if not pd.api.types.is_scalar(group) or pd.isna(group):
            raise OptionError(f"by gives {group!r} for the episode of {e.onset:%Y-%m-%d}; a group needs one label.")
        columns = {"episode": number, "asset": bars.index, "group": group, "bars": bars.to_numpy()}
        parts.append(pd.DataFrame(columns | {"observed": back[use].notna().to_numpy()}))
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    if not len(table):
        raise DataError("No episode has members that were followed; pass episodes that detect_episodes found.")
    return table


def _arrays(table: pd.DataFrame) -> tuple[Any, Any, Any]:
    return table["bars"].to_numpy(dtype=np.float64), table["observed"].to_numpy(bool), table["episode"].to_numpy()


def _spread(survival: FloatArray, log_se: FloatArray) -> FloatArray:
    """Standard error of the curve; missing where it is zero."""
    return np.where(survival > 0, survival, np.nan) * np.where(np.isfinite(log_se), log_se, np.nan)


def _group(table: pd.DataFrame, level: float) -> tuple[pd.DataFrame, dict[str, float]]:
    from scipy.stats import norm, t

    episodes = table["episode"].nunique()
    curve = kaplan_meier(*_arrays(table))
    quantile = float(t.ppf((1 + level) / 2, episodes - 1)) if episodes > 1 else float("nan")
    low, high = band(curve, curve.log_se, quantile)
    naive = band(curve, curve.log_se_greenwood, float(norm.ppf((1 + level) / 2)))
    frame = pd.DataFrame(
        {
            "at_risk": curve.at_risk,
            "events": curve.events,
            "survival": curve.survival,
            "std_error": _spread(curve.survival, curve.log_se),
            "greenwood": _spread(curve.survival, curve.log_se_greenwood),
            "ci_low": low,
            "ci_high": high,
        },
        index=pd.Index(curve.time, name="bars"),
    )
    return frame, {
        "episodes": episodes,
        "members": len(table),
        "came_back": int(table["observed"].sum()),
        "half_life": quantile_time(curve.time, curve.survival),
        "ci_low": quantile_time(curve.time, low) if episodes > 1 else np.nan,
        "ci_high": quantile_time(curve.time, high) if episodes > 1 else np.nan,
        "naive_low": quantile_time(curve.time, naive[0]),
        "naive_high": quantile_time(curve.time, naive[1]),
        "left": float(curve.survival[-1]) if len(curve.time) else 1.0,
    }
