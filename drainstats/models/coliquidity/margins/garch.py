"""GARCH margins: how variable is each series today, given its own past?

    y[t] = m[t] + e[t],   e[t] = sqrt(h[t]) z[t],   z[t] of mean 0 and variance 1, its law in `margin_laws`
    GARCH   h[t] = omega + sum_i (alpha_i + gamma_i 1[e[t-i] < 0]) e[t-i]^2 + sum_j beta_j h[t-j] + sum_k pi_k w_k[t]
    EGARCH  ln h[t] = omega + sum_i alpha_i (|z[t-i]| - sqrt(2 / pi)) + sum_i gamma_i z[t-i]
                      + sum_j beta_j ln h[t-j] + sum_k pi_k w_k[t]

with a mean m[t] that is zero, a constant, an autoregression or a heterogeneous autoregression (averages over the last
1, 5 and 22 rows; Corsi, 2009, Journal of Financial Econometrics 7, 174-196), plus regressors.

GARCH is of Bollerslev (1986), Journal of Econometrics 31, 307-327; the term in gamma of Glosten, Jagannathan and Runkle
(1993), Journal of Finance 48, 1779-1801; EGARCH of Nelson (1991), Econometrica 59, 347-370. Estimation is by (quasi)
maximum likelihood of mean and variance together, on standardised data, with the weights alpha, alpha + gamma and beta
of a GARCH, and beta of an EGARCH, kept non-negative and their sum below a limit.

A row without a value has no shock. It is not counted in the likelihood, and in the recursion what its shock would have
added is replaced by its expectation: its square by h, its falling square by the share of the variance that falls make.
For a GARCH that is E[h[t]] given what was seen to the order of the first missing shock: level and persistence are
recovered, but with 30 % missing at random alpha comes out a seventh too large and beta as much too small (0.09 for
0.08), for after a gap a square says more about h than alpha does; with 10 %, 0.002. In logs it is an approximation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, check_option
from drainstats.frames import Wide
from drainstats.models.coliquidity.inputs import usable_series
from drainstats.models.coliquidity.margins.laws import LAWS
from drainstats.models.coliquidity.margins.result import GARCHResult

__all__ = ["EGARCH", "GARCH", "GARCHResult"]

STARTS = ("rugarch", "arch", "fcp", "tsgarch", "mfe")
MEANS = ("constant", "zero", "ar", "har")
HAR_LAGS = (1, 5, 22)


@dataclass(frozen=True)
class GARCH:
    """GARCH(p, o, q); one spec serves any number of series.

    Parameters
    ----------
    p, o, q : int, default 1, 0, 1
        Lags of squared shocks, of squared negative shocks (GJR), and of the variance.
    mean : {"constant", "zero", "ar", "har"}, default "constant"
        "ar": a constant and the series at ``lags``; "har": a constant and averages over the last ``lags`` rows. The
        first max(lags) rows are conditioned on, as arch does.
    dist : {"normal", "t", "skewt", "ged"}, default "normal"
        The law of the shocks. "normal" is a quasi-likelihood: right for the variance whatever the law. The others
        estimate their shape: "t" its degrees of freedom ``nu``, "skewt" (Hansen, 1994) ``eta`` and ``lambda`` (below 0
        when falls are the longer tail), "ged" its exponent ``nu``; they are more efficient where they hold and biased
        where they do not.
    start : {"rugarch", "arch", "fcp", "tsgarch", "mfe"}, default "rugarch"
        The variance before the sample. "rugarch": the first max(p, o, q) variances *are* the mean squared residual.
        "arch": squares and variances before the sample equal an exponentially weighted mean of the first 75 squared
        residuals of least squares (weights 0.94^i). "fcp": they equal the mean squared residual (Fiorentini, Calzolari
        and Panattoni, 1996). "tsgarch": the same, but falling squares equal *their* mean, not half of it, so that
        h[1] = omega + persistence times the mean square. "mfe" (MFE Toolbox): variances before the sample equal the
        mean of the first floor(sqrt(T)) + 1 squares with weights 0.9^i, squares the mean square of the residuals of
        least squares, falling ones half of it.
    max_persistence : float, default 0.9999
        Upper limit of sum(alpha) + sum(gamma) / 2 + sum(beta), the half also under "skewt". rugarch stops at 0.999.
    lags : int or tuple of int, optional
        Of the mean. For "ar" an int k stands for 1, ..., k and the default is 1; for "har" the default is (1, 5, 22).

    Examples
    --------
    >>> import numpy as np
    >>> y = np.random.default_rng(0).standard_normal((500, 2))
    >>> res = GARCH(mean="zero").fit(y)
    >>> list(res.params.index)
    ['0.omega', '0.alpha1', '0.beta1', '1.omega', '1.alpha1', '1.beta1']
    >>> list(GARCH(mean="ar", lags=2, dist="t").fit(y[:, 0]).params.index)
    ['mu', 'phi1', 'phi2', 'omega', 'alpha1', 'beta1', 'nu']
    """

    p: int = 1
    o: int = 0
    q: int = 1
    mean: Literal["constant", "zero", "ar", "har"] = "constant"
    dist: Literal["normal", "t", "skewt", "ged"] = "normal"
    start: Literal["rugarch", "arch", "fcp", "tsgarch", "mfe"] = "rugarch"
    max_persistence: float = 0.9999
    lags: int | tuple[int, ...] | None = None

    exponential: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_option("mean", self.mean, list(MEANS))
        check_option("dist", self.dist, list(LAWS))
        check_option("start", self.start, STARTS)
        orders = {"p": self.p, "o": self.o, "q": self.q}
        for name, order in orders.items():
            if not _whole(order) or order < 0:
                raise OptionError(f"{name}={order!r} must be a whole number, 0 or more.")
        if self.p + self.o == 0:
            raise OptionError("p=0 and o=0 leave no shock in the variance; set p=1.")
        if not 0.0 < self.max_persistence < 1.0:
            raise OptionError(f"max_persistence={self.max_persistence!r} must lie between 0 and 1.")
        if self.lags is None:
            return
        if self.mean not in ("ar", "har"):
            raise OptionError(f"lags={self.lags!r} needs mean='ar' or mean='har', and the mean is {self.mean!r}.")
        lags = self.lags if isinstance(self.lags, tuple) else (self.lags,)
        if not lags or not all(_whole(k) and k > 0 for k in lags) or len(set(lags)) < len(lags):
            raise OptionError(f"lags={self.lags!r} must be a whole number, 1 or more, or a tuple of different ones.")

    @property
    def lag_set(self) -> tuple[int, ...]:
        """Lags of the mean, one a parameter."""
        if self.mean == "har":
            return self.lags if isinstance(self.lags, tuple) else HAR_LAGS if self.lags is None else (self.lags,)
        if self.mean == "ar":
            return self.lags if isinstance(self.lags, tuple) else tuple(range(1, (self.lags or 1) + 1))
        return ()

    @property
    def lagged(self) -> slice:
        """Where the lags stand among the parameters of the mean."""
        return slice(1, 1 + len(self.lag_set))

    @property
    def depth(self) -> int:
        """Rows that the recursion of the variance looks back."""
        return max(self.p, self.o, self.q)

    @property
    def parameter_names(self) -> list[str]:
        """The names of one series' parameters without regressors, in order."""
        return self.names((), ())

    def names(self, mean_x: tuple[str, ...], variance_x: tuple[str, ...]) -> list[str]:
        """The names of one series' parameters with these regressors in the mean and in the variance, in order."""
        lag = "phi" if self.mean == "ar" else "har"
        mean = [] if self.mean == "zero" else ["mu", *(f"{lag}{k}" for k in self.lag_set)]
        lagged = [("alpha", self.p), ("gamma", self.o), ("beta", self.q)]
        variance = [f"{name}{i + 1}" for name, order in lagged for i in range(order)]
        return [*mean, *mean_x, "omega", *variance, *variance_x, *LAWS[self.dist].names]

    def fit(self, y: Any, mean_x: Any = None, variance_x: Any = None) -> GARCHResult:
        """Estimate every series by itself.

        Parameters
        ----------
        y : Series, (T,) or (T, N) table or array
            Returns or innovations, any unit. Missing values are gaps, late listings or delistings: each series runs
            from its first value to its last. A series that has infinite values or too few, or does not vary, is not
            fitted and does not hinder the others: its estimates are NaN and the reason stands in ``status``.
        mean_x, variance_x : (T, k) tables, optional
            Regressors and dummies that all series share; row t must be known before row t (lag what is not a dummy or
            a calendar). In the variance of a GARCH they and their coefficients are 0 or more; in that of an EGARCH,
            which is in logs, both are free.

        Returns
        -------
        GARCHResult

        Raises
        ------
        DataError
            Too few rows, or no series that can be used; regressors that are missing, infinite or on other rows.
        """
        from drainstats.models.coliquidity.margins.batch import fit_many
        from drainstats.models.coliquidity.margins.data import make_sample, regressors
        from drainstats.models.coliquidity.margins.search import fit_series, not_fitted

        wide, reasons = usable_series(y, 10 + 2 * len(self.parameter_names))
        in_mean = regressors(mean_x, wide, "mean_x", "mean")
        in_variance = regressors(variance_x, wide, "variance_x", "variance", -np.inf if self.exponential else 0.0)
        names, L = self.names(in_mean.names, in_variance.names), max(self.lag_set, default=0)
        past, values = wide.values[:L], wide.values[L:]
        X, W = in_mean.values[L:], in_variance.values[L:]
        plain = not (in_mean.names or in_variance.names)
        done = fit_many(self, values, np.array([plain and not reason for reason in reasons]))
        fits = tuple(
            not_fitted(names, reason)
            if reason
            else done.get(i) or fit_series(self, make_sample(self, past[:, i], values[:, i], X, W), names)
            for i, reason in enumerate(reasons)
        )
        if all(f.reason for f in fits):
            raise DataError(f"No series can be fitted. The first, {wide.columns[0]!r}: {fits[0].reason}.")
        single = wide.kind in ("series", "vector")
        return GARCHResult(
            params=pd.Series(
                np.concatenate([f.theta * f.units + f.offset for f in fits]), _labels(wide, names), name="estimate"
            ),
            loglikelihood=float(sum(f.loglikelihood for f in fits if not f.reason)),
            converged=all(f.converged for f in fits),
            notes=tuple(n if single else f"{c}: {n}" for c, f in zip(wide.columns, fits, strict=True) for n in f.notes),
            nobs=len(values),
            spec=self,
            y=values,
            index=wide.index[L:],
            columns=wide.columns,
            single=single,
            fits=fits,
            origin=None,
            past=past,
            mean_x=X,
            variance_x=W,
            regressors=(in_mean.names, in_variance.names),
        )


