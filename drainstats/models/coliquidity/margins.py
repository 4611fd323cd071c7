"""GARCH margins: how variable is each series today, given its own past?

    y[t] = mu + e[t],   e[t] = sqrt(h[t]) z[t],   z[t] of mean 0 and variance 1, its law in `margin_laws`
    h[t] = omega + sum_i (alpha_i + gamma_i 1[e[t-i] < 0]) e[t-i]^2 + sum_j beta_j h[t-j]

Bollerslev (1986), Journal of Econometrics 31, 307-327; the term in gamma is that of Glosten, Jagannathan and Runkle
(1993), Journal of Finance 48, 1779-1801. Estimation is by (quasi) maximum likelihood on standardised data, with the
weights alpha, alpha + gamma and beta kept non-negative and the persistence below a limit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import OptionError, check_option
from drainstats.frames import as_wide
from drainstats.models.base import Estimates, sandwich
from drainstats.models.coliquidity.inputs import complete_rows, same_columns, usable_series
from drainstats.models.coliquidity.margin_laws import LAWS
from drainstats.typing import FloatArray

STARTS = ("rugarch", "arch", "fcp")


@dataclass(frozen=True)
class GARCH:
    """GARCH(p, o, q) with a constant or zero mean; one spec serves any number of series.

    Parameters
    ----------
    p, o, q : int, default 1, 0, 1
        Lags of squared shocks, of squared negative shocks (GJR), and of the variance.
    mean : {"constant", "zero"}, default "constant"
    dist : {"normal", "t", "skewt", "ged"}, default "normal"
        The law of the shocks. "normal" is a quasi-likelihood: right for the variance whatever the law. The others
        estimate their shape: "t" its degrees of freedom ``nu``, "skewt" (Hansen, 1994) ``eta`` and ``lambda`` (below 0
        when falls are the longer tail), "ged" its exponent ``nu``; they are more efficient where they hold and biased
        where they do not.
    start : {"rugarch", "arch", "fcp"}, default "rugarch"
        The variance before the sample. "rugarch": the first max(p, o, q) variances *are* the mean squared residual.
        "arch": squares and variances before the sample equal an exponentially weighted mean of the first 75 squared
        deviations from the mean (weights 0.94^i). "fcp": they equal the mean squared residual (Fiorentini, Calzolari
        and Panattoni, 1996).
    max_persistence : float, default 0.9999
        Upper limit of sum(alpha) + sum(gamma) / 2 + sum(beta), the half also under "skewt". rugarch stops at 0.999.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.random.default_rng(0).standard_normal((500, 2))
    >>> res = GARCH(mean="zero").fit(y)
    >>> list(res.params.index)
    ['0.omega', '0.alpha1', '0.beta1', '1.omega', '1.alpha1', '1.beta1']
    """

    p: int = 1
    o: int = 0
    q: int = 1
    mean: Literal["constant", "zero"] = "constant"
    dist: Literal["normal", "t", "skewt", "ged"] = "normal"
    start: Literal["rugarch", "arch", "fcp"] = "rugarch"
    max_persistence: float = 0.9999

    def __post_init__(self) -> None:
        check_option("mean", self.mean, ["constant", "zero"])
        check_option("dist", self.dist, list(LAWS))
        check_option("start", self.start, STARTS)
        orders = {"p": self.p, "o": self.o, "q": self.q}
        for name, order in orders.items():
            if not isinstance(order, (int, np.integer)) or isinstance(order, bool) or order < 0:
                raise OptionError(f"{name}={order!r} must be a whole number, 0 or more.")
        if self.p + self.o == 0:
            raise OptionError("p=0 and o=0 leave no shock in the variance; set p=1.")
        if not 0.0 < self.max_persistence < 1.0:
            raise OptionError(f"max_persistence={self.max_persistence!r} must lie between 0 and 1.")

    @property
    def parameter_names(self) -> list[str]:
        """The names of one series' parameters, in order."""
        lagged = [("alpha", self.p), ("gamma", self.o), ("beta", self.q)]
        names = ["mu", "omega"] if self.mean == "constant" else ["omega"]
        return names + [f"{name}{i + 1}" for name, order in lagged for i in range(order)] + list(LAWS[self.dist].names)

    def fit(self, y: Any) -> GARCHResult:
        """Estimate every series by itself.

        Parameters
        ----------
        y : Series, (T,) or (T, N) table or array
            Returns or innovations, any unit; complete rows. A series of a table that has missing or infinite values,
            or does not vary, is not fitted and does not hinder the others: its estimates are NaN and the reason stands
            in ``status``.

        Returns
        -------
        GARCHResult

        Raises
        ------
        DataError
            Too few rows, or no series that can be used.
        """
        from drainstats.models.coliquidity.margin_search import fit_series, not_fitted

        wide, reasons = usable_series(y, 10 + 2 * len(self.parameter_names))
        fits = [
            not_fitted(self, reason) if reason else fit_series(self, wide.values[:, i])
            for i, reason in enumerate(reasons)
        ]
        prefixes = [""] if wide.kind in ("series", "vector") else [f"{c}." for c in wide.columns]
        names = [prefix + name for prefix in prefixes for name in self.parameter_names]
        notes = tuple(
            f"{prefix.rstrip('.')}: {n}".removeprefix(": ")
            for prefix, f in zip(prefixes, fits, strict=True)
            for n in f.notes
        )
        estimates = np.concatenate([f.theta * f.units + f.offset for f in fits])
        return GARCHResult(
            params=pd.Series(estimates, index=names, name="estimate"),
            loglikelihood=float(sum(f.loglikelihood for f in fits if not f.reason)),
            converged=all(f.converged for f in fits),
            notes=notes,
            nobs=len(wide.values),
            spec=self,
            y=wide.values,
            index=wide.index,
            columns=wide.columns,
            single=wide.kind in ("series", "vector"),
            fits=tuple(fits),
            origin=None,
        )


