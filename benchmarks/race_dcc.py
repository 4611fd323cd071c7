"""DCC(1, 1) with GARCH(1, 1) margins: a full fit against multiarch and multigarch, one thread, the same data.

Both optima are judged by one likelihood, ours under the peer's own start-up convention as far as we share it: the
peer's parameters are put into it beside ours, and ours must not be lower.

The bound: a likelihood with its scores factors a correlation matrix a time step, inverts the factor and multiplies the
inverse with itself, N^3 / 3 operations each, T N^3 together. What the machine's own matrix product would need for these
stands beside what ours takes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from harness import not_run, race

import drainstats as ds
from drainstats.models.coliquidity.dcc.search import likelihood
from drainstats.models.coliquidity.margins.search import evaluate

SIZES = ((3, 2500), (10, 2500), (30, 2500), (100, 2500))


def simulate(N: int, T: int, seed: int = 0) -> np.ndarray:
    """Percent returns (T, N) with one common factor in the target, a = 0.03, b = 0.95."""
    rng = np.random.default_rng(seed)
    loading = rng.uniform(0.4, 0.8, N)
    target = np.outer(loading, loading) + np.diag(1.0 - loading**2)
    Q, h, y = target.copy(), np.ones(N), np.empty((T + 300, N))
    for t in range(T + 300):
        scale = np.sqrt(np.diag(Q))
        z = np.linalg.cholesky(Q / np.outer(scale, scale)) @ rng.standard_normal(N)
        y[t] = 0.05 + np.sqrt(h) * z
        h = 0.05 + 0.08 * h * z**2 + 0.87 * h
        Q = 0.02 * target + 0.03 * np.outer(z, z) + 0.95 * Q
    return y[300:]


def joint_loglikelihood(spec: ds.DCC, y: np.ndarray, margins: np.ndarray, psi: np.ndarray) -> float:
    """Our likelihood at anyone's parameters: ``margins`` (N, 4) mu, omega, alpha, beta and ``psi`` = (a, b)."""
    total, z = 0.0, np.empty_like(y)
    for i, theta in enumerate(margins):
        path = evaluate(spec.margins, y[:, i], np.ascontiguousarray(theta), np.nan)
        total += path.loglikelihood
        z[:, i] = (y[:, i] - theta[0]) / np.sqrt(path.h)
    target = spec.target_at(z, psi)
    return total + float(likelihood(spec, z, target, spec.before(z, target, True), psi)[0].sum())


def _ours(y: np.ndarray, spec: ds.DCC, errors: bool) -> Callable[[], Any]:
    def fit() -> Any:
        res = spec.fit(y)
        if errors:
            _ = res.std_errors
        return res

    return fit


def _multiarch(y: np.ndarray, errors: bool) -> Callable[[], Any]:
    import multiarch

    return lambda: multiarch.DCC(y, convention="rmgarch").fit(se="two-step" if errors else None)


def _multigarch(y: np.ndarray, errors: bool) -> Callable[[], Any]:
    import multigarch

    def fit() -> Any:
        res = multigarch.DCC(mean="constant", method="full", n_jobs=1).fit(y)
        if errors:
            _ = res.std_err, [g.std_err for g in res.garch_models]
        return res

    return fit


def _multiarch_parameters(res: Any) -> tuple[np.ndarray, np.ndarray]:
    return np.array(res.uparams), np.asarray(res.corr_params)[:2]


def _multigarch_parameters(res: Any) -> tuple[np.ndarray, np.ndarray]:
    rows = [[g.mu, g.omega, *np.atleast_1d(g.alpha), *np.atleast_1d(g.beta)] for g in res.garch_models]
    return np.array(rows), np.array([res.a, res.b])


def optimum_gap(y: np.ndarray, spec: ds.DCC, ours: Any, margins: np.ndarray, psi: np.ndarray) -> float:
    """Log-likelihood of ours minus that of the peer's parameters, in one likelihood."""
    mine = ours.params.to_numpy()
    at_mine = joint_loglikelihood(spec, y, mine[:-2].reshape(y.shape[1], 4), mine[-2:])
    return at_mine - joint_loglikelihood(spec, y, margins, psi)


def bound(y: np.ndarray, res: Any) -> str:
    """One likelihood with scores against the machine's matrix product at the same number of operations."""
    T, N = y.shape
    z, psi = res.std_resid.to_numpy(), res.params.to_numpy()[-2:]
    before = res.spec.before(z, res.target, False)
    square = np.random.default_rng(0).standard_normal((512, 512))
    rate = 2 * 512**3 / _least(lambda: square @ square)
    ours = _least(lambda: likelihood(res.spec, z, res.target, before, psi))
    return (
        f"one likelihood with scores is T N^3 = {T * N**3 / 1e9:.3g} Gflop, {1e3 * T * N**3 / rate:.2g} ms at the "
        f"{rate / 1e9:.0f} Gflop/s of a matrix product; ours takes {1e3 * ours:.3g} ms, {ours * rate / (T * N**3):.1f} "
        f"times that; the fit took {res.evaluations} of them"
    )


def _least(work: Callable[[], Any], repeats: int = 5) -> float:
    """Least CPU seconds of a few runs."""
    times = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return max(min(times), 1e-9)


PEERS = {"multiarch": (_multiarch, _multiarch_parameters), "multigarch": (_multigarch, _multigarch_parameters)}


def races(quick: bool = False) -> list[dict[str, Any]]:
    """Every race as a record; with standard errors, and at N = 100, only the peers that take seconds, not minutes."""
    out = []
    spec = ds.DCC(convention="rmgarch")
    for N, T in ((3, 600),) if quick else SIZES:
        y = simulate(N, T)
        limit = bound(y, spec.fit(y))
        for peer, (make, read) in PEERS.items():
            if N >= 100 and peer == "multiarch":
                continue
            for mine, its in _cases(N, peer):
                name = f"DCC fit, N={N}, T={T}; ours {_words(mine)}, theirs {_words(its)} standard errors"
                try:
                    theirs = make(y, its)
                    gap = optimum_gap(y, spec, spec.fit(y), *read(theirs()))
                except Exception as error:
                    out.append(not_run(name, peer, error))
                    continue
                note = f"log-likelihood ours − theirs, in one likelihood: {gap:+.4f}"
                repeats = 1 if N >= 100 else 3
                out += race(name, _ours(y, spec, mine), {peer: theirs}, repeats=repeats, limit=limit, note=note)
    return out


def _cases(N: int, peer: str) -> list[tuple[bool, bool]]:
    """Who computes standard errors: pairs (ours, theirs)."""
    if N >= 100:
        return [(True, False)]
    return [(False, False), (True, False)] + [(True, True)] * (peer == "multigarch" or N <= 10)


def _words(errors: bool) -> str:
    return "with" if errors else "without"
