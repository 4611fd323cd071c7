"""What does a shock do to variances and correlations, today and later?

    response(h) = E[H[t+h] | z[t] = shock, past] - E[H[t+h] | past]                   h = 1, 2, ...

Hafner and Herwartz (2006), Journal of International Money and Finance 25, 719-740. Expectations are the model's own
forecasts. The surface is the correlation one step after a pair of shocks, all else at its long-run level: Kroner and Ng
(1998), Review of Financial Studies 11, 817-844, for correlations Cappiello, Engle and Sheppard (2006), Journal of
Financial Econometrics 4, 537-572.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, check_number, check_whole, require_extra
from drainstats.models.coliquidity.correlation import to_correlation
from drainstats.typing import FloatArray


@dataclass(frozen=True, eq=False)
class ImpulseResponse:
    """What one shock changes over H steps.

    Attributes
    ----------
    variance : (H × N) frame, squared units of the data; index 1, ..., H.
    covariance, correlation : (H, N, N) arrays.
    shock : Series of N standardised shocks.
    at : label of the row that the shock replaces, or None for the row after the last.
    """

    variance: pd.DataFrame
    covariance: FloatArray
    correlation: FloatArray
    shock: pd.Series
    at: Any

    def pair(self, first: Any, second: Any) -> pd.Series:
        """Change of the correlation of two assets."""
        names = self.variance.columns
        for name in (first, second):
            if name not in names:
                raise OptionError(f"{name!r} is not an asset of this response; the assets are {list(names)}.")
        i, j = names.get_indexer([first, second])
        return pd.Series(self.correlation[:, i, j], index=self.variance.index, name=f"{first}, {second}")

    def __repr__(self) -> str:
        n = len(self.shock)
        level = (self.correlation[0].sum() - np.trace(self.correlation[0])) / (n * (n - 1))
        where = "the row after the last" if self.at is None else f"{self.at!s}"
        return (
            f"<ImpulseResponse: {n} assets, {len(self.variance)} steps after {where}, "
            f"average correlation {level:+.4f} one step on>"
        )

    def plot(self, ax: Any = None) -> Any:
        """Changes of the correlations of all pairs along the steps; returns the axes."""
        ax = require_extra("matplotlib.pyplot", "plot").subplots()[1] if ax is None else ax
        names = list(self.variance.columns)
        for i, first in enumerate(names):
            for second in names[i + 1 :]:
                path = self.pair(first, second)
                ax.plot(path.index, path.to_numpy(), label=path.name)
        ax.axhline(0.0, color="0.7", lw=0.8)
        ax.set_xlabel("steps after the shock")
        ax.set_ylabel("change of the correlation")
        if len(names) <= 5:
            ax.legend(fontsize="x-small")
        return ax


def impulse_response(res: Any, shock: Any = None, at: Any = None, horizon: int = 20) -> ImpulseResponse:
    """How a shock changes the variances and correlations that the model expects.

    Parameters
    ----------
    res : result of `DCC`, `ADCC`, `CDCC`, `CCC` or `DECO`, fitted or filtered.
    shock : (N,), optional
        Standardised shocks z, one an asset; default: what happened in row ``at``.
    at : row label, optional
        The shock replaces this row, the rows after it are not used; default: it comes after the last row.
    horizon : int, default 20

    Returns
    -------
    ImpulseResponse

    Raises
    ------
    OptionError
        Neither ``shock`` nor ``at``; a label that is not there.
    DataError
        A shock of another length or with missing values; too few rows before ``at``.

    Examples
    --------
    >>> import numpy as np, drainstats as ds
    >>> y = np.random.default_rng(0).standard_normal((400, 2)) @ np.array([[1.0, 0.5], [0.0, 1.0]])
    >>> res = ds.DCC(margins=ds.GARCH(mean="zero")).fit(y)
    >>> ds.impulse_response(res, shock=[-3.0, -3.0], horizon=5).variance.shape
    (5, 2)
    """
    check_whole("horizon", horizon, 1)
    data = pd.DataFrame(res.margins.y, index=res.index, columns=res.columns)
    place = len(data) if at is None else _place(res.index, at)
    if place < 10:
        raise DataError(f"{place} rows stand before {at!s}; the model needs 10 to know where it is.")
    z = _shock(res, shock, at, place)
    before = res.filter(data.iloc[:place])
    ahead = before.forecast(1)
    row = pd.DataFrame(data.iloc[[min(place, len(data) - 1)]])
    if at is None:
        row.index = [_next_label(data.index)]
    row.iloc[0] = before.margins.forecast_mean(1).to_numpy()[0] + z.to_numpy() * np.sqrt(ahead.variance.to_numpy()[0])
    hit = res.filter(pd.concat([data.iloc[:place], row])).forecast(horizon)
    calm = before.forecast(horizon + 1)
    return ImpulseResponse(
        variance=hit.variance - calm.variance.iloc[1:].to_numpy(),
        covariance=hit.covariance - calm.covariance[1:],
        correlation=hit.correlation - calm.correlation[1:],
        shock=z,
        at=at,
    )


def _place(index: pd.Index, at: Any) -> int:
    label = pd.Timestamp(at) if isinstance(index, pd.DatetimeIndex) else at
    if isinstance(index, pd.DatetimeIndex) and index.tz is not None and label.tzinfo is None:
        label = label.tz_localize(index.tz)
    if label not in index:
        raise OptionError(f"at={at!r} is no row of the result; its rows run from {index[0]!s} to {index[-1]!s}.")
    return int(index.get_loc(label))


def _next_label(index: pd.Index) -> Any:
    """A label behind the last one."""
    return index[-1] + (index[-1] - index[-2])


def _shock(res: Any, shock: Any, at: Any, place: int) -> pd.Series:
    if shock is None:
        if at is None:
            raise OptionError("Give a shock, or the row at whose shock you want to look.")
        shock = res.std_resid.iloc[place]
    z = np.asarray(shock.reindex(res.columns) if isinstance(shock, pd.Series) else shock, dtype=np.float64)
    if z.shape != (len(res.columns),) or not np.isfinite(z).all():
        raise DataError(f"shock must be {len(res.columns)} finite numbers, one an asset: {list(res.columns)}.")
    return pd.Series(z, index=res.columns, name="shock")


@dataclass(frozen=True, eq=False)
class NewsImpact:
    """Correlation of two assets one step after a pair of standardised shocks.

    Attributes
    ----------
    surface : frame; rows: shocks of the first asset, columns: of the second.
    pair : the two names.
    level : float, the correlation when shocks are as expected.
    """

    surface: pd.DataFrame
    pair: tuple[Any, Any]
    level: float

    def __repr__(self) -> str:
        corners = self.surface.to_numpy()[[0, -1, 0], [0, -1, -1]]
        return (
            f"<NewsImpact on {self.pair[0]}, {self.pair[1]}: {self.level:.4f} as expected, {corners[0]:.4f} when both "
            f"fall, {corners[1]:.4f} when both rise, {corners[2]:.4f} when they part>"
        )

    def plot(self, ax: Any = None) -> Any:
        """The surface as a map; returns the axes."""
        ax = require_extra("matplotlib.pyplot", "plot").subplots()[1] if ax is None else ax
        mesh = ax.pcolormesh(
            self.surface.columns.to_numpy(), self.surface.index.to_numpy(), self.surface.to_numpy(), cmap="viridis"
        )
        ax.set_xlabel(f"shock of {self.pair[1]}, standard deviations")
        ax.set_ylabel(f"shock of {self.pair[0]}, standard deviations")
        ax.figure.colorbar(mesh, ax=ax, label="correlation one step on")
        return ax


def news_impact(res: Any, first: Any, second: Any, widest: float = 5.0, points: int = 41) -> NewsImpact:
    """The correlation of two assets one step after their shocks, everything else at its long-run level.

    Parameters
    ----------
    res : result of `DCC`, `ADCC` or `CDCC`.
    first, second : names of two assets.
    widest : float, default 5.0
        Shocks run from -widest to widest standard deviations.
    points : int, default 41

    Returns
    -------
    NewsImpact

    Raises
    ------
    OptionError
        A name that is no asset; a model without that recursion.

    Examples
    --------
    >>> import numpy as np, drainstats as ds
    >>> y = np.random.default_rng(0).standard_normal((400, 2)) @ np.array([[1.0, 0.5], [0.0, 1.0]])
    >>> news_impact(ds.DCC(margins=ds.GARCH(mean="zero")).fit(y), 0, 1).surface.shape
    (41, 41)
    """
    from drainstats.models.coliquidity.dcc.engle import DCCResult

    check_number("widest", widest, 0.0)
    check_whole("points", points, 2)
    if not isinstance(res, DCCResult):
        raise OptionError(f"{type(res).__name__} has no recursion in z z'; news_impact takes DCC, ADCC and CDCC.")
    places = []
    for name in (first, second):
        if name not in res.columns:
            raise OptionError(f"{name!r} is not an asset of this result; the assets are {list(res.columns)}.")
        places.append(int(res.columns.get_loc(name)))
    stack = res.target.reshape(-1, *res.target.shape[-2:])[:, np.array(places)[:, None], places]
    names = [f"{kind}{k + 1}" for kind, size in zip("abg", res.spec.sizes, strict=True) for k in range(size)]
    weights, grid = res.spec.weights(res.params[names].to_numpy()), np.linspace(-widest, widest, points)
    later = weights.a[1:].sum() + weights.b.sum()
    base = weights.intercept(stack) + later * stack[0] + weights.g[1:].sum() * stack[-1]
    z = np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1)
    q = base + weights.a[0] * z[..., :, None] * z[..., None, :]
    if len(weights.g):
        n = np.minimum(z, 0.0)
        q = q + weights.g[0] * n[..., :, None] * n[..., None, :]
    surface = to_correlation(q)[..., 0, 1]
    table = pd.DataFrame(surface, pd.Index(grid, name=first), pd.Index(grid, name=second))
    return NewsImpact(table, (first, second), float(to_correlation(stack[0])[0, 1]))
