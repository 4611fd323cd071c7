"""What the models of the DCC family share: how a fit goes, and what its result offers.

Standard errors count margins, target and correlation parameters; `inference` has the formulas.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, SizeError, check_option, check_whole
from drainstats.frames import Wide
from drainstats.models.base import Errors, Moments, lag_count, long_run
from drainstats.models.coliquidity.correlation import (
    CorrelationForecast,
    CorrelationResult,
    check_horizon,
    correlation_root,
    to_correlation,
)
from drainstats.models.coliquidity.dcc import targets
from drainstats.models.coliquidity.dcc.joint_laws import JOINT_LAWS, JointLaw
from drainstats.models.coliquidity.dcc.passes import Weights
from drainstats.models.coliquidity.inference import profile_intervals, stacked, target_influences, whitened
from drainstats.models.coliquidity.inputs import check_target, several_assets
from drainstats.models.coliquidity.margins.garch import GARCH, GARCHResult
from drainstats.models.coliquidity.margins.given import margins_label, margins_of
from drainstats.typing import FloatArray

if TYPE_CHECKING:
    from drainstats.models.coliquidity.dcc.search import CorrelationFit, Problem

# Rows of a full covariance.
FULL = 2000


@dataclass(frozen=True)
class Recursion(ABC):
    """What the models of the family share: orders, margins, how a fit goes. Each says what drives its Q."""

    order: tuple[int, int] = (1, 1)
    margins: GARCH | None = field(default_factory=GARCH)
    dist: Literal["normal", "t", "laplace"] = "normal"

    laws: ClassVar[tuple[str, ...]] = ("normal",)

    def __post_init__(self) -> None:
        check_option("dist", self.dist, self.laws)
        whole = isinstance(self.order, tuple) and all(isinstance(k, (int, np.integer)) for k in self.order)
        if not whole or len(self.order) != 2 or self.order[0] < 1 or self.order[1] < 0:
            raise OptionError(
                f"order={self.order!r} must be (P, Q) with P at least 1 and Q at least 0; CCC has no lags."
            )

    @property
    def sizes(self) -> tuple[int, int, int]:
        """How many a, b and g."""
        return (*self.order, 0)

    @property
    def parameter_names(self) -> list[str]:
        """a1, ..., aP, b1, ..., bQ and, if the model has them, g1, ..., and the shape of the law."""
        weights = [f"{name}{k + 1}" for name, size in zip("abg", self.sizes, strict=True) for k in range(size)]
        return weights + list(self.law.shape.names)

    @property
    def law(self) -> JointLaw:
        """The law of the shocks."""
        return JOINT_LAWS[self.dist]

    def weights(self, psi: FloatArray) -> Weights:
        """The parameters as the recursion takes them."""
        a, b, g, _ = np.split(psi, np.cumsum(self.sizes))
        return Weights(a.copy(), b.copy(), g.copy())

    def shape(self, psi: FloatArray) -> FloatArray:
        """Shape parameters of the law (S,)."""
        return np.asarray(psi[len(psi) - len(self.law.shape.names) :])

    def shocks(self, z: FloatArray, psi: FloatArray) -> FloatArray:
        """What drives Q (T, N): the residuals ``z``."""
        return z

    def shock(self, q: FloatArray, z: FloatArray) -> FloatArray:
        """What drives Q after one step with residuals ``z`` (N,) at a given Q (N, N)."""
        return z

    def before(self, z: FloatArray, target: FloatArray, reported: bool) -> FloatArray:
        """Products of shocks before the sample, shaped like ``target``: as ``reported`` or as the search has them."""
        return target

    def start(self, target: FloatArray, before: FloatArray) -> FloatArray:
        """Q before the sample (N, N)."""
        return np.asarray(target.reshape(-1, *target.shape[-2:])[0])

    def complete(self, y: Any, least: int) -> Wide:
        """The table of a fit, with ``least`` rows or more."""
        return several_assets(y, least)

    def refuse(self, z: FloatArray, columns: pd.Index) -> None:
        """Say in a sentence why residuals (T, N) cannot be fitted, if so."""
        check_target(to_correlation(z.T @ z / len(z)), columns)

    @abstractmethod
    def search(self, z: FloatArray, guess: FloatArray | None = None) -> CorrelationFit:
        """Maximise the correlation likelihood of residuals (T, N), from a guess of psi if there is one."""

    @abstractmethod
    def target_at(self, z: FloatArray, psi: FloatArray) -> FloatArray:
        """S (N, N), or S and N stacked, from residuals (T, N)."""

    @abstractmethod
    def moments(self, margins: GARCHResult, target: FloatArray, psi: FloatArray) -> tuple[FloatArray, ...]:
        """Scores of psi (T, k), their mean derivative in margins (k, N K) and psi (k, k), the target's noise (T, k).

        The last is left out where the target's sampling error is not known.
        """

    def problem(self, z: FloatArray, target: FloatArray) -> Problem:
        """What the search maximises, at a target (N, N) if that does not follow the parameters."""
        raise OptionError(f"{type(self).__name__} has no profile intervals; take method='transformed'.")

    def fit(self, y: Any, start: pd.Series | None = None) -> DCCResult:
        """Fit the margins, then the correlation parameters.

        Parameters
        ----------
        y : (T, N) table or array, or margins
            Returns or innovations of log illiquidity, any unit; standardised residuals with ``margins=None``. DCC takes
            missing values, the others of its family need complete rows. Or fitted margins: a `GARCHResult`, another
            fitted model (its margins), or a mapping or list of results of arch.
        start : Series, optional
            ``params`` of an earlier fit of this spec, near which the correlation parameters are looked for first; the
            optimum that is found does not depend on it.

        Returns
        -------
        DCCResult

        Raises
        ------
        DataError
            Infinite values, one asset, too few rows, a series that does not vary, duplicated series; missing values if
            the model needs complete rows.
        """
        from drainstats.models.coliquidity.dcc.ragged_result import fit_ragged
        from drainstats.models.coliquidity.dcc.search import joint_loglikelihood

        margins = margins_of(self.margins, y, self.complete)
        z = margins.std_resid_values
        guess = None if start is None else start.reindex(self.parameter_names).to_numpy(np.float64)
        if not np.isfinite(z).all():
            return fit_ragged(self, margins, guess)
        self.refuse(z, margins.columns)
        found = self.search(z, guess)
        target = self.target_at(z, found.psi)
        before = self.before(z, target, True)
        psi = pd.Series(found.psi, index=self.parameter_names)
        return DCCResult(
            params=pd.concat([margins.params, psi]).rename("estimate"),
            loglikelihood=joint_loglikelihood(self, margins, target, found.psi, before),
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
            before=before,
        )


@dataclass(frozen=True)
class Targeted(Recursion):
    """A model whose S may be the sample's, shrunk or given, and whose shocks may have any joint law."""

    target: Any = "auto"

    laws: ClassVar[tuple[str, ...]] = tuple(JOINT_LAWS)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "target", targets.as_target(self.target))

    def complete(self, y: Any, least: int) -> Wide:
        """The table of a fit; only a target of the sample needs more rows than assets."""
        return several_assets(y, least, crowded=self.target != "sample")

    def refuse(self, z: FloatArray, columns: pd.Index) -> None:
        """Singular targets, doubled series, and what the joint law cannot bear."""
        targets.check(self.target, z, columns)
        self.law.check(z)


