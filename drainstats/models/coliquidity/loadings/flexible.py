"""Diagonal and flexible DCC: does every asset, or every group of assets, answer news at a pace of its own?

    Q[t] = S * (11' - A - B) + A * z[t-1] z[t-1]' + B * Q[t-1],   A = alpha alpha',  B = beta beta',  entry by entry
    R[t] = diag(Q[t])^-1/2 Q[t] diag(Q[t])^-1/2,                  alpha, beta >= 0,  alpha_g^2 + beta_g^2 < 1

With a loading an asset it is the diagonal (generalised) DCC of Cappiello, Engle and Sheppard (2006), Journal of
Financial Econometrics 4, 537-572; with a loading a group of assets the flexible DCC of Billio, Caporin and Gobbo
(2006), Applied Financial Economics Letters 2, 123-130; with one for all it is DCC, a = alpha^2, b = beta^2. Hafner and
Franses (2009), Econometric Reviews 28, 612-631, scale S by one number instead of entry by entry, which loses the
target. Entry by entry, S is the mean that Q returns to; but the intercept S * (11' - A - B) need not be positive
definite when the loadings differ, and then nothing says that Q[t] is. Where it is not, the notes say so.

Standard errors count the margins' first step, the target's dependence on it, and its own noise (see `inference`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, check_option
from drainstats.models.base import Moments
from drainstats.models.coliquidity.correlation import (
    CorrelationForecast,
    CorrelationResult,
    check_horizon,
    to_correlation,
)
from drainstats.models.coliquidity.inference import stacked
from drainstats.models.coliquidity.inputs import check_target, whole
from drainstats.models.coliquidity.loadings.hadamard_passes import Pass, Recipe
from drainstats.models.coliquidity.margins.garch import GARCH
from drainstats.models.coliquidity.margins.given import margins_label, margins_of
from drainstats.typing import FloatArray, IntArray


@dataclass(frozen=True)
class LoadingRecursion(ABC):
    """What diagonal, flexible and rotated DCC share: loadings alpha and beta by group, margins, how a fit goes."""

    margins: GARCH | None = field(default_factory=GARCH)

    @abstractmethod
    def groups_of(self, columns: pd.Index) -> tuple[IntArray, list[Any]]:
        """The group of each asset as a number (N,), and the groups' names."""

    @abstractmethod
    def target(self, z: FloatArray) -> FloatArray:
        """S (N, N) from residuals (T, N)."""

    @abstractmethod
    def recipe(
        self, z: FloatArray, target: FloatArray, codes: IntArray, psi: FloatArray, reported: bool = True
    ) -> Recipe:
        """The recursion at psi = (alpha, beta), as it is maximised or as it is ``reported``."""

    @abstractmethod
    def pull(self, z: FloatArray, target: FloatArray, recipe: Recipe, one: Pass) -> tuple[FloatArray, FloatArray]:
        """Derivatives of the correlation log-likelihood in z (T, N) at a fixed target, and in the target (N, N)."""

    def in_moment(self, z: FloatArray, target: FloatArray, slope: FloatArray) -> FloatArray:
        """Turn a derivative in the target (N, N) into one in the moment of z that it is made of (N, N)."""
        return slope_in_moment(z, target, slope)

    def names(self, groups: list[Any]) -> list[str]:
        """All a, then all b; with one group without its name."""
        if len(groups) == 1:
            return ["a", "b"]
        return [f"{g}.{letter}" for letter in "ab" for g in groups]

    def fit(self, y: Any) -> LoadingResult:
        """Fit the margins, then the loadings.

        Parameters
        ----------
        y : (T, N) table or array, or margins
            Returns or innovations of log illiquidity, any unit, complete rows; standardised residuals with
            ``margins=None``. Or fitted margins: a `GARCHResult`, another fitted model (its margins), or a mapping or
            list of results of arch.

        Returns
        -------
        LoadingResult

        Raises
        ------
        DataError
            Missing or infinite values, one asset, too few rows, a series that does not vary, duplicated series.
        OptionError
            An asset without a group.
        """
        from drainstats.models.coliquidity.loadings.flexible_search import fit_loadings, joint_loglikelihood

        margins = margins_of(self.margins, y)
        z = margins.std_resid_values
        if not np.isfinite(z).all():
            raise DataError("The margins have missing residuals and loadings need complete rows; take DCC for these.")
        codes, groups = self.groups_of(margins.columns)
        check_target(to_correlation(z.T @ z / len(z)), margins.columns)
        target, names = self.target(z), self.names(groups)
        found = fit_loadings(self, z, target, codes, names)
        params = pd.concat([margins.params, pd.Series(found.psi, index=names)]).rename("estimate")
        if not params.index.is_unique:
            raise OptionError("A group is called like a margin's parameter; give the groups other names.")
        return LoadingResult(
            params=params,
            loglikelihood=joint_loglikelihood(self, margins, target, codes, found.psi),
            converged=margins.converged and found.converged,
            notes=(*margins.notes, *found.notes),
            nobs=len(z),
            margins=margins,
            spec=self,
            target=target,
            basis=found.basis,
            gap=found.gap,
            evaluations=found.evaluations,
            origin=None,
        )


