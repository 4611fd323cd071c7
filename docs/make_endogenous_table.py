"""Run endogenous markets and write what came out to ``docs/endogenous.md``.

Run ``python docs/make_endogenous_table.py``; the seeds are fixed, so that the same numbers come out.
"""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pandas as pd

from drainstats.simulate.endogenous.measured import measured
from drainstats.simulate.endogenous.path import play
from drainstats.simulate.endogenous.run import drawn, random_settings
from drainstats.simulate.endogenous.settings import Settings

SEEDS, WIDE, FAMILY = 16, 200, 200
PAGE = pathlib.Path(__file__).with_name("endogenous.md")
RUNS: dict[str, dict[str, Any]] = {
    "drain": {},
    "drain, shock −.40": {"shock": -0.40},
    "drain, suspect coin": {"flight": "suspect"},
    "no cross margin (`isolated`)": {"scenario": "isolated"},
    "no shared makers": {"shared_makers": False},
    "load 3": {"load": 3.0},
    "load 3, no cross margin": {"scenario": "isolated", "load": 3.0},
    "no closing off the book": {"off_book": False},
    "no value buyers": {"value_buyers": False},
    "`single_asset`": {"scenario": "single_asset"},
    "`common_volatility`": {"scenario": "common_volatility"},
    "`venue_outage`": {"scenario": "venue_outage"},
    "`calm`": {"scenario": "calm"},
}
COLUMNS = {
    "liquidated": "liquidated",
    "best_40_minutes": "best 40 min",
    "source_left": "source's depth left",
    "others_left": "others' depth left",
    "others_loss": "others' loss by volatility, makers, own sales",
    "source_fall": "source's fall",
    "others_fall": "others' fall",
    "off_book": "off the book",
    "branching": "branching",
}
OPEN_INTEREST = (4, 8, 12, 16, 20, 24, 28, 32)
UNBRAKED = {"off_book": False, "value_buyers": False, "cap": 5.0}
# What is documented of 2010 and 2025, as ranges: share of liquidations in the best forty minutes, depth left at the
# source and elsewhere.
FACTS = {"best_40_minutes": (0.6, 0.8), "source_left": (0.0, 0.01), "others_left": (0.15, 0.25)}


def run(seed: int, scenario: str = "drain", **settings: Any) -> Any:
    """The truth of a market, and the share of positions that are gone at the end, at their first prices."""
    chosen = Settings.of(scenario, settings)
    books, accounts, news, source = drawn(seed, chosen)
    states = play(chosen, books, accounts, news)
    gone = 1 - (states.accounts.position * accounts.entry).sum() / (accounts.position * accounts.entry).sum()
    return measured(chosen, accounts, news, states, source), gone


def outcome_row(name: str) -> str:
    """One line of the table of outcomes."""
    truths = [run(seed, **RUNS[name])[0] for seed in range(SEEDS)]
    table = pd.DataFrame([truth.outcomes for truth in truths])
    few = table["liquidated"].median() < 0.002
    cells = []
    for column in COLUMNS:
        if column == "others_loss":
            parts = np.mean([list(loss.values()) for loss in table[column]], axis=0)
            cells.append(" / ".join(f"{100 * part:.0f}" for part in parts) + " %")
        elif few and column in ("best_40_minutes", "off_book", "branching"):
            cells.append("–")
        else:
            spread = f" [{_short(table[column].min())}, {_short(table[column].max())}]" if name == "drain" else ""
            cells.append(_short(table[column].median()) + spread)
    return f"| {name} | {' | '.join(cells)} | {sum(truth.drained for truth in truths)} |"


def scan_row(seed: int, braked: bool) -> str:
    """Positions gone along the open interest."""
    settings = {} if braked else UNBRAKED
    cells = [_short(run(seed, oi_over_depth=float(amount), **settings)[1]) for amount in OPEN_INTEREST]
    return f"| {'both brakes' if braked else 'neither'} | {seed} | {' | '.join(cells)} |"


def family() -> dict[str, float]:
    """What the family of random settings comes to."""
    truths = [run(seed, **random_settings(seed))[0] for seed in range(FAMILY)]
    drains = [truth for truth in truths if truth.drained]
    gaps = [(truth.arrivals.iloc[1] - truth.arrivals.iloc[0]) / pd.Timedelta(minutes=1) for truth in drains]
    return {
        "drained": len(drains) / FAMILY,
        "first": float(np.mean([truth.arrivals.get(truth.source) == truth.onset for truth in drains])),
        "tied": float(np.mean(np.array(gaps) == 0)),
        "gap": float(np.median(gaps)),
        "members": float(np.median([len(truth.members) for truth in drains])),
    }


