"""Names of the shapes that pass between the rooms."""

from __future__ import annotations

from typing import Any, Literal, Protocol, Self, TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
Negative: TypeAlias = Literal["keep", "nan", "zero", "abs"]
"""What happens to a negative spread estimate."""


class Timed(Protocol):
    """Data along time that can be cut and disturbed: what `drainstats.causal` needs to know of its input."""

    @property
    def index(self) -> Any:
        """Time labels, in order."""

    def cut(self, rows: int) -> Self:
        """The first ``rows`` rows."""

    def known_at(self, row: int) -> Any:
        """When row ``row`` was fully known."""

    def disturbed(self, rows: int, how: str, seed: int) -> Self:
        """A copy whose rows from ``rows`` on are replaced: ``nan``, ``permute`` or ``scale``."""
