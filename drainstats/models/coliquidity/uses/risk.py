"""What may a portfolio lose tomorrow, and what does it cost to leave when everything is illiquid at once?

    loss[t] = -w' y[t],   sigma[t]^2 = w' H[t] w
    VaR[t] = -w' mu[t] + q sigma[t],   ES[t] = -w' mu[t] + m sigma[t]

q and m are the quantile and the mean beyond it of the standardised loss: normal, standardised t, or those of the
portfolio's own past (filtered historical simulation: Barone-Adesi, Giannopoulos and Vosper, 1999, Journal of Futures
Markets 19, 583-602). Tests of the hits: Kupiec (1995), Journal of Derivatives 3, 73-84; Christoffersen (1998),
International Economic Review 39, 841-862; of the losses beyond: McNeil and Frey (2000), Journal of Empirical Finance 7,
271-300. The cost of leaving is drawn jointly with returns from a model that holds both, so that its rise in the same
hour as the loss is counted; Bangia, Diebold, Schuermann and Stroughair (1999) add two worst cases instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, check_number, check_option, check_whole, require_extra
from drainstats.models.coliquidity.correlation import correlation_root
from drainstats.typing import FloatArray


@dataclass(frozen=True, eq=False)
class PortfolioRisk:
    """Value at risk and expected shortfall of a portfolio along time, as positive losses in units of the data.

    Attributes
    ----------
    table : frame with ``volatility``, ``var``, ``es``, ``loss`` (what happened); the first three use rows before t.
    level : float, e.g. 0.99.
    method : "normal", "t" or "historical".
    weights : Series.
    """

    table: pd.DataFrame
    level: float
    method: str
    weights: pd.Series

    @property
    def hits(self) -> pd.Series:
        """Rows whose loss exceeded the value at risk."""
        return pd.Series(self.table["loss"] > self.table["var"], name="hit")

    def backtest(self) -> pd.DataFrame:
        """Three tests: frame indexed by test with ``statistic``, ``p_value``, ``null``.

        "kupiec": the share of hits is 1 - level, chi2(1). "christoffersen": hits do not come in runs, chi2(1).
        "mcneil_frey": losses beyond the VaR exceed the ES by zero on average, in units of volatility, normal.
        """
        from scipy.special import chdtrc, ndtr

        there = self.table.dropna()
        hits = (there["loss"] > there["var"]).to_numpy()
        coverage, runs = _kupiec(hits, 1.0 - self.level), _christoffersen(hits)
        beyond = ((there["loss"] - there["es"]) / there["volatility"]).to_numpy()[hits]
        excess = float(beyond.mean() / (beyond.std(ddof=1) / np.sqrt(len(beyond)))) if len(beyond) > 2 else np.nan
        rows = {
            "kupiec": (coverage, float(chdtrc(1, coverage)), f"a share of {1.0 - self.level:g} exceeds the VaR"),
            "christoffersen": (runs, float(chdtrc(1, runs)), "a hit does not depend on the hit before"),
            "mcneil_frey": (excess, float(2.0 * ndtr(-abs(excess))), "losses beyond the VaR average the ES"),
        }
        return pd.DataFrame.from_dict(rows, orient="index", columns=["statistic", "p_value", "null"]).rename_axis(
            "test"
        )

    def __repr__(self) -> str:
        hits = self.hits[self.table["var"].notna()]
        last = self.table.iloc[-1]
        return (
            f"<PortfolioRisk at {self.level:g}, {self.method}: {len(self.weights)} assets, {len(hits)} rows, "
            f"{int(hits.sum())} hits ({(1.0 - self.level) * len(hits):.1f} expected), "
            f"last VaR {last['var']:.4g}, ES {last['es']:.4g}>"
        )

    def plot(self, ax: Any = None) -> Any:
        """Losses, VaR and ES along time, hits marked; returns the axes."""
        ax = require_extra("matplotlib.pyplot", "plot").subplots()[1] if ax is None else ax
        index, hits = self.table.index, self.hits
        ax.plot(index, self.table["loss"].to_numpy(), color="0.7", lw=0.6, label="loss")
        ax.plot(index, self.table["var"].to_numpy(), lw=0.9, label=f"VaR {self.level:g}")
        ax.plot(index, self.table["es"].to_numpy(), lw=0.9, label="ES")
        ax.plot(index[hits], self.table["loss"].to_numpy()[hits], "r.", ms=4, label="hits")
        ax.legend()
        return ax


def portfolio_risk(
    res: Any,
    weights: Any,
    level: float = 0.99,
    method: Literal["normal", "t", "historical"] = "historical",
    nu: float | None = None,
) -> PortfolioRisk:
    """One-step value at risk and expected shortfall from a model of covariances.

    Parameters
    ----------
    res : result of `DCC`, `CCC`, `DECO` ... on returns, fitted or (for figures that were knowable) filtered.
    weights : (N,) or Series or mapping by asset
        Values held, in money or as shares; losses come out in the same unit times the unit of the returns.
    level : float, default 0.99
        Between 0.5 and 1.
    method : {"normal", "t", "historical"}, default "historical"
        "historical" takes the quantile of the portfolio's standardised losses over the sample of the *fit*: on a
        filtered result that is the past.
    nu : float, optional
        Degrees of freedom for "t", above 2; default: the model's own ``nu``.

    Returns
    -------
    PortfolioRisk

    Raises
    ------
    OptionError
        A level outside (0.5, 1); "t" without degrees of freedom.
    DataError
        Weights of other assets, not finite, or all zero.

    Examples
    --------
    >>> import numpy as np, drainstats as ds
    >>> y = np.random.default_rng(0).standard_normal((500, 2)) @ np.array([[1.0, 0.5], [0.0, 1.0]])
    >>> risk = portfolio_risk(ds.DCC(margins=ds.GARCH(mean="zero")).fit(y), [0.5, 0.5], level=0.95)
    >>> int(risk.hits.sum())
    25
    """
    check_option("method", method, ["normal", "t", "historical"])
    if not 0.5 < level < 1.0:
        raise OptionError(f"level={level!r} must lie between 0.5 and 1; 0.99 is one loss in a hundred.")
    w = _held(res, weights)
    loss, mean, volatility = _portfolio(res, w)
    past = res if res.margins.origin is None else res.origin
    own = _portfolio(past, w) if method == "historical" else (loss, mean, volatility)
    quantile, tail = _tail(method, level, _degrees(res, nu, method), (own[0] - own[1]) / own[2])
    table = {
        "volatility": volatility,
        "var": mean + quantile * volatility,
        "es": mean + tail * volatility,
        "loss": loss,
    }
    return PortfolioRisk(pd.DataFrame(table, index=res.index), level, method, w)


def _held(res: Any, weights: Any) -> pd.Series:
    w = pd.Series(res._weights(weights), index=res.columns, name="weight")
    if not w.any():
        raise DataError("weights are all zero: nothing is held.")
    return w


def _portfolio(res: Any, w: pd.Series) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Loss, expected loss and volatility of the portfolio (T,)."""
    y, volatility = res.margins.y, res.conditional_volatility.to_numpy()
    mean = y - volatility * res.std_resid.to_numpy()
    held = w.to_numpy()
    return -(y @ held), -(mean @ held), res.portfolio_volatility(w).to_numpy()


