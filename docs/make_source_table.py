"""Estimate the coefficients of the source shares on one family of simulated markets and score them on the others.

Run ``python docs/make_source_table.py``; the seeds are fixed, so that the same numbers come out. It writes
``docs/source_tables.md`` and ``docs/figures/source_reliability.svg``, and prints the estimates, which stand in
`drainstats.episodes.detection.source`. The shares are recomputed here from rows up to the alarm, as the detector does.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize

import drainstats as ds
from drainstats.episodes.detection import source
from drainstats.episodes.detection.stress import measure_stress

PAGE = pathlib.Path(__file__).with_name("source_tables.md")
FIGURE = PAGE.parent / "figures" / "source_reliability.svg"
CALIBRATION = "heavy"
MARKETS, ENDOGENOUS, FIRST_SEED = 100, 30, 70_000
LEAD = 5
EVIDENCE = {
    "book depth": lambda p: 1.0 / p["depth"].where(p["depth"] > 0),
    "price range": lambda p: p.measure("parkinson"),
}
EDGES = np.array([0.0, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0 + 1e-9])


@dataclass(frozen=True)
class Case:
    """An alarm: features (N, 2), arrivals (N,) by the alarm, place of the true source, whether one was named."""

    family: str
    evidence: str
    features: Any
    arrivals: Any
    truth: int
    named: bool


def planted(family: str, markets: int = MARKETS) -> Iterator[Any]:
    """Markets of a family with drawn lags, rises, depths and numbers of assets; the source need not be the deepest."""
    for k in range(markets):
        rng = np.random.default_rng([FIRST_SEED, k])
        left = float(rng.uniform(0.1, 0.4))
        yield ds.simulate.drain(
            FIRST_SEED + k,
            family=family,
            lag=int(rng.integers(0, 4)),
            rise=int(rng.integers(1, 4)),
            assets=int(rng.integers(6, 16)),
            depth=(left * float(rng.uniform(0.15, 1.0)), left),
            half_life=(3.0, 10.0),
            rows=400,
        )


def endogenous(markets: int = ENDOGENOUS) -> Iterator[Any]:
    """Markets of accounts and makers, in minutes, with drawn settings."""
    for k in range(markets):
        yield ds.simulate.drain(FIRST_SEED + k, mode="endogenous", **ds.simulate.random_settings(FIRST_SEED + k))


def cases(family: str, markets: Iterator[Any], **options: Any) -> list[Case]:
    """The alarm nearest to the true onset of each market, by each kind of evidence; markets without one drop out."""
    out = []
    for market in markets:
        truth = market.truth
        if not truth.drained or not truth.source:
            continue
        for evidence, table in EVIDENCE.items():
            frame = table(market.panel)
            row = int(frame.index.searchsorted(truth.onset))
            near = [
                e
                for e in ds.detect_episodes(frame, corroborate="none", **options)
                if -5 <= int(frame.index.searchsorted(e.onset)) - row <= 60
            ]
            if near and truth.source in near[0].source.index:
                out.append(_case(family, evidence, frame, near[0], truth.source, options))
    return out


def _case(family: str, evidence: str, frame: pd.DataFrame, e: Any, truth: str, options: dict[str, Any]) -> Case:
    stress = measure_stress(
        frame,
        baseline=pd.Timedelta("365D"),
        min_baseline=options.get("min_baseline", 60),
        line=3.0,
        min_assets=2,
        within=pd.Timedelta(options.get("clock_within", "0s")),
    )
    onset, alarm = (int(frame.index.searchsorted(s)) for s in (e.onset, e.detected_at))
    names = list(e.source.index)
    columns = [frame.columns.get_loc(a) for a in names]
    rows = slice(max(onset - LEAD, 0), alarm)
    came = [int(frame.index.searchsorted(e.arrivals[a])) if a in e.arrivals.index else len(frame) for a in names]
    arrivals = np.where(np.array(came) < alarm, came, len(frame))
    values = source.features(stress.excess[rows][:, columns], stress.z[rows][:, columns])
    return Case(family, evidence, values, arrivals, names.index(truth), e.source_identified)


def estimate(found: list[Case]) -> Any:
    """Maximum-likelihood coefficients of the conditional logit, with the inverse of its curvature."""

    def cost(b: Any) -> float:
        return -sum(float(np.log(source.softmax(c.features, b)[c.truth] + 1e-300)) for c in found)

    return minimize(cost, np.ones(2), method="BFGS")


def first_arrival(case: Case) -> Any:
    """The simple rule: equal shares of those that arrived first."""
    first = (case.arrivals == case.arrivals.min()).astype(float)
    return first / first.sum()


def scores(found: list[Case], rule: Any) -> tuple[float, float, float]:
    """Top-1 (ties count in parts), Brier score summed over assets, log score with shares of .001 at least."""
    rows = []
    for case in found:
        share = rule(case)
        hit = np.zeros(len(share))
        hit[case.truth] = 1.0
        best = share >= share.max() - 1e-12
        rows.append((hit[best].sum() / best.sum(), ((share - hit) ** 2).sum(), -np.log(max(share[case.truth], 1e-3))))
    return tuple(map(float, np.mean(rows, axis=0)))


RULES = {
    "calibrated": lambda c: source.softmax(c.features),
    "first arrival": first_arrival,
    "uniform": lambda c: np.full(len(c.arrivals), 1.0 / len(c.arrivals)),
}


def score_row(family: str, evidence: str, found: list[Case]) -> str:
    """A row of the table."""
    named = [c for c in found if c.named]
    right = np.mean([int(np.argmax(source.softmax(c.features))) == c.truth for c in named]) if named else np.nan
    cells = [family, evidence, str(len(found)), f"{len(named) / len(found):.0%}", f"{right:.0%} of {len(named)}"]
    results = {name: scores(found, rule) for name, rule in RULES.items()}
    cells += [f"{results[n][0]:.0%}" for n in ("calibrated", "first arrival")]
    cells += [f"{results[n][1]:.3f}" for n in RULES] + [f"{results[n][2]:.2f}" for n in RULES]
    return "| " + " | ".join(cells) + " |"


def reliability(found: list[Case]) -> pd.DataFrame:
    """Mean share, how often the asset was the source, and number, by class of share."""
    share = np.concatenate([source.softmax(c.features) for c in found])
    hit = np.concatenate([np.arange(len(c.arrivals)) == c.truth for c in found]).astype(float)
    table = pd.DataFrame({"share": share, "source": hit, "class": np.digitize(share, EDGES)})
    out = table.groupby("class").agg(share=("share", "mean"), source=("source", "mean"), assets=("share", "size"))
    return out.assign(error=np.sqrt(out["source"] * (1 - out["source"]) / out["assets"]))


def draw(tables: dict[str, pd.DataFrame]) -> None:
    """The reliability diagram."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "drainstats"}):
        figure = Figure(figsize=(5.2, 4.6), layout="constrained")
        ax = figure.subplots()
        ax.plot([0, 1], [0, 1], color="0.7", lw=1)
        for name, table in tables.items():
            ax.errorbar(
                table["share"], table["source"], 2 * table["error"], fmt="o-", ms=4, lw=1, capsize=2, label=name
            )
        ax.set_xlabel("share of being the source")
        ax.set_ylabel("how often it was the source")
        ax.legend(frameon=False)
        figure.savefig(FIGURE, metadata={"Date": None})


