"""Rolling regressions and friction measures against pandas, polars, statsmodels and SciPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from harness import race

import drainstats as ds

WINDOW = 21


def market(assets: int, rows: int) -> dict[str, pd.DataFrame]:
    """Prices on a grid of one cent, so that a fifth of the returns is zero, traded values and signed volumes."""
    rng = np.random.default_rng(0)
    flow = 1000 * rng.standard_t(4, (rows, assets))
    path = 20 + np.cumsum(4e-6 * flow + rng.normal(0, 0.015, (rows, assets)), axis=0)
    close = np.round(np.maximum(path, 1.0), 2)
    value = np.exp(rng.normal(14, 0.5, (rows, assets)))
    return {"close": pd.DataFrame(close), "value": pd.DataFrame(value), "flow": pd.DataFrame(flow)}


def pandas_kyle(close: pd.DataFrame, flow: pd.DataFrame) -> pd.DataFrame:
    """Covariance over variance, running sums."""
    flow = flow.iloc[1:]
    return close.diff().iloc[1:].rolling(WINDOW - 1).cov(flow, pairwise=False) / flow.rolling(WINDOW - 1).var()


def pandas_reversal(close: pd.DataFrame, value: pd.DataFrame) -> pd.DataFrame:
    """The second slope of two regressors from five rolling covariances."""
    r = np.log(close).diff()
    a, b = r.shift(), (np.sign(r) * value).shift()
    y, a, b = r.iloc[2:], a.iloc[2:], b.iloc[2:]

    def cov(p: pd.DataFrame, q: pd.DataFrame) -> pd.DataFrame:
        return p.rolling(WINDOW - 2).cov(q, pairwise=False)

    aa, bb, ab = a.rolling(WINDOW - 2).var(), b.rolling(WINDOW - 2).var(), cov(a, b)
    return (cov(b, y) * aa - cov(a, y) * ab) / (aa * bb - ab**2)


def pandas_zeros(close: pd.DataFrame) -> pd.DataFrame:
    """Rolling mean of what is zero."""
    return (close.diff().iloc[1:] == 0).astype(float).rolling(WINDOW - 1).mean()


def pandas_fht(close: pd.DataFrame) -> pd.DataFrame:
    """Rolling mean and standard deviation."""
    from scipy.special import ndtri

    r = np.log(close).diff().iloc[1:]
    return 2 * r.rolling(WINDOW - 1).std() * ndtri((1 + (r == 0).astype(float).rolling(WINDOW - 1).mean()) / 2)


def polars_kyle(close: Any, flow: Any) -> Any:
    """``pl.rolling_cov`` over ``rolling_var``, a column an asset."""
    import polars as pl

    both = close.select(pl.all().diff()).rename({c: f"y{c}" for c in close.columns}).hstack(flow)
    return both.select(
        pl.rolling_cov(f"y{c}", c, window_size=WINDOW - 1) / pl.col(c).rolling_var(WINDOW - 1) for c in close.columns
    )


def polars_zeros(close: Any) -> Any:
    """Rolling mean of what is zero."""
    import polars as pl

    return close.select((pl.all().diff() == 0).cast(pl.Float64).rolling_mean(WINDOW - 1))


def friction_windows(windows: int) -> tuple[np.ndarray, np.ndarray]:
    """Prices seen through the friction model, and the market's."""
    rng = np.random.default_rng(1)
    m = rng.normal(0, 0.01, 250 + windows)
    true = 0.8 * m + rng.normal(0, 0.02, len(m))
    seen = np.where(true < -0.01, true + 0.01, np.where(true > 0.015, true - 0.015, 0.0))
    price = np.full(len(m) + 1, 100.0)
    for t, r in enumerate(seen):
        price[t + 1] = price[t] if r == 0 else price[t] * np.exp(r)
    return price[:-1], 100 * np.exp(np.r_[0, m.cumsum()])[:-1]


def scipy_lot(close: np.ndarray, market: np.ndarray) -> list[float]:
    """The published likelihood, window by window, by BFGS with numerical derivatives."""
    from scipy.optimize import minimize
    from scipy.stats import norm

    def negative(q: np.ndarray, r: np.ndarray, m: np.ndarray) -> float:
        low, high, beta, log_sigma = q
        sigma, zero, up, down = np.exp(log_sigma), r == 0, r > 0, r < 0
        inside = norm.cdf((high - beta * m[zero]) / sigma) - norm.cdf((low - beta * m[zero]) / sigma)
        moved = norm.logpdf((r[up] + high - beta * m[up]) / sigma).sum()
        moved += norm.logpdf((r[down] + low - beta * m[down]) / sigma).sum()
        return float(-(moved - log_sigma * (up.sum() + down.sum()) + np.log(np.maximum(inside, 1e-300)).sum()))

    r, m = np.diff(np.log(close)), np.diff(np.log(market))
    found = []
    for t in range(249, len(r) + 1):
        part = (r[t - 249 : t], m[t - 249 : t])
        low, high, *_ = minimize(negative, [-0.01, 0.01, 0.5, np.log(part[0].std())], args=part).x
        found.append(high - low)
    return found


def races(quick: bool = False) -> list[dict[str, Any]]:
    """Kyle, reversal, zeros and FHT on a panel; a regression with errors and LOT on a few windows."""
    import polars as pl
    from statsmodels.api import add_constant
    from statsmodels.regression.rolling import RollingOLS

    assets, rows = (20, 500) if quick else (500, 5000)
    data = market(assets, rows)
    close, value, flow = data.values()
    wide = {k: pl.DataFrame({str(c): v[c].to_numpy() for c in v}) for k, v in data.items()}
    M, size = ds.measures, f"{assets} assets × {rows} rows, window {WINDOW}"
    anew = "ours sums each window anew (no drift, gaps drop out), running sums do not"
    one = rows if quick else 2000
    y, x = close[0].diff().iloc[1:one], flow[0].iloc[1:one]

    def ours_errors() -> Any:
        return M.rolling_regression(y, {"x": x}, WINDOW, errors="hc1")

    def theirs_errors() -> Any:
        return RollingOLS(y, add_constant(x), window=WINDOW).fit(cov_type="HC0").bse

    windows = 5 if quick else 20
    prices = friction_windows(windows)
    return [
        *race(
            f"Kyle lambda, {size}", lambda: M.kyle_lambda(close, flow, WINDOW),
            {"pandas": lambda: pandas_kyle(close, flow), "polars": lambda: polars_kyle(wide["close"], wide["flow"])},
            repeats=3, note=anew,
        ),
        *race(
            f"Pastor-Stambaugh gamma, {size}", lambda: M.pastor_stambaugh(close, value, window=WINDOW),
            {"pandas": lambda: pandas_reversal(close, value)}, repeats=3, note=anew,
        ),
        *race(
            f"zero returns, {size}", lambda: M.zero_returns(close, window=WINDOW),
            {"pandas": lambda: pandas_zeros(close), "polars": lambda: polars_zeros(wide["close"])}, repeats=3,
        ),
        *race(f"FHT, {size}", lambda: M.fht(close, WINDOW), {"pandas": lambda: pandas_fht(close)}, repeats=3),
        *race(f"rolling regression with White errors, one asset × {one} rows", ours_errors,
              {"statsmodels.RollingOLS": theirs_errors}, repeats=3),
        *race(f"LOT, {windows} windows of 250 rows", lambda: M.lot(*prices, window=250),
              {"scipy.optimize": lambda: scipy_lot(*prices)}, repeats=3),
    ]  # fmt: skip
