"""Write ``docs/catalogue.md``, the documented episodes, and ``docs/catalogue_hits.md``, the detector beside them.

Run ``python docs/make_catalogue_table.py``. The second page needs market files: the variable DRAINSTATS_DATA names
their folder, and without it only the first page is written. About half a minute of one processor.
"""

from __future__ import annotations

import os
import pathlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

import drainstats as ds
from drainstats.episodes.catalogue import DocumentedEpisode
from drainstats.episodes.compare import EpisodeComparison
from drainstats.episodes.matching import Fall, best_pairs

DOCS = pathlib.Path(__file__).parent
CATALOGUE, HITS = DOCS / "catalogue.md", DOCS / "catalogue_hits.md"
SHIFTS = 99
BASELINE_DAYS = 60
FUNDS = ("SPY", "QQQ", "IWM", "XLF", "TLT", "HYG", "GLD", "SLV", "USO", "UUP")
MANY = ("equity", "bonds", "credit", "commodities")


@dataclass(frozen=True)
class Set:
    """Market data: a letter, what they are, how to read them, the markets that they show, and how they are searched."""

    letter: str
    what: str
    clock: str
    read: Callable[[pathlib.Path], ds.LiquidityPanel]
    markets: tuple[str, ...]
    tolerance: str = "5D"
    options: dict[str, Any] = field(default_factory=dict)


def folder(name: str, pattern: str, clock: str, **options: Any) -> Callable[[pathlib.Path], ds.LiquidityPanel]:
    """How to read the bars of every file of a folder; an asset is what stands before the first underscore or dot."""

    def read(root: pathlib.Path) -> ds.LiquidityPanel:
        paths = sorted((root / "data" / name).glob(pattern))
        return ds.LiquidityPanel.from_bars({_asset(p): ds.read_bars(p) for p in paths}, clock, **options)

    return read


def _asset(path: pathlib.Path) -> str:
    name = path.stem.removeprefix("Binance_")
    return name.upper() if path.suffix == ".parquet" else name.partition("_")[0].upper()


def funds(root: pathlib.Path) -> ds.LiquidityPanel:
    """Thirteen funds: shares, Treasuries, credit, metals, oil, the dollar."""
    paths = [root / "data" / "yfinance-cross-asset-daily-2026" / f"{name}.csv" for name in FUNDS]
    paths += [root / "data" / "yfinance-multiindex-csv" / f"{name}.csv" for name in ("LQD", "EEM", "IEF")]
    return ds.LiquidityPanel.from_bars({p.stem: ds.read_bars(p) for p in paths}, "session:XNYS")


def bundled(name: str) -> Callable[[pathlib.Path], ds.LiquidityPanel]:
    """A dataset of the package."""
    return lambda root: ds.load_dataset(name)


PERPS, LEAN = "binance-usdm-perp-klines-mutbug", "lean-us-equity-hour-daily"
SETS = [
    Set("A", "13 funds", "days", funds, MANY),
    Set("B", "12 US shares", "days", folder("yfinance-us-stocks-1981-2021", "*.csv", "session:XNYS"), ("equity",)),
    Set(
        *("C", "12 US shares and funds, another vendor", "days"),
        folder(f"{LEAN}/daily", "*.zip", "session:XNYS", symbols=ds.reused_symbols()),
        MANY,
    ),
    Set(
        "D",
        "6 funds and a share",
        "days",
        folder("alpaca-etf-daily-2020-2025", "*.csv", "session:XNYS"),
        MANY,
    ),
    Set("E", "8 US shares (bundled)", "days", bundled("us-stocks-daily"), ("equity",)),
    Set("F", "9 coins, one venue", "days", folder("cryptodatadownload-binance-daily", "*.csv", "utc_day"), ("crypto",)),
    Set("G", "3 coins, nine venues (bundled)", "days", bundled("crypto-venues-daily"), ("crypto",)),
    Set("H", "156 perpetuals", "days", folder(f"{PERPS}/1d", "*.csv", "utc_day"), ("crypto",)),
    Set(
        *("I", "6 US shares and funds", "hours"),
        folder(f"{LEAN}/hour", "*.zip", "session:XNYS:hour", outside="drop"),
        *(("equity",), "1D"),
    ),
    Set("J", "11 coins and perpetuals", "hours", folder(f"{PERPS}/1h", "*.csv", "utc_hour"), ("crypto",), "1D"),
    Set(
        *("K", "11 markets of BTC, USDC, USDT, three venues", "minutes"),
        folder("stablecoin-depeg-202303-1m", "*.parquet", "utc_min"),
        *(("crypto",), "6h", {"min_baseline": 5}),
    ),
]


