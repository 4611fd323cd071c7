"""What every estimated model promises: labelled estimates, their covariance, a card to read."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd

from drainstats.errors import OptionError, check_option
from drainstats.typing import BoolArray, FloatArray

Errors = Literal["three_step", "two_step"]
Intervals = Literal["wald", "transformed", "profile"]
UNBOUNDED = (-np.inf, np.inf)


@dataclass(frozen=True, eq=False)
class Card:
    """A table of estimates with a head of facts and a foot of notes; ``str`` gives text, ``_repr_html_`` a table."""

    title: str
    facts: dict[str, str]
    table: pd.DataFrame
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        width = max((len(k) for k in self.facts), default=0)
        lines = [self.title, "-" * len(self.title)]
        lines += [f"{k:<{width}}  {v}" for k, v in self.facts.items()]
        lines += ["", self.table.to_string(float_format=lambda v: f"{v:.6g}")]
        lines += [f"note: {n}" for n in self.notes]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from html import escape

        facts = "".join(f"<tr><th>{escape(k)}</th><td>{escape(v)}</td></tr>" for k, v in self.facts.items())
        notes = "".join(f"<p>{escape(n)}</p>" for n in self.notes)
        return f"<h4>{escape(self.title)}</h4><table>{facts}</table>{self.table.to_html(escape=True)}{notes}"


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """The estimating equations of K parameters, as the covariance of the estimates needs them.

    Attributes
    ----------
    bread : (K, K) mean derivative of the scores.
    scores : (T, K), one row a time step.
    basis : (K, r). Columns span the directions that are free of bounds and identified.
    units : (K,) what one unit of the parameters that the scores are in is in units of the estimates.
    noise : (T, K), optional. What the sampling error of a target, itself a moment of the data, adds to the scores.
    """

    bread: FloatArray
    scores: FloatArray
    basis: FloatArray
    units: FloatArray
    noise: FloatArray | None = None

    def influences(self, errors: Errors) -> FloatArray:
        """What each time step adds to the estimates (K, T), times T; NaN for a parameter that cannot move."""
        counted = self.scores if errors == "two_step" or self.noise is None else self.scores + self.noise
        return influences(self.bread, counted, self.basis) * self.units[:, None]


@dataclass(frozen=True, eq=False, repr=False)
class Estimates(ABC):
    """Estimates with a sandwich covariance that is computed when first asked for.

    Attributes
    ----------
    params : Series of K estimates.
    loglikelihood : float, in the units of the data.
    converged : bool. True when the projected gradient of every stage is small, not when an optimiser says so.
    notes : sentences on what is on a bound, not identified, or not converged.
    nobs : number of time steps.
    """

    params: pd.Series
    loglikelihood: float
    converged: bool
    notes: tuple[str, ...]
    nobs: int

    @cached_property
    def param_covariance(self) -> pd.DataFrame:
        """K × K robust covariance of ``params``; NaN where a parameter is on a bound or not identified."""
        names = self.params.index
        return pd.DataFrame(self._covariance(), index=names, columns=names)

    def _covariance(self) -> FloatArray:
        """K × K robust covariance of the parameters."""
        source: Estimates = getattr(self, "origin", None) or self
        return long_run(source._moments().influences("three_step"), 0)

    def _moments(self) -> Moments:
        """The estimating equations, where the model can say them."""
        raise OptionError(f"{self.title} has the errors of param_covariance only; leave out errors and hac.")

    def covariance_of(self, errors: Errors = "three_step", hac: int | Literal["auto"] | None = None) -> pd.DataFrame:
        """The covariance of ``params`` under a choice of what is counted.

        Parameters
        ----------
        errors : {"three_step", "two_step"}, default "three_step"
            "three_step" counts the sampling error of margins, of a target and of the correlation scores; "two_step"
            leaves out that of the target's own moments, as rmgarch and Engle and Sheppard (2001) do. Where nothing is
            targeted, or the target is held fixed, the two are the same.
        hac : int or "auto", optional
            Lags of serial dependence in the scores that are counted, with Bartlett's weights (Newey and West, 1987);
            "auto" takes 4 (T / 100)^(2/9). Default none: the scores of a right model are not autocorrelated.

        Returns
        -------
        DataFrame
            K × K; NaN where a parameter is on a bound or not identified. The default is ``param_covariance``.
        """
        check_option("errors", errors, ["three_step", "two_step"])
        source: Estimates = getattr(self, "origin", None) or self
        lags = lag_count(hac, source.nobs)
        if errors == "three_step" and lags == 0:
            return source.param_covariance
        names = self.params.index
        return pd.DataFrame(long_run(source._moments().influences(errors), lags), index=names, columns=names)

    @property
    def std_errors(self) -> pd.Series:
        """Robust standard errors, one a parameter."""
        return pd.Series(np.sqrt(np.diag(self.param_covariance)), index=self.params.index, name="std_error")

    @property
    def _ranges(self) -> FloatArray:
        """(K, 2): open interval in which each parameter lives."""
        return np.tile(UNBOUNDED, (len(self.params), 1))

    def conf_int(
        self,
        level: float = 0.95,
        method: Intervals = "wald",
        errors: Errors = "three_step",
        hac: int | Literal["auto"] | None = None,
    ) -> pd.DataFrame:
        """Confidence intervals.

        Parameters
        ----------
        level : float, default 0.95
        method : {"wald", "transformed", "profile"}, default "wald"
            "wald": estimate plus and minus standard errors. "transformed": the same on the logarithm of a parameter
            with one bound and on the logit of one with two, mapped back, so that the interval keeps its bounds.
            "profile": all values of a correlation parameter that a likelihood ratio does not reject.
        errors, hac
            As for `covariance_of`.

        Returns
        -------
        DataFrame
            Columns ``lower`` and ``upper``, one row a parameter; with "profile" one a correlation parameter.
        """
        check_option("method", method, ["wald", "transformed", "profile"])
        if not 0.0 < level < 1.0:
            raise OptionError(f"level={level!r} must lie between 0 and 1.")
        if method == "profile":
            return self._profile(level, errors, hac)
        plain = errors == "three_step" and hac is None
        spread = self.std_errors if plain else np.sqrt(np.diag(self.covariance_of(errors, hac)))
        ranges = self._ranges if method == "transformed" else np.tile(UNBOUNDED, (len(self.params), 1))
        ends = intervals(self.params.to_numpy(), np.asarray(spread), ranges, level)
        return pd.DataFrame(ends, index=self.params.index, columns=["lower", "upper"])

    def _profile(self, level: float, errors: Errors, hac: int | Literal["auto"] | None) -> pd.DataFrame:
        raise OptionError(f"{self.title} has no profile intervals; take method='transformed'.")

    @property
    def title(self) -> str:
        """One line for the head of the card."""
        return type(self).__name__

    def summary(self) -> Card:
        """The estimates as a card: head, table with standard errors and z values, notes."""
        table = pd.DataFrame({"estimate": self.params, "std_error": self.std_errors})
        table["z"] = table["estimate"] / table["std_error"]
        table = table.join(self.conf_int())
        facts = {
            "log-likelihood": f"{self.loglikelihood:.6f}",
            "observations": str(self.nobs),
            "converged": "yes" if self.converged else "NO",
        }
        return Card(self.title, facts, table, self.notes)


def influences(bread: FloatArray, scores: FloatArray, basis: FloatArray) -> FloatArray:
    """What each time step adds to moment estimates (K, T), times T, within the directions in which they could move.

    Parameters
    ----------
    bread : (K, K) mean derivative of the scores.
    scores : (T, K), one row a time step.
    basis : (K, r). Columns span the free directions; a parameter that no column moves gets NaN.
    """
    out = np.full(scores.shape[::-1], np.nan)
    try:
        answer = -basis @ np.linalg.solve(basis.T @ bread @ basis, basis.T)
    except np.linalg.LinAlgError:
        return out
    keep = (basis != 0.0).any(axis=1)
    out[keep] = answer[keep] @ (scores - scores.mean(axis=0)).T
    return out


def long_run(influence: FloatArray, lags: int) -> FloatArray:
    """Covariance (K, K) of a mean whose time steps add ``influence`` (K, T), Bartlett's weights over ``lags`` steps."""
    K, T = influence.shape
    out = np.full((K, K), np.nan)
    keep = np.flatnonzero(np.isfinite(influence).all(axis=1))
    rows = influence[keep]
    total = rows @ rows.T
    for lag in range(1, min(lags, T - 1) + 1):
        ahead = rows[:, lag:] @ rows[:, :-lag].T
        total += (1.0 - lag / (lags + 1.0)) * (ahead + ahead.T)
    out[np.ix_(keep, keep)] = total / T**2
    return out


