"""BEKK: how do the variances and covariances themselves react to news?

    e[t] = y[t] - mu,   n[t] = min(e[t], 0)
    H[t] = C + A e[t-1] e[t-1]' A + G n[t-1] n[t-1]' G + B H[t-1] B
    targeting:  C = S - A S A - G N G - B S B,   S = mean of ee', N = mean of nn';   else C = L L' is estimated too

A, B and G are diagonal, or scalars times the identity. Engle and Kroner (1995), Econometric Theory 11, 122-150; the
asymmetric term is that of Kroner and Ng (1998), Review of Financial Studies 11, 817-844. With targeting the estimate
has two steps and its variance counts the first (Pedersen and Rahbek, 2014, Econometrics Journal 17, 24-55). The mean
is the sample mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, SizeError, check_option
from drainstats.frames import as_wide
from drainstats.models.base import Moments
from drainstats.models.coliquidity.correlation import (
    PATH_BYTES,
    CorrelationForecast,
    CorrelationResult,
    check_horizon,
    correlation_root,
    to_correlation,
)
from drainstats.models.coliquidity.covariances.bekk_paths import Coefficients, covariance_blocks
from drainstats.models.coliquidity.covariances.bekk_problem import Problem, likelihood
from drainstats.models.coliquidity.covariances.bekk_search import BEKKFit, moments, search
from drainstats.models.coliquidity.covariances.marginals import Marginals, places, standardise, symmetric_root
from drainstats.models.coliquidity.inputs import complete_rows, same_columns
from drainstats.typing import FloatArray


@dataclass(frozen=True)
class BEKK:
    """BEKK(1, 1) with scalar or diagonal matrices.

    Parameters
    ----------
    kind : {"scalar", "diagonal"}, default "scalar"
        "scalar": one a and one b for all. "diagonal": one each a series; entry (i, j) of H then reacts by a_i a_j.
    asymmetric : bool, default False
        Let joint falls count by themselves: g, by the same kind.
    targeting : bool, default True
        Fix the intercept by the sample covariance. False estimates its N (N + 1) / 2 entries too: for few series.
    mean : {"constant", "zero"}, default "constant"
        Take the sample mean off, or nothing.
    dist : {"normal", "t"}, default "normal"
        "normal" is a quasi-likelihood. "t" is the multivariate t of covariance H; its degrees of freedom are estimated.
    start : {"sample", "backcast"}, default "sample"
        What ee' and H are before the sample: S, so that with targeting H[1] = S; or a mean of the first 75 ee' with
        weights 0.94^i.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.random.default_rng(0).standard_normal((400, 2)) @ np.array([[1.0, 0.5], [0.0, 1.0]])
    >>> res = BEKK(mean="zero").fit(y)
    >>> list(res.params.index), res.converged
    (['a', 'b'], True)
    """

    kind: Literal["scalar", "diagonal"] = "scalar"
    asymmetric: bool = False
    targeting: bool = True
    mean: Literal["constant", "zero"] = "constant"
    dist: Literal["normal", "t"] = "normal"
    start: Literal["sample", "backcast"] = "sample"

    def __post_init__(self) -> None:
        check_option("kind", self.kind, ["scalar", "diagonal"])
        check_option("asymmetric", self.asymmetric, [True, False])
        check_option("targeting", self.targeting, [True, False])
        check_option("mean", self.mean, ["constant", "zero"])
        check_option("dist", self.dist, ["normal", "t"])
        check_option("start", self.start, ["sample", "backcast"])

    def parameter_names(self, columns: pd.Index) -> list[str]:
        """Means, a, b, g, entries of L (without targeting), nu."""
        names = [f"{c}.mu" for c in columns] if self.mean == "constant" else []
        for letter in "abg" if self.asymmetric else "ab":
            names += [letter] if self.kind == "scalar" else [f"{c}.{letter}" for c in columns]
        if not self.targeting:
            names += [f"root({columns[i]}, {columns[j]})" for i, j in zip(*np.tril_indices(len(columns)), strict=True)]
        return names + ["nu"] * (self.dist == "t")

    def fit(self, y: Any) -> BEKKResult:
        """Estimate all parameters.

        Parameters
        ----------
        y : (T, N) table or array
            Returns or innovations of log illiquidity, any unit, complete rows.

        Returns
        -------
        BEKKResult

        Raises
        ------
        DataError
            Missing or infinite values, one asset, too few rows, a series that does not vary, duplicated series.
        SizeError
            More than 2^25 entries of H in all, about 160 assets over 2500 rows.
        """
        data = standardise(y, self.mean == "constant", 20)
        N, scale = len(data.scale), data.scale
        if not self.targeting and len(data.e) < N * (N + 1):
            raise DataError(
                f"Without targeting the intercept of {N} assets has {N * (N + 1) // 2} entries, too many for "
                f"{len(data.e)} rows; set targeting=True."
            )
        if len(data.e) * N * (N + 1) * 4 > PATH_BYTES // 4:
            raise SizeError(
                f"The search keeps several paths of {len(data.e)} x {N * (N + 1) // 2} numbers, which is too many; "
                "take fewer assets, or CCC or DCC for a large panel."
            )
        problem = Problem(self, data.e)
        found = search(problem)
        coefficients = problem.coefficients(found.psi, scale)
        names = self.parameter_names(data.wide.columns)
        units = np.concatenate([scale if self.mean == "constant" else np.empty(0), _units(problem, scale)])
        estimates = np.concatenate([data.mean if self.mean == "constant" else np.empty(0), found.psi])
        estimates[len(estimates) - len(found.psi) :] *= units[len(units) - len(found.psi) :]
        result = BEKKResult(
            params=pd.Series(estimates, index=names, name="estimate"),
            loglikelihood=np.nan,
            converged=found.converged,
            notes=found.notes,
            nobs=len(data.e),
            margins=_marginals(coefficients, data.wide.values - data.mean, data.wide.index, data.wide.columns, None),
            spec=self,
            mean=data.mean,
            scale=scale,
            units=units,
            coefficients=coefficients,
            found=found,
            origin=None,
        )
        return replace(result, loglikelihood=result._value())


def _units(problem: Problem, scale: FloatArray) -> FloatArray:
    """What one unit of each standardised parameter is in the units of the data (K,)."""
    cuts = problem.parts
    root = np.empty(0) if problem.spec.targeting else scale[problem.lower[0]]
    return np.concatenate([np.ones(cuts[2]), root, np.ones(int(problem.spec.dist == "t"))])


def _marginals(
    coefficients: Coefficients, e: FloatArray, index: pd.Index, columns: pd.Index, origin: Marginals | None
) -> Marginals:
    """The diagonal of H, each entry by its own recursion."""
    variance = np.empty_like(e)
    for i in range(e.shape[1]):
        variance[:, i] = next(covariance_blocks(coefficients.of([i]), e[:, [i]], len(e)))[:, 0, 0]
    volatility = np.sqrt(variance)
    return Marginals(volatility, e / volatility, index, columns, origin)


@dataclass(frozen=True, eq=False, repr=False)
class BEKKResult(CorrelationResult):
    """A fitted BEKK.

    Besides what `CorrelationResult` offers: ``spec``, ``mean`` (N,), ``coefficients`` (C and the diagonals of A, B and
    G, in the units of the data), ``found`` (how the search ended), and ``origin``, the fit behind a filtered result.
    ``std_resid`` divides by the volatility of each series; `whitened` takes the correlation out too.
    """

    margins: Any
    spec: BEKK
    mean: FloatArray
    scale: FloatArray
    units: FloatArray
    coefficients: Coefficients
    found: BEKKFit
    origin: BEKKResult | None

    @property
    def title(self) -> str:
        """Kind, law and what is fixed."""
        kind = ("asymmetric " if self.spec.asymmetric else "") + self.spec.kind
        tail = "with targeting" if self.spec.targeting else "free intercept"
        return f"BEKK, {kind}, {tail}, mean {self.spec.mean}, {self.spec.dist}, start {self.spec.start}"

    @property
    def intercept(self) -> pd.DataFrame:
        """C (N × N), squared units of the data."""
        return pd.DataFrame(self.coefficients.C, index=self.columns, columns=self.columns)

    @property
    def persistence(self) -> pd.Series:
        """a^2 + b^2 + g^2 / 2 of every series: how much of its variance is still there a step later."""
        c = self.coefficients
        return pd.Series(c.a**2 + c.b**2 + 0.5 * c.g**2, index=self.columns, name="persistence")

    def _blocks(self, columns: list[int], rows: int) -> Iterator[FloatArray]:
        """H (rows, n, n) of some assets, in time order."""
        return covariance_blocks(self.coefficients.of(columns), self.margins.residuals[:, columns], rows)

    def _chunks(self, columns: list[int], rows: int) -> Iterator[FloatArray]:
        return (to_correlation(block) for block in self._blocks(columns, rows))

    def _walk(self) -> Iterator[FloatArray]:
        """H (rows, N, N) of all assets."""
        n = len(self.columns)
        return self._blocks(list(range(n)), self._rows(n))

    def _value(self) -> float:
        e, done, total = self.margins.residuals, 0, 0.0
        lower = np.tril_indices(len(self.columns))
        nu = float(self.params["nu"]) if self.spec.dist == "t" else 0.0
        for block in self._walk():
            total += float(likelihood(e[done : done + len(block)], block[:, *lower], nu)[0].sum())
            done += len(block)
        return total

    def _moments(self) -> Moments:
        from scipy.linalg import block_diag

        scores, noise, bread = moments(Problem(self.spec, self.margins.residuals / self.scale), self.found.psi)
        N = len(self.scale)
        basis = np.asarray(block_diag(np.eye(N), self.found.basis))
        first = 0 if self.spec.mean == "constant" else N
        part = slice(first, None)
        return Moments(bread[part, part], scores[:, part], basis[part, first:], self.units, noise[:, part])

    @property
    def _ranges(self) -> FloatArray:
        out = super()._ranges
        positive = self.params.index.isin(["a", "b", "g"])
        out[positive, 0] = 0.0
        out[self.params.index == "nu", 0] = 2.0
        return out

    def whitened(self, root: Literal["symmetric", "cholesky"] = "symmetric") -> pd.DataFrame:
        """H[t]^-1/2 e[t] (T × N), without a unit and uncorrelated if the model holds.

        Parameters
        ----------
        root : {"symmetric", "cholesky"}, default "symmetric"
            "symmetric" treats all assets alike; "cholesky" takes from each what those before it explain.
        """
        check_option("root", root, ["symmetric", "cholesky"])
        e, parts, done = self.margins.residuals, [], 0
        for block in self._walk():
            part = e[done : done + len(block), :, None]
            done += len(block)
            if root == "symmetric":
                parts.append((symmetric_root(block, -0.5) @ part)[:, :, 0])
            else:
                parts.append(np.linalg.solve(np.linalg.cholesky(block), part)[:, :, 0])
        return pd.DataFrame(np.concatenate(parts), index=self.index, columns=self.columns)

    def filter(self, y_new: Any) -> BEKKResult:
        """Run new data through at fixed parameters.

        Mean, intercept and what stands before the sample are those of the fit, so nothing in row t depends on later
        rows; on the data of the fit the answer is the fit.
        """
        wide = as_wide(y_new, "y")
        same_columns(wide, self.columns)
        complete_rows(wide.like(wide.values), 1, varying=False)
        origin = self.origin or self
        margins = _marginals(self.coefficients, wide.values - self.mean, wide.index, self.columns, origin.margins)
        new = replace(self, nobs=len(wide.values), margins=margins, origin=origin)
        return replace(new, loglikelihood=new._value())

    @cached_property
    def _last_covariance(self) -> FloatArray:
        H = np.empty(0)
        for block in self._walk():
            H = block[-1].copy()
        return H

    def forecast(self, horizon: int = 1) -> CorrelationForecast:
        """Expected covariances of the next ``horizon`` steps.

        Without asymmetry they are exact. With it E[nn'] of a future step is that of an elliptical law with the expected
        H: exact for variances and one step ahead, an approximation for later covariances.
        """
        check_horizon(horizon)
        first = self.coefficients.first_step(self._last_covariance, self.margins.residuals[-1])
        path = self.coefficients.expect(first, horizon)
        steps = pd.RangeIndex(1, horizon + 1, name="step")
        variance = pd.DataFrame(np.diagonal(path, axis1=1, axis2=2), index=steps, columns=self.columns)
        return CorrelationForecast(variance, to_correlation(path))

    def simulate(self, steps: int, seed: int = 0, burn: int = 500) -> pd.DataFrame:
        """``steps`` rows from the estimated model, after ``burn`` steps that are dropped."""
        rng, c, N = np.random.default_rng(seed), self.coefficients, len(self.columns)
        shocks = rng.standard_normal((burn + steps, N))
        if self.spec.dist == "t":
            nu = float(self.params["nu"])
            shocks *= np.sqrt((nu - 2.0) / rng.chisquare(nu, (burn + steps, 1)))
        H, e = c.step(c.before, c.news, c.falls), np.empty_like(shocks)
        for t in range(len(e)):
            e[t] = correlation_root(H) @ shocks[t]
            H = c.first_step(H, e[t])
        return pd.DataFrame(self.mean + e[burn:], columns=self.columns)

    def virf(self, shock: Any, horizon: int = 20, at: Any = None, standardised: bool = False) -> pd.DataFrame:
        """Volatility impulse response: how far a shock moves the expected H, step by step.

        E[H[t+h] | e[t] = shock, past] - E[H[t+h] | past] for h = 1, ..., horizon (Hafner and Herwartz, 2006, Journal of
        International Money and Finance 25, 719-740).

        Parameters
        ----------
        shock : (N,)
            Residuals of one step, in the units of the data; or, ``standardised``, uncorrelated shocks of variance one
            that the symmetric root of H[t] turns into residuals.
        horizon : int, default 20
        at : row label, default the last row
            The step t whose H the shock meets.
        standardised : bool, default False

        Returns
        -------
        horizon × N (N + 1) / 2 frame, squared units of the data; its columns are pairs of assets.
        """
        check_horizon(horizon)
        check_option("standardised", standardised, [True, False])
        N = len(self.columns)
        e = np.asarray(shock, dtype=np.float64)
        if e.shape != (N,) or not np.isfinite(e).all():
            raise OptionError(f"shock must be {N} finite numbers, one an asset; it has the shape {e.shape}.")
        H = self._last_covariance
        if at is not None:
            if at not in self.index:
                raise OptionError(f"at={at!r} is no row of this result; the last is {self.index[-1]!s}.")
            stop, c = int(self.index.get_loc(at)) + 1, self.coefficients
            for block in covariance_blocks(c, self.margins.residuals[:stop], self._rows(N)):
                H = block[-1]
        if standardised:
            e = symmetric_root(H) @ e
        c = self.coefficients
        path = c.expect(c.first_step(H, e), horizon) - c.expect(c.expect(H, 2)[1], horizon)
        rows, cols = np.tril_indices(N)
        pairs = pd.MultiIndex.from_arrays([self.columns[cols], self.columns[rows]], names=["first", "second"])
        return pd.DataFrame(path[:, rows, cols], index=pd.RangeIndex(1, horizon + 1, name="step"), columns=pairs)

    def news_impact(
        self, first: Any, second: Any, grid: Any = None, of: Literal["correlation", "covariance"] = "correlation"
    ) -> pd.DataFrame:
        """What today's shocks to two assets make of their correlation or covariance tomorrow.

        Parameters
        ----------
        first, second : asset names
        grid : (m,), default 25 values from -3 to 3
            Shocks in standard deviations of each asset; the last H is taken at the level before the sample, which is
            the unconditional one with targeting and start "sample" (Kroner and Ng, 1998).
        of : {"correlation", "covariance"}, default "correlation"

        Returns
        -------
        m × m frame: rows are shocks to ``first``, columns to ``second``.
        """
        check_option("of", of, ["correlation", "covariance"])
        c = self.coefficients.of(places(self.columns, (first, second)))
        z = np.linspace(-3.0, 3.0, 25) if grid is None else np.asarray(grid, dtype=np.float64)
        size = np.sqrt(np.diag(c.before))
        H = np.array([[c.first_step(c.before, size * (x, y)) for y in z] for x in z])
        values = (to_correlation(H) if of == "correlation" else H)[:, :, 0, 1]
        return pd.DataFrame(values, index=pd.Index(z, name=first), columns=pd.Index(z, name=second))
