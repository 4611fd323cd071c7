"""Simulate markets with and without a drain and write what `drainstats.detect_episodes` calls to
``docs/detection_tables.md``.

Run ``python docs/make_detection_table.py``; the seeds are fixed, so that the same rates come out. The lines of the
detector were chosen on the families "gaussian" and "heavy"; hits and false calls are counted on the others.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.signal import lfilter

import drainstats as ds

PAGE = pathlib.Path(__file__).with_name("detection_tables.md")
CALIBRATION = ("gaussian", "heavy")
SCORING = ("persistent", "seasonal", "heterogeneous")
# Evidence: what the detector is given.
EVIDENCE: dict[str, dict[str, Any]] = {
    "book and forced sales": {},
    "book and volatility": {"corroborate": "volatility"},
    "book alone": {"measure": "depth", "corroborate": "none"},
    "range and forced sales": {"measure": "parkinson"},
    "price range": {"measure": "parkinson", "corroborate": "none"},
}
LOOK_ALIKES = tuple(s for s in ds.simulate.SCENARIOS if s not in ("drain", "calm"))
CALM_ROWS, HOURS, BASELINE_DAYS, YEAR = 1461, 24 * 425, 60, 365.25
BARS = 2


@dataclass(frozen=True)
class Call:
    """What was called of one drain: bars from the true onset, and from the bar in which half of the assets had been
    reached, to the onset on record; bars from the true onset to the alarm. None: nothing was called."""

    onset: int | None
    half: int | None = None
    alarm: int | None = None


def rows_of(panel: ds.LiquidityPanel, stamps: Iterable[Any]) -> list[int]:
    """Places of labels."""
    return [int(panel.index.searchsorted(s)) for s in stamps]


def call(market: Any, options: dict[str, Any], before: int = 5, after: int = 20) -> Call:
    """The episode nearest to the true onset, among those from ``before`` bars before it to ``after`` after."""
    panel, truth = market.panel, market.truth
    (onset,) = rows_of(panel, [truth.onset])
    arrivals = sorted(rows_of(panel, truth.arrivals))
    half = arrivals[min(int(np.ceil(0.5 * panel.shape[1])), len(arrivals)) - 1] if arrivals else onset
    found = []
    for e in ds.detect_episodes(panel, **options):
        (row,) = rows_of(panel, [e.onset])
        # An alarm is known when its bar has ended, at the start of the next one.
        (alarm,) = rows_of(panel, [e.detected_at])
        if -before <= row - onset <= after:
            found.append(Call(row - onset, row - half, alarm - 1 - onset))
    return min(found, key=lambda c: abs(c.onset), default=Call(None))


def simulated(number: int, first: int, families: tuple[str, ...], **settings: Any) -> Iterable[Any]:
    """Markets of the families in turn."""
    for k in range(number):
        yield ds.simulate.drain(first + k, family=families[k % len(families)], **settings)


def false_alarms(panels: list[ds.LiquidityPanel], options: dict[str, Any]) -> tuple[int, float]:
    """Alarms in calm markets, and years with a baseline."""
    alarms = sum(len(ds.detect_episodes(panel, **options)) for panel in panels)
    days = sum((p.index[-1] - p.index[0]) / pd.Timedelta("1D") - BASELINE_DAYS for p in panels)
    return alarms, days / YEAR


def table(heads: list[str], rows: Iterable[list[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(heads) + " |", "| --- " * len(heads) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def rate(alarms: int, years: float) -> str:
    """Alarms in words, with years a alarm."""
    return f"{alarms} in {years:.0f} years" + (f": one in {years / alarms:.1f}" if alarms else "")


def calm(number: int, first: int, family: str) -> list[ds.LiquidityPanel]:
    return [m.panel for m in simulated(number, first, (family,), scenario="calm", rows=CALM_ROWS)]


def calibration_table(number: int = 36) -> str:
    """False alarms of lines around the defaults on the families they were chosen on, and drains called there."""
    grid = [
        *[("book and forced sales", {"line": line}) for line in (1.5, 2.0, 2.5)],
        *[("range and forced sales", {"forced_times": times}) for times in (3.0, 5.0, 8.0)],
        *[("book and volatility", {"line": line}) for line in (2.0, 2.5, 3.0)],
        *[("price range", {"common_line": line}) for line in (3.0, 4.0, 5.0)],
    ]
    years = {family: calm(number, 50_000, family) for family in CALIBRATION}
    drains = {family: list(simulated(number, 60_000, (family,))) for family in CALIBRATION}
    rows = []
    for name, lines in grid:
        options = EVIDENCE[name] | lines
        (line, value), *_ = lines.items()
        cells = [name, f"{line} {value:g}"]
        for family in CALIBRATION:
            calls = [call(m, options).onset for m in drains[family]]
            cells += [rate(*false_alarms(years[family], options)), percent(np.mean([c is not None for c in calls]))]
        rows.append(cells)
    heads = [f"{what}, {family}" for family in CALIBRATION for what in ("false alarms", "drains called")]
    return table(["evidence", "line", *heads], rows)


def calm_table(number: int = 50) -> str:
    """False alarms on the scoring families, in hours, and on markets that move together nearly always."""
    designs: dict[str, tuple[tuple[str, ...], int, dict[str, Any]]] = {f: ((f,), number, {}) for f in SCORING}
    designs["all three, in hours"] = (SCORING, 12, {"freq": "h", "rows": HOURS})
    designs |= {f"{f}, common share 0.8": ((f,), number, {"commonality": 0.8}) for f in CALIBRATION}
    rows = []
    for what, (families, count, settings) in designs.items():
        options = {"scenario": "calm", "rows": CALM_ROWS} | settings
        panels = [m.panel for m in simulated(count, 20_000, families, **options)]
        rows.append([what, *(rate(*false_alarms(panels, o)) for o in EVIDENCE.values())])
    return table(["family", *EVIDENCE], rows)


def hits(calls: list[Call]) -> list[str]:
    """Shares of drains called, dated within two bars of the onset and of the bar in which half had been reached, and
    the median bars to the alarm."""
    seen = [c for c in calls if c.onset is not None]
    close = np.mean([c.onset is not None and abs(c.onset) <= BARS for c in calls])
    half = np.mean([c.half is not None and abs(c.half) <= BARS for c in calls])
    delay = f"{np.median([c.alarm for c in seen]):.0f}" if seen else ""
    return [percent(len(seen) / len(calls)), percent(close), percent(half), delay]


def drain_table(number: int = 200, hourly: int = 24) -> str:
    """Drains of the scoring families, as they are, with gaps and late listings, and in hours."""
    designs: dict[str, tuple[int, dict[str, Any]]] = {
        "days": (number, {}),
        "days, 2 % of bars missing, 20 % listed late": (number // 2, {"gaps": 0.02, "late": 0.2}),
        "hours": (hourly, {"freq": "h", "rows": 3600}),
    }
    rows = []
    for what, (count, settings) in designs.items():
        markets = list(simulated(count, 0, SCORING, **settings))
        for name, options in EVIDENCE.items():
            rows.append([what, str(count), name, *hits([call(m, options) for m in markets])])
    heads = [
        "bars",
        "markets",
        "evidence",
        "called",
        "onset within 2 bars",
        "within 2 bars of half",
        "bars to the alarm",
    ]
    return table(heads, rows)


def look_alike_table(number: int = 40) -> str:
    """Share of look-alikes that are called, from five bars before they begin to thirty after."""
    rows = []
    for scenario in LOOK_ALIKES:
        calls: dict[str, list[bool]] = {name: [] for name in EVIDENCE}
        for market in simulated(number, 0, SCORING, scenario=scenario):
            for name, options in EVIDENCE.items():
                calls[name].append(call(market, options, after=30).onset is not None)
        rows.append([scenario.replace("_", " "), *(percent(np.mean(c)) for c in calls.values())])
    return table(["scenario", *EVIDENCE], rows)


def power_table(number: int = 15) -> str:
    """Drains called, by what is left of depth and by the share of assets that are members."""
    rows = []
    for breadth in (0.4, 0.6, 0.8, 1.0):
        for left in (0.6, 0.4, 0.25, 0.1):
            markets = list(simulated(number, 0, SCORING, breadth=breadth, depth=(left / 2, left)))
            shares = [
                np.mean([call(m, EVIDENCE[name]).onset is not None for m in markets])
                for name in ("book and forced sales", "book alone")
            ]
            rows.append([percent(breadth), percent(left), *map(percent, shares)])
    return table(["members", "depth left", "book and forced sales", "book alone"], rows)


def endogenous_table(number: int = 24) -> str:
    """Markets of traders on margin, in minutes: nothing of the detector was chosen on them."""
    options = {"clock_within": "12h"}
    rows = []
    for scenario in ("drain", "isolated", "single_asset", "common_volatility", "venue_outage", "calm"):
        counts: dict[bool, list[list[Call]]] = {True: [], False: []}
        for seed in range(number):
            market = ds.simulate.drain(seed, mode="endogenous", scenario=scenario)
            drained = bool(market.truth.drained)
            if pd.isna(market.truth.onset):
                found = [
                    Call(0) if ds.detect_episodes(market.panel, **options, **o) else Call(None)
                    for o in EVIDENCE.values()
                ]
            else:
                found = [call(market, options | o, before=15, after=120) for o in EVIDENCE.values()]
            counts[drained].append(found)
        for drained, calls in counts.items():
            if calls:
                cells = [percent(np.mean([c[k].onset is not None for c in calls])) for k in range(len(EVIDENCE))]
                late = [c[0].alarm for c in calls if c[0].alarm is not None]
                delay = f"{np.median(late):.0f}" if late and drained else ""
                rows.append([scenario.replace("_", " "), "yes" if drained else "no", str(len(calls)), *cells, delay])
    return table(["scenario", "drained", "markets", *EVIDENCE, "minutes to the alarm"], rows)


def autoregressive(rng: np.random.Generator, rows: int, assets: int, persistence: float, common: float) -> Any:
    """Illiquidity (rows, assets): exponentials of first-order autoregressions with t6 shocks."""
    paths = lfilter([1.0], [1.0, -persistence], rng.standard_t(6, (rows + 300, assets + 1)), axis=0)[300:]
    return np.exp(0.3 * (np.sqrt(common) * paths[:, :1] + np.sqrt(1 - common) * paths[:, 1:]))


def co_movement_rate(persistence: float, common: float, scores: str, number: int) -> float:
    """Share of simulated markets of 8 assets and 300 rows that `drainstats.co_movement_test` rejects at 5 %."""
    found = [
        ds.co_movement_test(
            autoregressive(np.random.default_rng([7, k]), 300, 8, persistence, common), scores, draws=99, seed=k
        ).p_value
        for k in range(number)
    ]
    return float(np.mean(np.array(found) <= 0.05))


def co_movement_table(number: int = 200) -> str:
    rows = [
        [
            f"{persistence:g}",
            percent(common),
            *(f"{100 * co_movement_rate(persistence, common, s, n):.1f} %" for s in ("rank", "upper_tail")),
        ]
        for persistence in (0.0, 0.7, 0.95)
        for common, n in ((0.0, number), (0.3, number // 6))
    ]
    return table(["autoregression", "common share", "rank", "upper_tail"], rows)


TEXT = """# What the detector calls

