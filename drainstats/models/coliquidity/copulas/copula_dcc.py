"""Copula-DCC: how do series depend on each other, whatever the law of each, and do they crash together?

    u_i[t] = F_i(z_i[t])            margins, one by one: their fitted law, or ranks
    x_i[t] = G^-1(u_i[t])           copula scores; G: normal, or t with nu degrees of freedom, unit variance
    Q[t] = (1 - sum a - sum b) S + sum_i a_i x[t-i] x[t-i]' + sum_j b_j Q[t-j],   R[t] = Q[t] scaled
    log f = sum_i log f_i + log g(x[t]; R[t]) - sum_i log g_1(x_i[t])

Patton (2006), International Economic Review 47, 527-556, for conditional copulas; Jondeau and Rockinger (2006), Journal
of International Money and Finance 25, 827-853. With normal margins and a normal copula it is DCC itself. The scores
depend on nu and so does their target S: all move together in the search. Under the t two series crash together with
the probability (Embrechts, McNeil and Straumann, 2002)

    lambda[t] = 2 t_(nu+1)(-((nu + 1) (1 - rho[t]) / (1 + rho[t]))^1/2)

in the limit of ever rarer events; under the normal it is 0.

Standard errors are those of three steps, margins, target, copula: with fitted laws the margins' scores, shapes
included, enter through x; with ranks the sampling error of the ranks does (Genest, Ghoudi and Rivest, 1995), while the
parameters that filter the residuals do not count, as Chen and Fan (2006), Journal of Econometrics 135, 125-154, show
for a constant copula. `inference` has the formulas.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError, check_option, check_whole
from drainstats.models.base import Moments
from drainstats.models.coliquidity.copulas.pit import (
    Areas,
    areas,
    by_laws,
    by_ranks,
    in_shape,
    laws_of,
    log_density,
    quantiles,
)
from drainstats.models.coliquidity.correlation import (
    CorrelationForecast,
    CorrelationResult,
    check_horizon,
    correlation_root,
    to_correlation,
)
from drainstats.models.coliquidity.dcc.engle import DCC
from drainstats.models.coliquidity.inference import stacked, whitened
from drainstats.models.coliquidity.margins.garch import GARCH
from drainstats.models.coliquidity.margins.given import margins_label, margins_of
from drainstats.typing import FloatArray

if TYPE_CHECKING:
    from drainstats.models.coliquidity.copulas.search import State

# rmgarch cuts probabilities off above, and below at the spacing of floating point numbers.
CUT_ABOVE, CUT_BELOW = 1e-5, 2.0**-52


@dataclass(frozen=True)
class CopulaDCC:
    """A normal or t copula whose correlations follow a DCC.

    Parameters
    ----------
    order : (int, int), default (1, 1)
        Lags of shocks (a) and of Q (b).
    margins : GARCH or None, default GARCH(dist="t")
        Spec of every margin; its law makes the probabilities under "parametric". None: the data are standardised
        residuals, which have ranks only.
    dist : {"t", "normal"}, default "t"
        The copula. "t" estimates its degrees of freedom ``nu`` > 2 with a and b.
    transform : {"parametric", "empirical"}, default "parametric"
        Probabilities from the fitted laws, or from mid-ranks r / (T + 1), which no monotone change of the residuals
        moves.
    convention : {"engle", "rmgarch"}, default "engle"
        Target and pre-sample of the scores, as in `DCC`. "rmgarch" takes the covariance of the scores, zeros before the
        sample in the search and in the report, and cuts probabilities off above 0.99999.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = rng.standard_t(5, (400, 2)) @ np.array([[1.0, 0.5], [0.0, 1.0]])
    >>> res = CopulaDCC(dist="normal", margins=None, transform="empirical").fit(y)
    >>> list(res.params.index)
    ['a1', 'b1']
    """

    order: tuple[int, int] = (1, 1)
    margins: GARCH | None = field(default_factory=lambda: GARCH(dist="t"))
    dist: Literal["t", "normal"] = "t"
    transform: Literal["parametric", "empirical"] = "parametric"
    convention: Literal["engle", "rmgarch"] = "engle"

    def __post_init__(self) -> None:
        check_option("dist", self.dist, ["t", "normal"])
        check_option("transform", self.transform, ["parametric", "empirical"])
        check_option("convention", self.convention, ["engle", "rmgarch"])
        # The order is checked by what takes it.
        _ = self.recursion

    @property
    def recursion(self) -> DCC:
        """The DCC that the copula scores follow."""
        convention: Literal["engle", "tsmarch"] = "engle" if self.convention == "engle" else "tsmarch"
        return DCC(self.order, None, self.dist, target="sample", convention=convention)

    def probabilities(self, margins: Any, among: FloatArray) -> Areas:
        """Tail areas of the residuals of ``margins``, by law or by ranks among those of the fit (M, N)."""
        ranks = self.transform == "empirical"
        found = by_ranks(margins.std_resid_values, among) if ranks else by_laws(margins)
        if self.convention == "engle":
            return found
        return Areas(np.maximum(found.area, np.where(found.upper, CUT_ABOVE, CUT_BELOW)), found.upper)

    def fit(self, y: Any) -> CopulaDCCResult:
        """Fit the margins, then the copula.

        Parameters
        ----------
        y : (T, N) table or array, or margins
            Returns or innovations of log illiquidity, any unit, complete rows; standardised residuals with
            ``margins=None``. Or fitted margins: a `GARCHResult`, another fitted model (its margins), or a mapping or
            list of results of arch.

        Returns
        -------
        CopulaDCCResult

        Raises
        ------
        DataError
            Missing or infinite values, one asset, too few rows, duplicated series, a residual that its fitted law
            cannot have made, plain residuals with "parametric".
        """
        from drainstats.models.coliquidity.copulas.search import fit_copula, likelihood, state_at

        margins = margins_of(self.margins, y)
        z, spec = margins.std_resid_values, self.recursion
        at = self.probabilities(margins, z)
        spec.refuse(quantiles("normal", at, np.empty(0)), margins.columns)
        found = fit_copula(spec, at)
        state = state_at(spec, at, found.psi)
        copula = float(likelihood(spec, state, found.psi)[0].sum())
        psi = pd.Series(found.psi, index=spec.parameter_names)
        return CopulaDCCResult(
            params=pd.concat([margins.params, psi]).rename("estimate"),
            loglikelihood=margins.loglikelihood + copula,
            converged=margins.converged and found.converged,
            notes=(*margins.notes, *found.notes),
            nobs=len(z),
            margins=margins,
            spec=self,
            copula_loglikelihood=copula,
            state=state,
            at=at,
            basis=found.basis,
            gap=found.gap,
            evaluations=found.evaluations,
            origin=None,
        )


@dataclass(frozen=True, eq=False, repr=False)
class CopulaDCCResult(CorrelationResult):
    """A fitted copula-DCC.

    Besides what `CorrelationResult` offers: ``spec``; ``copula_loglikelihood``, what dependence adds to the margins'
    own log-likelihood; ``state`` (copula scores, target, pre-sample), ``at`` (tail areas), ``basis`` (k, r: directions
    of the copula parameters free of bounds), ``gap`` (what a feasible step could still gain per time step),
    ``evaluations``, and ``origin``, the fit behind a filtered result.

    Correlations are those of the copula scores. Covariances scale them with the margins' volatilities, which is exact
    where margins and copula have the same law and close elsewhere.
    """

    spec: CopulaDCC
    copula_loglikelihood: float
    state: State
    at: Areas
    basis: FloatArray
    gap: float
    evaluations: int
    origin: CopulaDCCResult | None

    @property
    def title(self) -> str:
        """Orders, transform, margins, copula."""
        s = self.spec
        return f"CopulaDCC{s.order} on {margins_label(self.margins)}, {s.transform}, {s.dist} copula"

    @property
    def _psi(self) -> FloatArray:
        return self.params.to_numpy()[len(self.params) - len(self.spec.recursion.parameter_names) :]

    @property
    def pit(self) -> pd.DataFrame:
        """T × N probabilities u; uniform if the margins are right."""
        return pd.DataFrame(self.at.u, index=self.index, columns=self.columns)

    @property
    def scores(self) -> pd.DataFrame:
        """T × N copula scores x, unit variance."""
        return pd.DataFrame(self.state.x, index=self.index, columns=self.columns)

    def tail_dependence(self, first: Any, second: Any) -> pd.Series:
        """Probability that one asset crashes given that the other does, in the limit, along time.

        The same in both tails; 0 under the normal copula. Row t uses rows before t.
        """
        from scipy.special import stdtr

        rho = self.pair(first, second)
        if self.spec.dist == "normal":
            return 0.0 * rho
        nu = float(self._psi[-1])
        return pd.Series(
            2.0 * stdtr(nu + 1.0, -np.sqrt((nu + 1.0) * (1.0 - rho) / (1.0 + rho))), index=rho.index, name=rho.name
        )

    def _chunks(self, columns: list[int], rows: int) -> Iterator[FloatArray]:
        from drainstats.models.coliquidity.dcc.search import walk

        places = np.array(columns)[:, None], columns
        target, before = self.state.target[places], self.state.before[places]
        for q in walk(self.spec.recursion, self.state.x[:, columns], target, self._psi, rows, before=before):
            yield to_correlation(q)

    def _moments(self) -> Moments:
        from drainstats.models.coliquidity.copulas.search import moments, noise_of_ranks

        margins, spec = self.margins, self.spec.recursion
        scores, slopes, inner, noise = moments(spec, self.at, self._psi)
        weights, cross = spec.weights(self._psi), np.zeros((len(inner), len(margins.bread)))
        if self.spec.transform == "empirical":
            scores = scores + noise_of_ranks(self.at, slopes)
        elif len(margins.bread):
            cross = self._through_margins(slopes) / len(scores)
        return stacked(margins, scores, cross, inner, self.basis, whitened(noise, weights.a, weights.b))

    @property
    def _ranges(self) -> FloatArray:
        spec = self.spec.recursion
        own = [(0.0, 1.0)] * sum(spec.sizes) + list(spec.law.shape.limits)
        return np.concatenate([self.margins._ranges, np.array(own)])

    def _through_margins(self, cross: FloatArray) -> FloatArray:
        """Turn derivatives in the probabilities (k, T, N) into those in the margin parameters (k, K)."""
        margins, z = self.margins, self.margins.std_resid_values
        laws, N = laws_of(margins), z.shape[1]
        density = np.exp(np.column_stack([log_density(dist, z[:, i], s) for i, (dist, s) in enumerate(laws)]))
        out = []
        for slope in cross:
            table = margins.pull_back(slope * density).reshape(N, -1)
            for i, (dist, shape) in enumerate(laws):
                table[i, table.shape[1] - len(shape) :] += in_shape(dist, z[:, i], shape) @ slope[:, i]
            out.append(table.ravel())
        return np.array(out)

    def filter(self, y_new: Any) -> CopulaDCCResult:
        """Run new data through at fixed parameters.

        Laws or ranks, target and the start of the variances are those of the fit, so nothing in row t depends on later
        rows; on the data of the fit the answer is the fit.
        """
        from drainstats.models.coliquidity.copulas.search import likelihood

        origin, spec = self.origin or self, self.spec.recursion
        margins = self.margins.filter(y_new)
        if not np.isfinite(margins.std_resid_values).all():
            raise DataError("The new data have missing values and the copula needs complete rows; drop them.")
        at = self.spec.probabilities(margins, origin.margins.std_resid_values)
        state = replace(self.state, x=quantiles(spec.dist, at, spec.shape(self._psi)))
        copula = float(likelihood(spec, state, self._psi)[0].sum())
        return replace(
            self, loglikelihood=margins.loglikelihood + copula, copula_loglikelihood=copula, nobs=margins.nobs,
            margins=margins, at=at, state=state, origin=origin,
        )  # fmt: skip

    def forecast(self, horizon: int = 1, draws: int = 1000, seed: int = 0) -> CorrelationForecast:
        """Forecast variances and copula correlations of the next ``horizon`` steps.

        Parameters
        ----------
        horizon : int, default 1
        draws : int, default 1000
            Paths of the scores whose correlations are averaged; the first step is exact and needs none.
        seed : int, default 0
        """
        from drainstats.models.coliquidity.dcc.search import walk

        check_horizon(horizon)
        check_whole("draws", draws, 1)
        spec, x, N = self.spec.recursion, self.state.x, len(self.columns)
        weights = spec.weights(self._psi)
        m = weights.lags
        if self.nobs < m:
            raise DataError(f"A forecast needs the last {m} rows and {self.nobs} are there; filter a longer stretch.")
        tail: FloatArray = np.empty(0)
        for q in walk(spec, x, self.state.target, self._psi, max(m, self._rows(N)), m, self.state.before):
            tail = q[-m:].copy()
        rng = np.random.default_rng(seed)
        path, news = list(tail), [np.outer(row, row) for row in x[-m:]]
        intercept, out = weights.intercept(self.state.target[None]), []
        for step in range(horizon):
            path.append(weights.step(np.broadcast_to(intercept, np.shape(news[-1])), path, news, []))
            R = to_correlation(path[-1])
            out.append(R if step == 0 else R.mean(axis=0))
            shocks = rng.standard_normal((draws, N)) * spec.law.scale(rng, draws, spec.shape(self._psi))[:, None]
            shock = (np.linalg.cholesky(R) @ shocks[..., None])[..., 0]
            news.append(shock[:, :, None] * shock[:, None, :])
        return CorrelationForecast(self.margins.forecast(horizon), np.array(out))

    def simulate(self, steps: int, seed: int = 0, burn: int = 500) -> pd.DataFrame:
        """``steps`` rows from the estimated model, after ``burn`` steps from the target that are dropped.

        Copula scores go back through the law of each margin, or through the quantiles of the residuals of the fit.
        """
        rng, spec = np.random.default_rng(seed), self.spec.recursion
        weights, S = spec.weights(self._psi), self.state.target
        m, total = weights.lags, burn + steps
        factor = spec.law.scale(rng, total, spec.shape(self._psi))
        x, intercept = np.zeros((total, len(S))), weights.intercept(S[None])
        path, news = [S] * m, [S] * m
        for t in range(total):
            q = weights.step(intercept, path, news, [])
            x[t] = factor[t] * (correlation_root(to_correlation(q)) @ rng.standard_normal(len(S)))
            path, news = [*path[1:], q], [*news[1:], np.outer(x[t], x[t])]
        return pd.DataFrame(self.margins.drive(self._residuals(x))[burn:], columns=self.columns)

    def _residuals(self, x: FloatArray) -> FloatArray:
        """Standardised residuals (T, N) that belong to copula scores."""
        at = areas(self.spec.dist, x, self.spec.recursion.shape(self._psi))
        if self.spec.transform == "empirical":
            z = (self.origin or self).margins.std_resid_values
            return np.column_stack([np.quantile(z[:, i], u) for i, u in enumerate(at.u.T)])
        laws = laws_of(self.margins)
        found = [quantiles(law, Areas(at.area[:, i], at.upper[:, i]), s) for i, (law, s) in enumerate(laws)]
        return np.column_stack(found)
