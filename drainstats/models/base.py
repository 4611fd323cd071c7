"""What every estimated model promises: labelled estimates, their covariance, a card to read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from drainstats.errors import OptionError
from drainstats.typing import BoolArray, FloatArray


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

    @abstractmethod
    def _covariance(self) -> FloatArray:
        """K × K robust covariance of the parameters."""

    @property
    def std_errors(self) -> pd.Series:
        """Robust standard errors, one a parameter."""
        return pd.Series(np.sqrt(np.diag(self.param_covariance)), index=self.params.index, name="std_error")

    def conf_int(self, level: float = 0.95) -> pd.DataFrame:
        """Wald intervals: columns ``lower`` and ``upper``, one row a parameter."""
        from scipy.special import ndtri

        if not 0.0 < level < 1.0:
            raise OptionError(f"level={level!r} must lie between 0 and 1.")
        half = float(ndtri(0.5 + level / 2.0)) * self.std_errors
        return pd.DataFrame({"lower": self.params - half, "upper": self.params + half})

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


def sandwich(bread: FloatArray, scores: FloatArray, basis: FloatArray) -> FloatArray:
    """Covariance A^-1 B A^-T / T of moment estimates, within the directions in which they could move.

    Parameters
    ----------
    bread : (K, K) mean derivative of the scores.
    scores : (T, K), one row a time step.
    basis : (K, r). Columns span the free directions; a parameter that no column moves gets NaN.
    """
    T, K = scores.shape
    moments = scores @ basis
    moments = moments - moments.mean(axis=0)
    out = np.full((K, K), np.nan)
    try:
        half = basis @ np.linalg.solve(basis.T @ bread @ basis, moments.T)
    except np.linalg.LinAlgError:
        return out
    keep = np.flatnonzero((basis != 0.0).any(axis=1))
    out[np.ix_(keep, keep)] = (half @ half.T / T**2)[np.ix_(keep, keep)]
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
