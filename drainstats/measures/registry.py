"""Which measures there are, what they need, what they can and cannot see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from drainstats.measures.catalogue import ROWS


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure.

    Parameters
    ----------
    name : str
        Of the function in `drainstats.measures`.
    table : str
        What it is made of. From "bars" a panel makes it: its inputs are the panel's fields, in calling order.
    inputs : tuple of str
    unit, rises_with : str
    sees, misses : str
        In a crash.
    window : int
        Default horizon in rows; 0 where each row, trade or snapshot stands for itself.
    error : str
        Where standard errors come from, or why there are none.
    source : str
    """

    name: str
    table: str
    inputs: tuple[str, ...]
    unit: str
    rises_with: str
    sees: str
    misses: str
    window: int
    error: str
    source: str

    @property
    def function(self) -> Callable[..., Any]:
        """The function in `drainstats.measures`, loaded now."""
        import drainstats.measures as room

        function: Callable[..., Any] = getattr(room, self.name)
        return function


MEASURES = {row[0]: Measure(*row) for row in ROWS}
COLUMNS = ["table", "inputs", "unit", "rises_with", "sees", "misses", "window", "error", "source"]


def list_measures() -> pd.DataFrame:
    """The measures, a row each.

    Returns
    -------
    DataFrame
        Index: name. Columns: table (what it is made of: those of "bars" a panel makes), inputs, unit, what it rises
        with, what it sees and what it misses in a crash, window (rows; 0 where each row stands for itself), error
        (where standard errors come from, or why there are none), source.

    Examples
    --------
    >>> import drainstats as ds
    >>> ds.list_measures().loc["amihud", ["table", "inputs"]].tolist()
    ['bars', 'close, dollar_volume']
    """
    rows = {
        m.name: [", ".join(m.inputs) if c == "inputs" else getattr(m, c) for c in COLUMNS] for m in MEASURES.values()
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=COLUMNS).rename_axis("name")
