"""DECO: one correlation for all pairs, or one a pair of groups, that moves.

    z[t] = (y[t] - mu) / sqrt(h[t])                                                  margins, one by one
    Q[t] = (1 - sum a - sum b) S + sum_i a_i z[t-i] z[t-i]' + sum_j b_j Q[t-j]       a, b >= 0, sum a + sum b < 1
    rho[t] = (sum of the off-diagonal of Q[t]) / ((N - 1) trace Q[t])
    R[t] = (1 - rho[t]) I + rho[t] 1 1'

Engle and Kelly (2012), Journal of Business & Economic Statistics 30, 212-228. With several groups, R is constant within
each and between each two. R[t] is positive definite whenever Q[t] is, its determinant and inverse cost O(N).

They scale every Q_ij by its own Q_ii Q_jj and average then, for which all of Q is carried along: O(N^2) a step. Here Q
is averaged first and scaled by its mean diagonal: the sum and the trace of Q follow recursions of their own, so that a
step costs O(N) and N > T is no obstacle. The two are the same where the Q_ii are alike, and close elsewhere.

Standard errors count margins, target and correlation scores, as for `DCC` (see `inference`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, SizeError
from drainstats.frames import Wide
from drainstats.kernels import equicorrelation as kernels
from drainstats.models.base import Errors, Moments, sandwich
from drainstats.models.coliquidity import correlation
from drainstats.models.coliquidity.correlation import CorrelationForecast, CorrelationResult, check_horizon
from drainstats.models.coliquidity.inference import profile_intervals, stacked, whitened
from drainstats.models.coliquidity.inputs import COMPLETE_PAIRS, complete_rows, whole
from drainstats.models.coliquidity.large.equicorrelation_search import (
    GroupSums,
    correlation_moments,
    fit_correlation,
    likelihood,
)
from drainstats.models.coliquidity.margins.garch import GARCH, GARCHResult
from drainstats.models.coliquidity.margins.given import margins_label, margins_of
from drainstats.typing import FloatArray, IntArray


@dataclass(frozen=True)
class DECO:
    """Dynamic equicorrelation, for any number of assets.

    Parameters
    ----------
    order : (int, int), default (1, 1)
        Lags of shocks (a) and of Q (b).
    margins : GARCH or None, default GARCH()
        Spec of every margin; None: the data are standardised residuals.
    blocks : mapping of asset to group, optional
        Correlations are constant within each group and between each two; default: one group. An asset may be a group
        of its own.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.random.default_rng(0).standard_normal((400, 5)) + np.random.default_rng(1).standard_normal((400, 1))
    >>> res = DECO(margins=GARCH(mean="zero")).fit(y)
    >>> bool(abs(res.rho.mean() - 0.5) < 0.1), list(res.params.index[-2:])
    (True, ['a1', 'b1'])
    """

    order: tuple[int, int] = (1, 1)
    margins: GARCH | None = field(default_factory=GARCH)
    blocks: Mapping[Any, Any] | None = None

    def __post_init__(self) -> None:
        whole = isinstance(self.order, tuple) and all(isinstance(k, (int, np.integer)) for k in self.order)
        if not whole or len(self.order) != 2 or self.order[0] < 1 or self.order[1] < 0:
            raise OptionError(
                f"order={self.order!r} must be (P, Q) with P at least 1 and Q at least 0; CCC has no lags."
            )
        if self.blocks is not None and not (isinstance(self.blocks, Mapping) and self.blocks):
            raise OptionError(f"blocks={self.blocks!r} must map every asset to the name of its group.")

    def __hash__(self) -> int:
        blocks = None if self.blocks is None else tuple(self.blocks.items())
        return hash((self.order, self.margins, blocks))

    @property
    def parameter_names(self) -> list[str]:
        """a1, ..., aP, b1, ..., bQ."""
        return [f"a{i + 1}" for i in range(self.order[0])] + [f"b{j + 1}" for j in range(self.order[1])]

    def groups(self, columns: pd.Index) -> tuple[IntArray, list[Any]]:
        """The group of each asset as a number (N,), and the groups' names in the order of ``blocks``."""
        if self.blocks is None:
            return np.zeros(len(columns), dtype=np.int64), ["all"]
        lost = [c for c in columns if c not in self.blocks]
        if lost:
            raise OptionError(f"blocks has no group for the asset {lost[0]!r}; give every asset of the data one.")
        used = [self.blocks[c] for c in columns]
        names = [g for g in dict.fromkeys(self.blocks.values()) if g in used]
        return np.array([names.index(g) for g in used]), names

    def _check(self, y: Any, least: int) -> Wide:
        """Two assets or more, each with a group, more rows than groups."""
        wide = complete_rows(y, least, remedy=COMPLETE_PAIRS)
        if wide.values.shape[1] < 2:
            raise DataError("y has one asset and a correlation needs two; use GARCH for a single series.")
        groups = len(self.groups(wide.columns)[1])
        if len(wide.values) <= groups:
            raise DataError(f"y has {len(wide.values)} rows for {groups} groups; take fewer groups or more rows.")
        return wide

    def fit(self, y: Any) -> DECOResult:
        """Fit the margins, then the correlation parameters.

        Parameters
        ----------
        y : (T, N) table or array, or margins
            Returns or innovations of log illiquidity, any unit, complete rows; standardised residuals with
            ``margins=None``. Or fitted margins: a `GARCHResult`, another fitted model (its margins), or a mapping or
            list of results of arch. N may exceed T.

        Returns
        -------
        DECOResult

        Raises
        ------
        DataError
            Missing or infinite values, one asset, too few rows, a series that does not vary, no more rows than groups.
        OptionError
            An asset without a group.
        """
        margins = margins_of(self.margins, y, self._check)
        codes, names = self.groups(margins.columns)
        sums = GroupSums.of(margins.std_resid_values, codes)
        level = sums.level()
        M = kernels.unpack(level[: -len(names)], len(names))
        alike = (np.diag(M) > sums.sizes - 1e-9) & (sums.sizes > 1)
        if alike.any() or np.linalg.eigvalsh(M)[0] < 1e-9:
            raise DataError(
                "All series of a group are copies of each other, or groups are copies or opposites; keep one of each."
            )
        found = fit_correlation(self.order, self.parameter_names, sums, level)
        psi = pd.Series(found.psi, index=self.parameter_names)
        return DECOResult(
            params=pd.concat([margins.params, psi]).rename("estimate"),
            loglikelihood=_gaussian(margins) + found.loglikelihood,
            converged=margins.converged and found.converged,
            notes=(*margins.notes, *found.notes),
            nobs=margins.nobs,
            margins=margins,
            spec=self,
            level=level,
            basis=found.basis,
            gap=found.gap,
            evaluations=found.evaluations,
            origin=None,
        )