HEADS = (
    "family | evidence | alarms | named | right where named | top-1 | top-1 of first arrival | Brier | of first arrival"
    " | of uniform | log score | of first arrival | of uniform"
)
TEXT = """# How good the shares of being the source are

The two coefficients of `drainstats.episodes.detection.source` were estimated on {alarms} alarms in {markets} planted
markets of the family "{calibration}" (book depth and price ranges together): {a:.2f} ± {a_se:.2f} for the head start,
{b:.2f} ± {b_se:.2f} for the size. All other rows are families that they have not seen; "endogenous" are markets of
margin accounts and makers in minutes, whose source is measured. Lags of 0 to 3 bars between the source and the first of
the others, rises of 1 to 3 bars, 6 to 15 assets; the source keeps 15 to 100 % of the depth that the others keep. Made
by `python docs/make_source_table.py`.

"Named": share of the alarms with `source_identified`. "First arrival" gives those that arrived first equal shares. The
Brier score is summed over assets (0 is perfect, uniform shares score about .9), the log score is −ln of the share of
the true source.

{table}

## Reliability

Of the assets with a share in a class, how often was the asset the source? Mean share, frequency and number of assets:
before the stroke the planted families but "{calibration}", after it "endogenous".

{reliability}

![Reliability of the shares](figures/source_reliability.svg)

The shares are what these simulators make of them. A market in which news reaches a bystander before the source would
fool them, and so does a bad reading in the bars before the onset, as far as the caps allow.
"""


def page() -> str:
    """The text of ``source_tables.md``; draws the figure."""
    found = {f: cases(f, planted(f)) for f in ds.simulate.FAMILIES}
    found["endogenous"] = cases("endogenous", endogenous(), min_baseline=60, clock_within="12h")
    fit = estimate(found[CALIBRATION])
    error = np.sqrt(np.diag(fit.hess_inv))
    print("COEFFICIENTS", np.round(fit.x, 2), "standard errors", np.round(error, 2))
    rows = [
        score_row(family + (" (calibration)" if family == CALIBRATION else ""), evidence, some)
        for family, every in found.items()
        for evidence in EVIDENCE
        if (some := [c for c in every if c.evidence == evidence])
    ]
    others = [c for f, every in found.items() if f not in (CALIBRATION, "endogenous") for c in every]
    tables = {"other planted families": reliability(others), "endogenous": reliability(found["endogenous"])}
    draw(tables)
    lines = ["| share | was the source | assets |", "| --- " * 3 + "|"]
    left, right = tables.values()
    for k in left.index.union(right.index):
        pair = [t.loc[k] if k in t.index else None for t in (left, right)]
        cell = [" / ".join("–" if p is None else f"{p[c]:{form}}" for p in pair) for c, form in
                (("share", ".2f"), ("source", ".2f"), ("assets", ".0f"))]  # fmt: skip
        lines.append("| " + " | ".join(cell) + " |")
    return TEXT.format(
        alarms=len(found[CALIBRATION]), markets=MARKETS, calibration=CALIBRATION,
        a=fit.x[0], b=fit.x[1], a_se=error[0], b_se=error[1],
        table="\n".join([f"| {HEADS} |", "| --- " * 13 + "|", *rows]), reliability="\n".join(lines),
    )  # fmt: skip


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
