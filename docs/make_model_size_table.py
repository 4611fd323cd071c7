"""Simulate the default tests under every expected-value model and write the rates to ``docs/model_sizes.md``.

Run ``python docs/make_model_size_table.py``; the seed is fixed. Each market is drawn from the model under study (a
level, a market, two factors, an hour of the day, GARCH variances, betas that move), with a true null on the event date.
GARCH and DCC weights are those of the simulation: what is measured is the standardising. A few hundred markets through
`drainstats.event_study`, weights estimated, stand beside them.
"""

from __future__ import annotations

import pathlib
import sys
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

import drainstats as ds
from drainstats.episodes.study.commondate import placebo_p_value, statistics_of
from drainstats.episodes.study.expected.abnormal import Offsets, sliding
from drainstats.episodes.study.expected.conditional import Parameters, conditional_sample
from drainstats.episodes.study.expected.linear import Windows, linear_sample
from drainstats.episodes.study.expected.seasonal import seasonal_sample
from drainstats.episodes.study.sample import EventSample

SEED, REPLICATIONS, STUDIED = 20200312, 2000, 100
ASSETS, LENGTH, PLACEBOS, CHUNK, BARS = 8, 80, 79, 20, 8
MODELS = ("constant_mean", "market", "factor", "seasonal", "garch", "dcc", "zero", "market_adjusted")
GARCH = (0.08, 0.88)
CORRELATION = (0.04, 0.92)
TABLE = pathlib.Path(__file__).with_name("model_sizes.md")


@dataclass(frozen=True)
class Design:
    """A model, its event window, by how much all deviations jump in the event rows, and the law of the shocks."""

    model: str
    window: tuple[int, int] = (0, 0)
    jump: float = 1.0
    errors: str = "t6"
    rho: float = 0.3

    @property
    def offsets(self) -> Offsets:
        """Estimation rows end two rows before the event window."""
        return Offsets((-LENGTH - 2, -3), self.window)

    @property
    def event(self) -> int:
        """Row of the event: the placebo dates fit before it."""
        return LENGTH + 2 + PLACEBOS - 1 + self.window[1] + 3

    @property
    def rows(self) -> int:
        """Rows of a simulated market."""
        return self.event + self.window[1] + 1


def _shocks(rng: np.random.Generator, shape: tuple[int, ...], errors: str) -> np.ndarray:
    return rng.standard_normal(shape) if errors == "normal" else rng.standard_t(6, shape) / np.sqrt(1.5)


def _moving(shocks: np.ndarray) -> np.ndarray:
    """Shocks (R, T, k) with GARCH(1, 1) variances of level one."""
    alpha, beta = GARCH
    h, out = np.ones(shocks[:, 0].shape), np.empty_like(shocks)
    for t in range(shocks.shape[1]):
        out[:, t] = np.sqrt(h) * shocks[:, t]
        h = 1 - alpha - beta + alpha * out[:, t] ** 2 + beta * h
    return out


def _coupled(own: np.ndarray, market: np.ndarray) -> np.ndarray:
    """Standard shocks whose correlation with ``market`` (R, T, 1) follows a DCC around .6."""
    a, b = CORRELATION
    q, qi, qx = np.full(own[:, 0].shape, 0.6), np.ones(own[:, 0].shape), np.ones(market[:, 0].shape)
    out = np.empty_like(own)
    for t in range(own.shape[1]):
        rho = q / np.sqrt(qi * qx)
        out[:, t] = rho * market[:, t] + np.sqrt(1 - rho**2) * own[:, t]
        q = (1 - a - b) * 0.6 + a * out[:, t] * market[:, t] + b * q
        qi = 1 - a - b + a * out[:, t] ** 2 + b * qi
        qx = 1 - a - b + a * market[:, t] ** 2 + b * qx
    return out


