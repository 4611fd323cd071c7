"""Simulate the event-study tests on one common date and write their rejection rates to ``docs/size_tables.md``.

Run ``python docs/make_size_tables.py``; the seed is fixed, so that the same rates come out. The statistics are those of
`drainstats.event_study`, computed for many simulated markets at once.
"""

from __future__ import annotations

import pathlib
import zlib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from drainstats.episodes.study.commondate import date_statistics, placebo_p_value, statistics_of
from drainstats.episodes.study.expected.abnormal import Offsets
from drainstats.episodes.study.expected.linear import Windows, linear_sample
from drainstats.episodes.study.sample import EventSample
from drainstats.episodes.study.testing import ranks
from drainstats.episodes.study.testing.registry import BAR, TESTS

SEED = 20200312
REPLICATIONS = 5000
LARGE_REPLICATIONS = 2000
"""Of the market of 100 assets."""
PLACEBOS = 199
CHUNK = 25
MIN_ROWS = 120
TABLE = pathlib.Path(__file__).with_name("size_tables.md")
DEFAULTS = ("studentized_placebo", "kp_bmp")
BATTERY = tuple(name for name in TESTS if name not in DEFAULTS)
COLUMNS = (*DEFAULTS, "kp_bmp, normal law", *BATTERY)


@dataclass(frozen=True)
class Market:
    """A simulated market: y_it = sqrt(rho) l_i f_t + sqrt(1 - rho) u_it before scaling of the event rows.

    ``loadings`` spreads the l_i evenly over 1 ± that much. ``memory`` is the coefficient of a first-order
    autoregression. ``missing`` is the share of cells without a value. ``blocks`` groups share nine tenths of their own
    variance, as one coin does on several venues.
    """

    rho: float
    errors: str
    n_assets: int = 20
    window: tuple[int, int] = (0, 0)
    loadings: float = 0.0
    memory: float = 0.0
    missing: float = 0.0
    blocks: int = 0

    @property
    def offsets(self) -> Offsets:
        """The default estimation window of `drainstats.event_study`."""
        return Offsets((-250, -11), self.window)

    @property
    def event(self) -> int:
        """Row of the event: 199 placebo dates fit before it."""
        return 250 + PLACEBOS - 1 + self.window[1] + 11

    @property
    def placebos(self) -> int:
        """Placebo dates whose window ends with the event's estimation window or before."""
        return self.event - 11 - self.window[1] - 250 + 1


@dataclass(frozen=True)
class Jump:
    """What happens in the event rows: factors on the common and the own standard deviation, a shift in deviations."""

    common: float = 1.0
    own: float = 1.0
    shift: float = 0.0

    def __str__(self) -> str:
        if self.shift:
            return f"shift {self.shift:g}"
        return f"×{self.common:g}" if self.common == self.own else f"common ×{self.common:g}, own ×{self.own:g}"


def draw(rng: np.random.Generator, shape: tuple[int, ...], errors: str) -> np.ndarray:
    """Standardised errors, normal or Student t with six degrees of freedom."""
    return rng.standard_normal(shape) if errors == "normal" else rng.standard_t(6, shape) / np.sqrt(1.5)