def inside_the_facts() -> list[int]:
    """Seeds of the drain with default settings whose outcomes lie in all documented ranges."""
    found = []
    for seed in range(WIDE):
        outcomes = run(seed)[0].outcomes
        if all(low <= outcomes[name] <= high for name, (low, high) in FACTS.items()):
            found.append(seed)
    return found


def _short(value: float) -> str:
    text = f"{value:.3f}" if abs(value) < 0.1 else f"{value:.2f}"
    return text.replace("-", "−").replace("0.", ".", 1) if abs(value) < 1 else text


def page() -> str:
    """The page."""
    shares, seeds = family(), inside_the_facts()
    head = ["run", *COLUMNS.values(), "drains"]
    lines = [
        *TEXT.splitlines(),
        "",
        f"| {' | '.join(head)} |",
        f"|{' --- |' * len(head)}",
        *map(outcome_row, RUNS),
        "",
        *READING.format(seeds=", ".join(map(str, seeds)) or "none", wide=WIDE).splitlines(),
        "",
        *BRAKES.splitlines(),
        "",
        f"| brakes | seed | {' | '.join(map(str, OPEN_INTEREST))} |",
        f"|{' --- |' * (2 + len(OPEN_INTEREST))}",
        *(scan_row(seed, braked) for braked in (True, False) for seed in range(3)),
        "",
        *FAMILIES.format(family=FAMILY, **shares).splitlines(),
    ]
    return "\n".join(lines) + "\n"


TEXT = f"""# Markets whose drains come by themselves

`ds.simulate.drain(seed, mode="endogenous", ...)` writes nothing down but a shock to one asset. Accounts on margin,
makers with limits, value buyers and arbitrage do the rest, minute by minute; the truth is measured afterwards on states
without noise. The settings and equations: `drainstats.simulate.endogenous.run`.

With D⁰ the money that moves a price by one per cent in an undisturbed book and F the forced sales of a minute:

- **Price** = lasting part + passing part + gap of the venue (logs). A sale moves it by .01 F / D, of which 37 % last;
  the rest is bought back, faster the deeper the discount. Arbitrage closes gaps between venues.
- **Accounts** hold several assets, part of their margin in other assets and in a stablecoin, marked on their own
  venue. Below maintenance they sell a tenth of all they have each minute; without equity they are closed off the book,
  and the insurance fund, then the winners, bear the deficit: open interest that vanishes without a print.
- **Makers** leave D = D⁰ exp(−own inventory − value at risk − 2.7 load), at least .4 % of D⁰. The load is the risk
  limit that all assets share: forced sales anywhere thin all books. All three halve in twenty minutes once their cause
  is gone.
- **The coin** is fled into (a premium), or it is the suspect: it falls on one venue, and with it the margin held in it
  there.

Two links carry the loss on, each with its switch: accounts (`cross_margin`) and makers (`shared_makers`).

## What comes out

Ten assets, 600 accounts, two venues, 840 minutes, a shock of −.305 to the log price of one asset over 30 minutes,
volatility times four; seeds 0 to {SEEDS - 1}, medians, for the drain [smallest, largest]. Liquidated: share of open
interest; best 40 min and off the book: shares of that; others' loss: of log depth at the trough, parts by cause;
falls: to the lowest price; branching: what one unit sold adds to what will be sold, largest along the path; drains: how
many of the {SEEDS} have at least half of the assets as members.

Made by `python docs/make_endogenous_table.py`; a slow test makes one row anew and compares."""

READING = """Common volatility alone takes depth to two fifths in all assets: many thin books are no drain, forced flow
and the order of arrival are. Most of what is liquidated at the source is closed off the book, so that prices elsewhere
hardly move while depth does. With the default settings cross margin is the stronger link: cutting it leaves few drains,
cutting the makers' leaves many; at five times the load the makers carry a drain without cross margin. Volatility alone
now and then starts a drain of its own: `Truth.drained` is measured, not declared. A seed scatters widely; calibrate by
choosing seeds, not by least squares. Seeds of {wide} that lie inside all documented ranges (60 to 80 % of liquidations
in forty minutes, below 1 % of depth left at the source, 15 to 25 % elsewhere), with the default settings: {seeds}."""

BRAKES = """## All or nothing without brakes

Share of positions gone at the end, by open interest over D⁰. Value buyers and closing off the book make outcomes
graded; with neither (and impact linear) one step of open interest turns a few per cent into everything."""

FAMILIES = """## A family to find sources in

`ds.simulate.random_settings(seed)` draws source, size and speed of the shock, which of the links exist, open interest,
leverage, speed of sales, the makers' load and half-life, the coin and recovery. Of {family} seeds {drained:.0%} are
drains, with {members:.0f} members in the median. The source is the first to be thin in {first:.0%} of them, the second
follows {gap:.0f} minutes later in the median, and in {tied:.0%} two assets are reached in the same minute: there no
dating of arrivals can tell the source."""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
