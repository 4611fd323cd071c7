"""DCC of large panels by composite likelihood: full fits against multigarch, and what our own sizes take.

Both optima are judged by one objective, ours: the likelihood of the margins plus the sum over adjacent pairs, with the
peer's parameters put into it beside ours. Peak resident memory is that of a fresh process that fits once.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from harness import not_run, race
from race_dcc import simulate

import drainstats as ds
from drainstats.models.coliquidity.large.composite_search import Pairs

SIZE = (500, 1250)
# Assets, pairs, with standard errors and accessors.
OWN = ((100, "all"), (500, "adjacent"), (2000, "adjacent"))
PROGRAM = """
import resource, sys
sys.path.insert(0, {here!r})
from race_composite import factor_panel
y = factor_panel({N}, {T})
import drainstats as ds
{code}
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
USE = (
    "res.std_errors, res.last, res.pair(0, 1), res.average_correlation, "
    "res.portfolio_volatility([1.0] * len(res.columns))"
)


def factor_panel(N: int, T: int, seed: int = 0) -> np.ndarray:
    """Percent returns (T, N) of one factor whose variance moves, with GARCH margins; any N at once."""
    rng = np.random.default_rng(seed)
    loading, factor = rng.uniform(0.4, 0.8, N), rng.standard_normal(T + 300)
    level, h, y = 1.0, np.ones(N), np.empty((T + 300, N))
    for t in range(T + 300):
        common = np.sqrt(level) * factor[t]
        z = (loading * common + np.sqrt(1.0 - loading**2) * rng.standard_normal(N)) / np.sqrt(
            1.0 + loading**2 * (level - 1.0)
        )
        y[t] = 0.05 + np.sqrt(h) * z
        h = 0.05 + 0.08 * h * z**2 + 0.87 * h
        level = 0.05 + 0.10 * common**2 + 0.85 * level
    return y[300:]


def peak_resident(code: str, N: int, T: int) -> float:
    """MB at the peak of a fresh process that makes the panel and runs ``code`` on it."""
    program = PROGRAM.format(here=os.path.dirname(os.path.abspath(__file__)), N=N, T=T, code=code)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def objective(res: Any, margins: np.ndarray, psi: np.ndarray) -> float:
    """Our composite log-likelihood at anyone's parameters: ``margins`` (N, 4) mu, omega, alpha, beta, ``psi`` a, b."""
    fits = tuple(
        replace(f, theta=np.array([(m - f.shift) / f.scale, w / f.scale**2, a, b]))
        for f, (m, w, a, b) in zip(res.margins.fits, margins, strict=True)
    )
    moved = replace(res.margins, fits=fits)
    z = moved.std_resid_values
    scaled = z / np.sqrt((z**2).mean(axis=0))
    level = (scaled[:, res.first] * scaled[:, res.second]).mean(axis=0)
    pairs = Pairs(z, res.first, res.second, level)
    return moved.gaussian_loglikelihood + float(pairs.likelihood(res.spec.weights(psi), derive=False)[0].sum())


def _multigarch(y: np.ndarray) -> Callable[[], Any]:
    import multigarch

    return lambda: multigarch.DCC(mean="constant", method="cl", n_jobs=1, low_memory=True).fit(y)


def _against_multigarch(N: int, T: int) -> list[dict[str, Any]]:
    name = f"composite DCC fit, adjacent pairs, N={N}, T={T}, without standard errors"
    y, spec = simulate(N, T), ds.CompositeDCC()
    try:
        theirs = _multigarch(y)
        peer, res = theirs(), spec.fit(y)
        rows = np.array([[g.mu, g.omega, *np.atleast_1d(g.alpha), *np.atleast_1d(g.beta)] for g in peer.garch_models])
        gap = objective(res, _rows(res), res.params.to_numpy()[-2:]) - objective(res, rows, np.array([peer.a, peer.b]))
        peak = peak_resident("res = ds.CompositeDCC().fit(y)", N, T)
    except Exception as error:
        return [not_run(name, "multigarch", error)]
    note = (
        f"composite log-likelihood ours − theirs, in one objective: {gap:+.4f}; our peak resident memory {peak:.0f} MB"
    )
    return race(name, lambda: spec.fit(y), {"multigarch": theirs}, repeats=3, note=note)


def _rows(res: Any) -> np.ndarray:
    return np.asarray(res.margins.params).reshape(-1, 4)


def _own(N: int, T: int, pairs: str) -> dict[str, Any]:
    """Our own times at one size; there is no peer with standard errors."""
    y = factor_panel(N, T)
    began = time.process_time()
    res = ds.CompositeDCC(pairs=pairs).fit(y)
    fitted = time.process_time()
    _ = res.std_errors
    errors = time.process_time()
    _ = res.last, res.average_correlation, res.portfolio_volatility(np.full(N, 1.0 / N))
    used = time.process_time()
    peak = peak_resident(f"res = ds.CompositeDCC(pairs={pairs!r}).fit(y); {USE}", N, T)
    note = (
        f"{len(res.level)} pairs; then standard errors {errors - fitted:.2f} s; last matrix, average and a portfolio "
        f"{used - errors:.2f} s; peak resident memory of all {peak:.0f} MB"
    )
    about = {"race": f"composite DCC fit, {pairs} pairs, N={N}, T={T}", "peer": "", "ours_s": fitted - began}
    return about | {"peer_s": None, "ratio": None, "note": note, "limit": "", "repeats": 1}


def races(quick: bool = False) -> list[dict[str, Any]]:
    """The race against multigarch, and our own larger sizes."""
    N, T = (20, 400) if quick else SIZE
    own = ((20, "all"),) if quick else OWN
    return [*_against_multigarch(N, T), *(_own(n, T, pairs) for n, pairs in own)]
