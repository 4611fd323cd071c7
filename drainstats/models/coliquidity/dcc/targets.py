"""Where S and N come from, and what precedes the sample: the conventions of programs that disagree, and shrinkage.

| convention | S | N | shocks before the sample | Q before the sample |
|---|---|---|---|---|
| engle | mean zz', scaled to a unit diagonal | mean nn' | zz' = S, nn' = N | S |
| mfe | as engle | mean nn' | backcasts of zz' and nn' | backcast of zz' |
| multiarch | mean zz' | mean nn' | zz' = S, nn' = N | S |
| multiarch_tsmarch | covariance of z | covariance of n | zz' = S, nn' = N | S |
| tsmarch | covariance of z | covariance of n | zeros | S |
| multiarch_rmgarch | covariance of z | covariance of n | ones | S |
| rmgarch | covariance of z | covariance of n | zeros in the search, ones in what is reported | S |

Covariances are demeaned, with divisor T - 1. A backcast is the mean of the first int(sqrt T) + 1 products with weights
0.94^i. Read in the sources of MFE (dcc.m), tsmarch 1.0.3 (dcc.cpp), rmgarch 1.4-2 and multiarch 0.2.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from drainstats.errors import DataError, OptionError, check_option
from drainstats.models.coliquidity.correlation import to_correlation
from drainstats.models.coliquidity.inputs import check_target, refuse_duplicates
from drainstats.models.coliquidity.shrinkage import shrink_correlation
from drainstats.typing import FloatArray

# Above this N / T the target "auto" is shrunk.
CROWDED = 0.1
TARGETS = ["auto", "sample", "linear", "nonlinear"]


@dataclass(frozen=True, slots=True)
class Convention:
    """moment: how S and N are computed; searched, reported: the products of shocks before the sample."""

    moment: str
    searched: str
    reported: str


CONVENTIONS = {
    "engle": Convention("correlation", "target", "target"),
    "mfe": Convention("correlation", "backcast", "backcast"),
    "multiarch": Convention("product", "target", "target"),
    "multiarch_tsmarch": Convention("covariance", "target", "target"),
    "tsmarch": Convention("covariance", "zeros", "zeros"),
    "multiarch_rmgarch": Convention("covariance", "ones", "ones"),
    "rmgarch": Convention("covariance", "zeros", "ones"),
}


class GivenTarget:
    """A user's own S (N, N), hashable so that a spec can be a cache key."""

    def __init__(self, values: Any) -> None:
        try:
            matrix = np.array(values, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise OptionError(f"target must be one of {TARGETS} or an N x N table of numbers.") from error
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.isfinite(matrix).all():
            raise OptionError(
                f"target has the shape {matrix.shape} and must be a square matrix of finite numbers, N x N."
            )
        if np.abs(matrix - matrix.T).max(initial=0.0) > 1e-10 * np.abs(matrix).max(initial=0.0):
            raise OptionError("target is not symmetric; pass (target + target.T) / 2 if that is what you mean.")
        lowest = float(np.linalg.eigvalsh(matrix)[0]) if len(matrix) else 0.0
        if not lowest > 0.0:
            raise OptionError(
                f"target is not positive definite (lowest eigenvalue {lowest:.3g}); shrink it towards the identity, "
                "e.g. 0.95 * target + 0.05 * np.eye(N)."
            )
        self.values = matrix
        self.values.setflags(write=False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GivenTarget) and self.values.tobytes() == other.values.tobytes()

    def __hash__(self) -> int:
        return hash(self.values.tobytes())

    def __repr__(self) -> str:
        return f"<{len(self.values)} x {len(self.values)} matrix>"


def as_target(option: Any) -> Any:
    """The option ``target`` of a spec: one of the names, or a matrix that is checked and wrapped."""
    if isinstance(option, str):
        check_option("target", option, TARGETS)
        return option
    return option if isinstance(option, GivenTarget) else GivenTarget(option)


def how(option: Any, rows: int, assets: int) -> str:
    """How S is found: "sample", "linear", "nonlinear" or "given"."""
    if isinstance(option, GivenTarget):
        return "given"
    if option == "auto":
        return "nonlinear" if assets > CROWDED * rows else "sample"
    return str(option)


def moment(x: FloatArray, kind: str) -> FloatArray:
    """Second moments (N, N) of shocks (T, N): "product", "correlation" or "covariance"."""
    if kind == "covariance":
        return np.asarray(np.cov(x, rowvar=False))
    second = x.T @ x / len(x)
    return to_correlation(second) if kind == "correlation" else np.asarray(second)


def find(option: Any, x: FloatArray, kind: str) -> FloatArray:
    """S (N, N) from shocks (T, N). What shrinks are its correlations; its diagonal stays that of the sample."""
    way, sample = how(option, *x.shape), moment(x, kind)
    if way == "sample":
        return sample
    if way == "given":
        if len(option.values) != x.shape[1]:
            raise DataError(
                f"target is {len(option.values)} x {len(option.values)} and y has {x.shape[1]} assets; they must agree."
            )
        return np.asarray(option.values)
    shrunk = shrink_correlation(x, "identity" if way == "linear" else "nonlinear").correlation.to_numpy()
    size = np.sqrt(np.diag(sample))
    return np.asarray(shrunk * np.outer(size, size))


def check(option: Any, x: FloatArray, columns: Any) -> None:
    """Refuse shocks (T, N) whose target is singular; a shrunk or given one never is, but doubles are still named."""
    correlation = to_correlation(x.T @ x / len(x))
    if how(option, *x.shape) == "sample":
        check_target(correlation, columns)
    else:
        refuse_duplicates(correlation, columns)


def notes(option: Any, rows: int, assets: int) -> tuple[str, ...]:
    """What a reader must know of a target that is not the sample's."""
    way = how(option, rows, assets)
    if way == "sample":
        return ()
    if way == "given":
        return ("the target is the caller's; standard errors hold it fixed",)
    return (f"target shrunk, {way} (N/T = {assets / rows:.2g}); standard errors hold it fixed",)


def pull_correlation(z: FloatArray, target: FloatArray, slope: FloatArray) -> FloatArray:
    """Turn d f / d S (N, N) into d f / d z (T, N), where S is the second moment of z scaled to a unit diagonal."""
    second = (z**2).mean(axis=0)
    scale = np.sqrt(second)
    in_moment = slope / np.outer(scale, scale) - np.diag((slope * target).sum(axis=1) / second)
    return np.asarray(2.0 / len(z) * z @ in_moment)


def pull(x: FloatArray, kind: str, target: FloatArray, slope: FloatArray) -> FloatArray:
    """Turn d f / d moment (N, N) into d f / d x (T, N); ``target`` is the moment itself."""
    if kind == "correlation":
        return pull_correlation(x, target, slope)
    if kind == "covariance":
        return np.asarray(2.0 / (len(x) - 1) * (x - x.mean(axis=0)) @ slope)
    return np.asarray(2.0 / len(x) * x @ slope)


def backcast_weights(rows: int) -> FloatArray:
    """Weights (int(sqrt T) + 1,) of the first products of shocks."""
    decay = 0.94 ** np.arange(min(int(np.sqrt(rows)) + 1, rows))
    return np.asarray(decay / decay.sum())


def before(name: str, target: FloatArray, parts: FloatArray, reported: bool) -> FloatArray:
    """Products of shocks before the sample, of the shape of ``target``: (N, N), or (2, N, N) for zz' and nn'.

    ``parts`` (1 or 2, T, N): z and, if the model has it, n.
    """
    rule = CONVENTIONS[name].reported if reported else CONVENTIONS[name].searched
    if rule == "target":
        return target
    if rule == "backcast":
        weights = backcast_weights(parts.shape[1])
        head = parts[:, : len(weights)]
        return np.asarray(np.einsum("kti,t,ktj->kij", head, weights, head, optimize=True).reshape(target.shape))
    return np.ones_like(target) if rule == "ones" else np.zeros_like(target)
