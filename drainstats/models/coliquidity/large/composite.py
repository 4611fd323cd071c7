"""Composite likelihood: one a and b for thousands of assets, from pairs of them.

    z[t] = (y[t] - mu) / sqrt(h[t])                                                  margins, one by one
    Q[t] = (1 - sum a - sum b) S + sum_i a_i z[t-i] z[t-i]' + sum_j b_j Q[t-j]       a, b >= 0, sum a + sum b < 1
    R[t] = diag(Q[t])^-1/2 Q[t] diag(Q[t])^-1/2
    a, b maximise   sum over pairs (i, j) of the log-likelihoods of a DCC of z_i and z_j alone

Engle, Shephard and Sheppard (2008), later Pakel, Shephard, Sheppard and Engle (2021), Journal of Business & Economic
Statistics 39, 652-668; with a shrunk target Engle, Ledoit and Wolf (2019), same journal 37, 363-375. No matrix is
inverted, so that neither N > T nor thousands of assets hinder; the full likelihood is biased towards b near one and a
near zero when N is not small against T, this one is not. A pair's own target is its sample correlation; S, which the
paths use, is shrunk when N / T > 0.1.

Standard errors are those of Godambe (1960): scores summed over pairs by time step, the first step and the targets of
the pairs stacked by their influences, so that no matrix over all parameters is built. The targets' noise is serially
dependent and is whitened by the recursion, as in `DCC`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, SizeError, check_option, check_whole
from drainstats.frames import Wide
from drainstats.models.base import Errors, influences, lag_count, long_run
from drainstats.models.coliquidity import correlation
from drainstats.models.coliquidity.correlation import to_correlation
from drainstats.models.coliquidity.dcc.recursion import DCCResult, Recursion
from drainstats.models.coliquidity.inference import whitened
from drainstats.models.coliquidity.inputs import COMPLETE_PAIRS, check_target, complete_rows, whole
from drainstats.models.coliquidity.large.composite_search import (
    Moments,
    Pairs,
    margin_influence,
    matrix_after,
    moments,
    quadratic_forms,
)
from drainstats.models.coliquidity.margins.garch import GARCHResult
from drainstats.models.coliquidity.margins.given import margins_of
from drainstats.models.coliquidity.shrinkage import METHODS, shrink_correlation
from drainstats.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from drainstats.models.coliquidity.dcc.search import CorrelationFit

# Above this N / T a sample correlation matrix is too noisy to be a target.
SHRINK_ABOVE = 0.1
# Matrices of single time steps cost a product of T by N each; from so many on it is cheaper to walk past all steps.
PICKED_ONE_BY_ONE = 50


@dataclass(frozen=True)
class CompositeDCC(Recursion):
    """DCC(P, Q) with correlation targeting whose a and b come from the likelihoods of pairs.

    Parameters
    ----------
    order : (int, int), default (1, 1)
        Lags of shocks (a) and of Q (b).
    margins : GARCH or None, default GARCH()
        Spec of every margin; None: the data are standardised residuals.
    dist : {"normal"}, default "normal"
    pairs : {"adjacent", "random", "all"}, default "adjacent"
        "adjacent": neighbours in the order of the columns, N - 1 pairs, so the answer depends on that order. "random":
        ``count`` different pairs, drawn by ``seed`` from the names of the assets and not from their order. "all":
        N (N - 1) / 2 pairs, the most precise and the slowest.
    count : int, optional
        Pairs when they are random; default N.
    seed : int, default 0
    target : {"auto", "sample", "nonlinear", "identity", "constant_correlation"}, default "auto"
        S of the paths: the second moment of the residuals scaled to a unit diagonal, or shrunk as `shrink_correlation`
        does; "auto": "nonlinear" when N / T > 0.1, else "sample". It does not touch a and b.

    Notes
    -----
    ``loglikelihood`` is that of the margins plus the sum over pairs: two fits compare when their pairs are the same,
    and neither compares with the joint one of `DCC` unless N = 2. It is a spec of its own because it is another
    estimator with other options, not another way to compute the estimates of `DCC`.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.random.default_rng(0).standard_normal((300, 40)) + np.random.default_rng(1).standard_normal((300, 1))
    >>> res = CompositeDCC(margins=None).fit(y)
    >>> list(res.params.index), len(res.first), res.spec.shrinks(40, 300)
    (['a1', 'b1'], 39, 'nonlinear')
    """

    pairs: Literal["adjacent", "random", "all"] = "adjacent"
    count: int | None = None
    seed: int = 0
    target: Literal["auto", "sample", "nonlinear", "identity", "constant_correlation"] = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_option("dist", self.dist, ["normal"])
        check_option("pairs", self.pairs, ["adjacent", "random", "all"])
        check_option("target", self.target, ["auto", "sample", *METHODS])
        check_whole("seed", self.seed, 0)
        if self.count is not None:
            check_whole("count", self.count, 1)
            if self.pairs != "random":
                raise OptionError(f"count={self.count} is for random pairs; with pairs={self.pairs!r} leave it out.")

    def places(self, columns: Any) -> tuple[IntArray, IntArray]:
        """Where the assets of each pair stand among ``columns``: two arrays (M,)."""
        N = len(columns)
        if self.pairs == "adjacent":
            return np.arange(N - 1), np.arange(1, N)
        rows, cols = (np.asarray(x) for x in np.triu_indices(N, 1))
        if self.pairs == "all":
            return rows, cols
        count = N if self.count is None else self.count
        if count > len(rows):
            if self.count is not None:
                raise OptionError(f"count={count} and {N} assets make only {len(rows)} pairs; take pairs='all'.")
            return rows, cols
        by_name = np.array(sorted(range(N), key=lambda i: (type(columns[i]).__name__, columns[i])))
        drawn = np.sort(np.random.default_rng(self.seed).choice(len(rows), count, replace=False))
        return by_name[rows[drawn]], by_name[cols[drawn]]

    def shrinks(self, N: int, T: int) -> str:
        """How S is made for N assets and T rows: "sample" or a method of `shrink_correlation`."""
        if self.target != "auto":
            return self.target
        return "nonlinear" if N / T > SHRINK_ABOVE else "sample"

    def search(self, z: FloatArray, guess: FloatArray | None = None) -> CorrelationFit:
        """Maximise the composite likelihood of residuals (T, N) that are called 0, ..., N - 1."""
        return self._search(self._pairs(z, range(z.shape[1])), guess)

    def _pairs(self, z: FloatArray, columns: Any) -> Pairs:
        first, second = self.places(columns)
        S = to_correlation(z.T @ z / len(z))
        return Pairs(z, first, second, S[first, second])

    def _search(self, pairs: Pairs, guess: FloatArray | None) -> CorrelationFit:
        from drainstats.models.coliquidity.dcc.search import Problem, search

        M = len(pairs.level)

        def evaluate(psi: FloatArray) -> tuple[FloatArray, FloatArray]:
            value, scores = pairs.likelihood(self.weights(psi))
            return value / M, scores / M

        def quick(psi: FloatArray) -> float:
            return -float(pairs.likelihood(self.weights(psi), derive=False)[0].sum())

        ones = np.ones(sum(self.sizes))
        return search(Problem(self.parameter_names, self.sizes, ones, evaluate, quick, guess=guess))

    def target_at(self, z: FloatArray, psi: FloatArray) -> FloatArray:
        """S (N, N) from residuals (T, N), shrunk or not; it does not depend on psi."""
        method = self.shrinks(z.shape[1], len(z))
        if method == "sample":
            return to_correlation(z.T @ z / len(z))
        return shrink_correlation(z, method).correlation.to_numpy()  # type: ignore[arg-type]

    def moments(self, margins: GARCHResult, target: FloatArray, psi: FloatArray) -> tuple[FloatArray, ...]:
        """Scores of psi (T, k), their mean derivative in margins (k, N K) and psi (k, k), the targets' noise (T, k)."""
        found = moments(self._pairs(margins.std_resid_values, margins.columns), margins, self.weights, psi)
        return found.scores, found.cross, found.inner, found.through

    def complete(self, y: Any, least: int) -> Wide:
        """Two assets or more; more assets than rows are fine when S is shrunk."""
        wide = complete_rows(y, max(least, 12), remedy=COMPLETE_PAIRS)
        rows, assets = wide.values.shape
        if assets < 2:
            raise DataError("y has one asset and a correlation needs two; use GARCH for a single series.")
        if rows <= assets and self.shrinks(assets, rows) == "sample":
            raise DataError(
                f"y has {rows} rows for {assets} assets, so the sample target is singular; take target='nonlinear'."
            )
        return wide

    def fit(self, y: Any, start: pd.Series | None = None) -> CompositeResult:
        """Fit the margins, then a and b on the pairs.

        Parameters
        ----------
        y : (T, N) table or array, or margins
            As for `DCC.fit`; N may exceed T.
        start : Series, optional
            As for `DCC.fit`.

        Returns
        -------
        CompositeResult

        Raises
        ------
        DataError
            Missing or infinite values, one asset, too few rows, a series that does not vary, a pair of copies.
        OptionError
            More random pairs than there are.
        """
        margins = margins_of(self.margins, y, self.complete)
        z = margins.std_resid_values
        pairs = self._pairs(z, margins.columns)
        alike = np.flatnonzero(np.abs(pairs.level) > 1.0 - 1e-9)
        if len(alike):
            one, two = (margins.columns[int(x[alike[0]])] for x in (pairs.first, pairs.second))
            raise DataError(f"{one!r} and {two!r} carry the same series, up to sign and scale; keep one.")
        guess = None if start is None else start.reindex(self.parameter_names).to_numpy(np.float64)
        found = self._search(pairs, guess)
        target = self.target_at(z, found.psi)
        if self.shrinks(z.shape[1], len(z)) in ("sample", "constant_correlation"):
            check_target(target, margins.columns)
        psi = pd.Series(found.psi, index=self.parameter_names)
        return CompositeResult(
            params=pd.concat([margins.params, psi]).rename("estimate"),
            loglikelihood=margins.gaussian_loglikelihood + _sum(pairs, self, found.psi),
            converged=margins.converged and found.converged,
            notes=(*margins.notes, *found.notes),
            nobs=len(z),
            margins=margins,
            spec=self,
            target=target,
            basis=found.basis,
            gap=found.gap,
            evaluations=found.evaluations,
            origin=None,
            first=pairs.first,
            second=pairs.second,
            level=pairs.level,
        )


