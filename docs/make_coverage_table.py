"""Simulate the intervals of DCC and its margins and write how often they hold the truth to ``docs/coverage.md``.

Run ``python docs/make_coverage_table.py``; the seeds are fixed, so that the same rates come out (about an hour of one
processor). ``python docs/make_coverage_table.py 10`` shows the rates of the first ten samples of every design instead.
"""

from __future__ import annotations

import pathlib
import sys
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

import drainstats as ds
from drainstats.parallel import pmap

SEED = 5000
PAGE = pathlib.Path(__file__).with_name("coverage.md")
MARGIN = {"omega": 0.05, "alpha1": 0.08, "beta1": 0.87}
# What each column asks ``conf_int`` for.
WAYS = {
    "Wald": {},
    "two-step": {"errors": "two_step"},
    "HAC": {"hac": "auto"},
    "transformed": {"method": "transformed"},
    "profile": {"method": "profile"},
}


@dataclass(frozen=True)
class Design:
    """DCC(a, b) about correlations of .4, GARCH(1, 1) margins, normal shocks; ``draws`` samples."""

    assets: int
    rows: int
    a: float
    b: float
    draws: int

    @property
    def truth(self) -> pd.Series:
        """Parameters that the table follows: of the correlation, and of the first margin."""
        return pd.Series({"a1": self.a, "b1": self.b} | {f"0.{name}": value for name, value in MARGIN.items()})


DESIGNS = [
    Design(3, 1000, 0.05, 0.90, 400),
    Design(10, 1000, 0.05, 0.90, 400),
    Design(3, 2500, 0.05, 0.90, 400),
    Design(10, 2500, 0.05, 0.90, 300),
    Design(3, 1000, 0.02, 0.96, 400),
    Design(10, 1000, 0.02, 0.96, 300),
    Design(3, 2500, 0.02, 0.96, 400),
    Design(10, 2500, 0.02, 0.96, 300),
]


def draw(design: Design, seed: int, burn: int = 300) -> np.ndarray:
    """One sample (T, N)."""
    T, N, a, b = design.rows + burn, design.assets, design.a, design.b
    shocks = np.random.default_rng(seed).standard_normal((T, N))
    target = np.full((N, N), 0.4) + 0.6 * np.eye(N)
    Q, y = target.copy(), np.empty((T, N))
    h = np.full(N, MARGIN["omega"] / (1.0 - MARGIN["alpha1"] - MARGIN["beta1"]))
    for t in range(T):
        scale = np.sqrt(np.diag(Q))
        z = np.linalg.cholesky(Q / np.outer(scale, scale)) @ shocks[t]
        y[t] = np.sqrt(h) * z
        h = MARGIN["omega"] + MARGIN["alpha1"] * y[t] ** 2 + MARGIN["beta1"] * h
        Q = (1.0 - a - b) * target + a * np.outer(z, z) + b * Q
    return y[burn:]


def one(design: Design, seed: int) -> pd.DataFrame:
    """Estimates, and a column a way: whether its 95 % interval holds the truth (NaN: it has none)."""
    fit, truth = ds.DCC().fit(draw(design, seed)), design.truth
    out = pd.DataFrame({"estimate": fit.params[truth.index]})
    for name, choice in WAYS.items():
        ends = fit.conf_int(0.95, **choice)
        here = ends.reindex(truth.index)
        inside = ((here["lower"] <= truth) & (truth <= here["upper"])).astype(float)
        # A margin has no profile; an estimate on a bound has no interval, which is a miss.
        out[name] = inside.where(truth.index.isin(ends.index))
    return out


def rates(design: Design) -> pd.DataFrame:
    """One row a parameter: bias, RMSE, and how often each interval holds the truth."""
    found = pmap(partial(one, design), range(SEED, SEED + design.draws))
    error = pd.DataFrame([table["estimate"] - design.truth for table in found])
    out = pd.DataFrame({"bias": error.mean(), "RMSE": np.sqrt((error**2).mean())})
    for name in WAYS:
        out[name] = pd.DataFrame([table[name] for table in found]).mean()
    return out


def lines(design: Design, table: pd.DataFrame) -> list[str]:
    """The Markdown rows of one design."""
    out = []
    for name, row in table.iterrows():
        head = [str(design.assets), str(design.rows), f"{design.a:g}, {design.b:g}", str(design.draws), str(name)]
        cells = ["-" if np.isnan(row[way]) else f"{100.0 * row[way]:.1f}" for way in WAYS]
        out.append("| " + " | ".join([*head, f"{row['bias']:.4f}", f"{row['RMSE']:.4f}", *cells]) + " |")
    return out


TEXT = """# How often the intervals of DCC hold the truth

Shares of samples, in percent, whose 95 % interval holds the parameter; seed {seed}. The binomial standard error at 95 %
is 1.1 for 400 samples, 1.3 for 300. DCC(1, 1) about correlations of 0.4, GARCH(1, 1) margins with a constant mean
(omega 0.05, alpha 0.08, beta 0.87; the first one's rows), normal shocks. Made by `python docs/make_coverage_table.py`.

"Wald" is `conf_int()`: three-step errors. "Two-step" leaves out the target's own sampling error, "HAC" counts serial
dependence (`hac="auto"`). "Transformed" is on the logit or logarithm, "profile" by the likelihood ratio; both with
three-step errors.

{table}

What it says:

- With a = 0.05, b = 0.90 every interval holds 88 to 97 % at T = 1000 and 91 to 98 % at T = 2500.
- For a and for the margins take "transformed": at T = 1000 Wald's intervals of a and alpha are some points short. For b
  take Wald's: its estimate is too low, and the transformed and the profile interval reach down where it needs to reach
  up.
- That bias is no matter of the errors: with ten assets 45 estimated correlations of the target stand behind two
  parameters. Where they move slowly (b = 0.96) it is larger than a standard error at T = 1000 (83 %) and half of one at
  T = 2500 (90 %), and no interval about the estimate repairs it. `ds.bootstrap(res).conf_int(method="normal")` takes it
  out; `method="percentile"` counts it twice.
- Two or three steps, with or without HAC: the same within 1.5 points. With ten assets three-step errors of a are 6 %
  smaller than two-step errors, and equal to the spread of the estimates.
"""


def page() -> str:
    """The text of ``coverage.md``."""
    heads = ["assets", "rows", "a, b", "samples", "parameter", "bias", "RMSE", *WAYS]
    table = ["| " + " | ".join(heads) + " |", "| --- " * len(heads) + "|"]
    for design in DESIGNS:
        table += lines(design, rates(design))
    return TEXT.format(seed=SEED, table="\n".join(table))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        for few in (Design(d.assets, d.rows, d.a, d.b, int(sys.argv[1])) for d in DESIGNS):
            print("\n".join(lines(few, rates(few))), flush=True)
    else:
        PAGE.write_text(page(), encoding="utf-8")