@dataclass(frozen=True)
class EGARCH(GARCH):
    """EGARCH(p, o, q): the variance in logs, so that shocks multiply it and falls may count for more than rises.

    ``|z|`` is taken less sqrt(2 / pi), its mean under the normal law, whatever the law: so do arch and the MFE Toolbox.
    rugarch and tsgarch take off its mean under the law in use; their omega is ours plus
    sum(alpha) (``E|z|`` - sqrt(2 / pi)), all else is the same. (Their names differ too: their alpha is our gamma and
    their gamma our alpha.) Before the sample the logs of the variances are those of ``start`` and shocks add nothing;
    under "mfe" ``|z|`` counts as 0, as there.

    Parameters
    ----------
    p, o, q : int, default 1, 1, 1
        Lags of ``|z|`` (alpha), of z (gamma; below 0 when falls raise the variance), and of the log variance.
    mean, dist, start, lags
        As in `GARCH`.
    max_persistence : float, default 0.9999
        Upper limit of sum(beta); the beta are 0 or more, as in arch.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.random.default_rng(0).standard_normal(500)
    >>> list(EGARCH(mean="zero").fit(y).params.index)
    ['omega', 'alpha1', 'gamma1', 'beta1']
    """

    o: int = 1

    exponential: ClassVar[bool] = True


def _whole(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _labels(wide: Wide, names: list[str]) -> list[str]:
    """Labels of all parameters, series by series."""
    prefixes = [""] if wide.kind in ("series", "vector") else [f"{c}." for c in wide.columns]
    return [prefix + name for prefix in prefixes for name in names]
