"""DCC: do the series move together more than they used to?

    z[t] = (y[t] - mu) / sqrt(h[t])                                                  margins, one by one
    Q[t] = (1 - sum a - sum b) S + sum_i a_i z[t-i] z[t-i]' + sum_j b_j Q[t-j]       a, b >= 0, sum a + sum b < 1
    R[t] = diag(Q[t])^-1/2 Q[t] diag(Q[t])^-1/2

Engle (2002), Journal of Business & Economic Statistics 20, 339-350. Programs disagree about S and about what precedes
the sample; `targets` lists their conventions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from drainstats.errors import check_option
from drainstats.frames import Wide
from drainstats.models.coliquidity.dcc import targets
from drainstats.models.coliquidity.dcc.missing import observed_assets
from drainstats.models.coliquidity.dcc.recursion import DCCResult, Recursion, Targeted
from drainstats.models.coliquidity.dcc.targets import CONVENTIONS, pull_correlation
from drainstats.models.coliquidity.inference import by_step
from drainstats.models.coliquidity.margins.garch import GARCHResult
from drainstats.typing import FloatArray

if TYPE_CHECKING:
    from drainstats.models.coliquidity.dcc.search import CorrelationFit, Problem

__all__ = ["DCC", "DCCResult", "Recursion", "pull_correlation"]


@dataclass(frozen=True)
class DCC(Targeted):
    """DCC(P, Q) with correlation targeting.

    Missing values are taken under normal shocks, the convention "engle" and a sample target: a row enters by the
    likelihood of what it shows, S stands on the rows that each pair has in common, and an asset has no correlation
    before it was seen for the first time and after 30 rows without a value. Notes say what was repaired.

    Parameters
    ----------
    order : (int, int), default (1, 1)
        Lags of shocks (a) and of Q (b).
    margins : GARCH or None, default GARCH()
        Spec of every margin; None: the data are standardised residuals.
    dist : {"normal", "t", "laplace"}, default "normal"
        Joint law of the shocks. "normal" is a quasi-likelihood. "t" estimates one number of degrees of freedom ``nu``
        > 2 for all series. "laplace" has no parameter and heavier tails; its density is infinite where all series are
        at their means at once. The margins keep the law of their own spec: with normal margins the first step stays a
        quasi-likelihood, as in rmgarch's "mvt" and "mvlaplace".
    target : {"auto", "sample", "linear", "nonlinear"} or (N, N) matrix, default "auto"
        S. "sample": by the convention. "linear", "nonlinear": its correlations are shrunk as `shrink_correlation` does
        (towards the identity; eigenvalue by eigenvalue), so that N > T works. "auto": the sample, but nonlinear when
        N > 0.1 T. A matrix of your own must be symmetric and positive definite. Standard errors hold a target that is
        shrunk or given fixed.
    convention : str, default "engle"
        What S is, and what precedes the sample: "engle", "rmgarch", "tsmarch", "mfe", "multiarch",
        "multiarch_rmgarch" or "multiarch_tsmarch". "engle": S is the second moment of the standardised residuals scaled
        to a unit diagonal, and before the sample both zz' and Q equal S, so that Q[1] = S. "mfe": the same S, but zz'
        and Q before the sample are an exponential backcast. "multiarch": S is not scaled. The others take S as the
        covariance (demeaned, divisor T - 1) and Q before the sample as S; shocks before it are zeros ("tsmarch"), such
        that Q[1] = S ("multiarch_tsmarch"), ones ("multiarch_rmgarch"), or zeros in the *maximised* likelihood and ones
        in the *reported* likelihood and paths ("rmgarch").

    Examples
    --------
    >>> import numpy as np
    >>> from drainstats.models.coliquidity.margins.garch import GARCH
    >>> y = np.random.default_rng(0).standard_normal((400, 2)) @ np.array([[1.0, 0.5], [0.0, 1.0]])
    >>> res = DCC(margins=GARCH(mean="zero")).fit(y)
    >>> list(res.params.index[-2:])
    ['a1', 'b1']
    """

    convention: Literal["engle", "rmgarch", "tsmarch", "mfe", "multiarch", "multiarch_rmgarch", "multiarch_tsmarch"] = (
        "engle"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_option("convention", self.convention, list(CONVENTIONS))

    def complete(self, y: Any, least: int) -> Wide:
        """The table of a fit; Engle's DCC takes missing values."""
        if takes_holes(self):
            return observed_assets(y, least, crowded=self.target != "sample")
        return super().complete(y, least)

    def parts(self, z: FloatArray) -> FloatArray:
        """The shocks whose moments the target holds (1, T, N)."""
        return np.asarray(z[None])

    def search(self, z: FloatArray, guess: FloatArray | None = None) -> CorrelationFit:
        """Maximise the correlation likelihood of residuals (T, N) at their target, from a guess if there is one."""
        from drainstats.models.coliquidity.dcc.search import fit_correlation

        target = self.target_at(z, np.empty(0))
        found = fit_correlation(self, z, target, self.before(z, target, False), guess)
        return replace(found, notes=(*targets.notes(self.target, *z.shape), *found.notes))

    def problem(self, z: FloatArray, target: FloatArray) -> Problem:
        """What the search maximises: the correlation likelihood of residuals (T, N) at a target."""
        from drainstats.models.coliquidity.dcc.search import correlation_problem

        return correlation_problem(self, z, target, self.before(z, target, False))

    def target_at(self, z: FloatArray, psi: FloatArray) -> FloatArray:
        """S (N, N) by option and convention; it does not depend on psi."""
        return targets.find(self.target, z, CONVENTIONS[self.convention].moment)

    def before(self, z: FloatArray, target: FloatArray, reported: bool) -> FloatArray:
        """Products of shocks before the sample, by the convention."""
        return targets.before(self.convention, target, self.parts(z), reported)

    def start(self, target: FloatArray, before: FloatArray) -> FloatArray:
        """Q before the sample (N, N), by the convention."""
        first = before if CONVENTIONS[self.convention].reported == "backcast" else target
        return np.asarray(first.reshape(-1, *first.shape[-2:])[0])

    def moments(self, margins: GARCHResult, target: FloatArray, psi: FloatArray) -> tuple[FloatArray, ...]:
        """Scores of psi (T, k), their mean derivative in margins (k, N K) and psi (k, k), the target's noise (T, k)."""
        from drainstats.models.coliquidity.dcc.search import correlation_moments

        return correlation_moments(self, margins, target, psi)

    def costs(self, target: FloatArray) -> FloatArray:
        """What one unit of each weight takes from the stationarity bound (P + Q,)."""
        return np.ones(sum(self.sizes))

    def pull_start(
        self, z: FloatArray, target: FloatArray, in_targets: FloatArray, in_before: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Turn derivatives in target and pre-sample into those in z (T, N), and in each step's products (T,).

        ``in_targets`` (2, N, N) for S and N; ``in_before`` (3, N, N) for zz', nn' and Q before the sample. The second
        answer leaves out a pre-sample that is made of the first rows alone.
        """
        rule, parts = CONVENTIONS[self.convention], self.parts(z)
        slopes, early = in_targets.copy(), np.zeros_like(in_targets)
        if rule.reported == "backcast":
            early += in_before[:2]
            early[0] += in_before[2]
        else:
            slopes[0] += in_before[2]
        if rule.reported == "target":
            slopes += in_before[:2]
        kinds = (rule.moment, "product" if rule.moment == "correlation" else rule.moment)
        out, weights, noise = np.zeros(z.shape), targets.backcast_weights(len(z)), np.zeros(len(z))
        for k, part in enumerate(parts):
            moved = np.zeros(z.shape)
            if k == 1 or targets.how(self.target, *z.shape) == "sample":
                moved = targets.pull(part, kinds[k], target.reshape(-1, *slopes.shape[1:])[k], slopes[k])
                noise += by_step(part - part.mean(axis=0) * (kinds[k] == "covariance"), moved)
            head = part[: len(weights)]
            moved[: len(weights)] += 2.0 * weights[:, None] * head @ early[k]
            out += moved if k == 0 else moved * (part < 0.0)
        return out, noise


def takes_holes(spec: Recursion) -> bool:
    """Whether the model has an answer to missing values: Engle's DCC with normal shocks and a sample target has."""
    if type(spec) is not DCC:
        return False
    return spec.convention == "engle" and spec.dist == "normal" and spec.target in ("auto", "sample")