@dataclass(frozen=True, eq=False, repr=False)
class DCCResult(CorrelationResult):
    """A fitted DCC.

    Besides what `CorrelationResult` offers: ``spec``, ``target`` (N, N; with asymmetry S and N stacked, 2 × N × N),
    ``before`` (zz', and nn', before the sample, shaped like ``target``), ``basis`` (k, r: directions of the correlation
    parameters free of bounds), ``gap`` (what a feasible step in them could still gain per time step, to first order),
    ``evaluations``, and ``origin``, the fit behind a filtered result.
    """

    spec: Recursion
    target: FloatArray
    basis: FloatArray
    gap: float
    evaluations: int
    origin: DCCResult | None
    before: FloatArray | None = field(default=None, kw_only=True)

    @property
    def title(self) -> str:
        """Orders, convention and margins."""
        convention = getattr(self.spec, "convention", None)
        tail = f", convention {convention}" if convention else ""
        inner = margins_label(self.margins)
        return f"{type(self.spec).__name__}{self.spec.order} on {inner}, {self.spec.dist}{tail}"

    @property
    def _psi(self) -> FloatArray:
        return self.params.to_numpy()[len(self.params) - len(self.spec.parameter_names) :]

    @property
    def _before(self) -> FloatArray:
        if self.before is not None:
            return self.before
        return self.spec.before(self.margins.std_resid_values, self.target, True)

    def _chunks(self, columns: list[int], rows: int) -> Iterator[FloatArray]:
        from drainstats.models.coliquidity.dcc.search import walk

        z = self.margins.std_resid_values[:, columns]
        target, before = (x[..., np.array(columns)[:, None], columns] for x in (self.target, self._before))
        for q in walk(self.spec, self.spec.shocks(z, self._psi), target, self._psi, rows, before=before):
            yield to_correlation(q)

    def _correlation_moments(self) -> tuple[FloatArray, ...]:
        """Scores of psi (T, k), their mean derivative in margins (k, N K) and psi (k, k), the target's noise (T, k)."""
        return self.spec.moments(self.margins, self.target, self._psi)

    def _moments(self) -> Moments:
        scores, cross, inner, *noise = self._correlation_moments()
        weights = self.spec.weights(self._psi)
        unforeseen = whitened(noise[0], weights.a, weights.b) if noise else None
        return stacked(self.margins, scores, cross, inner, self.basis, unforeseen)

    def full_covariance(self, hac: int | Literal["auto"] | None = None) -> pd.DataFrame:
        """Covariance of margins, target and correlation parameters together, as three-step errors have it.

        Parameters
        ----------
        hac : int or "auto", optional
            Lags of serial dependence that are counted; see `covariance_of`.

        Returns
        -------
        DataFrame
            Rows and columns: the margins, the free elements of S as ``target(A, B)``, the correlation parameters.

        Raises
        ------
        OptionError
            The target is not the sample's moment, or follows (a, b): `covariance_of` has all there is.
        SizeError
            More than 2000 parameters.
        """
        if self.origin is not None:
            return self.origin.full_covariance(hac)
        z, N = self.margins.std_resid_values, len(self.columns)
        option, convention = getattr(self.spec, "target", None), getattr(self.spec, "convention", None)
        if convention is None or not np.isfinite(z).all() or targets.how(option, *z.shape) != "sample":
            raise OptionError("This target is not a plain moment of the sample; take covariance_of.")
        size = len(self.params) + N * (N + 1) // 2
        if size > FULL:
            raise SizeError(f"The full covariance has {size} rows, the limit is {FULL}; take covariance_of.")
        names, target = target_influences(self)
        own, K = self._moments().influences("three_step"), len(self.margins.params)
        values = long_run(np.concatenate([own[:K], target, own[K:]]), lag_count(hac, self.nobs))
        labels = [*self.params.index[:K], *names, *self.params.index[K:]]
        return pd.DataFrame(values, index=labels, columns=labels)

    @property
    def _ranges(self) -> FloatArray:
        sizes = self.spec.sizes
        own = [(0.0, 1.0)] * (sizes[0] + sizes[1]) + [(0.0, np.inf)] * sizes[2]
        own += [(2.0, np.inf)] * (len(self._psi) - len(own))
        return np.concatenate([self.margins._ranges, np.array(own)])

    def _profile(self, level: float, errors: Errors, hac: int | Literal["auto"] | None) -> pd.DataFrame:
        if self.origin is not None:
            return self.origin._profile(level, errors, hac)
        return profile_intervals(self, self._problem(), level, errors, hac)

    def _problem(self) -> Problem:
        return self.spec.problem(self.margins.std_resid_values, self.target)

    def filter(self, y_new: Any) -> DCCResult:
        """Run new data through at fixed parameters.

        Means, target and the start of the variances are those of the fit, so nothing in row t depends on later rows;
        on the data of the fit the answer is the fit.
        """
        from drainstats.models.coliquidity.dcc.ragged_result import filter_ragged
        from drainstats.models.coliquidity.dcc.search import joint_loglikelihood

        margins = self.margins.filter(y_new)
        if not np.isfinite(margins.std_resid_values).all():
            return filter_ragged(self, margins)
        value = joint_loglikelihood(self.spec, margins, self.target, self._psi, self._before)
        return replace(self, loglikelihood=value, nobs=margins.nobs, margins=margins, origin=self.origin or self)

    def tail(self, m: int) -> tuple[list[FloatArray], list[FloatArray], list[FloatArray]]:
        """The last ``m`` Q, products of shocks and products of negative shocks."""
        from drainstats.models.coliquidity.dcc.search import walk

        shocks, rows = self.spec.shocks(self.margins.std_resid_values, self._psi), self._rows(len(self.columns))
        tail: FloatArray = np.empty(0)
        for q in walk(self.spec, shocks, self.target, self._psi, max(m, rows), m, self._before):
            tail = q[-m:].copy()
        news, falls = ([np.outer(row, row) for row in part[-m:]] for part in (shocks, np.minimum(shocks, 0.0)))
        return list(tail), news, falls

    def forecast(
        self, horizon: int = 1, method: Literal["q", "r", "simulation"] = "q", draws: int = 1000, seed: int = 0
    ) -> CorrelationForecast:
        """Forecast variances and correlations of the next ``horizon`` steps.

        Parameters
        ----------
        horizon : int, default 1
        method : {"q", "r", "simulation"}, default "q"
            One step ahead all are exact; further out the first two approximate (Engle and Sheppard, 2001). "q": the
            recursion in Q goes on with future zz' replaced by Q and nn' by N, then is scaled. "r": R decays from its
            one-step forecast to the scaled target at the rate sum a + sum b, as rmgarch does. "simulation": the mean of
            R over futures drawn from the model.
        draws, seed : int, default 1000 and 0
            Futures of a simulation.
        """
        from drainstats.models.coliquidity.dcc.futures import expected_correlation

        check_horizon(horizon)
        check_option("method", method, ["q", "r", "simulation"])
        weights, N = self.spec.weights(self._psi), len(self.columns)
        m, stack = weights.lags, self.target.reshape(-1, N, N)
        if self.nobs < m:
            raise DataError(f"A forecast needs the last {m} rows and {self.nobs} are there; filter a longer stretch.")
        variance = self.margins.forecast(horizon)
        if method == "simulation":
            check_whole("draws", draws, 1)
            return CorrelationForecast(variance, expected_correlation(self, horizon, draws, seed))
        (path, news, falls), intercept = self.tail(m), weights.intercept(stack)
        for _ in range(horizon):
            path.append(weights.step(intercept, path, news, falls))
            news.append(path[-1])
            falls.append(stack[-1])
        correlation = to_correlation(np.array(path[m:]))
        if method == "r":
            decay = ((weights.a.sum() + weights.b.sum()) ** np.arange(horizon))[:, None, None]
            correlation = (1.0 - decay) * to_correlation(stack[0]) + decay * correlation[0]
        return CorrelationForecast(variance, correlation)

    def simulate(self, steps: int, seed: int = 0, burn: int = 500) -> pd.DataFrame:
        """``steps`` rows from the estimated model, after ``burn`` steps from the target that are dropped."""
        rng = np.random.default_rng(seed)
        weights, N = self.spec.weights(self._psi), len(self.columns)
        m, stack = weights.lags, self.target.reshape(-1, N, N)
        z, intercept = np.zeros((burn + steps, N)), weights.intercept(stack)
        scale = self.spec.law.scale(np.random.default_rng([seed, 1]), len(z), self.spec.shape(self._psi))
        path, news, falls = [stack[0]] * m, [stack[0]] * m, [stack[-1]] * m
        for t in range(len(z)):
            q = weights.step(intercept, path, news, falls)
            z[t] = scale[t] * correlation_root(to_correlation(q)) @ rng.standard_normal(N)
            shock = self.spec.shock(q, z[t])
            fall = np.minimum(shock, 0.0)
            path, news, falls = [*path[1:], q], [*news[1:], np.outer(shock, shock)], [*falls[1:], np.outer(fall, fall)]
        return pd.DataFrame(self.margins.drive(z)[burn:], columns=self.columns)
