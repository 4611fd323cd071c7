"""DCC with drivers: does funding stress, a break or a crisis move the level that correlations return to?

    Q[t] = (1 - a - b) S[t] + a z[t-1] z[t-1]' + b Q[t-1],     R[t] = diag(Q[t])^-1/2 Q[t] diag(Q[t])^-1/2
    S[t] = 11' - (1 - k[t]) / (1 - k) (11' - S),               logit k[t] = eta + delta' x[t],   mean of k[t] = k
    k = 1 / (1' S^-1 1): the variance that no portfolio of the residuals with weights that sum to one gets rid of

Vargas (2008, "What drives the dynamic conditional correlation of foreign exchange and equity returns?") and others add
delta' x[t] to the intercept of Q, which loses positive definiteness for some x or needs delta >= 0 and x >= 0. Here x
moves the *share of risk that cannot be diversified away*, on the logit scale: one unit of x multiplies its odds by
exp(delta), of either sign. S[t] mixes S with 11', perfect co-movement, or moves away from it, and is a positive
definite correlation matrix for every x. Two assets: k = (1 + r) / 2 and logit k = 2 artanh r, so that delta / 2 is a
regression coefficient in Fisher's z. eta makes the mean of S[t] equal S, the target of DCC; delta = 0 *is* DCC.

Standard errors count the margins' first step, the target's dependence on it, and its own sampling error, given x.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError
from drainstats.models.base import Moments
from drainstats.models.coliquidity.correlation import (
    CorrelationForecast,
    CorrelationResult,
    check_horizon,
    to_correlation,
)
from drainstats.models.coliquidity.inference import stacked
from drainstats.models.coliquidity.inputs import check_target, whole
from drainstats.models.coliquidity.loadings.drivers import Drivers
from drainstats.models.coliquidity.loadings.flexible import shock_root
from drainstats.models.coliquidity.margins.garch import GARCH
from drainstats.models.coliquidity.margins.given import margins_label, margins_of
from drainstats.typing import FloatArray


@dataclass(frozen=True)
class DrivenDCC:
    """DCC(1, 1) whose target moves with drivers. The likelihood is the normal one.

    Parameters
    ----------
    margins : GARCH or None, default GARCH()
        Spec of every margin; None: the data are standardised residuals.
    breaks : tuple of dates or labels, default ()
        Each adds a step that is 0 in rows before it and 1 from it on.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = rng.standard_normal((600, 2))
    >>> y[300:, 1] += 1.5 * y[300:, 0]
    >>> res = DrivenDCC(margins=GARCH(mean="zero"), breaks=(300,)).fit(y)
    >>> list(res.params.index[-3:]), bool(res.driver_test().loc["lr", "p_value"] < 0.001)
    (['a1', 'b1', 'delta.break 300'], True)
    """

    margins: GARCH | None = field(default_factory=GARCH)
    breaks: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.breaks, tuple):
            raise OptionError(f"breaks={self.breaks!r} must be a tuple of dates or labels, e.g. ('2020-03-12',).")

    def fit(self, y: Any, x: Any = None, known: Any = None) -> DrivenDCCResult:
        """Fit the margins, then the correlation parameters.

        Parameters
        ----------
        y : (T, N) table or array, or margins
            As for `DCC`, complete rows.
        x : (T, J) table, Series or array, optional
            Drivers that are known at the end of their row: row t uses x[t-1], the first row their mean. Any unit.
        known : (T, J) table, Series or array, optional
            Drivers that are known before their row begins (dummies, calendar): row t uses known[t].

        Returns
        -------
        DrivenDCCResult

        Raises
        ------
        OptionError
            No driver at all.
        DataError
            What `DCC` refuses; drivers of another length or index, missing values, a driver that does not vary or is a
            combination of others, a break outside the sample.
        """
        from drainstats.models.coliquidity.loadings import driven_search as search

        margins = margins_of(self.margins, y)
        z = margins.std_resid_values
        if not np.isfinite(z).all():
            raise DataError("The margins have missing residuals and drivers need complete rows; take DCC for these.")
        target = to_correlation(z.T @ z / len(z))
        check_target(target, margins.columns)
        drivers = Drivers.of(margins.index, x, known, self.breaks)
        found, null = search.fit_driven(z, target, drivers)
        problem = search.Driven(z, target, drivers.scaled)
        psi = pd.Series(found.psi * np.concatenate([[1.0, 1.0], 1.0 / drivers.scale]), index=found_names(drivers))
        return DrivenDCCResult(
            params=pd.concat([margins.params, psi]).rename("estimate"),
            loglikelihood=margins.gaussian_loglikelihood + float(problem.value(found.psi).sum()),
            converged=margins.converged and found.converged,
            notes=(*margins.notes, *found.notes),
            nobs=len(z),
            margins=margins,
            spec=self,
            target=target,
            drivers=drivers,
            level=problem.level(found.psi[2:]),
            null_loglikelihood=margins.gaussian_loglikelihood + null,
            basis=found.basis,
            gap=found.gap,
            evaluations=found.evaluations,
            origin=None,
        )


def found_names(drivers: Drivers) -> list[str]:
    """a1, b1, then one delta a driver."""
    return ["a1", "b1", *(f"delta.{name}" for name in drivers.names)]


@dataclass(frozen=True, eq=False, repr=False)
class DrivenDCCResult(CorrelationResult):
    """A fitted DCC with drivers.

    Besides what `CorrelationResult` offers: ``driver_test``, ``undiversifiable``; ``spec``, ``target`` (N, N),
    ``drivers`` (what acts on each row), ``level`` (eta), ``null_loglikelihood`` (of DCC on the same margins), ``basis``
    (2 + J, r: directions free of bounds), ``gap`` (what a feasible step could still gain per time step, to first
    order), ``evaluations``, and ``origin``, the fit behind a filtered result.
    """

    spec: DrivenDCC
    target: FloatArray
    drivers: Drivers
    level: float
    null_loglikelihood: float
    basis: FloatArray
    gap: float
    evaluations: int
    origin: DrivenDCCResult | None

    @property
    def title(self) -> str:
        """Drivers and margins."""
        count = len(self.drivers.names)
        return f"DrivenDCC, {count} driver{'s' if count > 1 else ''}, on {margins_label(self.margins)}"

    @property
    def _psi(self) -> FloatArray:
        """a, b and the deltas of standardised drivers."""
        psi = self.params.to_numpy()[len(self.margins.params) :]
        return np.concatenate([psi[:2], psi[2:] * self.drivers.scale])

    @cached_property
    def _driven(self) -> Any:
        from drainstats.models.coliquidity.loadings.driven_search import Driven

        return Driven(self.margins.std_resid_values, self.target, self.drivers.scaled, self.level)

    @property
    def undiversifiable(self) -> pd.Series:
        """k[t]: the share of variance that no portfolio of the target S[t] gets rid of; row t uses rows before t."""
        return pd.Series(self._driven.shares(self._psi[2:]), index=self.index, name="undiversifiable")

    def driver_test(self) -> pd.DataFrame:
        """Test of delta = 0, all drivers at once: DCC against this model.

        "lr" is twice the gain in log-likelihood; it supposes normal shocks. "wald" uses the robust covariance.

        Returns
        -------
        DataFrame
            Rows ``lr`` and ``wald``; columns ``statistic``, ``df`` and ``p_value`` (chi-squared). Wald is NaN where a
            delta has no standard error.
        """
        from scipy.special import chdtrc

        source = self.origin or self
        names = source.params.index[len(source.margins.params) + 2 :]
        delta, covariance = source.params[names].to_numpy(), source.param_covariance.loc[names, names].to_numpy()
        wald = float(delta @ np.linalg.solve(covariance, delta)) if np.isfinite(covariance).all() else np.nan
        statistics = np.array([max(2.0 * (source.loglikelihood - source.null_loglikelihood), 0.0), wald])
        return pd.DataFrame(
            {"statistic": statistics, "df": len(names), "p_value": chdtrc(len(names), statistics)},
            index=pd.Index(["lr", "wald"], name="test"),
        )

    def _chunks(self, columns: list[int], rows: int) -> Iterator[FloatArray]:
        from drainstats.models.coliquidity.loadings.hadamard_passes import walk

        recipe = self._driven.recipe(self._psi)
        for q in walk(recipe, min(rows, self._rows(len(self.columns)))):
            yield to_correlation(q[:, np.array(columns)[:, None], columns])

    def _moments(self) -> Moments:
        from drainstats.models.coliquidity.loadings.driven_search import driven_moments
        from drainstats.models.coliquidity.loadings.flexible_search import target_noise

        z = self.margins.std_resid_values
        scores, cross, inner, in_moment = driven_moments(z, self.drivers.scaled, self.margins.pull_back, self._psi)
        noise = target_noise(self._driven.recipe(self._psi), in_moment)
        whole = stacked(self.margins, scores, cross, inner, self.basis, noise)
        units = np.concatenate([self.margins.units, [1.0, 1.0], 1.0 / self.drivers.scale])
        return replace(whole, units=units)

    @property
    def _ranges(self) -> FloatArray:
        own = [(0.0, 1.0), (0.0, 1.0), *[(-np.inf, np.inf)] * len(self.drivers.names)]
        return np.concatenate([self.margins._ranges, np.array(own)])

    def filter(self, y_new: Any, x: Any = None, known: Any = None) -> DrivenDCCResult:
        """Run new data and their drivers through at fixed parameters.

        Means, target, its level and the start of the variances are those of the fit, so nothing in row t depends on
        later rows; on the data of the fit the answer is the fit. The first row stands at the mean of x in the fit.
        """
        margins = whole(self.margins.filter(y_new), type(self.spec).__name__)
        drivers = self.drivers.anew(margins.index, x, known)
        out = replace(self, nobs=margins.nobs, margins=margins, drivers=drivers, origin=self.origin or self)
        value = margins.gaussian_loglikelihood + float(out._driven.value(out._psi).sum())
        return replace(out, loglikelihood=value)

    def forecast(self, horizon: int = 1, drivers: Any = None) -> CorrelationForecast:
        """Forecast variances and correlations of the next ``horizon`` steps.

        One step ahead it is exact: x of the last row acts on it, and known drivers and breaks stay as they are unless
        ``drivers`` says otherwise. Further out the recursion in Q goes on with future zz' replaced by Q.

        Parameters
        ----------
        horizon : int, default 1
        drivers : (horizon, J) table or array, optional
            What acts on each step, in the order of ``drivers.names``; default: the last values stay.
        """
        check_horizon(horizon)
        acting = self.drivers.ahead(horizon, drivers)
        psi, z, N = self._psi, self.margins.std_resid_values, len(self.columns)
        a, b = psi[:2]
        q, news = self.target, np.outer(z[-1], z[-1])
        from drainstats.models.coliquidity.loadings.hadamard_passes import walk

        for block in walk(self._driven.recipe(psi), 1024):
            q = block[-1]
        out = np.empty((horizon, N, N))
        for h, target in enumerate(self._driven.targets(psi[2:], acting)):
            q = (1.0 - a - b) * target + a * news + b * q
            out[h], news = q, q
        return CorrelationForecast(self.margins.forecast(horizon), to_correlation(out))

    def simulate(self, steps: int, seed: int = 0, burn: int = 500, drivers: Any = None) -> pd.DataFrame:
        """``steps`` rows from the estimated model, after ``burn`` steps at the first target that are dropped.

        ``drivers`` (steps, J): what acts on each row, in the order of ``drivers.names``; default: those of the data,
        from the start again if they are too few.
        """
        rng, psi, N = np.random.default_rng(seed), self._psi, len(self.columns)
        acting = self.drivers.again(steps, drivers)
        a, b = psi[:2]
        q = news = self._driven.targets(psi[2:], acting[:1])[0]
        z = np.empty((burn + steps, N))
        for t in range(len(z)):
            now = max(t - burn, 0)
            target = self._driven.targets(psi[2:], acting[now : now + 1])[0]
            q = (1.0 - a - b) * target + a * news + b * q
            z[t] = shock_root(q) @ rng.standard_normal(N)
            news = np.outer(z[t], z[t])
        return pd.DataFrame(self.margins.drive(z)[burn:], columns=self.columns)