@dataclass(frozen=True, eq=False, repr=False)
class GARCHResult(Estimates):
    """Fitted margins.

    Besides what `Estimates` lists: ``spec``, the data ``y`` (T, N) with ``index`` and ``columns``, ``fits`` (one record
    a series), and ``origin``: the fit whose parameters a filtered result uses. ``loglikelihood`` is the sum over the
    series that could be fitted.
    """

    spec: GARCH
    y: FloatArray
    index: pd.Index
    columns: pd.Index
    single: bool
    fits: tuple[Any, ...]
    origin: GARCHResult | None

    @property
    def title(self) -> str:
        """Spec, number of series, start of the variance."""
        s = self.spec
        kind = f"GARCH({s.p}, {s.o}, {s.q})" if s.o else f"GARCH({s.p}, {s.q})"
        return f"{kind}, {len(self.columns)} series, mean {s.mean}, {s.dist}, start {s.start}"

    def __repr__(self) -> str:
        state = "converged" if self.converged else "NOT converged"
        return f"<{self.title}: {self.nobs} rows, log-likelihood {self.loglikelihood:.4f}, {state}>"

    @cached_property
    def _paths(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Variance in standardised units (T, N), its log-derivatives (N, T, K), mean gradients (N, K)."""
        from drainstats.models.coliquidity.margin_search import evaluate

        T, N = self.y.shape
        K = len(self.spec.parameter_names)
        h, dlogh, gradient = np.full((T, N), np.nan), np.zeros((N, T, K)), np.zeros((N, K))
        for i, fit in self._fitted:
            level = fit.start_level if self.origin is not None else fit.level
            path = evaluate(self.spec, (self.y[:, i] - fit.shift) / fit.scale, fit.theta, level)
            h[:, i], dlogh[i], gradient[i] = path.h, path.dlogh, path.gradient / T
        return h, dlogh, gradient

    @property
    def _fitted(self) -> list[tuple[int, Any]]:
        """Position and record of the series that could be fitted."""
        return [(i, f) for i, f in enumerate(self.fits) if not f.reason]

    @cached_property
    def gaussian_loglikelihood(self) -> float:
        """Log-likelihood of the fitted series if the shocks were normal, at these means and variances.

        What a joint Gaussian likelihood starts from; equal to ``loglikelihood`` under ``dist="normal"``.
        """
        places = [i for i, _ in self._fitted]
        vol, z = self.volatility_values[:, places], self.std_resid_values[:, places]
        return float(-np.log(vol).sum() - 0.5 * (np.log(2.0 * np.pi) * z.size + (z**2).sum()))

    @property
    def _scale(self) -> FloatArray:
        return np.array([f.scale for f in self.fits])

    @property
    def _mu(self) -> FloatArray:
        mu = [f.shift + (f.scale * f.theta[0] if self.spec.mean == "constant" else 0.0) for f in self.fits]
        return np.array(mu)

    @property
    def volatility_values(self) -> FloatArray:
        """Conditional standard deviations as an array (T, N)."""
        return np.asarray(np.sqrt(self._paths[0]) * self._scale)

    @cached_property
    def std_resid_values(self) -> FloatArray:
        """Standardised residuals as an array (T, N)."""
        return np.asarray((self.y - self._mu) / self.volatility_values)

    def _dress(self, values: FloatArray, name: str) -> Any:
        if self.single:
            return pd.Series(values[:, 0], index=self.index, name=name)
        return pd.DataFrame(values, index=self.index, columns=self.columns)

    @property
    def conditional_volatility(self) -> Any:
        """Conditional standard deviations in the units of ``y``; row t uses rows before t (and the start)."""
        return self._dress(self.volatility_values, "conditional_volatility")

    @property
    def std_resid(self) -> Any:
        """(y - mu) / conditional volatility, without a unit."""
        return self._dress(self.std_resid_values, "std_resid")

    @property
    def status(self) -> pd.DataFrame:
        """One row a series: log-likelihood, persistence, converged, gap, evaluations, and why it was not fitted."""
        names = ["loglikelihood", "persistence", "converged", "gap", "evaluations", "reason"]
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
        """Scores by time step (T, N K) in standardised parameters."""
        from drainstats.models.coliquidity.margin_search import VariancePath, scores

        h, dlogh, gradient = self._paths
        out = np.zeros(dlogh.shape)
        for i, fit in self._fitted:
            path = VariancePath(np.nan, gradient[i], h[:, i], dlogh[i])
            out[i] = scores(self.spec, (self.y[:, i] - fit.shift) / fit.scale, fit.theta, path)
        return np.concatenate(list(out), axis=1)

    @cached_property
    def curvature(self) -> FloatArray:
        """Mean second derivatives of every series' log-likelihood (N, K, K), standardised parameters."""
        from drainstats.models.coliquidity.margin_search import hessian

        K = len(self.spec.parameter_names)
        out = np.zeros((len(self.fits), K, K))
        for i, fit in self._fitted:
            out[i] = hessian(self.spec, (self.y[:, i] - fit.shift) / fit.scale, fit.theta, fit.level)
        return out

    @property
    def bread(self) -> FloatArray:
        """Mean second derivatives of the log-likelihood (N K, N K), block diagonal, standardised parameters."""
        from scipy.linalg import block_diag

        return np.asarray(block_diag(*self.curvature))

    @property
    def std_errors(self) -> pd.Series:
        """Robust standard errors, one a parameter; series by series, so thousands of series cost no big matrix."""
        if self.origin is not None:
            return self.origin.std_errors
        K, scores = len(self.spec.parameter_names), self.score_values
        out = np.empty((len(self.fits), K))
        for i, fit in enumerate(self.fits):
            covariance = sandwich(self.curvature[i], scores[:, i * K : (i + 1) * K], fit.basis)
            out[i] = np.sqrt(np.diag(covariance)) * fit.units
        return pd.Series(out.ravel(), index=self.params.index, name="std_error")

    def pull_back(self, slope: FloatArray) -> FloatArray:
        """Turn d f / d z (T, N) into d f / d parameters (N K,), standardised parameters."""
        z, (h, dlogh, _) = self.std_resid_values, self._paths
        out = -0.5 * np.einsum("ti,itk->ik", slope * z, dlogh)
        if self.spec.mean == "constant":
            out[:, 0] -= (slope / np.sqrt(h)).sum(axis=0)
        return out.ravel()

    def _covariance(self) -> FloatArray:
        if self.origin is not None:
            return self.origin.param_covariance.to_numpy()
        return sandwich(self.bread, self.score_values, self.basis) * np.outer(self.units, self.units)

    def filter(self, y_new: Any) -> GARCHResult:
        """Run new data through at fixed parameters; means and the start of the variance are those of the fit."""
        from drainstats.models.coliquidity.margin_search import evaluate

        wide = as_wide(y_new, "y")
        same_columns(wide, self.columns)
        idle = [bool(f.reason) for f in self.fits]
        complete_rows(wide.like(np.where(idle, 0.0, wide.values)), self._lags, varying=False)
        total = 0.0
        for i, f in self._fitted:
            path = evaluate(self.spec, (wide.values[:, i] - f.shift) / f.scale, f.theta, f.start_level)
            total += path.loglikelihood - len(wide.values) * np.log(f.scale)
        rows = len(wide.values)
        return replace(
            self, loglikelihood=float(total), nobs=rows, y=wide.values, index=wide.index, origin=self.origin or self
        )

    def forecast(self, horizon: int = 1) -> pd.DataFrame:
        """Expected variances of the next ``horizon`` steps (horizon × N, squared units of ``y``), rows 1, 2, ..."""
        lags, law = self._lags, LAWS[self.spec.dist]
        omega, alpha, gamma, beta = self._coefficients
        share = np.array([np.nan if f.reason else law.falling(self._shape(f)) for f in self.fits])
        e = self.y[-lags:] - self._mu
        square, falling, h = list(e**2), list(np.minimum(e, 0.0) ** 2), list(self.volatility_values[-lags:] ** 2)
        for _ in range(horizon):
            step = omega + sum(alpha[i] * square[-1 - i] for i in range(self.spec.p))
            step = step + sum(gamma[i] * falling[-1 - i] for i in range(self.spec.o))
            step = step + sum(beta[j] * h[-1 - j] for j in range(self.spec.q))
            square.append(step)
            falling.append(share * step)
            h.append(step)
        return pd.DataFrame(np.array(h[lags:]), index=pd.RangeIndex(1, horizon + 1, name="step"), columns=self.columns)

    def _shape(self, fit: Any) -> FloatArray:
        """Shape parameters (S,) of one series."""
        return np.asarray(fit.theta[len(fit.theta) - len(LAWS[self.spec.dist].names) :])

    @property
    def _lags(self) -> int:
        return max(self.spec.p, self.spec.o, self.spec.q)

    @property
    def _coefficients(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """omega (N,), alpha (p, N), gamma (o, N), beta (q, N) in the units of ``y``."""
        table = self.params.to_numpy().reshape(len(self.fits), -1).T
        table = table[1:] if self.spec.mean == "constant" else table
        omega, alpha, gamma, beta, _ = np.split(table, np.cumsum([1, self.spec.p, self.spec.o, self.spec.q]))
        return omega[0], alpha, gamma, beta

    def drive(self, z: FloatArray) -> FloatArray:
        """Series (T, N) that standardised shocks ``z`` (T, N) make, from the unconditional variance on."""
        omega, alpha, gamma, beta = self._coefficients
        lags, (T, N) = self._lags, z.shape
        level = omega / (1.0 - alpha.sum(0) - 0.5 * gamma.sum(0) - beta.sum(0))
        h, e = np.empty((lags + T, N)), np.empty((lags + T, N))
        square, falling = np.empty((lags + T, N)), np.empty((lags + T, N))
        h[:lags], square[:lags], falling[:lags] = level, level, 0.5 * level
        for t in range(lags, lags + T):
            back = slice(t - 1, t - 1 - lags if t > lags else None, -1)
            news = (alpha * square[back][: self.spec.p]).sum(0) + (gamma * falling[back][: self.spec.o]).sum(0)
            h[t] = omega + news + (beta * h[back][: self.spec.q]).sum(0)
            e[t] = np.sqrt(h[t]) * z[t - lags]
            square[t], falling[t] = e[t] ** 2, np.minimum(e[t], 0.0) ** 2
        return np.asarray(self._mu + e[lags:])

    def simulate(self, steps: int, seed: int = 0, burn: int = 500) -> pd.DataFrame:
        """Independent series of ``steps`` rows at the estimates, after ``burn`` steps that are dropped."""
        rng, law = np.random.default_rng(seed), LAWS[self.spec.dist]
        z = np.full((steps + burn, len(self.columns)), np.nan)
        for i, fit in self._fitted:
            z[:, i] = law.draw(self._shape(fit), rng, steps + burn)
        return pd.DataFrame(self.drive(z)[burn:], columns=self.columns)

    def plot(self, ax: Any = None) -> Any:
        """Conditional volatility along time; returns the axes."""
        from drainstats.errors import require_extra

        ax = require_extra("matplotlib.pyplot", "plot").subplots()[1] if ax is None else ax
        ax.plot(self.index, self.volatility_values, label=[str(c) for c in self.columns])
        ax.set_ylabel("conditional volatility")
        ax.legend()
        return ax