def _degrees(res: Any, nu: float | None, method: str) -> float:
    if method != "t":
        return np.inf
    if nu is None and "nu" not in res.params.index:
        raise OptionError('method="t" needs degrees of freedom: fit the model with dist="t" or give nu.')
    value = float(res.params["nu"] if nu is None else nu)
    check_number("nu", value, 2.0)
    return value


def _tail(method: str, level: float, nu: float, past: FloatArray) -> tuple[float, float]:
    """Quantile of the standardised loss and its mean beyond."""
    from scipy import stats

    if method == "historical":
        past = past[np.isfinite(past)]
        if len(past) * (1.0 - level) < 2.0:
            raise DataError(
                f"{len(past)} rows of the fit hold fewer than two losses beyond {level:g}; use another method."
            )
        quantile = float(np.quantile(past, level))
        return quantile, float(past[past >= quantile].mean())
    if method == "normal":
        quantile = float(stats.norm.ppf(level))
        return quantile, float(stats.norm.pdf(quantile) / (1.0 - level))
    scale = np.sqrt((nu - 2.0) / nu)
    x = float(stats.t.ppf(level, nu))
    return scale * x, float(scale * stats.t.pdf(x, nu) / (1.0 - level) * (nu + x**2) / (nu - 1.0))


def _log_or_zero(count: float, share: float) -> float:
    return count * np.log(share) if count > 0 else 0.0


def _kupiec(hits: Any, share: float) -> float:
    n, k = len(hits), int(hits.sum())
    free = _log_or_zero(k, k / n) + _log_or_zero(n - k, 1.0 - k / n)
    return 2.0 * (free - _log_or_zero(k, share) - _log_or_zero(n - k, 1.0 - share))


def _christoffersen(hits: Any) -> float:
    before, after = hits[:-1], hits[1:]
    counts = {(i, j): int(((before == i) & (after == j)).sum()) for i in (False, True) for j in (False, True)}
    free = 0.0
    for i in (False, True):
        total = counts[i, False] + counts[i, True]
        for j in (False, True):
            free += _log_or_zero(counts[i, j], counts[i, j] / total) if total else 0.0
    k, n = int(after.sum()), len(after)
    return 2.0 * (free - _log_or_zero(k, k / n) - _log_or_zero(n - k, 1.0 - k / n))


