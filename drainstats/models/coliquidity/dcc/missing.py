"""What can be said of a panel with holes: which assets are alive, and what correlation their common rows show.

    S_ij = sum z_it z_jt / sqrt(sum z_it^2 sum z_jt^2),   sums over the rows in which both are seen

Every pair uses all that is known of it; without holes S is the usual target. What that costs is repaired and said: a
pair with hardly any common row gets what the assets seen with all others imply, S_iK S_KK^-1 S_Kj (no correlation given
those), and a matrix that is not positive definite is shrunk towards the identity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from drainstats.errors import DataError
from drainstats.frames import Wide, as_wide, refuse_extreme
from drainstats.models.coliquidity.inputs import refuse_duplicates, several_assets
from drainstats.typing import BoolArray, FloatArray, IntArray

# Fewer common rows say too little about a pair.
TOGETHER = 20
# The lowest eigenvalue that a pairwise target may have.
LOWEST = 0.01
# After so many rows without an observation nothing is said about an asset until it is seen again.
SILENT = 30


def observed_assets(data: Any, least: int, crowded: bool = False) -> Wide:
    """Take ``data`` (T, N) apart for a model of correlations that takes missing values.

    A table without holes is `several_assets`; one with holes needs two assets or more, more rows than assets unless
    ``crowded``, and no infinite value.
    """
    wide = as_wide(data, "y")
    values, columns = wide.values, wide.columns
    if not np.isnan(values).any() or values.shape[1] < 2 or not columns.is_unique:
        return several_assets(data, least, crowded)
    if np.isinf(values).any():
        row, column = (int(k[0]) for k in np.nonzero(np.isinf(values)))
        raise DataError(
            "y holds an infinite value; look for a logarithm or a ratio of zero, or set it to NaN. The first stands at",
            row=wide.index[row],
            column=columns[column],
        )
    rows, assets = values.shape
    together = int((np.isfinite(values).sum(axis=1) > 1).sum())
    if together < max(TOGETHER, least):
        raise DataError(
            f"y has {together} rows in which two assets or more are seen and the model needs {max(TOGETHER, least)}; "
            "take a longer sample or assets that trade at the same time."
        )
    if rows <= assets and not crowded:
        raise DataError(f"y has {rows} rows for {assets} assets; take fewer assets or more rows.")
    refuse_extreme(values, columns)
    return wide


def alive(seen: BoolArray) -> BoolArray:
    """Which assets (T, N) were seen in this row or in one of the `SILENT` - 1 before it; later rows do not count."""
    rows = np.arange(len(seen))[:, None]
    latest = np.maximum.accumulate(np.where(seen, rows, -SILENT), axis=0)
    return np.asarray(rows - latest < SILENT)


def fitted_converged(margins: Any) -> bool:
    """Whether all margins that could be fitted have converged; a series that could not be has its note."""
    status = margins.status
    return bool(status["converged"][status["reason"] == ""].all())


@dataclass(frozen=True, slots=True)
class PairwiseTarget:
    """S from pairs, and what its derivatives need.

    matrix (N, N) S; raw (N, N) before the repair; sums (N, N) of z_i^2 over the rows seen with j; known (N, N): pairs
    with enough common rows; bridge: positions of the assets known with all others; weight: of the identity in S.
    """

    matrix: FloatArray
    raw: FloatArray
    sums: FloatArray
    known: BoolArray
    bridge: IntArray
    weight: float
    notes: tuple[str, ...]

    @property
    def filled(self) -> BoolArray:
        """Pairs (N, N) whose entry comes over the bridge."""
        apart = ~self.known
        apart[self.lonely] = False
        apart[:, self.lonely] = False
        return apart

    @property
    def lonely(self) -> BoolArray:
        """Assets (N,) that are known with no other."""
        return np.asarray(self.known.sum(axis=0) == 1)

    @property
    def loads(self) -> FloatArray:
        """Regression (K, N) of every asset on the bridge."""
        block = self.raw[np.ix_(self.bridge, self.bridge)]
        return np.asarray(np.linalg.solve(block, self.raw[self.bridge])) if len(block) else self.raw[:0]

    def pull(self, z: FloatArray, slope: FloatArray) -> FloatArray:
        """Turn d f / d S (N, N) into d f / d z (T, N) at a fixed ``weight``; zero where z is missing."""
        seen = np.isfinite(z)
        x = np.where(seen, z, 0.0)
        inner = (1.0 - self.weight) * np.where(self.known, slope, 0.0)
        if self.filled.any() and len(self.bridge):
            across, loads = (1.0 - self.weight) * np.where(self.filled, slope, 0.0), self.loads
            inner[:, self.bridge] += across @ loads.T
            inner[self.bridge] += loads @ across
            inner[np.ix_(self.bridge, self.bridge)] -= loads @ across @ loads.T
        np.fill_diagonal(inner, 0.0)
        sums = np.where(self.known & (self.sums > 0.0), self.sums, 1.0)
        size = np.sqrt(sums * sums.T)
        own = seen @ (inner * self.raw / sums).T
        return np.asarray(2.0 * np.where(seen, x @ (inner / size) - x * own, 0.0))


def pairwise_target(z: FloatArray, columns: Any) -> PairwiseTarget:
    """S from residuals (T, N) with NaN where an asset is not seen."""
    seen = np.isfinite(z)
    x = np.where(seen, z, 0.0)
    count = seen.T.astype(np.float64) @ seen
    sums = (x**2).T @ seen
    size = np.sqrt(sums * sums.T)
    known = (count >= TOGETHER) & (size > 0.0)
    np.fill_diagonal(known, True)
    raw = np.where(known, (x.T @ x) / np.where(size > 0.0, size, 1.0), 0.0)
    np.fill_diagonal(raw, 1.0)
    refuse_duplicates(raw, columns)
    others = known.sum(axis=0) > 1
    bridge = np.flatnonzero(others & known[:, others].all(axis=1))
    draft = PairwiseTarget(raw, raw, sums, known, bridge, 0.0, ())
    return _repaired(draft, columns, count)


def _repaired(draft: PairwiseTarget, columns: Any, count: FloatArray) -> PairwiseTarget:
    """Fill the pairs that are not known, then shrink what is not positive definite."""
    notes = [
        f"{columns[i]}: hardly seen with any other asset, no correlation is estimated for it"
        for i in np.flatnonzero(draft.lonely)
    ]
    matrix, filled = draft.raw.copy(), draft.filled
    if filled.any():
        matrix[filled] = (draft.raw[:, draft.bridge] @ draft.loads)[filled]
        i, j = (int(k[0]) for k in np.nonzero(filled))
        first = f"first {columns[i]} and {columns[j]}, {int(count[i, j])} rows"
        notes.append(
            f"pairs with fewer than {TOGETHER} common rows: {int(filled.sum()) // 2} ({first}); their target is what "
            f"the {len(draft.bridge)} assets seen with all others imply"
        )
    lowest, weight = float(np.linalg.eigvalsh(matrix)[0]), 0.0
    if lowest < LOWEST:
        weight = (LOWEST - lowest) / (1.0 - lowest)
        matrix = (1.0 - weight) * matrix + weight * np.eye(len(matrix))
        notes.append(
            f"the target from pairs has the lowest eigenvalue {lowest:.3g}: it is shrunk by {weight:.3g} towards the "
            "identity"
        )
    return PairwiseTarget(matrix, draft.raw, draft.sums, draft.known, draft.bridge, weight, tuple(notes))
