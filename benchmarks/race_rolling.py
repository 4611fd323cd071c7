"""Five hundred rolling refits of DCC on ten assets: ours run each fit forward too, the peer's only fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from harness import race
from race_dcc import simulate

import drainstats as ds


def _multigarch(y: np.ndarray, window: int, refits: int) -> Callable[[], Any]:
    import multigarch

    def run() -> list[Any]:
        model = multigarch.DCC(mean="constant", method="full", n_jobs=1)
        return [model.fit(y[k : k + window]) for k in range(refits)]

    return run


def races(quick: bool = False) -> list[dict[str, Any]]:
    """One record: a refit a row, window 1000."""
    N, window, refits = (3, 200, 5) if quick else (10, 1000, 500)
    y = simulate(N, window + refits)
    spec = ds.DCC(convention="rmgarch")
    rolled = ds.rolling_fits(spec, y, window=window, every=1)
    note = f"{int(rolled.fits['converged'].sum())} of ours converged; without standard errors"
    name = f"rolling DCC, {refits} refits, N={N}, window {window}"
    ours = lambda: ds.rolling_fits(spec, y, window=window, every=1)  # noqa: E731
    return race(name, ours, {"multigarch": _multigarch(y, window, refits)}, repeats=1, note=note)