@dataclass(frozen=True, eq=False, repr=False)
class DECOResult(CorrelationResult):
    """A fitted DECO.

    Besides what `CorrelationResult` offers: ``rho``; ``spec``, ``level`` (the target's state: packed V'S V and mean
    diagonals), ``basis`` (k, r: directions of (a, b) free of bounds), ``gap`` (what a feasible step in (a, b) could
    still gain per time step, to first order), ``evaluations``, and ``origin``, the fit behind a filtered result.
    """

    spec: DECO
    level: FloatArray
    basis: FloatArray
    gap: float
    evaluations: int
    origin: DECOResult | None

    @property
    def title(self) -> str:
        """Orders, groups and margins."""
        groups = len(self._group_names)
        return f"DECO{self.spec.order} on {margins_label(self.margins)}" + (f", {groups} groups" if groups > 1 else "")

    @property
    def _psi(self) -> FloatArray:
        return self.params.to_numpy()[-sum(self.spec.order) :]

    @property
    def _codes(self) -> IntArray:
        return self.spec.groups(self.columns)[0]

    @property
    def _group_names(self) -> list[Any]:
        return self.spec.groups(self.columns)[1]

    @cached_property
    def _sums(self) -> GroupSums:
        return GroupSums.of(self.margins.std_resid_values, self._codes)

    @cached_property
    def _levels(self) -> FloatArray:
        """Correlations within and between groups (T, G, G)."""
        P = self.spec.order[0]
        state = kernels.states(self._sums.news, self.level, self._psi[:P], self._psi[P:])[0]
        return group_levels(state, self._sums.sizes)

    @property
    def rho(self) -> Any:
        """The equicorrelation along time: a Series, or a frame with a column a group and a pair of groups.

        Row t uses rows before t. A group of one asset has no correlation within.
        """
        names, sizes = self._group_names, self._sums.sizes
        if len(names) == 1:
            return pd.Series(self._levels[:, 0, 0], index=self.index, name="rho")
        columns = {str(n): self._levels[:, g, g] for g, n in enumerate(names) if sizes[g] > 1}
        for g, first in enumerate(names):
            columns |= {f"{first}, {n}": self._levels[:, g, h] for h, n in enumerate(names) if h > g}
        return pd.DataFrame(columns, index=self.index)

    @property
    def average_correlation(self) -> pd.Series:
        """Mean over all pairs of the conditional correlation, along time: the level of co-movement."""
        sizes = self._sums.sizes
        pairs = np.outer(sizes, sizes) - np.diag(sizes)
        mean = (self._levels * pairs).sum(axis=(1, 2)) / pairs.sum()
        return pd.Series(mean, index=self.index, name="average_correlation")

    def _chunks(self, columns: list[int], rows: int) -> Iterator[FloatArray]:
        codes = self._codes[columns]
        for first in range(0, self.nobs, rows):
            yield spread(self._levels[first : first + rows], codes)

    @cached_property
    def _last(self) -> FloatArray:
        return spread(self._levels[-1:], self._codes)[0]

    @cached_property
    def _equations(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Scores of (a, b), their derivatives in margins and in (a, b), what the target's unforeseen noise adds."""
        P = self.spec.order[0]
        scores, cross, inner, noise = correlation_moments(P, self.margins, self._sums, self._psi)
        return scores, cross, inner, whitened(noise, self._psi[:P], self._psi[P:])

    def _moments(self) -> Moments:
        scores, cross, inner, noise = self._equations
        return stacked(self.margins, scores, cross, inner, self.basis, noise)

    @property
    def _ranges(self) -> FloatArray:
        return np.concatenate([self.margins._ranges, np.tile([0.0, 1.0], (len(self._psi), 1))])

    def _profile(self, level: float, errors: Errors, hac: int | Literal["auto"] | None) -> pd.DataFrame:
        if self.origin is not None:
            return self.origin._profile(level, errors, hac)
        from drainstats.models.coliquidity.dcc.search import Problem

        sums, P = self._sums, self.spec.order[0]
        news, start = sums.news, sums.level()

        def evaluate(psi: FloatArray) -> tuple[FloatArray, FloatArray]:
            value, scores = likelihood(P, sums, news, start, psi)[:2]
            return value, scores

        def quick(psi: FloatArray) -> float:
            return -float(evaluate(psi)[0].sum())

        names, sizes = self.spec.parameter_names, (*self.spec.order, 0)
        return profile_intervals(self, Problem(names, sizes, np.ones(len(names)), evaluate, quick), level, errors, hac)

    @property
    def std_errors(self) -> pd.Series:
        """Robust standard errors, one a parameter; series by series, so thousands of assets cost no big solve."""
        if self.origin is not None:
            return self.origin.std_errors
        scores, cross, inner, noise = self._equations
        margins = self.margins
        bread, errors = margins.bread, []
        K = len(bread) // max(len(margins.fits), 1)
        moments = scores + noise
        for i, fit in enumerate(margins.fits):
            block = slice(i * K, (i + 1) * K)
            own, curvature = margins.score_values[:, block], bread[block, block]
            errors.append(np.sqrt(np.diag(sandwich(curvature, own, fit.basis))) * fit.units)
            inverse = fit.basis @ np.linalg.solve(fit.basis.T @ curvature @ fit.basis, fit.basis.T)
            moments -= own @ (cross[:, block] @ inverse).T
        errors.append(np.sqrt(np.diag(sandwich(inner, moments, self.basis))))
        return pd.Series(np.concatenate(errors), index=self.params.index, name="std_error")

    def filter(self, y_new: Any) -> DECOResult:
        """Run new data through at fixed parameters.

        Means, target and the start of the variances are those of the fit, so nothing in row t depends on later rows;
        on the data of the fit the answer is the fit.
        """
        margins = whole(self.margins.filter(y_new), "DECO")
        sums = GroupSums.of(margins.std_resid_values, self._codes)
        P = self.spec.order[0]
        state = kernels.states(sums.news, self.level, self._psi[:P], self._psi[P:])[0]
        value = float(kernels.block_likelihood(state, sums.m, sums.s, sums.sizes)[0].sum())
        return replace(
            self,
            loglikelihood=_gaussian(margins) + value,
            nobs=margins.nobs,
            margins=margins,
            origin=self.origin or self,
        )

    def forecast(self, horizon: int = 1) -> CorrelationForecast:
        """Forecast variances and correlations of the next ``horizon`` steps.

        One step ahead it is exact; further out the recursion in Q goes on with future zz' replaced by Q.
        """
        check_horizon(horizon)
        N = len(self.columns)
        if horizon * N * N * 8 > correlation.PATH_BYTES:
            raise SizeError(f"{horizon} matrices of {N} x {N} do not fit in memory; take a shorter horizon.")
        (P, _), sums = self.spec.order, self._sums
        news = sums.news - self.level
        drift = kernels.states(sums.news, self.level, self._psi[:P], self._psi[P:])[0] - self.level
        lags = max(self.spec.order)
        # Before the sample shocks and Q are the target: deviations of zero.
        past = [np.zeros(len(self.level))] * lags
        x, q = past + list(news[-lags:]), past + list(drift[-lags:])
        for _ in range(horizon):
            step = sum(w * x[-1 - i] for i, w in enumerate(self._psi[:P]))
            step = step + sum(w * q[-1 - j] for j, w in enumerate(self._psi[P:]))
            x.append(step)
            q.append(step)
        levels = group_levels(self.level + np.array(q[-horizon:]), sums.sizes)
        return CorrelationForecast(self.margins.forecast(horizon), spread(levels, self._codes))

    def simulate(self, steps: int, seed: int = 0, burn: int = 500) -> pd.DataFrame:
        """``steps`` rows from the estimated model, after ``burn`` steps from the target that are dropped."""
        rng = np.random.default_rng(seed)
        P, lags, codes = self.spec.order[0], max(self.spec.order), self._codes
        sizes = self._sums.sizes
        V = np.eye(len(sizes))[codes] / np.sqrt(sizes)
        z = np.empty((burn + steps, len(codes)))
        x, q = [np.zeros(len(self.level))] * lags, [np.zeros(len(self.level))] * lags
        for t in range(len(z)):
            step = sum(w * x[-1 - i] for i, w in enumerate(self._psi[:P]))
            step = step + sum(w * q[-1 - j] for j, w in enumerate(self._psi[P:]))
            C = kernels.scaled(self.level + step[None], len(sizes))[0]
            own = np.sqrt(np.where(sizes > 1, (sizes - np.diag(C)) / np.maximum(sizes - 1, 1), 0.0))
            shock = rng.standard_normal(len(codes))
            common = shock @ V
            z[t] = own[codes] * (shock - V @ common) + V @ (np.linalg.cholesky(C) @ common)
            news = GroupSums.of(z[t : t + 1], codes).news[0] - self.level
            x, q = [*x[1:], news], [*q[1:], step]
        return pd.DataFrame(self.margins.drive(z)[burn:], columns=self.columns)


def _gaussian(margins: GARCHResult) -> float:
    """Log-likelihood of independent normal shocks at the margins' means and variances."""
    z = margins.std_resid_values
    return float(-np.log(margins.volatility_values).sum() - 0.5 * (np.log(2.0 * np.pi) * z.size + (z**2).sum()))


def group_levels(state: FloatArray, sizes: FloatArray) -> FloatArray:
    """Correlations within (diagonal) and between groups (T, G, G); a group of one asset has 1 within."""
    C = kernels.scaled(state, len(sizes))
    out = C / np.sqrt(np.outer(sizes, sizes))
    place = np.arange(len(sizes))
    out[:, place, place] = (C[:, place, place] - 1.0) / np.maximum(sizes - 1.0, 1.0)
    out[:, place[sizes == 1], place[sizes == 1]] = 1.0
    return np.asarray(out)


def spread(levels: FloatArray, codes: IntArray) -> FloatArray:
    """Correlation matrices (T, N, N) from those of groups (T, G, G)."""
    out = levels[:, codes[:, None], codes[None, :]]
    place = np.arange(len(codes))
    out[:, place, place] = 1.0
    return np.asarray(out)
