"""Fitted margins: paths, scores, errors, and what a model of correlations asks of its margins."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError
from drainstats.frames import Wide, as_wide, refuse_extreme
from drainstats.models.base import UNBOUNDED, Estimates, Moments, sandwich
from drainstats.models.coliquidity.inputs import same_columns
from drainstats.models.coliquidity.margins.laws import LAWS
from drainstats.typing import BoolArray, FloatArray

if TYPE_CHECKING:
    from drainstats.models.coliquidity.margins.data import Sample
    from drainstats.models.coliquidity.margins.garch import GARCH


@dataclass(frozen=True, eq=False, repr=False)
class GARCHResult(Estimates):
    """Fitted margins.

    Besides what `Estimates` lists: ``spec``, the data ``y`` (T, N) with ``index`` and ``columns``, the rows ``past``
    (L, N) before them that the mean conditions on, regressors ``mean_x`` and ``variance_x`` (T, k), ``fits`` (one
    record a series), and ``origin``: the fit whose parameters a filtered result uses. ``loglikelihood`` is the sum over
    the series that could be fitted; ``nobs`` the rows of the table, those of each series stand in ``status``.
    """

    spec: GARCH
    y: FloatArray
    index: pd.Index
    columns: pd.Index
    single: bool
    fits: tuple[Any, ...]
    origin: GARCHResult | None
    past: FloatArray
    mean_x: FloatArray
    variance_x: FloatArray
    regressors: tuple[tuple[str, ...], tuple[str, ...]]

    @property
    def title(self) -> str:
        """Spec, number of series, start of the variance."""
        s = self.spec
        orders = f"{s.p}, {s.o}, {s.q}" if s.o or s.exponential else f"{s.p}, {s.q}"
        mean = f"{s.mean}{s.lag_set}" if s.lag_set else s.mean
        return f"{type(s).__name__}({orders}), {len(self.columns)} series, mean {mean}, {s.dist}, start {s.start}"

    def __repr__(self) -> str:
        state = "converged" if self.converged else "NOT converged"
        return f"<{self.title}: {self.nobs} rows, log-likelihood {self.loglikelihood:.4f}, {state}>"

    @property
    def _fitted(self) -> list[tuple[int, Any, Sample]]:
        """Position, record and standardised sample of the series that could be fitted and have a value here."""
        return [(i, f, s) for i, f in enumerate(self.fits) if not f.reason and (s := self._sample(i)).rows]

    def _sample(self, i: int) -> Sample:
        from drainstats.models.coliquidity.margins.data import make_sample

        fit = self.fits[i]
        # Of new data nothing is known yet about a series' end: its variance goes on to the last row.
        on = self.origin is not None
        raw = make_sample(self.spec, self.past[:, i], self.y[:, i], self.mean_x, self.variance_x, on)
        return raw.scaled(fit.shift, fit.scale, self.spec.lagged, fit.loads)

    @cached_property
    def _paths(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Variance and shock in standardised units (T, N), log-derivatives of the variance (N, T, K)."""
        from drainstats.models.coliquidity.margins.paths import evaluate

        (T, N), K = self.y.shape, len(self.params) // len(self.fits)
        h, e, dlogh = np.full((T, N), np.nan), np.full((T, N), np.nan), np.zeros((N, T, K))
        for i, fit, sample in self._fitted:
            level = fit.start_level if self.origin is not None else fit.level
            path = evaluate(self.spec, sample, fit.theta, level)
            rows = slice(sample.first, sample.first + len(sample.y))
            h[rows, i], e[rows, i], dlogh[i, rows] = path.h, path.e, path.dlogh
        return h, e, dlogh

    @property
    def _scale(self) -> FloatArray:
        return np.array([f.scale for f in self.fits])

    @property
    def _known(self) -> BoolArray:
        """(T, N): where the shock is known."""
        return ~np.isnan(self._paths[1])

    @cached_property
    def gaussian_loglikelihood(self) -> float:
        """Log-likelihood of the known shocks if they were normal, at these means and variances.

        What a joint Gaussian likelihood starts from; equal to ``loglikelihood`` under ``dist="normal"``.
        """
        vol, z = self.volatility_values[self._known], self.std_resid_values[self._known]
        return float(-np.log(vol).sum() - 0.5 * (np.log(2.0 * np.pi) * z.size + (z**2).sum()))

    @property
    def volatility_values(self) -> FloatArray:
        """Conditional standard deviations as an array (T, N)."""
        return np.asarray(np.sqrt(self._paths[0]) * self._scale)

    @cached_property
    def std_resid_values(self) -> FloatArray:
        """Standardised residuals as an array (T, N), NaN where the shock is not known."""
        return np.asarray(self._paths[1] / np.sqrt(self._paths[0]))

    def _dress(self, values: FloatArray, name: str) -> Any:
        if self.single:
            return pd.Series(values[:, 0], index=self.index, name=name)
        return pd.DataFrame(values, index=self.index, columns=self.columns)

    @property
    def conditional_volatility(self) -> Any:
        """Conditional standard deviations in the units of ``y``; row t uses rows before t (and the start).

        There inside gaps, NaN before the first known shock of a series and after its last; filtered, it goes on by
        expectation to the last row, as nothing says yet that a series has ended.
        """
        return self._dress(self.volatility_values, "conditional_volatility")

    @property
    def conditional_mean(self) -> Any:
        """Conditional means in the units of ``y``, NaN where the shock is not known."""
        return self._dress(self.y - self._paths[1] * self._scale, "conditional_mean")

    @property
    def std_resid(self) -> Any:
        """(y - mean) / conditional volatility, without a unit; NaN where the shock is not known."""
        return self._dress(self.std_resid_values, "std_resid")

    @property
    def status(self) -> pd.DataFrame:
        """One row a series.

        ``loglikelihood``; ``persistence`` (sum of the weights of the recursion); ``converged``; ``gap``, what a
        feasible step could still gain of log-likelihood per observation, to first order; ``evaluations`` of the
        likelihood; ``nobs``, known shocks; ``reason``, why it was not fitted, or "".
        """
        names = ["loglikelihood", "persistence", "converged", "gap", "evaluations", "nobs", "reason"]
        rows = [tuple(getattr(f, name) for name in names) for f in self.fits]
        return pd.DataFrame(rows, index=self.columns, columns=names)

    @property
    def basis(self) -> FloatArray:
        """(N K, r): directions in which the parameters are free of bounds and identified."""
        from scipy.linalg import block_diag

        return np.asarray(block_diag(*(f.basis for f in self.fits)))

    @property
    def units(self) -> FloatArray:
        """(N K,): what one unit of the standardised parameters is in units of ``params``."""
        return np.concatenate([f.units for f in self.fits])

    @cached_property
    def score_values(self) -> FloatArray:
        """Scores by time step (T, N K) in standardised parameters; 0 where the shock is not known."""
        from drainstats.models.coliquidity.margins.paths import VariancePath, scores

        h, e, dlogh = self._paths
        out = np.zeros(dlogh.shape)
        for i, fit, sample in self._fitted:
            rows = slice(sample.first, sample.first + len(sample.y))
            path = VariancePath(np.nan, np.empty(0), h[rows, i], dlogh[i, rows], e[rows, i])
            out[i, rows] = scores(self.spec, sample, fit.theta, path)
        return np.concatenate(list(out), axis=1)

    @cached_property
    def curvature(self) -> FloatArray:
        """Second derivatives of every series' log-likelihood over T (N, K, K), standardised parameters."""
        from drainstats.models.coliquidity.margins.paths import hessian

        K = len(self.params) // len(self.fits)
        out = np.zeros((len(self.fits), K, K))
        for i, fit, sample in self._fitted:
            mean = hessian(self.spec, sample, fit.theta, fit.level, fit.sizes)
            out[i] = mean * (len(sample.y) / self.nobs)
        return out

    @property
    def bread(self) -> FloatArray:
        """Second derivatives of the log-likelihood over T (N K, N K), block diagonal, standardised parameters."""
        from scipy.linalg import block_diag

        return np.asarray(block_diag(*self.curvature))

    @property
    def std_errors(self) -> pd.Series:
        """Robust standard errors, one a parameter; series by series, so thousands of series cost no big matrix.

        NaN for a parameter on a bound or not identified, and for all of a series that has not converged; ``notes`` says
        why, and that the others are conditional on it.
        """
        if self.origin is not None:
            return self.origin.std_errors
        K, scores = len(self.params) // len(self.fits), self.score_values
        out = np.empty((len(self.fits), K))
        for i, fit in enumerate(self.fits):
            covariance = sandwich(self.curvature[i], scores[:, i * K : (i + 1) * K], fit.basis)
            out[i] = np.sqrt(np.diag(covariance)) * fit.units
        return pd.Series(out.ravel(), index=self.params.index, name="std_error")

    def pull_back(self, slope: FloatArray) -> FloatArray:
        """Turn d f / d z (T, N) into d f / d parameters (N K,), standardised; rows without a shock do not count."""
        h, _, dlogh = self._paths
        slope = np.where(self._known, slope, 0.0)
        out = -0.5 * np.einsum("ti,itk->ik", slope * np.nan_to_num(self.std_resid_values), dlogh)
        for i, _, sample in self._fitted:
            rows = slice(sample.first, sample.first + len(sample.y))
            out[i, : sample.X.shape[1]] -= (slope[rows, i] / np.sqrt(h[rows, i])) @ sample.X
        return out.ravel()

    def _moments(self) -> Moments:
        return Moments(self.bread, self.score_values, self.basis, self.units)

    @property
    def _ranges(self) -> FloatArray:
        """(N K, 2): open interval in which each parameter lives."""
        spec, law = self.spec, LAWS[self.spec.dist]
        K, V, S = len(self.params) // len(self.fits), self.variance_x.shape[1], len(law.names)
        one = np.tile(UNBOUNDED, (K, 1))
        first = K - S - V - spec.q - spec.o - spec.p
        one[K - S - V - spec.q : K - S - V] = 0.0, 1.0
        one[K - S :] = np.array(law.limits).reshape(S, 2)
        if not spec.exponential:
            one[first - 1 : first + spec.p, 0] = one[K - S - V : K - S, 0] = 0.0
        return np.tile(one, (len(self.fits), 1))

    def filter(self, y_new: Any, mean_x: Any = None, variance_x: Any = None) -> GARCHResult:
        """Run new data through at fixed parameters; means and the start of the variance are those of the fit.

        Parameters
        ----------
        y_new : table or array with the columns of the fit; missing values are gaps
            The first max(lags) rows are conditioned on, as in the fit.
        mean_x, variance_x : tables, needed if the fit had them

        Raises
        ------
        DataError
            Other columns, infinite values, fewer rows than lags, regressors that are absent or not those of the fit.
        """
        from drainstats.models.coliquidity.margins.paths import evaluate

        wide = as_wide(y_new, "y")
        same_columns(wide, self.columns)
        L, spec = len(self.past), self.spec
        if len(wide.values) < max(L + 1, spec.depth):
            raise DataError(f"y has {len(wide.values)} rows and the model looks back {max(L + 1, spec.depth)}.")
        idle = np.array([bool(f.reason) for f in self.fits])
        values = np.where(idle, np.nan, wide.values)
        if np.isinf(values).any():
            raise DataError("y holds an infinite value; look for a logarithm or a ratio of zero.")
        refuse_extreme(values, self.columns)
        X, W = self.matched("mean_x", mean_x, wide), self.matched("variance_x", variance_x, wide)
        new = replace(
            self, nobs=len(values) - L, y=values[L:], index=wide.index[L:], origin=self.origin or self,
            past=values[:L], mean_x=X[L:], variance_x=W[L:],
        )  # fmt: skip
        total = 0.0
        for _, f, sample in new._fitted:
            path = evaluate(spec, sample, f.theta, f.start_level)
            total += path.loglikelihood - sample.rows * np.log(f.scale)
        return replace(new, loglikelihood=float(total))

    def matched(self, name: Literal["mean_x", "variance_x"], data: Any, wide: Wide) -> FloatArray:
        """Regressors of other rows as an array (rows, k): those of the fit, or a sentence."""
        from drainstats.models.coliquidity.margins.data import regressors

        names = self.regressors[0 if name == "mean_x" else 1]
        if data is None and names:
            raise DataError(f"The fit has the regressors {list(names)}; pass {name} with their values here.")
        positive = name == "variance_x" and not self.spec.exponential
        found = regressors(data, wide, name, name.removesuffix("_x"), 0.0 if positive else -np.inf)
        if len(found.names) != len(names) or (found.names != names and isinstance(data, pd.DataFrame)):
            raise DataError(f"{name} has the columns {list(found.names)}, the fit {list(names)}; pass the same.")
        return found.values

    def forecast(self, horizon: int = 1, variance_x: Any = None) -> pd.DataFrame:
        """Expected variances of the shocks of the next ``horizon`` steps.

        Parameters
        ----------
        horizon : int, default 1
            Steps after the last row of the table; a series that ended before goes on by expectation.
        variance_x : (horizon, k) table, needed if the fit had it

        Returns
        -------
        (horizon × N) frame in squared units of ``y``, rows 1, 2, ... Exact one step ahead, and further out for GARCH
        and for EGARCH under "normal" and "ged"; under "t" and "skewt" the expected variance of an EGARCH does not exist
        (Nelson, 1991) and exp(E ln h) stands in its place.
        """
        from drainstats.models.coliquidity.margins.forecasts import variances

        return variances(self, horizon, variance_x)

    def forecast_mean(self, horizon: int = 1, mean_x: Any = None) -> pd.DataFrame:
        """Expected values of the next ``horizon`` steps (horizon × N), units of ``y``, rows 1, 2, ...

        NaN where a lag that is needed has no value; an average of a "har" is that of the values that are there.
        ``mean_x`` (horizon, k) is needed if the fit had it.
        """
        from drainstats.models.coliquidity.margins.forecasts import means

        return means(self, horizon, mean_x)

    def drive(self, z: FloatArray, mean_x: Any = None, variance_x: Any = None) -> FloatArray:
        """Series (T, N) that standardised shocks ``z`` (T, N) make, from the unconditional variance on."""
        from drainstats.models.coliquidity.margins.forecasts import driven

        return driven(self, z, mean_x, variance_x)

    def simulate(
        self, steps: int, seed: int = 0, burn: int = 500, mean_x: Any = None, variance_x: Any = None
    ) -> pd.DataFrame:
        """Independent series of ``steps`` rows at the estimates, after ``burn`` steps that are dropped.

        Regressors (steps + burn, k) are needed if the fit had them.
        """
        rng, law = np.random.default_rng(seed), LAWS[self.spec.dist]
        z = np.full((steps + burn, len(self.columns)), np.nan)
        for i, fit in enumerate(self.fits):
            if not fit.reason:
                z[:, i] = law.draw(fit.theta[len(fit.theta) - len(law.names) :], rng, steps + burn)
        return pd.DataFrame(self.drive(z, mean_x, variance_x)[burn:], columns=self.columns)

    def plot(self, ax: Any = None) -> Any:
        """Conditional volatility along time; returns the axes."""
        from drainstats.errors import require_extra

        ax = require_extra("matplotlib.pyplot", "plot").subplots()[1] if ax is None else ax
        ax.plot(self.index, self.volatility_values, label=[str(c) for c in self.columns])
        ax.set_ylabel("conditional volatility")
        ax.legend()
        return ax
