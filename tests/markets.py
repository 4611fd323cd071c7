"""Small simulated markets with known truth, for tests."""

from __future__ import annotations

import numpy as np
import pandas as pd

from drainstats.panel.panel import LiquidityPanel


def calm_log_illiquidity(rng, rows, assets, *, persistence=0.7, common=0.5):
    """(rows, assets) log illiquidity: a common AR(1) factor plus own AR(1) parts, unit variance, t6 shocks."""
    shocks = rng.standard_t(6, (rows + 200, assets + 1)) * np.sqrt(4 / 6) * np.sqrt(1 - persistence**2)
    for t in range(1, len(shocks)):
        shocks[t] += persistence * shocks[t - 1]
    paths = shocks[200:]
    return np.sqrt(common) * paths[:, :1] + np.sqrt(1 - common) * paths[:, 1:]


def plant(paths, onset, *, members=None, size=6.0, half_life=3.0, lead=None):
    """Add a jump of ``size`` at ``onset`` that halves every ``half_life`` rows; ``lead`` = (asset, rows before)."""
    out = paths.copy()
    after = np.arange(len(out) - onset)
    decay = size * 0.5 ** (after / half_life)
    columns = np.arange(out.shape[1]) if members is None else np.asarray(members)
    out[onset:, columns] += decay[:, None]
    if lead is not None:
        asset, rows = lead
        out[onset - rows : onset, asset] += size
    return out


def illiquidity_frame(log_paths, start="2018-01-01", freq="D", scale=0.4):
    """A positive illiquidity table with names A0, A1, …"""
    index = pd.date_range(start, periods=len(log_paths), freq=freq, tz="UTC", name="time")
    return pd.DataFrame(
        0.01 * np.exp(scale * log_paths), index=index, columns=[f"A{i}" for i in range(log_paths.shape[1])]
    )


def panel_from_ranges(frame, rng, clock=None, volume=1e6):
    """Bars whose log range is the table's illiquidity, with a random walk for the close."""
    bars = {}
    for name in frame:
        close = 100 * np.exp(np.cumsum(rng.normal(0, 0.005, len(frame))))
        high = close * np.exp(0.5 * frame[name].to_numpy())
        low = close * np.exp(-0.5 * frame[name].to_numpy())
        bars[name] = pd.DataFrame(
            {"open": close, "high": high, "low": low, "close": close, "volume": volume / close}, index=frame.index
        )
    return LiquidityPanel.from_bars(bars, clock)
