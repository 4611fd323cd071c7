"""Draws from the co-liquidity models at parameters that you name, with the true paths of volatility and correlation.

With h_it = ω + α y²_i,t−1 + γ y²_i,t−1 1(y_i,t−1 < 0) + β h_i,t−1 and y_it = √h_it z_it, z_t normal of correlation R_t:

=========  =======================================================================================
process    R_t
=========  =======================================================================================
``garch``  the unit matrix
``ccc``    S
``dcc``    Q_t scaled to a unit diagonal, Q_t = (1 − a − b) S + a z z' + b Q, products and Q of t − 1
``cdcc``   the same, with √diag(Q) z for z
``adcc``   the same with g (n n' − E[n n']) added, n = min(z, 0)
``deco``   one correlation for all pairs: the mean off the diagonal of Q_t over the mean on it
=========  =======================================================================================

``bekk`` has no margins of its own: H_t = (1 − a² − b²) V + a² y y' + b² H, V the covariance that S and the margins'
usual variances make. ``ogarch``: y = E f, E the eigenvectors of V and f_i GARCH series whose usual variances are its
eigenvalues. The result of a fit draws from its estimates (``simulate``), this one from a truth that you name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import OptionError, check_number, check_option, check_whole
from drainstats.typing import FloatArray

PROCESSES = ("garch", "ccc", "dcc", "cdcc", "adcc", "deco", "bekk", "ogarch")
BURN = 500


@dataclass(frozen=True, eq=False, repr=False)
class SimulatedProcess:
    """A draw and the truth behind it, N series of T steps.

    Parameters
    ----------
    name : str
    data : DataFrame
        (T, N).
    params : Series
        The true parameters under the names that the fitted model gives its own.
    volatility : DataFrame
        (T, N): the true conditional standard deviations.
    correlation : array
        (T, N, N): the true conditional correlations.
    spec : model
        What to fit: ``spec.fit(data).params`` estimates ``params``.
    """

    name: str
    data: pd.DataFrame
    params: pd.Series
    volatility: pd.DataFrame
    correlation: FloatArray
    spec: Any

    def __repr__(self) -> str:
        steps, assets = self.data.shape
        return f"SimulatedProcess: {self.name}, {assets} series × {steps} steps"


def process(
    name: str = "dcc",
    steps: int = 1000,
    seed: int = 0,
    *,
    assets: int = 3,
    correlation: Any = 0.4,
    omega: float = 0.05,
    alpha: float = 0.08,
    gamma: float = 0.0,
    beta: float = 0.87,
    a: float = 0.05,
    b: float = 0.9,
    g: float = 0.02,
) -> SimulatedProcess:
    """Draw from a model at known parameters.

    Parameters
    ----------
    name : {"garch", "ccc", "dcc", "cdcc", "adcc", "deco", "bekk", "ogarch"}, default "dcc"
    steps : int, default 1000
        Rows T, after 500 that are dropped.
    seed : int, default 0
        The same seed gives the same draw.
    assets : int, default 3
        Series N, named ``A0`` …
    correlation : float or (N, N) array, default 0.4
        S: of all pairs, or the matrix; that of ``ogarch`` needs eigenvalues of which no two are alike.
    omega, alpha, gamma, beta : float, default 0.05, 0.08, 0.0, 0.87
        Of every margin, in ``ogarch`` of every component; ``gamma`` counts after falls.
    a, b, g : float, default 0.05, 0.9, 0.02
        Of the correlations; ``g`` of ``adcc`` only. In ``bekk`` they are the squares of what multiplies the shocks.

    Returns
    -------
    SimulatedProcess

    Raises
    ------
    OptionError
        An unknown process, parameters without a stationary law, a matrix that is no correlation.

    References
    ----------
    As of the models: `drainstats.DCC`, `drainstats.CDCC`, `drainstats.ADCC`, `drainstats.DECO`, `drainstats.BEKK`.

    Examples
    --------
    >>> import drainstats as ds
    >>> draw = ds.simulate.process("dcc", steps=3000, assets=2, seed=3)
    >>> fit = draw.spec.fit(draw.data)
    >>> bool(abs(fit.params["b1"] - draw.params["b1"]) < 4 * fit.std_errors["b1"])
    True
    """
    check_option("name", name, PROCESSES)
    check_whole("steps", steps, 1)
    check_whole("seed", seed, 0)
    check_whole("assets", assets, 1 if name == "garch" else 2)
    _check(omega=omega, alpha=alpha, gamma=gamma, beta=beta, a=a, b=b, g=g)
    S = _correlation(correlation, assets)
    names = pd.Index([f"A{k}" for k in range(assets)])
    margin = {"omega": omega, "alpha1": alpha, **({"gamma1": gamma} if gamma else {}), "beta1": beta}
    level = omega / (1.0 - alpha - 0.5 * gamma - beta)
    shocks = np.random.default_rng(seed).standard_normal((BURN + steps, assets))
    spec, joint = _model(name, margin, names, S, a, b, g)
    if name == "bekk":
        variance, R, y = _bekk(shocks, level * S, a, b)
        params = joint
    else:
        variance, R, y = _with_margins(shocks, *_steps(name, spec, S, a, b, g), level, omega, alpha, gamma, beta)
        params = {f"{asset}.{key}": value for asset in names for key, value in margin.items()} | joint
    if name == "ogarch":
        variance, R, y, params = _mixed(variance, y, S, margin)
    index = pd.RangeIndex(steps, name="step")
    return SimulatedProcess(
        name=name,
        data=pd.DataFrame(y[BURN:], index=index, columns=names),
        params=pd.Series(params, name="truth", dtype=float),
        volatility=pd.DataFrame(np.sqrt(variance[BURN:]), index=index, columns=names),
        correlation=R[BURN:],
        spec=spec,
    )


def _check(**parameters: float) -> None:
    for name, value in parameters.items():
        if value != 0 or isinstance(value, bool):
            check_number(name, value, 0.0)
    check_number("omega", parameters["omega"], 0.0)
    lasting = parameters["alpha"] + 0.5 * parameters["gamma"] + parameters["beta"]
    moving = parameters["a"] + parameters["b"]
    if lasting >= 1 or moving >= 1:
        raise OptionError(
            f"alpha + gamma / 2 + beta = {lasting:g} and a + b = {moving:g} must be below 1: else "
            "variances or correlations have no usual level."
        )


def _correlation(given: Any, assets: int) -> FloatArray:
    """S (N, N), positive definite with a unit diagonal."""
    try:
        S = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        S = np.empty(0)
    if S.ndim == 0:
        S = np.full((assets, assets), float(S)) + (1.0 - float(S)) * np.eye(assets)
    right = S.shape == (assets, assets) and np.allclose(S, S.T) and np.allclose(np.diag(S), 1.0)
    if not right or not np.linalg.eigvalsh(S).min() > 0:
        raise OptionError(
            f"correlation={given!r} must be a number or a {assets} × {assets} matrix that makes a positive definite "
            "correlation matrix."
        )
    return S


def _model(
    name: str, margin: dict[str, float], names: pd.Index, S: FloatArray, a: float, b: float, g: float
) -> tuple[Any, dict[str, float]]:
    """The spec that estimates the process, and its joint parameters by name."""
    from drainstats.models.coliquidity.ccc import CCC
    from drainstats.models.coliquidity.covariances.bekk import BEKK
    from drainstats.models.coliquidity.covariances.ogarch import OGARCH
    from drainstats.models.coliquidity.dcc.adcc import ADCC
    from drainstats.models.coliquidity.dcc.cdcc import CDCC
    from drainstats.models.coliquidity.dcc.engle import DCC
    from drainstats.models.coliquidity.large.equicorrelation import DECO
    from drainstats.models.coliquidity.margins.garch import GARCH

    margins = GARCH(o=int("gamma1" in margin), mean="zero")
    pair = {"a1": a, "b1": b}
    if name == "garch":
        return margins, {}
    if name == "ccc":
        rows, columns = np.tril_indices(len(names), -1)
        pairs = sorted(zip(columns.tolist(), rows.tolist(), strict=True))
        return CCC(margins=margins), {f"corr({names[i]}, {names[j]})": S[i, j] for i, j in pairs}
    if name == "ogarch":
        return OGARCH(margins=margins), {}
    if name == "bekk":
        return BEKK(mean="zero"), {"a": float(np.sqrt(a)), "b": float(np.sqrt(b))}
    models = {"dcc": DCC, "cdcc": CDCC, "adcc": ADCC, "deco": DECO}
    return models[name](margins=margins), pair | ({"g1": g} if name == "adcc" else {})


Move = Callable[[FloatArray, FloatArray], FloatArray]


def _steps(
    name: str, spec: Any, S: FloatArray, a: float, b: float, g: float
) -> tuple[FloatArray, Callable[[FloatArray], FloatArray], Move]:
    """The first Q, how R follows from Q, and how the next Q follows from Q and the residuals of its step."""
    from drainstats.models.coliquidity.correlation import to_correlation
    from drainstats.models.coliquidity.covariances.bekk_paths import expected_falls

    if name in ("garch", "ccc", "ogarch"):
        constant = S if name == "ccc" else np.eye(len(S))
        return constant, lambda Q: Q, lambda Q, z: Q
    falls = g * expected_falls(S) if name == "adcc" else np.zeros_like(S)
    intercept = (1.0 - a - b) * S - falls
    if not np.linalg.eigvalsh(intercept).min() > 0:
        raise OptionError(f"g={g!r} leaves no positive definite (1 − a − b) S − g E[nn']; take a smaller g.")

    def move(Q: FloatArray, z: FloatArray) -> FloatArray:
        shock = z if name == "deco" else spec.shock(Q, z)
        fall = np.minimum(shock, 0.0) if name == "adcc" else 0.0 * shock
        out: FloatArray = intercept + a * np.outer(shock, shock) + b * Q + g * np.outer(fall, fall)
        return out

    return S, _equal if name == "deco" else to_correlation, move


def _equal(Q: FloatArray) -> FloatArray:
    """The equicorrelation of Q (N, N)."""
    N = len(Q)
    rho = (Q.sum() - np.trace(Q)) / ((N - 1) * np.trace(Q))
    return np.full((N, N), rho) + (1.0 - rho) * np.eye(N)


def _with_margins(
    shocks: FloatArray,
    Q: FloatArray,
    scaled: Callable[[FloatArray], FloatArray],
    move: Move,
    level: float,
    omega: float,
    alpha: float,
    gamma: float,
    beta: float,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Variances (T, N), correlations (T, N, N) and series (T, N)."""
    T, N = shocks.shape
    h, R, y = np.empty((T, N)), np.empty((T, N, N)), np.empty((T, N))
    now = np.full(N, level)
    for t in range(T):
        h[t], R[t] = now, scaled(Q)
        z = np.linalg.cholesky(R[t]) @ shocks[t]
        y[t] = np.sqrt(now) * z
        now = omega + (alpha + gamma * (z < 0)) * y[t] ** 2 + beta * now
        Q = move(Q, z)
    return h, R, y