def sandwich(bread: FloatArray, scores: FloatArray, basis: FloatArray, lags: int = 0) -> FloatArray:
    """Covariance A^-1 B A^-T / T of moment estimates; see `influences` and `long_run` for what comes in."""
    return long_run(influences(bread, scores, basis), lags)


def lag_count(hac: int | Literal["auto"] | None, rows: int) -> int:
    """Lags that a choice of ``hac`` means for a number of rows."""
    if hac is None:
        return 0
    if isinstance(hac, str) and hac == "auto":
        return int(4.0 * (rows / 100.0) ** (2.0 / 9.0))
    if isinstance(hac, bool) or not isinstance(hac, (int, np.integer)) or hac < 0:
        raise OptionError(f"hac={hac!r} must be a number of lags, 0 or more, or 'auto' or None.")
    return int(hac)


def intervals(estimates: FloatArray, errors: FloatArray, ranges: FloatArray, level: float) -> FloatArray:
    """Intervals (K, 2), symmetric where a parameter has no bound, on its logarithm with one, on its logit with two."""
    from scipy.special import ndtri

    half = float(ndtri(0.5 + level / 2.0)) * errors
    out = estimates[:, None] + np.outer(half, [-1.0, 1.0])
    for k, (low, high) in enumerate(ranges):
        x = estimates[k]
        if not (low < x < high) or np.isinf([low, high]).all():
            continue
        if np.isinf(high):
            out[k] = low + (x - low) * np.exp(half[k] / (x - low) * np.array([-1.0, 1.0]))
        else:
            # d logit = dx (1 / (x - low) + 1 / (high - x))
            shift = half[k] * (1.0 / (x - low) + 1.0 / (high - x)) * np.array([-1.0, 1.0])
            odds = (x - low) / (high - x) * np.exp(np.clip(shift, -500.0, 500.0))
            out[k] = low + (high - low) * odds / (1.0 + odds)
    return out


def free_directions(free: BoolArray, held_sum: FloatArray | None = None) -> FloatArray:
    """Basis (K, r) of the moves that keep parameters that are not ``free`` and, if given, ``held_sum`` @ params."""
    keep = np.flatnonzero(free)
    basis = np.eye(len(free))[:, keep]
    if held_sum is None or not (held_sum[keep] != 0.0).any():
        return basis
    pivot = int(keep[np.abs(held_sum[keep]).argmax()])
    basis[pivot] -= held_sum[keep] / held_sum[pivot]
    return basis[:, keep != pivot]
