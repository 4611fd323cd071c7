"""ADCC: do the series move together more after they have fallen together?

    Q[t] = (1 - sum a - sum b) S - sum g N + sum_i a_i z[t-i] z[t-i]' + sum_j b_j Q[t-j] + sum_i g_i n[t-i] n[t-i]'
    n[t] = min(z[t], 0),   a, b, g >= 0,   sum a + sum b + delta sum g < 1
    delta = the largest eigenvalue of S^-1/2 N S^-1/2, so that the intercept is positive definite

Cappiello, Engle and Sheppard (2006), Journal of Financial Econometrics 4, 537-572. For innovations of *illiquidity* the
bad news are rises: fit -y, whose falls they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drainstats.models.coliquidity.dcc import targets
from drainstats.models.coliquidity.dcc.engle import DCC
from drainstats.models.coliquidity.dcc.targets import CONVENTIONS
from drainstats.typing import FloatArray


@dataclass(frozen=True)
class ADCC(DCC):
    """ADCC(P, Q): DCC with P more weights g on shocks that are joint falls.

    Parameters, options and result are those of `DCC`; ``target`` and ``before`` of the result hold two matrices, for
    zz' and for nn'. N is the mean of nn' where the convention's S is a mean of zz' (it is not scaled), and the demeaned
    covariance of n where S is a covariance. Shrinkage is of S. Forecasts beyond one step replace nn' by N.

    Parameters
    ----------
    order : (int, int), default (1, 1)
        Lags of shocks (a, and of falls, g) and of Q (b).
    margins : GARCH or None, default GARCH()
        Spec of every margin; None: the data are standardised residuals.
    dist : {"normal", "t", "laplace"}, default "normal"
        Joint law of the shocks.
    target : {"auto", "sample", "linear", "nonlinear"} or (N, N) matrix, default "auto"
        S.
    convention : str, default "engle"
        What S and N are, and what precedes the sample.

    Examples
    --------
    >>> import numpy as np
    >>> from drainstats.models.coliquidity.margins.garch import GARCH
    >>> y = np.random.default_rng(0).standard_normal((400, 2)) @ np.array([[1.0, 0.5], [0.0, 1.0]])
    >>> res = ADCC(margins=GARCH(mean="zero")).fit(y)
    >>> list(res.params.index[-3:])
    ['a1', 'b1', 'g1']
    """

    @property
    def sizes(self) -> tuple[int, int, int]:
        """How many a, b and g."""
        return (*self.order, self.order[0])

    def parts(self, z: FloatArray) -> FloatArray:
        """z and n (2, T, N)."""
        return np.array([z, np.minimum(z, 0.0)])

    def target_at(self, z: FloatArray, psi: FloatArray) -> FloatArray:
        """S and N (2, N, N); they do not depend on psi."""
        kind = CONVENTIONS[self.convention].moment
        falls = targets.moment(np.minimum(z, 0.0), "product" if kind == "correlation" else kind)
        return np.array([super().target_at(z, psi), falls])

    def costs(self, target: FloatArray) -> FloatArray:
        """What one unit of each weight takes from the stationarity bound: 1 for a and b, delta for g."""
        from scipy.linalg import eigh

        delta = float(eigh(target[1], target[0], eigvals_only=True)[-1])
        return np.repeat([1.0, 1.0, delta], self.sizes)