def _bekk(shocks: FloatArray, V: FloatArray, a: float, b: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Variances (T, N), correlations (T, N, N) and series (T, N) of a scalar BEKK."""
    from drainstats.models.coliquidity.correlation import to_correlation

    H, y, now = np.empty((*shocks.shape, shocks.shape[1])), np.empty_like(shocks), V
    for t in range(len(shocks)):
        H[t] = now
        y[t] = np.linalg.cholesky(now) @ shocks[t]
        now = (1.0 - a - b) * V + a * np.outer(y[t], y[t]) + b * now
    return np.diagonal(H, axis1=1, axis2=2).copy(), to_correlation(H), y


def _mixed(
    variance: FloatArray, f: FloatArray, S: FloatArray, margin: dict[str, float]
) -> tuple[FloatArray, FloatArray, FloatArray, dict[str, float]]:
    """Independent series of one usual variance made the principal components of S, the largest first."""
    from drainstats.models.coliquidity.correlation import to_correlation

    sizes, vectors = np.linalg.eigh(S)
    sizes, vectors = sizes[::-1], vectors[:, ::-1]
    if np.diff(sizes).max() > -1e-6:
        raise OptionError(
            "Two eigenvalues of the correlation matrix are alike, so that components of ogarch have no direction of "
            "their own; pass another matrix."
        )
    load = vectors * np.sqrt(sizes)
    H = np.einsum("ik,tk,jk->tij", load, variance, load)
    params = {
        f"pc{k}.{key}": value * (float(size) if key == "omega" else 1.0)
        for k, size in enumerate(sizes, 1)
        for key, value in margin.items()
    }
    return np.diagonal(H, axis1=1, axis2=2).copy(), to_correlation(H), f @ load.T, params