@dataclass(frozen=True)
class FlexibleDCC(LoadingRecursion):
    """DCC(1, 1) with loadings of its own for every asset (diagonal DCC) or every group (flexible DCC).

    Parameters ``a`` and ``b`` are the loadings alpha and beta: two assets i and j react to joint news with a_i a_j and
    keep b_i b_j of the last Q. With one group their squares are a and b of DCC. The likelihood is the normal one.

    Parameters
    ----------
    margins : GARCH or None, default GARCH()
        Spec of every margin; None: the data are standardised residuals.
    groups : mapping of asset to group, optional
        Default: every asset is a group of its own.
    convention : {"engle", "rmgarch"}, default "engle"
        As for `DCC`: the target and what precedes the sample.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.random.default_rng(0).standard_normal((400, 3)) @ np.linalg.cholesky(0.5 * np.eye(3) + 0.5).T
    >>> res = FlexibleDCC(margins=GARCH(mean="zero"), groups={0: "x", 1: "x", 2: "y"}).fit(y)
    >>> list(res.params.index[-4:])
    ['x.a', 'y.a', 'x.b', 'y.b']
    """

    groups: Mapping[Any, Any] | None = None
    convention: Literal["engle", "rmgarch"] = "engle"

    def __post_init__(self) -> None:
        check_option("convention", self.convention, ["engle", "rmgarch"])
        if self.groups is not None and not (isinstance(self.groups, Mapping) and self.groups):
            raise OptionError(f"groups={self.groups!r} must map every asset to the name of its group.")

    def __hash__(self) -> int:
        groups = None if self.groups is None else tuple(self.groups.items())
        return hash((self.margins, groups, self.convention))

    def groups_of(self, columns: pd.Index) -> tuple[IntArray, list[Any]]:
        """The group of each asset as a number (N,), and the groups' names in the order of ``groups``."""
        if self.groups is None:
            return np.arange(len(columns)), list(columns)
        lost = [c for c in columns if c not in self.groups]
        if lost:
            raise OptionError(f"groups has no group for the asset {lost[0]!r}; give every asset of the data one.")
        used = [self.groups[c] for c in columns]
        names = [g for g in dict.fromkeys(self.groups.values()) if g in used]
        return np.array([names.index(g) for g in used]), names

    def target(self, z: FloatArray) -> FloatArray:
        """S from standardised residuals (T, N), by the convention."""
        if self.convention == "rmgarch":
            return np.asarray(np.cov(z, rowvar=False))
        return to_correlation(z.T @ z / len(z))

    def recipe(
        self, z: FloatArray, target: FloatArray, codes: IntArray, psi: FloatArray, reported: bool = True
    ) -> Recipe:
        """The recursion at psi = (alpha, beta), as it is maximised or as it is ``reported``."""
        A, B, dA, dB = outer_loadings(psi, codes)
        before = target if self.convention == "engle" else np.full_like(target, 1.0 if reported else 0.0)
        return Recipe(z, z, target, before, target * (1.0 - A - B), A, B, -target * (dA + dB), dA, dB)

    def pull(self, z: FloatArray, target: FloatArray, recipe: Recipe, one: Pass) -> tuple[FloatArray, FloatArray]:
        """Derivatives of the correlation log-likelihood in z (T, N) at a fixed target, and in the target (N, N)."""
        from drainstats.kernels import hadamard as kernels

        slopes, in_z = one.slopes.copy(), one.direct.copy()
        A, B = recipe.A, recipe.B
        kernels.pull(z, A, B, slopes, in_z)
        in_target = (1.0 - A - B) * slopes.sum(axis=0) + B * slopes[0]
        return in_z, in_target + A * slopes[0] if self.convention == "engle" else in_target

    def in_moment(self, z: FloatArray, target: FloatArray, slope: FloatArray) -> FloatArray:
        """Turn a derivative in the target (N, N) into one in the moment of z that it is made of (N, N)."""
        if self.convention == "rmgarch":
            return slope * len(z) / (len(z) - 1)
        return super().in_moment(z, target, slope)


def slope_in_moment(z: FloatArray, target: FloatArray, slope: FloatArray) -> FloatArray:
    """Turn d f / d S (N, N) into d f / d (z'z / T), of which S is the correlation."""
    second = (z**2).mean(axis=0)
    scale = np.sqrt(second)
    return np.asarray(slope / np.outer(scale, scale) - np.diag((slope * target).sum(axis=1) / second))