Made by `python docs/make_detection_table.py` on markets of `drainstats.simulate.drain`, of daily bars unless said
otherwise, with every default of `drainstats.detect_episodes`. A slow test makes a part of it anew.

The stated rate is at most one false alarm in four years of daily bars with a baseline of at most one year. The lines
were chosen on the families *gaussian* and *heavy*; all other tables are of families that played no part in it.
The binomial standard error of a share of 200 is at most 3.5 percentage points, of 40 at most 8; an alarm count has
about its own square root.

What the detector is given:

- *book and forced sales*: depth, liquidations and traded money, the default on such panels;
- *book and volatility*: depth and price ranges, without liquidations;
- *book alone*: depth, nothing else asked (`corroborate="none"`);
- *range and forced sales*: bars of prices, liquidations and traded money, no book;
- *price range*: bars of prices alone, the default where the panel has nothing else.

## Calibration: false alarms and hits of lines around the defaults

The defaults: `line` 2 with forced sales, 2.5 with volatility, 3 alone; `common_line` 2, 2 and 4;
`forced_times` 5.

{calibration}

## False alarms on families that played no part

The rate is stated for days; hours have more bars and so more chances. The last rows are markets in which four fifths
of the variance of ordinary depth is common: with heavy tails the book alone then exceeds the stated rate.

