"""Simulate pooled recovery curves and write how often their intervals hold the truth to ``docs/recovery_tables.md``.

Run ``python docs/make_recovery_table.py``; the seed is fixed, so that the same rates come out.
"""

from __future__ import annotations

import pathlib
from dataclasses import replace

import numpy as np
import pandas as pd

import drainstats as ds
from drainstats.episodes.detection.stress import measure_stress
from drainstats.episodes.episode import Episode

SEED = 20200312
PAGE = pathlib.Path(__file__).with_name("recovery_tables.md")
MARKETS, DRAWS, CURES = 400, 120, 20
EPISODES = (10, 20)
NAIVE = ("record", "first crossing")
HALF_LIVES = (3.0, 12.0)
RECOVERS = (1.0, 0.75)
ONSET, ROWS = 330, 400
COLUMNS = ["half_life", "clustered", "greenwood", "complete", "identified", "never", "cure"]


def true_half_life(recovers: float) -> float:
    """Median of half-lives uniform in logs between the ends of the range, of which a share never recovers."""
    low, high = HALF_LIVES
    return low * (high / low) ** (0.5 / recovers)


def first_crossings(frame: pd.DataFrame, e: Episode) -> Episode:
    """The naive durations: the first bar at or below half of the loss at the trough."""
    stress = measure_stress(frame, baseline=pd.Timedelta("365D"), min_baseline=60, line=3.0, min_assets=2)
    table = e.member_table.copy()
    for name, row in table.iterrows():
        start = frame.index.get_loc(row["trough"])
        path = stress.excess[start : start + int(row["bars_seen"]) + 1, frame.columns.get_loc(name)]
        below = np.flatnonzero(path <= path[0] / 2)
        table.loc[name, "bars_to_half"] = below[0] if len(below) else np.nan
    return replace(e, member_table=table)


def pool(family: str, recovers: float, markets: int = MARKETS) -> dict[str, list[Episode]]:
    """Episodes of simulated markets: as recorded, followed for 40 bars, and by first crossing."""
    out: dict[str, list[Episode]] = {"record": [], "followed": [], "first crossing": []}
    for seed in range(markets):
        market = ds.simulate.drain(
            seed, family=family, lag=1, rows=ROWS, onset=ONSET, half_life=HALF_LIVES, recovers=recovers
        )
        frame = 1.0 / market.panel["depth"]
        near = frame.index[ONSET - 2 : ONSET + 5]
        found = [e for e in ds.detect_episodes(frame) if e.onset in near][:1]
        out["record"] += found
        followed = ds.follow_members(found, frame)
        out["followed"] += followed
        out["first crossing"] += [first_crossings(frame, e) for e in followed]
    return out


def rates(
    episodes: list[Episode], count: int, recovers: float, draws: int = DRAWS, cures: int = CURES
) -> dict[str, float]:
    """Mean estimate, and how often the intervals hold the truth, over draws of ``count`` episodes."""
    rng, truth = np.random.default_rng(SEED), true_half_life(recovers)
    rows = []
    for draw in range(draws):
        curves = ds.recovery_curves([episodes[k] for k in rng.choice(len(episodes), count, replace=False)])
        s = curves.summary.loc["all"]
        row = {
            "half_life": s["half_life"],
            "clustered": s["ci_low"] <= truth <= s["ci_high"],
            "greenwood": s["naive_low"] <= truth <= s["naive_high"],
            "complete": curves.members.loc[curves.members["observed"], "bars"].median(),
        }
        if draw < cures:
            cure = curves.cure("weibull")
            never = cure.estimates.loc["never"]
            row |= {"identified": cure.identified, "never": never["estimate"]}
            if cure.identified:
                row["cure"] = never["ci_low"] - 1e-6 <= 1 - recovers <= never["ci_high"]
        rows.append(row)
    table = pd.DataFrame(rows).reindex(columns=COLUMNS).astype(float)
    return table.median().to_dict() | table[["clustered", "greenwood", "identified", "cure"]].mean().to_dict()


def markdown() -> str:
    """The table, a row a family, kind of duration, share that recovers and number of episodes."""
    heads = ["family", "durations", "recover", "episodes", "truth", "half-life", "of those back", "covers", "Greenwood"]
    lines = ["| " + " | ".join([*heads, "cure identified", "never", "covers"]) + " |", "| --- " * 12 + "|"]
    for family in ds.simulate.FAMILIES:
        for recovers in RECOVERS:
            found = pool(family, recovers)
            for kind, count in [("followed", n) for n in EPISODES] + [(k, EPISODES[0]) for k in NAIVE]:
                lines.append(_row(family, kind, recovers, count, found[kind]))
    return "\n".join(lines)


def _row(family: str, kind: str, recovers: float, count: int, episodes: list[Episode]) -> str:
    cells = [family, kind, f"{recovers:.0%}", f"{count} of {len(episodes)}", f"{true_half_life(recovers):.1f}"]
    if len(episodes) < count:
        return "| " + " | ".join([*cells, *["too few found"] * 7]) + " |"
    found = rates(episodes, count, recovers, cures=CURES if kind == "followed" else 0)
    cells += [f"{found['half_life']:.1f}", f"{found['complete']:.1f}"]
    shares = ("clustered", "greenwood", "identified", "never", "cure")
    cells += ["–" if np.isnan(found[c]) else f"{found[c]:.0%}" for c in shares]
    return "| " + " | ".join(cells) + " |"


TEXT = """# How often the interval of a pooled half-life holds the truth

Nominal 95 %, seed {seed}. {markets} planted markets of each family, ten daily assets, depth observed; members'
half-lives are uniform in logs between {low:g} and {high:g} bars, and 100 or 75 % of the members come back at all. Of
the episodes that the detector found, {draws} draws of 10 and of 20 without replacement. Made by
`python docs/make_recovery_table.py`.

"Record": members followed to the end of the record. "Followed": for 40 bars, by `follow_members`. "First crossing":
followed as long, but back at the first bar at or below half of the loss, which noise makes too early. "Half-life" is
the median over draws of the Kaplan-Meier estimate, "of those back" the median duration of the members that came back,
which forgets the others. "Covers" is clustered by episode, "Greenwood" takes members as independent. On the right the
Weibull cure model: how often it calls itself identified, the share that never recovers, and how often its interval
holds it where identified ({cures} draws).

Draws share one pool of found episodes ("10 of 72"), so a pool with a half-life of its own moves all of its rows. Where
everybody comes back the cure model's interval rarely holds zero: noise keeps about one member in a hundred from being
seen as back.

{table}
"""


def page() -> str:
    """The text of ``recovery_tables.md``."""
    low, high = HALF_LIVES
    return TEXT.format(seed=SEED, markets=MARKETS, low=low, high=high, draws=DRAWS, cures=CURES, table=markdown())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
