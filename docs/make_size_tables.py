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

from drainstats.episodes.study.abnormal import Offsets
from drainstats.episodes.study.commondate import date_statistics, placebo_p_value

SEED = 20200312
REPLICATIONS = 5000
CORE_REPLICATIONS = 20000
PLACEBOS = 199
CHUNK = 125
TABLE = pathlib.Path(__file__).with_name("size_tables.md")


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


def p_values(market: Market, jumps: list[Jump], replications: int, rng: np.random.Generator) -> list[pd.DataFrame]:
    """A frame a jump, a row a simulated market: p-values, and whether the common share passed its limit."""
    from scipy.special import ndtr, stdtr

    common, own = parts(market, replications, rng)
    placebo = date_statistics(common + own, market.offsets, 250, market.placebos, min_rows=120)
    frames = []
    for jump in jumps:
        values = common + own
        rows = slice(market.event + market.window[0], market.event + market.window[1] + 1)
        values[:, rows] = jump.common * common[:, rows] + jump.own * own[:, rows] + jump.shift
        at = date_statistics(values, market.offsets, market.event, 1, min_rows=120)
        ranked, _, _ = placebo_p_value(at.p_value[:, 0], placebo.p_value)
        frames.append(
            pd.DataFrame(
                {
                    "studentized_placebo": ranked,
                    "kp_bmp": at.p_value[:, 0],
                    "kp_bmp_normal": 2 * ndtr(-np.abs(at.kp[:, 0])),
                    "bmp": 2 * stdtr(at.n_assets[:, 0] - 1, -np.abs(at.bmp[:, 0])),
                    "warned": (at.common_share > at.common_share_limit)[:, 0],
                }
            )
        )
    return frames


def rates(market: Market, jumps: list[Jump], replications: int) -> pd.DataFrame:
    """Shares of simulated markets that each test rejects at 5 %, a row a jump; ``warned`` is the share warned of."""
    rng = np.random.default_rng([SEED, zlib.crc32(repr(market).encode())])
    sizes = [min(CHUNK, replications - done) for done in range(0, replications, CHUNK)]
    chunks = [p_values(market, jumps, size, rng) for size in sizes]
    table = [pd.concat(frames) for frames in zip(*chunks, strict=True)]
    tests = ["studentized_placebo", "kp_bmp", "kp_bmp_normal", "bmp"]
    # A p-value that is exactly 1/20, as a rank of 199 can be, rejects; the slack is for its last bit.
    return pd.DataFrame([(t[tests] <= 0.05 + 1e-12).mean().to_dict() | {"warned": t["warned"].mean()} for t in table])


PROPORTIONAL = [Jump(1, 1), Jump(2, 2)]
UNEQUAL = {0.3: [Jump(2, 1), Jump(3, 1)], 0.6: [Jump(3, 1.5)]}
SHIFTS = [Jump(shift=s) for s in (0.5, 1.0, 2.0, 3.0)]
OTHERS = {
    "5 assets": (Market(0.3, "t6", n_assets=5), PROPORTIONAL),
    "5 assets, normal errors": (Market(0.6, "normal", n_assets=5), PROPORTIONAL),
    "100 assets": (Market(0.3, "t6", n_assets=100), PROPORTIONAL),
    "window 0 to 4": (Market(0.3, "t6", window=(0, 4)), PROPORTIONAL),
    "loadings from .5 to 1.5": (Market(0.3, "t6", loadings=0.5), PROPORTIONAL),
    "three blocks": (Market(0.3, "t6", blocks=3), PROPORTIONAL),
    "a tenth of the cells missing": (Market(0.3, "t6", missing=0.1), PROPORTIONAL),
    "autoregression .5": (Market(0.3, "t6", memory=0.5), PROPORTIONAL),
    "autoregression .9": (Market(0.3, "t6", memory=0.9), PROPORTIONAL),
    "autoregression .5, window 0 to 4": (Market(0.3, "t6", memory=0.5, window=(0, 4)), PROPORTIONAL),
}