{calm}

## Drains that played no part

*Called*: an episode whose onset lies from 5 bars before the true one to 20 after. The true onset is the bar in which
the first asset was reached. The others follow two to four bars later: without forced sales the detector dates
the bar in which half of the assets are thin, not the first one, hence the column *within 2 bars of half*.

{drains}

Nine tenths within two bars are reached where forced sales are seen. Without them they are missed by far: the lines
that keep the false alarms rare miss a third of these drains and more, which leave a quarter of the median member's
depth for a few bars.

## Look-alikes

Share of markets in which something that is no drain is called, from 5 bars before it begins to 30 after.

{look_alikes}

With a book and liquidations they are told apart, as far as the simulated feeds go: there common volatility forces
nobody to sell. Ranges and liquidations without a book take some common repricings for a drain, because ordinary
liquidations follow a fall. With depth and price ranges common volatility is told apart in part, and books that are
pulled while prices are calm are. With the book alone or with price ranges alone, **common volatility without a drain
is not separable**, and `Episode.evidence`, `Episode.corroborated` and the notes of the record say what it rests on.

## Power

Drains called in daily bars of the scoring families, by the share of assets that are members and by the depth that is
left to the median member (half of that to the source). With 40 % of the assets as members there is no half to be found.

{power}

## Traders on margin, in minutes

`drainstats.simulate.drain(mode="endogenous")`: one day of minutes, ten assets; the drain comes out of margin calls and
makers' limits by itself and may fail to, and "drained" is the simulator's own verdict. All minutes of the day are
compared with each other (`clock_within="12h"`). *Called*: from 15 minutes before the true onset to two hours after. A
shock lasts thirty minutes, and some of them leave fewer than half of the assets drained, which is "drained: no".

{endogenous}

## Any co-movement

How often `drainstats.co_movement_test` rejects at 5 %: 8 assets, 300 rows, t6 shocks. With a common share of zero that
is its size; with an ordinary factor it rejects, as it should, although there is no drain.

{co_movement}
"""


def page() -> str:
    """The text of ``detection_tables.md``."""
    return TEXT.format(
        calibration=calibration_table(),
        calm=calm_table(),
        drains=drain_table(),
        look_alikes=look_alike_table(),
        power=power_table(),
        endogenous=endogenous_table(),
        co_movement=co_movement_table(),
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
