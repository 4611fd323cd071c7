"""How strongly does everything move together, and how well is that known?

    average:     mean over pairs of R_ij[t]
    eigenvalue:  largest eigenvalue of R[t] / N, the share of the first component (Kritzman, Li, Page and Rigobon, 2011,
                 Journal of Portfolio Management 37, 112-126)

The band counts what estimation leaves open: every time step gets a random weight (exponential, mean one: the Bayesian
bootstrap of Rubin, 1981, Annals of Statistics 9, 130-134), under which the target and, through their influence
functions, the parameters of the correlation move together; the path is then run again. The products behind the target
follow each other; as for its errors the recursion whitens them first. Parameters of the margins move the others through
the influence functions but not the residuals themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, check_option, check_whole, require_extra
from drainstats.models.coliquidity.correlation import correlation_root, to_correlation
from drainstats.models.coliquidity.dcc.recursion import DCCResult
from drainstats.parallel import Failure, pmap
from drainstats.typing import FloatArray

LIMIT = 0.9999
# Numbers of Q that are held at once.
CHUNK_NUMBERS = 2**20


@dataclass(frozen=True, eq=False)
class CoLiquidityIndex:
    """A level of co-movement along time.

    Attributes
    ----------
    table : frame with ``index``, ``lower`` and ``upper``.
    kind : "average" or "eigenvalue".
    level : of the band, point by point.
    draws : behind the band.
    """

    table: pd.DataFrame
    kind: str
    level: float
    draws: int

    def __repr__(self) -> str:
        last, top = self.table.iloc[-1], self.table["index"].idxmax()
        return (
            f"<CoLiquidityIndex, {self.kind}: {len(self.table)} rows, last {last['index']:.4f} "
            f"({last['lower']:.4f} to {last['upper']:.4f} at {self.level:g}), highest {self.table['index'].max():.4f} "
            f"at {top!s}>"
        )

    def plot(self, ax: Any = None) -> Any:
        """The index with its band; returns the axes."""
        ax = require_extra("matplotlib.pyplot", "plot").subplots()[1] if ax is None else ax
        frame = self.table
        ax.fill_between(frame.index, frame["lower"].to_numpy(), frame["upper"].to_numpy(), alpha=0.25, lw=0)
        ax.plot(frame.index, frame["index"].to_numpy(), lw=1.0)
        ax.set_ylabel("average correlation" if self.kind == "average" else "share of the first component")
        return ax


def co_liquidity_index(
    res: Any,
    kind: Literal["average", "eigenvalue"] = "average",
    level: float = 0.95,
    draws: int = 200,
    seed: int = 0,
    n_jobs: int = 1,
) -> CoLiquidityIndex:
    """The level of co-movement that a model sees along time, with a pointwise band.

    Parameters
    ----------
    res : result of `DCC`, `ADCC` or `CDCC`, fitted or filtered.
    kind : {"average", "eigenvalue"}, default "average"
    level : float, default 0.95
    draws : int, default 200
        Paths behind the band; each costs one pass over the data.
    seed : int, default 0
    n_jobs : int, default 1
        Workers of `drainstats.parallel.pmap`.

    Returns
    -------
    CoLiquidityIndex
        Row t uses rows before t of the data given; the parameters, and the band, are those of the fit's sample.

    Raises
    ------
    OptionError
        Another model, or options out of bounds.
    DataError
        Missing values in the sample of the fit.

    Examples
    --------
    >>> import numpy as np, drainstats as ds
    >>> y = np.random.default_rng(0).standard_normal((400, 2)) @ np.array([[1.0, 0.5], [0.0, 1.0]])
    >>> index = ds.co_liquidity_index(ds.DCC(margins=ds.GARCH(mean="zero")).fit(y), draws=20)
    >>> bool((index.table["upper"] >= index.table["lower"]).all())
    True
    """
    check_option("kind", kind, ["average", "eigenvalue"])
    check_whole("draws", draws, 20)
    if not 0.0 < level < 1.0:
        raise OptionError(f"level={level!r} must lie between 0 and 1.")
    if not isinstance(res, DCCResult):
        raise OptionError(f"{type(res).__name__} has no such band; co_liquidity_index takes DCC, ADCC and CDCC.")
    fit = res.origin or res
    if not np.isfinite(fit.margins.std_resid_values).all():
        raise DataError("The fit's sample has missing values, for which there is no band yet; take complete rows.")
    names = fit.spec.parameter_names
    moves = np.nan_to_num(fit._moments().influences("three_step")[-len(names) :])
    weights = np.random.default_rng(seed).exponential(size=(draws, fit.nobs))
    excess = weights / weights.mean(axis=1, keepdims=True) - 1.0
    shifts = list(zip(excess @ moves.T / fit.nobs, _target_shifts(fit, excess), strict=True))
    paths = pmap(partial(_moved_path, res, fit, kind), shifts, n_jobs=n_jobs, on_error="record")
    drawn = np.array([p for p in paths if not isinstance(p, Failure)])
    if len(drawn) < 0.9 * draws:
        raise DataError("More than a tenth of the draws leave no positive definite target; take fewer assets.")
    centre = _path(res, kind)
    lower, upper = np.quantile(drawn, [(1.0 - level) / 2.0, (1.0 + level) / 2.0], axis=0)
    table = pd.DataFrame({"index": centre, "lower": lower, "upper": upper}, index=res.index)
    return CoLiquidityIndex(table, kind, level, len(drawn))


def _path(res: DCCResult, kind: str) -> FloatArray:
    path = res.average_correlation if kind == "average" else res.eigenvalue_share()
    return path.to_numpy()


def _target_shifts(fit: DCCResult, excess: FloatArray) -> FloatArray:
    """What weights with ``excess`` (D, T) over one add to the target, for each draw (D, 1 or 2, N, N).

    Products of shocks follow each other as the model says; (1 - sum b) / (1 - sum a - sum b) (x[t] - Q[t]) has the same
    sum and no such dependence, so that weights drawn step by step count it right.
    """
    from drainstats.models.coliquidity.dcc.search import walk

    psi, (D, T) = fit.params[fit.spec.parameter_names].to_numpy(), excess.shape
    weights, shocks = fit.spec.weights(psi), fit.spec.shocks(fit.margins.std_resid_values, psi)
    N, stack = shocks.shape[1], fit.target.reshape(-1, *fit.target.shape[-2:])
    total, done = np.zeros((D, N * N)), 0
    for q in walk(fit.spec, shocks, fit.target, psi, max(1, CHUNK_NUMBERS // N**2), before=fit.before):
        rows = shocks[done : done + len(q)]
        news = rows[:, :, None] * rows[:, None, :] - q
        total += excess[:, done : done + len(q)] @ news.reshape(len(q), -1)
        done += len(q)
    rest = 1.0 - weights.b.sum()
    moved = (total * (rest / (rest - weights.a.sum()) / T)).reshape(D, N, N)
    own = np.diagonal(moved, axis1=1, axis2=2)
    S = to_correlation(stack[0])
    out = [moved - 0.5 * S * (own[:, :, None] + own[:, None, :])]
    if len(stack) > 1:
        falls = np.minimum(shocks, 0.0)
        out.append(np.array([_second(falls, e) for e in excess]))
    return np.stack(out, axis=1)


def _moved_path(res: DCCResult, fit: DCCResult, kind: str, shift: tuple[FloatArray, FloatArray]) -> FloatArray:
    """The index when parameters and target move."""
    psi = _inside(fit.params[fit.spec.parameter_names].to_numpy() + shift[0], fit.spec.sizes)
    target = fit.target.reshape(shift[1].shape) + shift[1]
    correlation_root(target[0])
    params = res.params.copy()
    params.iloc[-len(psi) :] = psi
    return _path(replace(res, params=params, target=target.reshape(fit.target.shape), before=None), kind)


def _inside(psi: FloatArray, sizes: tuple[int, int, int]) -> FloatArray:
    """The nearest parameters with weights of zero or more that sum to less than one; shapes stay."""
    out, count = psi.copy(), sum(sizes)
    out[:count] = np.maximum(out[:count], 0.0)
    out[:count] *= min(1.0, LIMIT / max(out[:count].sum(), LIMIT))
    return out


def _second(x: FloatArray, weights: FloatArray) -> FloatArray:
    return np.asarray(x.T @ (weights[:, None] * x) / len(x))