@dataclass(frozen=True)
class Outcome:
    """A set with its comparison, the same by onsets alone, its span, and the drains found by calls at other times."""

    data: Set
    found: EpisodeComparison
    strict: EpisodeComparison
    span: tuple[pd.Timestamp, pd.Timestamp]
    chance: float


def work_out(data: Set, root: pathlib.Path) -> Outcome:
    """Detect with the defaults and compare."""
    panel = data.read(root)
    calls = ds.detect_episodes(panel, **data.options)
    span = covered(panel, data.options.get("min_baseline", BASELINE_DAYS))
    told = [e for e in ds.episode_catalogue() if set(e.members) & set(data.markets)]
    options = {"coverage": span, "bar": f"1{data.clock.rstrip('s')}"}
    found, strict = (ds.compare_episodes(calls, told, data.tolerance, reach=r, **options) for r in ("fall", "onset"))
    return Outcome(data, found, strict, span, by_chance(found, span, data.tolerance))


def covered(panel: ds.LiquidityPanel, days: int) -> tuple[pd.Timestamp, pd.Timestamp]:
    """From the day on which two assets have a baseline."""
    seen = panel["close"].notna().groupby(panel.index.normalize()).any().cumsum()
    return seen.index[(seen >= days).sum(axis=1) >= 2][0], panel.index[-1]


def by_chance(found: EpisodeComparison, span: tuple[pd.Timestamp, pd.Timestamp], tolerance: str) -> float:
    """Mean number of drains found when all calls are moved by the same time, around the end of the span."""
    table = found.table
    theirs = [Fall.of(found.documented[k]) for k in table["documented"] if k >= 0]
    drains = {j for j, status in enumerate(table.loc[table["documented"] >= 0, "status"]) if status in ("hit", "miss")}
    length, hits = span[1] - span[0], []
    for step in np.arange(1, SHIFTS + 1) / (SHIFTS + 1):
        ours = [_moved(found.detected[c], length * step, span) for c in table["detected"] if c >= 0]
        hits.append(sum(j in drains for _, j in best_pairs(ours, theirs, "fall", pd.Timedelta(tolerance))))
    return float(np.mean(hits))