def parts(market: Market, replications: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Common and own part of the outcomes, (replications, T, assets) each, up to the end of the event window."""
    rows = market.event + market.window[1] + 1
    loadings = 1 + market.loadings * np.linspace(-1, 1, market.n_assets)
    common = np.sqrt(market.rho) * draw(rng, (replications, rows, 1), market.errors) * loadings
    own = np.sqrt(1 - market.rho) * draw(rng, (replications, rows, market.n_assets), market.errors)
    if market.blocks:
        group = draw(rng, (replications, rows, market.blocks), market.errors)[
            ..., np.arange(market.n_assets) % market.blocks
        ]
        own = np.sqrt(0.1) * own + np.sqrt(0.9 * (1 - market.rho)) * group
    if market.missing:
        own[rng.random(own.shape) < market.missing] = np.nan
    for part in (common, own):
        for t in range(1, rows if market.memory else 0):
            part[:, t] = market.memory * part[:, t - 1] + np.sqrt(1 - market.memory**2) * part[:, t]
    return common, own


def sample_of(market: Market, jumps: list[Jump], common: np.ndarray, own: np.ndarray) -> EventSample:
    """The event date under every jump, arrays (replications, jumps, ...); estimation rows are the same for all."""
    low, high = (market.event + offset for offset in market.offsets.estimation)
    rows = slice(market.event + market.window[0], market.event + market.window[1] + 1)
    before = (common[:, low : high + 1] + own[:, low : high + 1])[:, None]
    event = np.stack([j.common * common[:, rows] + j.own * own[:, rows] + j.shift for j in jumps], axis=1)
    none = [np.empty((size, 1, 0)) for size in (before.shape[-2], event.shape[-2])]
    return linear_sample(Windows(before, event, *none), MIN_ROWS)


def battery(sample: EventSample, seed: int) -> dict[str, np.ndarray]:
    """p-values of the tests beside the defaults. The estimation rows are ranked once for the four that rank them."""
    within = ranks.column_ranks(sample.estimation)
    ranked = {name: TESTS[name].run(sample, within) for name in ("rank", "modified_rank", "grank_t", "grank_z")}
    return {name: (ranked[name] if name in ranked else TESTS[name](sample, seed)).p_value for name in BATTERY}


def p_values(
    market: Market, jumps: list[Jump], replications: int, rng: np.random.Generator, defaults_only: bool = False
) -> list[pd.DataFrame]:
    """A frame a jump, a row a simulated market: p-values, and whether the common share passed its limit."""
    from scipy.special import ndtr

    common, own = parts(market, replications, rng)
    placebo = date_statistics(common + own, market.offsets, 250, market.placebos, min_rows=MIN_ROWS)
    sample = sample_of(market, jumps, common, own)
    at = statistics_of(sample)
    ranked, _, _ = placebo_p_value(at.p_value, placebo.p_value[:, None])
    found = {
        "studentized_placebo": ranked,
        "kp_bmp": at.p_value,
        "kp_bmp, normal law": 2 * ndtr(-np.abs(at.kp)),
        "warned": at.common_share > at.common_share_limit,
    }
    found |= {} if defaults_only else battery(sample, int(rng.integers(2**31)))
    return [pd.DataFrame({name: values[:, j] for name, values in found.items()}) for j in range(len(jumps))]


def rates(market: Market, jumps: list[Jump], replications: int, defaults_only: bool = False) -> pd.DataFrame:
    """Shares of simulated markets that each test rejects at 5 %, a row a jump; ``warned`` is the share warned of.

    The markets come in chunks, each with its own seed: fewer replications are the first of more.
    """
    key, chunks = zlib.crc32(repr(market).encode()), []
    for chunk, done in enumerate(range(0, replications, CHUNK)):
        rng = np.random.default_rng([SEED, key, chunk])
        chunks.append(p_values(market, jumps, min(CHUNK, replications - done), rng, defaults_only))
    table = [pd.concat(frames) for frames in zip(*chunks, strict=True)]
    # A p-value that is exactly 1/20, as a rank of 199 can be, rejects; the slack is for its last bit.
    return pd.DataFrame([(t.drop(columns="warned") <= 0.05 + 1e-12).mean().to_dict() | warned(t) for t in table])


def warned(table: pd.DataFrame) -> dict[str, float]:
    """Share of markets in which `event_study` warns."""
    return {"warned": float(table["warned"].mean())}


CORE = [Market(rho, errors) for errors in ("normal", "t6") for rho in (0.0, 0.3, 0.6)]
PROPORTIONAL = [Jump(1, 1), Jump(2, 2)]
UNEQUAL = {0.3: [Jump(2, 1), Jump(3, 1)], 0.6: [Jump(3, 1.5)]}
SHIFTS = [Jump(shift=s) for s in (0.5, 1.0, 2.0, 3.0)]
OTHERS = {
    "5 assets": Market(0.3, "t6", n_assets=5),
    "5 assets, normal errors": Market(0.6, "normal", n_assets=5),
    "100 assets": Market(0.3, "t6", n_assets=100),
    "window 0 to 4": Market(0.3, "t6", window=(0, 4)),
    "loadings from .5 to 1.5": Market(0.3, "t6", loadings=0.5),
    "three blocks": Market(0.3, "t6", blocks=3),
    "a tenth of the cells missing": Market(0.3, "t6", missing=0.1),
    "autoregression .5": Market(0.3, "t6", memory=0.5),
    "autoregression .9": Market(0.3, "t6", memory=0.9),
    "autoregression .5, window 0 to 4": Market(0.3, "t6", memory=0.5, window=(0, 4)),
}


def core(replications: int = REPLICATIONS, defaults_only: bool = False) -> pd.DataFrame:
    """Rates on common dates: a row a design, labelled by errors, correlation and jump."""
    rows = {}
    for market in CORE:
        jumps = PROPORTIONAL + UNEQUAL.get(market.rho, [])
        for jump, (_, rate) in zip(jumps, rates(market, jumps, replications, defaults_only).iterrows(), strict=True):
            rows[(market.errors, market.rho, str(jump))] = rate
    return pd.DataFrame(rows).T.rename_axis(["errors", "correlation", "jump"])


def proportional(table: pd.DataFrame) -> pd.DataFrame:
    """The designs in which all variances jump by one factor."""
    return table[~table.index.get_level_values("jump").str.startswith("common")]


def others(replications: int = REPLICATIONS) -> pd.DataFrame:
    """Rates on other markets: a row a market and jump."""
    found = {}
    for name, market in OTHERS.items():
        number = min(replications, LARGE_REPLICATIONS) if market.n_assets > 50 else replications
        found[name] = rates(market, PROPORTIONAL, number)
    table = pd.concat({name: f.set_axis([str(j) for j in PROPORTIONAL]) for name, f in found.items()})
    return table.rename_axis(["market", "jump"])


def power(replications: int = REPLICATIONS) -> pd.DataFrame:
    """Rates under shifts, t6 errors: a row a correlation and shift."""
    found = {rho: rates(Market(rho, "t6"), SHIFTS, replications) for rho in (0.0, 0.3, 0.6)}
    table = pd.concat({rho: f.set_axis([str(j) for j in SHIFTS]) for rho, f in found.items()})
    return table.rename_axis(["correlation", "jump"])


def failing(table: pd.DataFrame) -> dict[str, str]:
    """Of the tests that leave the bar on a proportional design: where, in words."""
    out = {}
    # What is printed counts: rates to a tenth of a percent.
    rated = proportional(table)[list(COLUMNS)].round(3)
    wrong = rated.lt(BAR[0]) | rated.gt(BAR[1])
    for name in [name for name in COLUMNS if wrong[name].any()]:
        bad, rho = rated[name][wrong[name]], rated[name][wrong[name]].index.get_level_values("correlation")
        jumps = bad.index.get_level_values("jump")
        where = f"correlation {', '.join(f'{r:g}' for r in sorted(set(rho)))}"
        where += " when variances jump" if set(jumps) == {"×2"} else ""
        out[name] = f"⚠ {100 * rated[name].min():.0f} to {100 * rated[name].max():.0f} %; fails at {where}"
    return out


def markdown(table: pd.DataFrame, marks: dict[str, str], heads: list[str], first: str = "test") -> str:
    """A Markdown table of rates in percent: a row a test, a column a design, ⚠ before tests with a mark."""
    text = (100 * table[[*COLUMNS, "warned"]]).map("{:.1f}".format).T
    names = [f"⚠ {name}" if name in marks else name for name in COLUMNS] + ["*common-share warning*"]
    lines = [[first, *heads], ["---"] + ["---:"] * len(heads)]
    lines += [[name, *row] for name, row in zip(names, text.to_numpy().tolist(), strict=True)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def verdicts(marks: dict[str, str]) -> str:
    """A Markdown table: what each test is referred to and whether it holds on common dates."""
    lines = ["| test | source | referred to | on common dates |", "| --- | --- | --- | --- |"]
    lines.append("| studentized_placebo | this package | rank among placebo dates | holds |")
    for name, test in TESTS.items():
        lines.append(f"| {name} | {test.source} | {test.law} | {marks.get(name, 'holds')} |")
    return "\n".join(lines)


PAGE = """# How often the event-study tests reject

One date that all assets share, nominal level 5 %, 20 assets, estimation rows −250 to −11, event window 0, {placebos}
placebo dates; t6 is Student's t with six degrees of freedom for the common factor and for the own errors. Rates in
percent, from {replications} simulated markets a column, {large} with 100 assets (binomial standard error {error:.2f}
percentage points at 5 %, at most {worst:.1f}; seed {seed}). Made by `python docs/make_size_tables.py`; a slow test
makes a part of it anew and compares.

A test **holds** when it rejects {low:.1f} to {high:.1f} % of true nulls in every column of the two tables of rates that
follow: common dates with correlation 0, .3 and .6 on which all standard deviations stay or double. **⚠ marks those that
do not**; `event_study` says so in `.notes` when one of them is asked for. The last row is the share of markets in which
`event_study` warns that the common share of variance rose. The normal law for KP-BMP is no option; it shows what few
assets do.

{verdicts}

## True null, all variances jump by one factor

Heads: correlation, factor on all standard deviations on the date. Normal errors:

{normal}

t6 errors:

{student}

The tests that take assets for independent fail with correlation. Those that take the variance from the estimation
window (kp_patell, brown_warner_1985, lamb, the rank tests) fail when variances jump. The sign and rank tests about the
median are bounded when assets move together, and reject too rarely at correlation .6.

## True null, the common share of variance rises

**No test holds its level here, and none on one date can:** the date's mean is one draw of a factor whose variance rose,
which looks like a shift. The warning is there for this; use `.rank` and several episodes. Heads: errors, correlation,
factor on the common and on the own standard deviation.

{unequal}

## True null, other markets

Correlation .3 and t6 errors unless named. Three blocks are 20 series of three kinds, such as three coins on several
venues. They are worth hardly more than three assets, which t(n − 1) does not know: take one series a kind, or read the
placebo test. `event_study` notes it. With five assets the sign, signed-rank and wild-bootstrap tests cannot reject at
5 %: the smallest p-value that signs can give is 1/16 (`smallest_p`). Variances as before:

{calm}

All standard deviations doubled on the date:

{doubled}

## A shift of the mean, in standard deviations of an asset

Heads: correlation, shift; t6 errors, no jump of variance. The rates of tests marked ⚠ are no power: they reject true
nulls as well.

{power}
"""


def _heads(table: pd.DataFrame) -> list[str]:
    keys = [key if isinstance(key, tuple) else (key,) for key in table.index]
    return [", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in key) for key in keys]


def page() -> str:
    """The text of ``size_tables.md``."""
    table = core()
    marks, level = failing(table), proportional(table)
    unequal, elsewhere, shifted = table.drop(level.index), others(), power()
    error = 100 / np.sqrt(REPLICATIONS)

    def part(rows: pd.DataFrame) -> str:
        return markdown(rows, marks, _heads(rows))

    return PAGE.format(
        replications=REPLICATIONS,
        large=LARGE_REPLICATIONS,
        seed=SEED,
        placebos=PLACEBOS,
        error=error * np.sqrt(0.05 * 0.95),
        worst=error / 2,
        low=100 * BAR[0],
        high=100 * BAR[1],
        verdicts=verdicts(marks),
        normal=part(level.loc["normal"]),
        student=part(level.loc["t6"]),
        unequal=part(unequal),
        calm=part(elsewhere.xs("×1", level="jump")),
        doubled=part(elsewhere.xs("×2", level="jump")),
        power=part(shifted),
    )


if __name__ == "__main__":
    TABLE.write_text(page(), encoding="utf-8")