@dataclass(frozen=True, eq=False)
class ExitRisk:
    """The next step's loss of a portfolio that is left at its end, drawn jointly with the costs of leaving.

    Attributes
    ----------
    table : frame, rows "price", "exit" and "together": ``mean``, ``var``, ``es`` of each by itself.
    together_if_independent : VaR and ES of price loss plus cost if they had nothing to do with each other.
    level, draws : as asked.
    """

    table: pd.DataFrame
    together_if_independent: pd.Series
    level: float
    draws: int

    def __repr__(self) -> str:
        price, both = self.table.loc["price"], self.table.loc["together"]
        return (
            f"<ExitRisk at {self.level:g}: VaR {price['var']:.4g} on prices, {both['var']:.4g} with the exit "
            f"({self.together_if_independent['var']:.4g} if costs did not move with prices); ES {both['es']:.4g}>"
        )


def exit_risk(
    res: Any,
    weights: Any,
    costs: Mapping[Any, tuple[Any, float]],
    level: float = 0.99,
    draws: int = 100_000,
    seed: int = 0,
) -> ExitRisk:
    """The loss of the next step plus the cost of leaving at its end, when both move together.

    Parameters
    ----------
    res : a correlation result on returns *and* innovations of log cost (log spreads, log illiquidity), in fractions.
    weights : Series or mapping of asset to value held
        In money, short positions negative.
    costs : mapping of asset to (column, now)
        The column of the model that holds the innovations of the asset's log cost, and its cost now as a fraction of
        value (half a spread, or `exit_cost` over value). Assets without an entry leave for free.
    level : float, default 0.99
    draws : int, default 100,000
    seed : int, default 0

    Returns
    -------
    ExitRisk

    Raises
    ------
    DataError, OptionError
        Names that are no column of the result, costs that are negative, bad weights or level.

    Examples
    --------
    >>> import numpy as np, pandas as pd, drainstats as ds
    >>> x = np.random.default_rng(0).standard_normal((600, 2))
    >>> y = pd.DataFrame({"A": 0.01 * x[:, 0], "spread": -0.2 * x[:, 0] + 0.2 * x[:, 1]})
    >>> risk = exit_risk(ds.CCC(margins=ds.GARCH(mean="zero")).fit(y), {"A": 1e6}, {"A": ("spread", 0.001)})
    >>> bool(risk.table.loc["together", "var"] > risk.together_if_independent["var"])
    True
    """
    if not 0.5 < level < 1.0:
        raise OptionError(f"level={level!r} must lie between 0.5 and 1; 0.99 is one loss in a hundred.")
    check_whole("draws", draws, 1000)
    w = _held(res, weights)
    moves, charge = _costs(costs, w, res.columns)
    ahead = res.forecast(1)
    rng = np.random.default_rng(seed)
    shocks = rng.standard_normal((draws, len(w))) @ correlation_root(ahead.correlation[0]).T
    if "nu" in res.params.index:
        nu = float(res.params["nu"])
        shocks *= np.sqrt((nu - 2.0) / rng.chisquare(nu, (draws, 1)))
    y = res.margins.forecast_mean(1).to_numpy()[0] + shocks * np.sqrt(ahead.variance.to_numpy()[0])
    price = -(y @ w.to_numpy())
    leave = np.exp(y[:, moves]) @ charge
    apart = price + rng.permutation(leave)
    rows = {"price": price, "exit": leave, "together": price + leave}
    table = pd.DataFrame({k: _facts(v, level) for k, v in rows.items()}).T
    return ExitRisk(table, _facts(apart, level)[["var", "es"]], level, draws)


def _costs(costs: Mapping[Any, tuple[Any, float]], w: pd.Series, columns: pd.Index) -> tuple[list[int], FloatArray]:
    """Columns that move the costs, and what leaving each asset costs now, in money."""
    if not isinstance(costs, Mapping) or not costs:
        raise OptionError("costs must map assets to (column of log-cost innovations, cost now), one at least.")
    moves, charge = [], []
    for asset, (column, now) in costs.items():
        for name in (asset, column):
            if name not in columns:
                raise DataError(f"{name!r} is no column of the result; they are {list(columns)}.")
        if w[column] != 0.0:
            raise DataError(f"{column!r} holds costs and cannot be held; give it no weight.")
        if not (np.isfinite(now) and now >= 0.0):
            raise DataError(f"The cost of leaving {asset!r} is {now!r}; it must be a fraction of value, 0 or more.")
        moves.append(int(columns.get_loc(column)))
        charge.append(now * abs(float(w[asset])))
    return moves, np.array(charge)


def _facts(losses: FloatArray, level: float) -> pd.Series:
    """Mean, VaR and ES of drawn losses."""
    quantile = float(np.quantile(losses, level))
    return pd.Series({"mean": losses.mean(), "var": quantile, "es": losses[losses >= quantile].mean()})