def _moved(e: ds.Episode, by: pd.Timedelta, span: tuple[pd.Timestamp, pd.Timestamp]) -> Fall:
    onset = e.onset + by
    onset = onset if onset <= span[1] else onset - (span[1] - span[0])
    return Fall.of(replace(e, onset=onset, trough=onset + (e.trough - e.onset)))


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [f"| {' | '.join(head)} |", "|" + " --- |" * len(head), *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def counts(outcomes: list[Outcome]) -> str:
    """A row a set."""
    head = ["", "data", "bars", "from", "to", "documented", "found", "by chance", "onset within 2 bars"]
    rows = []
    for o in outcomes:
        status = o.found.table["status"]
        hit, of = o.found.summary.loc["drains found", ["count", "of"]].astype(int)
        near = int((o.strict.table["onset_error_bars"].abs() <= 2)[o.strict.table["status"] == "hit"].sum())
        extra = int((status == "extra").sum())
        called, controls = o.found.summary.loc["controls called", ["count", "of"]].astype(int)
        years = (o.span[1] - o.span[0]) / pd.Timedelta("365.25D")
        rate = f"{extra} ({extra / years:.2f})" if years > 1 else f"{extra} in {years * 365.25:.0f} days"
        dates = [f"{t:%Y-%m}" for t in o.span]
        own = [str(of), str(hit), f"{o.chance:.1f}", str(near), rate, f"{called} of {controls}"]
        rows.append([o.data.letter, o.data.what, o.data.clock, *dates, *own])
    return table([*head, "extra calls (a year)", "controls called"], rows)


def matrix(outcomes: list[Outcome]) -> str:
    """A row a documented episode that some set covers; cells in bars."""
    rows = []
    for e in ds.episode_catalogue():
        cells = [_cell(o, e) for o in outcomes]
        if any(cells):
            name = f"{e.name} (control)" if e.control else e.name
            rows.append([f"{e.onset:%Y-%m-%d}", name, *cells])
    return table(["onset", "episode", *(o.data.letter for o in outcomes)], rows)


def _cell(o: Outcome, e: DocumentedEpisode) -> str:
    row = o.found.table[o.found.table["key"] == e.key]
    if row.empty:
        return ""
    if row["status"].iloc[0] in ("miss", "control quiet"):
        return "–"
    return f"{row['onset_error_bars'].iloc[0]:+.0f}".replace("+0", "0").replace("-0", "0")


def extras(outcomes: list[Outcome]) -> str:
    """The calls that match nothing, a line a set."""
    lines = []
    for o in outcomes:
        extra = o.found.table[o.found.table["status"] == "extra"]["detected_onset"]
        if o.data.clock == "days":
            said = ", ".join(f"{t:%Y-%m-%d}" for t in extra) or "none"
        else:
            form = "%Y" if o.data.clock == "hours" else "%Y-%m-%d"
            said = ", ".join(f"{when}: {n}" for when, n in extra.dt.strftime(form).value_counts(sort=False).items())
        lines.append(f"- {o.data.letter}, {o.data.what}, {o.data.clock}: {said}")
    return "\n".join(lines)


HITS_TEXT = """# The detector beside the catalogue

What `ds.detect_episodes` finds, with its defaults, of the [documented episodes](catalogue.md) that market files can
show. Made by `python docs/make_catalogue_table.py`; nothing is tuned to these episodes.

The data are bars of prices (and volumes), so the detector sees price ranges and trading, no depth. An episode is
*documented* for a set when it hit the set's markets and began when two of its assets had a baseline. It is *found* when
the falls, from onset to trough, lie within the tolerance: five days for daily bars, one day for hours, six hours for
minutes. "By chance": the mean number found when all calls are moved in time together ({shifts} moves around the end of
the span); "onset within 2 bars" asks it of the onsets alone. An extra call is not a false one: the catalogue is no
census. Many documented episodes cannot show in a set at all: what lasts a minute is inside a daily bar, a squeeze of
one share or a repo rate is in none of these prices; they count as missed. Onsets that were computed from such bars
agree partly by construction.

{counts}

{options}

## Episode by episode

Bars from the documented to the detected onset, nights and weekends counted: 0 when the bar holds the documented stamp,
positive when later; – when missed, or for a control when it was rightly quiet; empty when the set does not cover it.

{matrix}

## Extra calls

Calls that match no documented episode and no control.

{extras}
"""


def hits(root: pathlib.Path) -> str:
    """The text of ``catalogue_hits.md``."""
    outcomes = [work_out(data, root) for data in SETS]
    special = [
        f"{o.data.letter} is called with {', '.join(f'`{k}={v}`' for k, v in o.data.options.items())}, because it is "
        f"only {(o.span[1] - o.span[0]).days + o.data.options['min_baseline']} days long."
        for o in outcomes
        if o.data.options
    ]
    parts = {"counts": counts(outcomes), "matrix": matrix(outcomes), "extras": extras(outcomes)}
    return HITS_TEXT.format(shifts=SHIFTS, options=" ".join(special), **parts)


CATALOGUE_TEXT = """# Catalogue of documented episodes

{n} crash episodes since 1987, as `ds.episode_catalogue()` gives them; `ds.catalogue_table()` holds every claim below as
a row. Made by `python docs/make_catalogue_table.py`.

Every row can be wrong in one of its parts, and the mark behind each claim says how far to trust it.

- *page*: it stands in a page that was read, often in its opening part only; some pages are copies or second-hand.
- *data*: computed from daily, hourly or minute bars of the market named.
- *memory*: remembered and not looked up. Check it before you print it.

Of {claims} claims, stamps and titles {page} rest on a page, {data} on data, {memory} on memory. Where accounts differ
all of them are given, under "disputed". The line in italics is our own reading. Liquidations are lower bounds from
venues that publish a part of them, and accounts differ by a factor of two to five.

Stamps are UTC. *Onset*: first moment at which the literature or the data see the drain. *Trough*: lowest close of the
reference series unless a minute is given. *Half back*: first close or print at which half of the fall was regained;
"undated" where nobody says. The close before the event matters more than the trough: 1987 was half back after two
sessions when measured from Friday, after five months when measured from the Tuesday before.

*flash*: minutes to two sessions, mostly reversed; *bleed*: days to weeks; *regime*: a lasting change. A *control* must
not be called a drain, or only as local. ↑: the price of the source rose.

{table}

{sections}
"""


def catalogue() -> str:
    """The text of ``catalogue.md``."""
    claims = ds.catalogue_table()
    marked = claims[claims["checked"] != "judgement"]["checked"]
    shares = {degree: int(marked.str.contains(degree).sum()) for degree in ("page", "data", "memory")}
    episodes = ds.episode_catalogue()
    head = ["episode", "class", "markets", "onset", "trough", "half back", "source as told"]
    rows = [_overview(e) for e in episodes]
    sections = [_section(e, claims[claims["key"] == e.key]) for e in episodes]
    return CATALOGUE_TEXT.format(
        n=len(episodes), claims=len(marked), **shares, table=table(head, rows), sections="\n\n".join(sections)
    )


def _overview(e: DocumentedEpisode) -> list[str]:
    control, up = " (control)" if e.control else "", " ↑" if e.source_rises else ""
    half = _when(e.end, e.end_precision) if e.recovered else "undated"
    if not pd.isna(e.liquidity_end):
        half += f"; liquidity {_when(e.liquidity_end, e.liquidity_precision)}"
    stamps = [_when(e.onset, e.onset_precision), _when(e.trough, e.trough_precision), half]
    return [f"{e.name}{control}", ", ".join(e.classes), ", ".join(e.members), *stamps, e.source_told + up]


def _when(stamp: Any, precision: str) -> str:
    if pd.isna(stamp):
        return "undated"
    form = {"month": "%Y-%m", "day": "%Y-%m-%d", "hour": "%Y-%m-%d %H h", "second": "%Y-%m-%d %H:%M:%S"}
    off_hour = precision == "hour" and stamp.minute
    return stamp.strftime("within the hour from %Y-%m-%d %H:%M" if off_hour else form.get(precision, "%Y-%m-%d %H:%M"))


def _section(e: DocumentedEpisode, claims: pd.DataFrame) -> str:
    judged = claims[claims["about"] == "mechanism"]["text"].iloc[0]
    dated = claims[claims["time"].notna() | (claims["about"] == "stamp")]
    lines = [f"## {e.name}", "", f"`{e.key}`. *{judged}*", ""]
    groups = {"recovered": "recovery", "source": "source", "hit": "hit", "measured": "measure"}
    told = {"dated": dated} | {label: claims[claims["about"] == about] for label, about in groups.items()}
    for label, rows in told.items():
        plain = [_claim(row) for row in rows[rows["dispute"] == ""].itertuples()]
        if plain:
            lines.append(f"- {label}: {'; '.join(plain)}")
    lines += [f"- disputed: {d}" for d in e.disputes]
    titles = [f"{row.text} ({row.checked})" for row in claims[claims["about"] == "literature"].itertuples()]
    pages = dict.fromkeys(p for row in claims.itertuples() for p in _pages(row))
    lines.append(f"- literature: {'; '.join(titles)}")
    return "\n".join([*lines, f"- read: {', '.join(f'`{page}`' for page in pages)}"])


def _pages(row: Any) -> list[str]:
    if "page" not in row.checked:
        return []
    return [p for p in row.reference.split("; ") if not p.startswith(("computed from", "remembered"))]


def _claim(row: Any) -> str:
    value = "" if pd.isna(row.value) else f": {row.value:,.10g} {row.unit}"
    name = "" if pd.isna(row.time) else f"{row.about.replace('_', ' ')} "
    return f"{name}{row.text}{value} ({row.checked})"


def main() -> int:
    """Write what can be written; 0 when both pages were."""
    CATALOGUE.write_text(catalogue(), encoding="utf-8")
    root = os.environ.get("DRAINSTATS_DATA")
    if not root or not (pathlib.Path(root) / "data").is_dir():
        sys.stderr.write(f"{HITS.name} was not written: DRAINSTATS_DATA names no folder of market files.\n")
        return 1
    HITS.write_text(hits(pathlib.Path(root)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
