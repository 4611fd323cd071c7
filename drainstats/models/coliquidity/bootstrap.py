"""Parametric bootstrap: what would the estimates be in other samples from the fitted model?

A sample of the same length is drawn from the fit, the same spec is fitted to it, and so on. It needs no expansion about
the estimates: it knows their bias, their skew and what a bound does to them. It believes the fitted law of the shocks.

Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapters 6, 10 and 13; Davison and Hinkley (1997),
Bootstrap Methods and their Application, section 5.2 ("basic").
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, check_option, check_whole
from drainstats.models.base import UNBOUNDED, intervals
from drainstats.parallel import Failure, pmap


@dataclass(frozen=True, eq=False, repr=False)
class Bootstrap:
    """Estimates from samples of a fitted model.

    Attributes
    ----------
    estimates : Series of K, of the data.
    params : (draws × K) frame; the row of a sample that could not be fitted is NaN.
    status : frame, one row a sample: ``converged``, ``reason`` (why it could not be fitted, else empty).
    """

    estimates: pd.Series
    params: pd.DataFrame
    status: pd.DataFrame

    def __repr__(self) -> str:
        good = int(self.status["converged"].sum())
        return f"<Bootstrap: {len(self.params)} samples, {good} fits converged, {len(self.estimates)} parameters>"

    @property
    def _used(self) -> pd.DataFrame:
        return self.params[self.status["reason"] == ""]

    @property
    def std_errors(self) -> pd.Series:
        """Standard deviation of the estimates between samples."""
        return self._used.std().rename("std_error")

    @property
    def bias(self) -> pd.Series:
        """Mean estimate minus the value that the samples were drawn with."""
        return (self._used.mean() - self.estimates).rename("bias")

    def conf_int(self, level: float = 0.95, method: Literal["percentile", "basic", "normal"] = "basic") -> pd.DataFrame:
        """Intervals from the samples' estimates.

        Parameters
        ----------
        level : float, default 0.95
        method : {"percentile", "basic", "normal"}, default "basic"
            "basic": the estimate minus the quantiles of the errors, which takes the bias out and may leave the bounds.
            "normal": the estimate without its bias, plus and minus standard errors; some fifty samples will do.
            "percentile": the quantiles themselves, which keep the bounds of a parameter and count its bias twice: not
            for b of many assets in a short sample (docs/coverage.md).

        Returns
        -------
        DataFrame
            Columns ``lower`` and ``upper``, one row a parameter.
        """
        check_option("method", method, ["percentile", "basic", "normal"])
        if not 0.0 < level < 1.0:
            raise OptionError(f"level={level!r} must lie between 0 and 1.")
        if method == "normal":
            centre = (self.estimates - self.bias).to_numpy()
            ends = intervals(centre, self.std_errors.to_numpy(), np.tile(UNBOUNDED, (len(centre), 1)), level)
            return pd.DataFrame(ends, index=self.estimates.index, columns=["lower", "upper"])
        low, high = (self._used.quantile(0.5 + side * level / 2.0) for side in (-1.0, 1.0))
        if method == "basic":
            low, high = 2.0 * self.estimates - high, 2.0 * self.estimates - low
        return pd.DataFrame({"lower": low, "upper": high})


def bootstrap(result: Any, draws: int = 199, seed: int = 0, n_jobs: int = 1, progress: bool = False) -> Bootstrap:
    """Draw samples from a fitted model and fit them.

    Parameters
    ----------
    result : a fit with ``spec`` and ``simulate``
        `GARCHResult`, `CCCResult`, `DCCResult`, `DECOResult` and their like.
    draws : int, default 199
        Samples. Standard errors need some hundred, the ends of a 95 % interval a thousand.
    seed : int, default 0
    n_jobs : int, default 1
        Workers of `pmap`; the answer does not depend on them.
    progress : bool, default False

    Returns
    -------
    Bootstrap
        A sample that cannot be fitted is a row with its reason.

    Raises
    ------
    DataError
        The margins were handed in by arch: nothing says how to fit them again.

    References
    ----------
    Efron and Tibshirani (1993), An Introduction to the Bootstrap.

    Examples
    --------
    >>> import numpy as np
    >>> from drainstats.models.coliquidity.margins.garch import GARCH
    >>> res = GARCH(mean="zero").fit(np.random.default_rng(0).standard_normal(300))
    >>> found = bootstrap(res, draws=9, seed=1)
    >>> found
    <Bootstrap: 9 samples, 9 fits converged, 3 parameters>
    """
    check_whole("draws", draws, 2)
    source = getattr(result, "origin", None) or result
    if getattr(getattr(source, "margins", None), "kind", "") == "arch":
        raise DataError(
            "The margins came from arch, which alone could fit them again; fit with margins of your own spec to draw "
            "samples."
        )
    found = pmap(partial(_refit, source), range(draws), seed=seed, n_jobs=n_jobs, on_error="record", progress=progress)
    names = source.params.index
    params = np.full((draws, len(names)), np.nan)
    rows = []
    for i, one in enumerate(found):
        if isinstance(one, Failure):
            rows.append((False, f"{one.error}: {one.message}"))
            continue
        params[i] = one[0]
        lost = np.isfinite(source.params.to_numpy()) & ~np.isfinite(params[i])
        rows.append((one[1], f"no estimate of {names[lost][0]}" if lost.any() else ""))
    return Bootstrap(
        estimates=source.params,
        params=pd.DataFrame(params, columns=names),
        status=pd.DataFrame(rows, columns=["converged", "reason"]),
    )


def _refit(result: Any, draw: int, rng: np.random.Generator) -> tuple[np.ndarray, bool]:
    """Estimates of one sample in the order of the fit, and whether they have converged."""
    sample = result.simulate(result.nobs, seed=int(rng.integers(2**63)))
    resid = getattr(result, "std_resid", None)
    if resid is not None:
        # What was not seen in the data is not seen in the sample either.
        sample = sample.where(np.isfinite(resid.to_numpy()).reshape(sample.shape))
    if getattr(result, "single", False):
        sample = sample.iloc[:, 0]
    fit = result.spec.fit(sample)
    return fit.params.reindex(result.params.index).to_numpy(), fit.converged
