"""Rolling 21-row EDGE on a panel against ``bidask``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from harness import race

import drainstats as ds


def bars(assets: int, rows: int) -> dict[str, pd.DataFrame]:
    """Random walks with a bid-ask bounce, five prints a bar."""
    rng = np.random.default_rng(0)
    path = np.cumsum(rng.normal(0, 0.005, (rows * 5, assets)), axis=0) + 0.005 * rng.choice([-1, 1], (rows * 5, assets))
    path = np.exp(path).reshape(rows, 5, assets)
    parts = {"open": path[:, 0], "high": path.max(axis=1), "low": path.min(axis=1), "close": path[:, -1]}
    return {k: pd.DataFrame(v) for k, v in parts.items()}


def races(quick: bool = False) -> list[dict[str, Any]]:
    """EDGE against the rolling version of ``bidask`` in a loop over assets, and against its one-window function."""
    from bidask import edge, edge_rolling

    assets, rows, window = (20, 500, 21) if quick else (500, 5000, 21)
    data = bars(assets, rows)
    frames = [pd.DataFrame({k: v[a] for k, v in data.items()}) for a in range(assets)]

    def ours() -> Any:
        return ds.measures.edge(*data.values(), window=window)

    def rolling() -> Any:
        return [edge_rolling(f, window=window, sign=True) for f in frames]

    first = [v[:, 0] for v in (t.to_numpy() for t in data.values())]

    def one_window() -> Any:
        return [edge(*(v[t - window : t] for v in first), sign=True) for t in range(window, window + 200)]

    def ours_part() -> Any:
        return ds.measures.edge(*(v[: window + 199] for v in first), window=window)

    flops = 60 * assets * rows * (window - 1)
    limit = f"about {flops / 1e9:.1f} Gflop of dependent arithmetic: {flops / 8e9:.2f} s at 8 Gflop/s on one core"
    size = f"{assets} assets × {rows} rows, window {window}"
    return [
        *race(f"rolling EDGE, {size}", ours, {"bidask.edge_rolling": rolling}, repeats=3, limit=limit),
        *race("EDGE, 200 windows of one asset", ours_part, {"bidask.edge per window": one_window}, repeats=3),
    ]
