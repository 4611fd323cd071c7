"""Drift bursts by recursive filters against a NumPy loop of the same kernels and lag rule."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from harness import race

import drainstats as ds

STORED = "the authors' R/C++ program, measured earlier on a like machine: 3.22 s on 23 401 prices, 5.36 s on 66 500"
LEAST = "every price is read once and decays 27 sums: about 23 401 x 110 flop = 2.6 Mflop, 0.3 ms at 8 Gflop/s"


def lag_of(r: np.ndarray, n: float) -> int:
    """The automatic lag, each lagged product one dot product."""
    width = int(np.rint(4 * (n / 100) ** 0.16))
    products = np.array([r[j:] @ r[: len(r) - j] if j < len(r) else 0.0 for j in range(width + 2)])
    steps = np.arange(width + 2)
    summed = np.array([np.maximum(steps - i, 0) @ products for i in range(width + 1)])
    i = np.arange(1, width + 1)
    level, bend = summed[0] + 2 * summed[1:].sum(), 2 * (i**2 * summed[1:]).sum()
    return int(min(np.rint(2.6614 * ((bend / level) ** 2 * n) ** 0.2), 20))


def numpy_loop(seconds: np.ndarray, path: np.ndarray, tests: np.ndarray, h: float, narrow: float, k: int) -> np.ndarray:
    """Statistics by sums over all of the past, test by test, vectorised over the past."""
    r, dated = np.diff(path), seconds[:-1]
    weights = np.minimum(np.arange(1, 2 * k), np.arange(2 * k - 1, 0, -1)) / k**2
    averaged = np.concatenate([np.zeros(2 * k - 2), np.convolve(r, weights, "valid")])
    out = np.empty(len(tests))
    for m, (t, stop) in enumerate(zip(tests, np.searchsorted(seconds, tests, side="right"), strict=True)):
        seen = stop - 1
        a = np.exp((dated[:seen] - t) / h)
        z = np.exp((dated[:seen] - t) / narrow) * averaged[:seen]
        lag = lag_of(r[:seen], a.sum()) + 2 * (k - 1)
        x = np.arange(1, lag) / lag
        parzen = np.where(x <= 0.5, 1 - 6 * x**2 + 6 * x**3, 2 * (1 - x) ** 3)
        total = z @ z + 2 * sum(w * (z[j:] @ z[:-j]) for j, w in enumerate(parzen, 1))
        out[m] = np.sqrt(2 * h) * (a @ averaged[:seen] / h) / np.sqrt(2 * total / narrow)
    return out


def cost_of_a_test(history: int, tests: int = 20000) -> float:
    """Microseconds of CPU that one more test costs after ``history`` prices."""
    path = np.cumsum(np.random.default_rng(0).normal(0, 1e-4, history))
    times = np.linspace(history - 1.0, history - 0.5, tests)
    found = []
    for count in (1, tests):
        began = time.process_time()
        ds.drift_burst(path, times[:count])
        found.append(time.process_time() - began)
    return 1e6 * (found[1] - found[0]) / tests


def races(quick: bool = False) -> list[dict[str, Any]]:
    """23 401 seconds and 390 tests, and 66 500 prices with pre-averaging; what a test costs as the history grows."""
    n = 4000 if quick else 23401
    rng = np.random.default_rng(0)
    path, seconds = np.cumsum(rng.normal(0, 0.0065, n)), np.arange(float(n))
    tests = np.arange(60.0, n, 60.0)
    many = 8000 if quick else 66500
    stamps = np.sort(rng.uniform(0, 23400, many))
    ticks, minutes = np.cumsum(rng.normal(0, 0.004, many)), np.arange(120.0, 23401.0, 60.0)

    def ours() -> Any:
        return ds.drift_burst(path, tests, 300, 1500, 1)["statistic"].to_numpy()

    def theirs() -> Any:
        return numpy_loop(seconds, path, tests, 300, 1500, 1)

    def ours_ticks() -> Any:
        return ds.drift_burst(ticks, minutes, times=stamps)["statistic"].to_numpy()

    def theirs_ticks() -> Any:
        return numpy_loop(stamps, ticks, minutes, 300, 900, 5)

    gap = max(np.abs(ours() - theirs()).max(), np.abs(ours_ticks() - theirs_ticks()).max())
    cost_of_a_test(1000)
    costs = ", ".join(f"{cost_of_a_test(h):.2f} µs after {h} prices" for h in (1000, 10000, 100000))
    note = f"largest gap {gap:.0e}; a test costs {costs}; {STORED}"
    repeats = 3
    return [
        *race(f"drift burst, {n} seconds, {len(tests)} tests", ours, {"NumPy loop": theirs}, repeats=repeats,
              limit=LEAST, note=note),
        *race(f"drift burst, {many} ticks, {len(minutes)} tests, pre-averaged", ours_ticks,
              {"NumPy loop": theirs_ticks}, repeats=repeats),
    ]  # fmt: skip
