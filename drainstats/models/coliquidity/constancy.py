"""Is the correlation constant?

    H0: corr(z[t]) = R for every t,   z[t]: residuals standardised by margins fitted one by one

Engle and Sheppard (2001), NBER working paper 8554: with u[t] = R^-1/2 z[t] and Y[t] the products u_i u_j, i < j, all
pairs share one regression of Y[t] on a constant and Y[t-1], ..., Y[t-s], and d' X'X d / s2 is compared with chi2.
They count s + 1 coefficients. R is estimated from the same z, so that the mean of Y is zero by construction and the
constant is no coefficient that could be anything: the degrees of freedom are s, and with s + 1 the test is too timid.

Tse (2000), Journal of Econometrics 98, 107-127: R_ij[t] = R_ij + d_ij z_i[t-1] z_j[t-1] and a Lagrange multiplier test
of all d_ij = 0. Ours takes the scores of d with the lagged products about their mean, which makes them blind to the
estimation of R, subtracts what they share with the margins' scores, and studentises with their own covariance:
neither the two steps nor heavy tails disturb it in long samples (docs/constancy.md says how long). Tse's covariance is
the outer product at the joint maximum under normality, and his products are of returns.

Silvennoinen and Teräsvirta (2015), Econometric Reviews 34, 174-197: R moves smoothly from one matrix to another as a
variable s does, R[t] = (1 - G(s[t])) R1 + G(s[t]) R2. Where the logistic G starts to bend this is R[t] = R + (s[t] -
mean s) D, and a Lagrange multiplier test of D = 0 has a parameter a pair, chi2 in long samples although G itself is not
identified under H0. Ours takes its moments as in Tse's test, with s[t] - mean s in place of the lagged products.

Bera and Kim (2002), Journal of Empirical Finance 9, 171-195: the information matrix test of a bivariate model,
(sum_t v1^2 v2^2 - 1 - 2 r^2)^2 / (4 T (1 + 4 r^2 + r^4)), v1 = (z1 - r z2) / sqrt(1 - r^2) and v2 the other way round.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, check_option, check_whole
from drainstats.frames import as_wide
from drainstats.models.coliquidity.correlation import correlation_root, to_correlation
from drainstats.models.coliquidity.inputs import check_target, several_assets
from drainstats.models.coliquidity.margins.garch import GARCH
from drainstats.models.coliquidity.margins.given import is_from_arch, of_arch
from drainstats.typing import FloatArray

METHODS = ("engle_sheppard", "tse", "stcc", "bera_kim", "bootstrap")
# Numbers of the products that are taken at once.
CHUNK = 2**15
NULL = "the correlation of the standardised residuals is the same at every time"


@dataclass(frozen=True)
class ConstancyTest:
    """A test of constant correlation.

    Attributes
    ----------
    method : its name.
    statistic : float
    df : int or None. Degrees of freedom of the chi-squared distribution; None when the null distribution is drawn.
    p_value : float
    null, alternative : the hypotheses in words.
    nobs, assets : rows and columns used.
    notes : what to keep in mind.
    """

    method: str
    statistic: float
    df: int | None
    p_value: float
    null: str
    alternative: str
    nobs: int
    assets: int
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        law = "random order of the rows" if self.df is None else f"chi2({self.df})"
        lines = [
            f"<Test of constant correlation, {self.method}: {self.nobs} rows, {self.assets} assets",
            f" null:        {self.null}",
            f" alternative: {self.alternative}",
            f" statistic {self.statistic:.4f}, {law}, p = {self.p_value:.4g}>",
        ]
        return "\n".join(lines + [f" note: {n}" for n in self.notes])


def constant_correlation_test(
    y: Any,
    method: Literal["engle_sheppard", "tse", "stcc", "bera_kim", "bootstrap"] = "engle_sheppard",
    lags: int = 5,
    margins: GARCH | None = GARCH(),  # noqa: B008
    replications: int = 999,
    seed: int = 0,
    transition: Any = None,
) -> ConstancyTest:
    """Test whether the correlation between series is constant.

    Parameters
    ----------
    y : (T, N) table or array, or a fitted result
        Returns or innovations in any unit, complete rows; standardised residuals with ``margins=None``; or a fitted
        `GARCHResult`, `CCCResult` or `DCCResult`, whose margins are used; or a mapping or list of results of arch.
    method : {"engle_sheppard", "tse", "stcc", "bera_kim", "bootstrap"}, default "engle_sheppard"
        "engle_sheppard": one regression of the products of whitened residuals on their lags, pooled over pairs; power
        against correlations that move together. "tse": a Lagrange multiplier test with one parameter a pair; needs many
        more rows than pairs, the more so under heavy tails. "stcc": the same against correlations that move with
        ``transition``: a drift, a break, funding stress. "bera_kim": two assets only; rejects heavy tails that
        strike both at once as well.
        "bootstrap": the Engle-Sheppard statistic against its values when the rows of the residuals stand in random
        order, which needs no limit theory.
    lags : int, default 5
        For "engle_sheppard" and "bootstrap"; "tse" has one lag.
    margins : GARCH or None, default GARCH()
        Fitted to every series of a table; None takes the table as standardised residuals.
    replications : int, default 999
        Random orders of "bootstrap".
    seed : int, default 0
    transition : (T,) Series or array, optional
        For "stcc": a variable in any unit, known before the row it stands in (lag what is measured in the row). A
        Series is aligned by its labels. Default: time, as the place of the row.

    Returns
    -------
    ConstancyTest

    Raises
    ------
    DataError
        One asset, more than two with "bera_kim", too few rows, missing values, duplicated series; a transition of
        another length, with gaps, or that does not vary.

    References
    ----------
    Engle and Sheppard (2001), NBER 8554; Tse (2000), J. Econometrics 98, 107-127; Silvennoinen and Teräsvirta (2015),
    Econometric Reviews 34, 174-197; Bera and Kim (2002), J. Empirical Finance 9, 171-195.

    Examples
    --------
    >>> import numpy as np
    >>> z = np.random.default_rng(1).standard_normal((800, 3))
    >>> found = constant_correlation_test(z, margins=None)
    >>> found.df, bool(found.p_value > 0.05)
    (5, True)
    """
    check_option("method", method, METHODS)
    check_whole("lags", lags, 1)
    check_whole("replications", replications, 19)
    z, fitted, columns, index = _residuals(y, margins)
    T, N = z.shape
    if transition is not None and method != "stcc":
        raise OptionError(f"method={method!r} has no transition; leave it out or take method='stcc'.")
    if 10 + 2 * lags > T:
        raise DataError(f"{T} rows came and {lags} lags need at least {10 + 2 * lags}; take fewer lags or more rows.")
    # Unit second moments, so that the whitened products have mean zero exactly.
    z = z / np.sqrt((z**2).mean(axis=0))
    R = to_correlation(z.T @ z / T)
    check_target(R, columns)
    shared = "one coefficient a lag, common to all pairs, is not zero"
    if method in ("tse", "stcc"):
        news = _last_products(z) if method == "tse" else _transition(transition, index)
        value, df, notes = _lagrange_multiplier(z, R, fitted, news)
        move = "reacts to its last products" if method == "tse" else "moves with the transition variable"
        return ConstancyTest(method, value, df, _chi2(value, df), NULL, f"some pair {move}", T, N, notes)
    if method == "bera_kim":
        if N != 2:
            raise DataError(f"The Bera-Kim test is for two assets and {N} came; pass one pair at a time.")
        value, notes = _bera_kim(z, R[0, 1])
        return ConstancyTest(
            method, value, 1, _chi2(value, 1), NULL, "the correlation varies, in whatever way", T, N, notes
        )
    products = whitened_products(z, R)
    value = engle_sheppard_statistic(products, lags)
    if method == "bootstrap":
        p = _random_order(products, lambda rows: engle_sheppard_statistic(rows, lags), value, replications, seed)
        notes = (f"{replications} random orders of the rows, seed {seed}",)
        return ConstancyTest(method, value, None, p, NULL, shared, T, N, notes)
    published = f"with the {lags + 1} degrees of freedom of the paper p = {_chi2(value, lags + 1):.4g}"
    return ConstancyTest(method, value, lags, _chi2(value, lags), NULL, shared, T, N, (published,))


def _residuals(y: Any, margins: GARCH | None) -> tuple[FloatArray, Any, Any, Any]:
    """Standardised residuals (T, N), the margins they come from (or None), names and time labels."""
    fitted = of_arch(y) if is_from_arch(y) else getattr(y, "margins", y if hasattr(y, "std_resid_values") else None)
    if fitted is None:
        wide = several_assets(y, 10)
        if margins is None:
            return wide.values, None, wide.columns, wide.index
        fitted = margins.fit(wide.like(wide.values))
    z = np.asarray(fitted.std_resid_values)
    if z.shape[1] < 2:
        raise DataError("One asset came and a correlation needs two.")
    if not np.isfinite(z).all():
        lost = fitted.columns[~np.isfinite(z).all(axis=0)][0]
        raise DataError("A series of the result has no residuals; leave it out and fit again.", column=lost)
    return z, fitted, fitted.columns, fitted.index


def _chi2(value: float, df: int) -> float:
    from scipy.special import chdtrc

    return float(chdtrc(df, value))


def whitened_products(z: FloatArray, R: FloatArray) -> FloatArray:
    """Y (T, M): products u_i u_j, i < j, of u = R^-1/2 z with the symmetric root."""
    values, vectors = np.linalg.eigh(R)
    u = z @ (vectors / np.sqrt(values)) @ vectors.T
    i, j = np.triu_indices(z.shape[1], 1)
    return np.asarray(u[:, i] * u[:, j])


def engle_sheppard_statistic(products: FloatArray, lags: int) -> float:
    """d' X'X d / s2 of the pooled regression of ``products`` (T, M) on a constant and ``lags`` own lags."""
    T, M = products.shape
    gram = np.zeros((lags + 2, lags + 2))
    width = max(1, CHUNK // T)
    for first in range(0, M, width):
        block = products[:, first : first + width]
        table = np.ones((lags + 2, (T - lags) * block.shape[1]))
        for k in range(lags + 1):
            table[k + 1] = block[lags - k : T - k].ravel()
        gram += table @ table.T
    # Row 1 is the left side; the constant and the lags are the right one.
    right = [0, *range(2, lags + 2)]
    explained = float(gram[1, right] @ np.linalg.solve(gram[np.ix_(right, right)], gram[1, right]))
    variance = (gram[1, 1] - explained) / ((T - lags) * M - lags - 1)
    return explained / variance


def _random_order(
    rows: FloatArray, statistic: Callable[[FloatArray], float], value: float, replications: int, seed: int
) -> float:
    """Rank of ``value`` among the statistics of ``rows`` in random order; whitening does not depend on the order."""
    rng = np.random.default_rng(seed)
    drawn = [statistic(rows[rng.permutation(len(rows))]) for _ in range(replications)]
    return (1 + int((np.array(drawn) >= value).sum())) / (replications + 1)


def _last_products(z: FloatArray) -> FloatArray:
    """Products of the last residuals, a column a pair (T, M), about their mean."""
    i, j = np.triu_indices(z.shape[1], 1)
    before = z[:-1, i] * z[:-1, j]
    news: FloatArray = np.zeros((len(z), len(i)))
    news[1:] = before - before.mean(axis=0)
    return news


def _transition(variable: Any, index: pd.Index) -> FloatArray:
    """The transition variable about its mean, one column for all pairs (T, 1), or the place of the row."""
    if variable is None:
        s = np.arange(len(index), dtype=np.float64)
    else:
        wide = as_wide(variable, "transition")
        s = wide.values[:, 0]
        if wide.kind == "series":
            place = wide.index.get_indexer(index)
            if (place < 0).any():
                raise DataError(
                    "transition has no value at a row of the data; give it the same labels.", row=index[place < 0][0]
                )
            s = s[place]
    if s.shape != (len(index),) or not np.isfinite(s).all():
        raise DataError(f"transition must be {len(index)} finite numbers, one a row; {int(np.isfinite(s).sum())} came.")
    spread = float(np.ptp(s))
    if not spread > 1e-13 * float(np.abs(s).max()):
        raise DataError("transition does not vary, so that nothing can move with it.")
    return np.asarray((s - s.mean())[:, None] / spread)


def _lagrange_multiplier(
    z: FloatArray, R: FloatArray, fitted: Any, news: FloatArray
) -> tuple[float, int, tuple[str, ...]]:
    """The statistic, its degrees of freedom, and what to keep in mind; ``news`` (T, 1 or M) is what R may react to."""
    T, N = z.shape
    i, j = np.triu_indices(N, 1)
    pairs = len(i)
    if 2 * pairs >= T:
        raise DataError(
            f"{T} rows came for {pairs} pairs and the test estimates their covariance; take fewer assets, more rows, "
            'or method="engle_sheppard".'
        )
    P = np.asarray(np.linalg.inv(R), dtype=np.float64)
    u = z @ P
    news = np.broadcast_to(news, (T, pairs))
    moments = news * (u[:, i] * u[:, j] - P[i, j])
    if fitted is not None:
        moments = moments - _shared_with_margins(fitted, u, P, news)
    mean = moments.sum(axis=0)
    value = float(mean @ np.linalg.solve(moments.T @ moments, mean))
    notes = []
    if 20 * pairs > T:
        notes.append(f"{T} rows for {pairs} parameters are few: the level is not 5 % (see docs/constancy.md)")
    # E (z'R^-1 z)^2 is N (N + 2) for normal vectors, three times that for a t with five degrees of freedom.
    heavy = float((((u * z).sum(axis=1)) ** 2).mean()) > 1.5 * N * (N + 2)
    if heavy and fitted is not None and N >= 5:
        notes.append(
            "joint tails are heavy: on fitted margins the test rejects a true null too often (see docs/constancy.md)"
        )
    return value, pairs, tuple(notes)


def _shared_with_margins(fitted: Any, u: FloatArray, P: FloatArray, news: FloatArray) -> FloatArray:
    """What of the moments (T, M) the estimation of the margins takes part in: D A^-1 scores."""
    T = len(u)
    slopes = np.empty((news.shape[1], fitted.bread.shape[0]))
    for k, (a, b) in enumerate(zip(*np.triu_indices(u.shape[1], 1), strict=True)):
        in_z = u[:, [b]] * P[a] + u[:, [a]] * P[b]
        slopes[k] = fitted.pull_back(news[:, [k]] * in_z) / T
    basis = fitted.basis
    inner = basis.T @ fitted.bread @ basis
    return np.asarray((fitted.score_values @ basis) @ np.linalg.solve(inner.T, (slopes @ basis).T))


def _bera_kim(z: FloatArray, r: float) -> tuple[float, tuple[str, ...]]:
    """The statistic, and a note when the tails alone can have made it."""
    T = len(z)
    spread = np.sqrt(1.0 - r**2)
    first, second = (z[:, 0] - r * z[:, 1]) / spread, (z[:, 1] - r * z[:, 0]) / spread
    total = float((first**2 * second**2 - 1.0 - 2.0 * r**2).sum())
    value = total**2 / (4.0 * T * (1.0 + 4.0 * r**2 + r**4))
    distance = (np.linalg.solve(correlation_root(np.array([[1.0, r], [r, 1.0]])), z.T) ** 2).sum(axis=0)
    # The mean of the squared distance of a bivariate normal squared is 8 with variance 320.
    if float((distance**2).mean()) <= 8.0 + 3.0 * np.sqrt(320.0 / T):
        return value, ()
    return value, ("the tails are heavier than normal, which this test rejects even when the correlation is constant",)