def draw(design: Design, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes (count, T, assets) and regressors (count, T, k) of markets in which nothing happened."""
    burn = 60 if design.model in ("garch", "dcc") else 0
    T = design.rows + burn
    own, common, x = (_shocks(rng, (count, T, k), design.errors) for k in (ASSETS, 1, 2))
    noise = np.sqrt(design.rho) * common + np.sqrt(1 - design.rho) * own
    rows = slice(burn + design.event + design.window[0], burn + design.event + design.window[1] + 1)
    if design.model == "dcc":
        # As with every model, what jumps is what the model leaves: the part of the shocks beside the market.
        noise[:, rows] *= design.jump
        y, x = _moving(_coupled(noise, x[..., :1])), _moving(x[..., :1])
    else:
        y = _moving(noise) if design.model == "garch" else noise
        y[:, rows] *= design.jump
        level = 0.0 if design.model in ("zero", "market_adjusted") else np.linspace(-3, 3, ASSETS)
        k = {"market": 1, "market_adjusted": 1, "factor": 2}.get(design.model, 0)
        x = x[..., :k]
        slopes = (
            np.ones((2, ASSETS))
            if design.model == "market_adjusted"
            else np.linspace(0.5, 1.5, 2 * ASSETS).reshape(2, -1)
        )
        y = y + level + x @ slopes[:k]
        if design.model == "seasonal":
            y = y + 2 * np.sin(2 * np.pi * np.arange(T) / BARS)[:, None]
    return y[:, burn:], x[:, burn:]


def samples(design: Design, y: np.ndarray, x: np.ndarray, first: int, dates: int) -> EventSample:
    """Samples of consecutive dates with the axes (markets, dates)."""
    o = design.offsets
    spans = [(first + low, dates, high - low + 1) for low, high in (o.estimation, o.window)]
    if design.model in ("garch", "dcc"):
        whole = (first + o.estimation[0], dates, o.window[1] - o.estimation[0] + 1)
        alpha, beta = (np.full(ASSETS, w) for w in GARCH)
        weights = Parameters(alpha, beta, GARCH, CORRELATION)
        market = x if design.model == "dcc" else x[..., :0]
        return conditional_sample(sliding(y, *whole), sliding(market, *whole), o, 40, weights)
    inside, ahead = (sliding(y, *span) for span in spans)
    if design.model == "seasonal":
        clock = (np.arange(y.shape[1]) % BARS).astype(float)[:, None]
        classes = [np.broadcast_to(sliding(clock, *s).astype(np.int64), (len(y), dates, s[2], 1)) for s in spans]
        return seasonal_sample(inside, ahead, (classes[0], classes[1]), 40)
    if design.model == "market_adjusted":
        inside, ahead = (sliding(y - x, *span) for span in spans)
        x = x[..., :0]
    factors = [sliding(x, *span)[..., :, None, :] for span in spans]
    return linear_sample(Windows(inside, ahead, *factors), 40, design.model not in ("zero", "market_adjusted"))


def rates(design: Design, replications: int) -> dict[str, float]:
    """Shares of simulated markets that the default tests reject at 5 %."""
    normal = [1] if design.errors == "normal" else []
    rng = np.random.default_rng([SEED, MODELS.index(design.model), design.window[1], int(design.jump), *normal])
    placebo, kp = [], []
    for _ in range(0, replications, CHUNK):
        y, x = draw(design, CHUNK, rng)
        past = statistics_of(samples(design, y, x, LENGTH + 2, PLACEBOS)).p_value
        at = statistics_of(samples(design, y, x, design.event, 1)).p_value[:, 0]
        placebo.append(placebo_p_value(at, past)[0])
        kp.append(at)
    found = {"studentised placebo": np.concatenate(placebo), "KP-BMP": np.concatenate(kp)}
    return {name: float((p <= 0.05 + 1e-12).mean()) for name, p in found.items()}


def studied(design: Design, replications: int) -> dict[str, float]:
    """The same through `event_study`, weights estimated."""
    rng = np.random.default_rng([SEED, 1, MODELS.index(design.model)])
    days, p = pd.date_range("2024-01-01", periods=design.rows, freq="3h", tz="UTC"), []
    for _ in range(replications):
        y, x = draw(design, 1, rng)
        market = pd.DataFrame(x[0], days) if x.shape[-1] else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ds.errors.CommonShareWarning)
            study = ds.event_study(
                pd.DataFrame(y[0], days), days[design.event], design.model, design.offsets.estimation, design.window,
                market=market, min_rows=40,
            )  # fmt: skip
        p.append(study.tests["p_value"].to_numpy())
    return dict(
        zip(("studentised placebo", "KP-BMP"), (np.array(p) <= 0.05 + 1e-12).mean(axis=0).tolist(), strict=True)
    )


def designs() -> list[Design]:
    """One row with all deviations doubled, and five calm rows; moving variances with two laws of shocks."""
    out = []
    for model in MODELS:
        law = "normal" if model in ("garch", "dcc") else "t6"
        out += [Design(model, (0, 0), 2.0, law), Design(model, (0, 4), 1.0, law)]
    return out + [Design(model, (0, 0), 2.0) for model in ("garch", "dcc")]


def table(replications: int = REPLICATIONS) -> pd.DataFrame:
    """A row a design."""
    rows = []
    for d in designs():
        head = {"model": d.model, "shocks": d.errors, "window": f"{d.window[0]} to {d.window[1]}", "all ×": d.jump}
        rows.append(head | rates(d, replications))
    return pd.DataFrame(rows)


def markdown(frame: pd.DataFrame) -> str:
    """A Markdown table, rates in percent."""
    text = frame.copy()
    for name in ("studentised placebo", "KP-BMP"):
        text[name] = (100 * text[name]).map("{:.1f} %".format)
    text = text.map(lambda v: f"{v:g}" if isinstance(v, float) else str(v))
    lines = [list(text.columns), ["---"] * text.shape[1], *text.to_numpy().tolist()]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


PAGE = """# How often the default tests reject under each expected-value model

A true null, nominal level 5 %, {assets} assets with a residual correlation of .3, {length} estimation rows that end two
rows before the window, {placebos} placebo dates. All deviations jump by the factor in the event rows. Every market is
drawn from the model under study: levels, betas from .5 to 1.5, two factors, a wave over the {bars} bars of a day,
GARCH({alpha}, {beta}), correlations with the market that follow a DCC({a}, {b}) around .6. Shocks are Student's t with
six degrees of freedom or normal. {replications} markets a row (binomial standard error {error:.2f} percentage points),
seed {seed}. Made by `python docs/make_model_size_table.py`.

{table}

Windows of five rows overlap from one placebo date to the next: {placebos} of them are worth some twenty independent
ones, and a rank among so few is too quiet. More history mends it (the table of the tests has 199). Classes of the clock
need rows: with 24 bars a day, three estimation rows a class, KP-BMP rejected 6.7 % here.

The weights of GARCH and DCC are those of the simulation above. Estimated by `event_study`, {studied} markets (standard
error {studied_error:.1f} points), t shocks, window 0 to 0, no jump:

{estimated}
"""


def page() -> str:
    """The text of ``model_sizes.md``."""
    estimated = pd.DataFrame([{"model": m} | studied(Design(m), STUDIED) for m in ("garch", "dcc")])
    error = 100 * np.sqrt(0.05 * 0.95)
    return PAGE.format(
        assets=ASSETS, length=LENGTH, placebos=PLACEBOS, bars=BARS, alpha=GARCH[0], beta=GARCH[1], a=CORRELATION[0],
        b=CORRELATION[1], replications=REPLICATIONS, error=error / np.sqrt(REPLICATIONS), seed=SEED,
        table=markdown(table()), studied=STUDIED, studied_error=error / np.sqrt(STUDIED), estimated=markdown(estimated),
    )  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:]:
        sys.stdout.write(markdown(table(int(sys.argv[1]))) + "\n")
    else:
        TABLE.write_text(page(), encoding="utf-8")