def _sum(pairs: Pairs, spec: CompositeDCC, psi: FloatArray) -> float:
    return float(pairs.likelihood(spec.weights(psi), derive=False)[0].sum())


@dataclass(frozen=True, eq=False, repr=False)
class CompositeResult(DCCResult):
    """A DCC fitted by composite likelihood.

    Besides what `DCCResult` offers: the places of the pairs' assets ``first`` and ``second`` (M,) and the pairs' own
    targets ``level`` (M,). ``gap`` is a time step and a pair. `last`, `average_correlation`, `average` and
    `portfolio_volatility` are products of matrices and never form the path.
    """

    first: IntArray
    second: IntArray
    level: FloatArray

    @property
    def title(self) -> str:
        """Orders, margins, pairs and target."""
        how = self.spec.shrinks(len(self.columns), (self.origin or self).nobs)  # type: ignore[attr-defined]
        return f"{super().title}, {len(self.level)} pairs, target {how}"

    @cached_property
    def _found(self) -> Moments:
        pairs = Pairs(self.margins.std_resid_values, self.first, self.second, self.level)
        return moments(pairs, self.margins, self.spec.weights, self._psi)

    def _influences(self, errors: Errors) -> FloatArray:
        """What each time step adds to a and b (k, T), times T."""
        found = self._found
        rows = found.scores + margin_influence(self.margins, found.cross)
        if errors == "three_step":
            weights = self.spec.weights(self._psi)
            rows = rows + whitened(found.through, weights.a, weights.b)
        return influences(found.inner, rows, self.basis)

    def correlation_covariance(
        self, errors: Errors = "three_step", hac: int | Literal["auto"] | None = None
    ) -> pd.DataFrame:
        """Godambe covariance of a and b (k × k), which needs no matrix over all parameters.

        Parameters
        ----------
        errors : {"three_step", "two_step"}, default "three_step"
            "three_step" counts the sampling error of the margins, of the pairs' targets and of the scores; "two_step"
            leaves out that of the targets.
        hac : int or "auto", optional
            Lags of serial dependence that are counted; see `covariance_of`.
        """
        check_option("errors", errors, ["three_step", "two_step"])
        source = self.origin if isinstance(self.origin, CompositeResult) else self
        names = self.spec.parameter_names
        values = long_run(source._influences(errors), lag_count(hac, source.nobs))
        return pd.DataFrame(values, index=names, columns=names)

    def covariance_of(self, errors: Errors = "three_step", hac: int | Literal["auto"] | None = None) -> pd.DataFrame:
        """The covariance of all parameters; see `Estimates.covariance_of`. Of a and b alone: `correlation_covariance`.

        Raises
        ------
        SizeError
            When it would take more than 1 GiB.
        """
        check_option("errors", errors, ["three_step", "two_step"])
        if self.origin is not None:
            return self.origin.covariance_of(errors, hac)
        K, names = len(self.params), self.params.index
        if 8 * K * K > correlation.PATH_BYTES:
            raise SizeError(
                f"The covariance of all {K} parameters would take {8 * K * K / 2**30:.1f} GiB; take std_errors, or "
                "correlation_covariance() for a and b."
            )
        margins, rows = self.margins, []
        width = len(margins.params) // max(len(margins.fits), 1)
        for i, fit in enumerate(margins.fits):
            own = margins.score_values[:, i * width : (i + 1) * width]
            rows.append(influences(margins.curvature[i], own, fit.basis) * fit.units[:, None])
        rows.append(self._influences(errors))
        values = long_run(np.concatenate(rows), lag_count(hac, self.nobs))
        return pd.DataFrame(values, index=names, columns=names)

    def _covariance(self) -> FloatArray:
        return self.covariance_of().to_numpy()

    @property
    def std_errors(self) -> pd.Series:
        """Robust standard errors, one a parameter; series by series, so thousands of assets cost no big matrix."""
        own = np.sqrt(np.diag(self.correlation_covariance()))
        margins = np.asarray((self.origin or self).margins.std_errors)
        return pd.Series(np.concatenate([margins, own]), index=self.params.index, name="std_error")

    def filter(self, y_new: Any) -> CompositeResult:
        """Run new data through at fixed parameters.

        Means, targets and the start of the variances are those of the fit, so nothing in row t depends on later rows;
        on the data of the fit the answer is the fit.
        """
        margins = whole(self.margins.filter(y_new), "CompositeDCC")
        pairs = Pairs(margins.std_resid_values, self.first, self.second, self.level)
        value = margins.gaussian_loglikelihood + _sum(pairs, self.spec, self._psi)  # type: ignore[arg-type]
        return replace(self, loglikelihood=value, nobs=margins.nobs, margins=margins, origin=self.origin or self)

    @cached_property
    def _last(self) -> FloatArray:
        z = self.margins.std_resid_values[:-1]
        return to_correlation(matrix_after(z, self.target, self.spec.weights(self._psi)))

    def _forms(self, loadings: FloatArray, size: FloatArray | None = None) -> FloatArray:
        z, weights = self.margins.std_resid_values, self.spec.weights(self._psi)
        return quadratic_forms(z, self.target, weights, loadings, size)

    def _picked(self, places: IntArray) -> Iterator[FloatArray]:
        z, weights = self.margins.std_resid_values, self.spec.weights(self._psi)
        if len(places) > PICKED_ONE_BY_ONE:
            yield from super()._picked(places)
            return
        for t in places:
            yield to_correlation(matrix_after(z[:t], self.target, weights))