def describe(market: Market, jump: Jump) -> dict[str, object]:
    """The columns that name a design."""
    shift = {"shift": jump.shift} if jump.shift else {}
    return {"errors": market.errors, "correlation": market.rho, "common ×": jump.common, "own ×": jump.own} | shift


def block(designs: list[tuple[str, Market, list[Jump]]], replications: int) -> pd.DataFrame:
    """Rates of several markets, one under the other, with the columns that name the design in front."""
    rows = []
    for name, market, jumps in designs:
        for jump, (_, rate) in zip(jumps, rates(market, jumps, replications).iterrows(), strict=True):
            rows.append(({"design": name} if name else {}) | describe(market, jump) | rate.to_dict())
    return pd.DataFrame(rows)


def core(replications: int = CORE_REPLICATIONS) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The designs with a bar (all variances jump by one factor), and those in which the common share rises."""
    designs = [Market(rho, errors) for errors in ("normal", "t6") for rho in (0.0, 0.3, 0.6)]
    both = block([("", m, PROPORTIONAL + UNEQUAL.get(m.rho, [])) for m in designs], replications)
    equal = both["common ×"] == both["own ×"]
    return both[equal].reset_index(drop=True), both[~equal].reset_index(drop=True)


def markdown(table: pd.DataFrame) -> str:
    """A Markdown table, rates in percent."""
    shares = ["studentized_placebo", "kp_bmp", "kp_bmp_normal", "bmp", "warned"]
    heads = {
        "studentized_placebo": "studentised placebo",
        "kp_bmp": "KP-BMP, t(n − 1)",
        "kp_bmp_normal": "KP-BMP, normal",
        "bmp": "BMP",
        "warned": "common-share warning",
    }
    text = table.copy()
    text[shares] = (100 * text[shares]).map("{:.1f} %".format)
    text = text.rename(columns=heads).map(lambda v: f"{v:g}" if isinstance(v, float) else str(v))
    lines = [list(text.columns), ["---"] * text.shape[1], *text.to_numpy().tolist()]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


PAGE = """# How often the event-study tests reject

One date that all assets share, nominal level 5 %, 20 assets, estimation rows −250 to −11, event window 0, {placebos}
placebo dates; t6 is Student's t with six degrees of freedom for the common factor and for the own errors. The first two
tables rest on {core} simulated markets a row, the others on {replications} (binomial standard errors {core_error:.2f}
and {error:.2f} percentage points at 5 %; seed {seed}). Made by `python docs/make_size_tables.py`; a slow test makes the
first two anew and compares.

The last column is the share of markets in which `event_study` warns that the common share of variance rose.
BMP and the normal reference for KP-BMP are no options of `event_study`; they show what correlation and few assets do.

## True null, all variances jump by one factor

{proportional}

## True null, the common share of variance rises

**Neither test holds its level here, and no test on one date can:** the date's mean is one draw of a factor whose
variance rose, which looks like a shift. The warning is there for this; use `.rank` and several episodes.

{unequal}

## True null, other markets

Three blocks are 20 series of three kinds, such as three coins on several venues. They are worth hardly more than three
assets, which t(n − 1) does not know: take one series a kind, or read the placebo test. `event_study` notes it.

{others}

## A shift of the mean, in standard deviations of an asset

{power}
"""


def page() -> str:
    """The text of ``size_tables.md``."""
    proportional, unequal = core()
    others = block([(name, market, jumps) for name, (market, jumps) in OTHERS.items()], REPLICATIONS)
    power = block([("", Market(rho, "t6"), SHIFTS) for rho in (0.0, 0.3, 0.6)], REPLICATIONS)
    error = 100 * np.sqrt(0.05 * 0.95)
    return PAGE.format(
        core=CORE_REPLICATIONS,
        replications=REPLICATIONS,
        seed=SEED,
        placebos=PLACEBOS,
        core_error=error / np.sqrt(CORE_REPLICATIONS),
        error=error / np.sqrt(REPLICATIONS),
        proportional=markdown(proportional),
        unequal=markdown(unequal),
        others=markdown(others),
        power=markdown(power),
    )


if __name__ == "__main__":
    TABLE.write_text(page(), encoding="utf-8")
