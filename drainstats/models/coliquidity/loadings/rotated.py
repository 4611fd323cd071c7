"""Rotated DCC: every asset with a pace of its own, and a correlation that is positive definite always.

    S = P L P' = E[z z'],   S^1/2 = P L^1/2 P',   e[t] = S^-1/2 z[t], so that E[e e'] = I
    G[t] = I - A - B + A * e[t-1] e[t-1]' + B * G[t-1],   A = alpha alpha', B = beta beta', entry by entry
    Q[t] = S^1/2 G[t] S^1/2,   R[t] = diag(Q[t])^-1/2 Q[t] diag(Q[t])^-1/2

Noureldin, Shephard and Sheppard (2014), "Multivariate rotated ARCH models", Journal of Econometrics 179, 16-30 (RDCC).
The intercept is diagonal with 1 - alpha_i^2 - beta_i^2 > 0, whatever the loadings, and S is the target: what
the diagonal DCC cannot promise together. With one pair of loadings the rotation cancels and the model is DCC.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import check_option
from drainstats.models.coliquidity.correlation import to_correlation
from drainstats.models.coliquidity.loadings.flexible import LoadingRecursion, outer_loadings
from drainstats.models.coliquidity.loadings.hadamard_passes import Pass, Recipe
from drainstats.typing import FloatArray, IntArray


@dataclass(frozen=True)
class RotatedDCC(LoadingRecursion):
    """Rotated DCC(1, 1).

    Parameters ``a`` and ``b`` are the loadings alpha and beta of the rotated shocks; the root of S is the symmetric
    one, so that each of them belongs to the asset whose residual it is closest to, and the order of the columns
    does not matter. The result is a `LoadingResult`; the likelihood is the normal one. Before the sample G and ee' are
    the identity, so that Q[1] = S.

    Parameters
    ----------
    margins : GARCH or None, default GARCH()
        Spec of every margin; None: the data are standardised residuals.
    parameters : {"diagonal", "scalar"}, default "diagonal"
        A pair of loadings an asset, or one for all: the latter is DCC(1, 1) with a = alpha^2 and b = beta^2.

    Examples
    --------
    >>> import numpy as np
    >>> from drainstats.models.coliquidity.margins.garch import GARCH
    >>> y = np.random.default_rng(0).standard_normal((400, 2)) @ np.array([[1.0, 0.5], [0.0, 1.0]])
    >>> res = RotatedDCC(margins=GARCH(mean="zero")).fit(y)
    >>> list(res.params.index[-4:])
    ['0.a', '1.a', '0.b', '1.b']
    """

    parameters: Literal["diagonal", "scalar"] = "diagonal"

    def __post_init__(self) -> None:
        check_option("parameters", self.parameters, ["diagonal", "scalar"])

    def groups_of(self, columns: pd.Index) -> tuple[IntArray, list[Any]]:
        """The group of each asset as a number (N,), and the groups' names."""
        if self.parameters == "scalar":
            return np.zeros(len(columns), dtype=np.int64), ["all"]
        return np.arange(len(columns)), list(columns)

    def target(self, z: FloatArray) -> FloatArray:
        """S from standardised residuals (T, N): their second moment, scaled to a unit diagonal."""
        return to_correlation(z.T @ z / len(z))

    def recipe(
        self, z: FloatArray, target: FloatArray, codes: IntArray, psi: FloatArray, reported: bool = True
    ) -> Recipe:
        """The recursion at psi = (alpha, beta)."""
        A, B, dA, dB = outer_loadings(psi, codes)
        one = np.eye(len(target))
        values, vectors = np.linalg.eigh(target)
        root = (vectors * np.sqrt(values)) @ vectors.T
        e = z @ ((vectors / np.sqrt(values)) @ vectors.T)
        return Recipe(z, e, one, one, one * (1.0 - A - B), A, B, -one * (dA + dB), dA, dB, rotation=root)

    def pull(self, z: FloatArray, target: FloatArray, recipe: Recipe, one: Pass) -> tuple[FloatArray, FloatArray]:
        """Derivatives of the correlation log-likelihood in z (T, N) at a fixed target, and in the target (N, N)."""
        from drainstats.kernels import hadamard as kernels

        slopes, in_e = one.slopes.copy(), np.zeros_like(z)
        kernels.pull(recipe.e, recipe.A, recipe.B, slopes, in_e)
        values, vectors = np.linalg.eigh(target)
        inverse = (vectors / np.sqrt(values)) @ vectors.T
        # e = z L^-1 moves with L, and L with S: dS = dL L + L dL.
        half = inverse @ z.T @ in_e @ inverse
        in_root = vectors.T @ (one.in_rotation - 0.5 * (half + half.T)) @ vectors
        sums = np.sqrt(values)[:, None] + np.sqrt(values)
        return one.direct + in_e @ inverse, vectors @ (in_root / sums) @ vectors.T