def outer_loadings(psi: FloatArray, codes: IntArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """A and B (N, N), and how they move with psi = (alpha, beta) (2 G, N, N)."""
    G = len(psi) // 2
    pieces = []
    for place, loadings in enumerate(np.split(psi, 2)):
        own = loadings[codes]
        moves = np.zeros((2 * G, len(codes), len(codes)))
        for g in range(G):
            half = np.outer(codes == g, own)
            moves[place * G + g] = half + half.T
        pieces.append((np.outer(own, own), moves))
    (A, dA), (B, dB) = pieces
    return A, B, dA, dB


def shock_root(q: FloatArray) -> FloatArray:
    """Cholesky factor of the correlation of Q, with a sentence when there is none."""
    try:
        return np.asarray(np.linalg.cholesky(to_correlation(q)))
    except np.linalg.LinAlgError as error:
        raise DataError(
            "Q is not positive definite on this path: the intercept is not at these loadings; take fewer groups, "
            "or RotatedDCC, whose Q is positive definite always."
        ) from error


@dataclass(frozen=True, eq=False, repr=False)
class LoadingResult(CorrelationResult):
    """A fitted diagonal, flexible or rotated DCC.

    Besides what `CorrelationResult` offers: ``loadings``; ``spec``, ``target`` (N, N), ``basis`` (2 G, r: directions of
    the loadings free of bounds), ``gap`` (what a feasible step in the loadings could still gain per time step, to first
    order), ``evaluations``, and ``origin``, the fit behind a filtered result.
    """

    spec: LoadingRecursion
    target: FloatArray
    basis: FloatArray
    gap: float
    evaluations: int
    origin: LoadingResult | None

    @property
    def title(self) -> str:
        """Model, number of loadings, margins."""
        convention = getattr(self.spec, "convention", None)
        tail = f", convention {convention}" if convention else ""
        pairs = len(self._psi) // 2
        kind = f"{pairs} pair{'s' if pairs > 1 else ''} of loadings"
        return f"{type(self.spec).__name__}, {kind}, on {margins_label(self.margins)}{tail}"

    @property
    def loadings(self) -> pd.DataFrame:
        """Columns ``a``, ``b`` and ``persistence`` = a^2 + b^2, one row a group."""
        a, b = np.split(self._psi, 2)
        _, groups = self.spec.groups_of(self.columns)
        return pd.DataFrame({"a": a, "b": b, "persistence": a**2 + b**2}, index=pd.Index(groups, name="group"))

    @property
    def _psi(self) -> FloatArray:
        return self.params.to_numpy()[len(self.margins.params) :]

    @cached_property
    def _recipe(self) -> Recipe:
        codes, _ = self.spec.groups_of(self.columns)
        return self.spec.recipe(self.margins.std_resid_values, self.target, codes, self._psi)

    def _chunks(self, columns: list[int], rows: int) -> Iterator[FloatArray]:
        from drainstats.models.coliquidity.loadings.hadamard_passes import walk

        for q in walk(self._recipe, min(rows, self._rows(len(self.columns)))):
            yield to_correlation(q[:, np.array(columns)[:, None], columns])

    def _moments(self) -> Moments:
        from drainstats.models.coliquidity.loadings.flexible_search import loading_moments, target_noise

        codes, _ = self.spec.groups_of(self.columns)
        scores, cross, inner, in_moment = loading_moments(self.spec, self.margins, codes, self._psi)
        return stacked(self.margins, scores, cross, inner, self.basis, target_noise(self._recipe, in_moment))

    @property
    def _ranges(self) -> FloatArray:
        return np.concatenate([self.margins._ranges, np.tile([0.0, 1.0], (len(self._psi), 1))])

    def filter(self, y_new: Any) -> LoadingResult:
        """Run new data through at fixed parameters.

        Means, target and the start of the variances are those of the fit, so nothing in row t depends on later rows;
        on the data of the fit the answer is the fit.

        Raises
        ------
        DataError
            Other columns than the fit's, missing values, or a Q that is not positive definite on these data.
        """
        from drainstats.models.coliquidity.loadings.flexible_search import joint_loglikelihood

        margins = whole(self.margins.filter(y_new), type(self.spec).__name__)
        codes, _ = self.spec.groups_of(self.columns)
        value = joint_loglikelihood(self.spec, margins, self.target, codes, self._psi)
        return replace(self, loglikelihood=value, nobs=margins.nobs, margins=margins, origin=self.origin or self)

    def forecast(self, horizon: int = 1) -> CorrelationForecast:
        """Forecast variances and correlations of the next ``horizon`` steps.

        One step ahead it is exact; further out the recursion goes on with future products of shocks replaced by their
        target, which is Q.
        """
        from drainstats.models.coliquidity.loadings.hadamard_passes import run_out

        check_horizon(horizon)
        q = run_out(self._recipe, horizon)
        return CorrelationForecast(self.margins.forecast(horizon), to_correlation(q))

    def simulate(self, steps: int, seed: int = 0, burn: int = 500) -> pd.DataFrame:
        """``steps`` rows from the estimated model, after ``burn`` steps from the target that are dropped."""
        rng, recipe, N = np.random.default_rng(seed), self._recipe, len(self.columns)
        rotation = np.eye(N) if recipe.rotation is None else recipe.rotation
        inverse = np.linalg.inv(rotation)
        G = news = recipe.start
        z = np.empty((burn + steps, N))
        for t in range(len(z)):
            G = recipe.C + recipe.A * news + recipe.B * G
            z[t] = shock_root(rotation @ G @ rotation) @ rng.standard_normal(N)
            e = inverse @ z[t]
            news = np.outer(e, e)
        return pd.DataFrame(self.margins.drive(z)[burn:], columns=self.columns)
