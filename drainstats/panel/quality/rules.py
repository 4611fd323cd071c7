"""The rules of the quality report: what each finds, where it draws the line and why, what to do about it.

One table for all: `judge` reads it to give verdicts, `quality_rules` to print it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import check_option

# From harmless to hopeless. A hint changes no verdict; "dead" is what "usable" is up to the day of death.
LEVELS = ("hint", "usable", "dead", "poor", "empty")
TABLES = ("bars", "trades", "quotes", "book")


_SINGLE = re.compile(r"(?<![\d.,])1 (row|gap|bar|move|time|volume|close)s\b")


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of fault.

    name : as in ``why``; tables : kinds of table it is for; column : the number in the quality table that it reads;
    limits : level → the number above which (``below``: under which) that level is reached; says : text for ``why``,
    filled with ``value`` and with the other columns of the row; finds, reason, remedy : for the reader.
    """

    name: str
    tables: tuple[str, ...]
    column: str
    limits: Mapping[str, float]
    says: str
    finds: str
    reason: str
    remedy: str
    below: bool = False

    def hits(self, values: Any, limit: float) -> np.ndarray:
        """Where the rule fires; a missing number is no fault."""
        numbers = np.asarray(values, dtype=np.float64)
        return np.asarray(numbers < limit if self.below else numbers > limit)

    @property
    def threshold(self) -> str:
        """The limits as text."""
        share = "%}" in self.says
        word = "below" if self.below else "above"
        return "; ".join(
            f"{level} {word} {f'{100 * limit:g}%' if share else f'{limit:g}'}" for level, limit in self.limits.items()
        )


def quality_rules(table: str | None = None) -> pd.DataFrame:
    """The rules by which `drainstats.quality` judges, a row each.

    Parameters
    ----------
    table : {"bars", "trades", "quotes", "book"}, optional
        Those for one kind of table; all by default.

    Returns
    -------
    DataFrame
        Index: name. Columns: tables, column (of the quality table), finds, threshold, reason, remedy.

    Raises
    ------
    OptionError
        Another kind of table.

    Examples
    --------
    >>> import drainstats as ds
    >>> ds.quality_rules("bars").loc["coverage", "threshold"]
    'poor below 80%'
    """
    if table is not None:
        check_option("table", table, TABLES)
    rows = [
        (r.name, ", ".join(r.tables), r.column, r.finds, r.threshold, r.reason, r.remedy)
        for r in rules()
        if table is None or table in r.tables
    ]
    columns = ["name", "tables", "column", "finds", "threshold", "reason", "remedy"]
    return pd.DataFrame(rows, columns=columns).set_index("name")


def rules() -> tuple[Rule, ...]:
    """All of them, in the order in which they are shown."""
    from drainstats.panel.quality.barrules import BAR_RULES
    from drainstats.panel.quality.tickrules import TICK_RULES

    return (*BAR_RULES, *TICK_RULES)


def judge(table: pd.DataFrame, kind: str) -> pd.DataFrame:
    """The quality table with ``verdict``, ``why`` and ``hints`` added.

    ``why`` names every rule that changes the verdict, the gravest first; ``hints`` those that do not.
    """
    worst = np.zeros(len(table), dtype=int)
    said: list[list[tuple[int, str]]] = [[] for _ in range(len(table))]
    for rule in (r for r in rules() if kind in r.tables and r.column in table):
        level = np.full(len(table), -1)
        for name, limit in rule.limits.items():
            hit = rule.hits(table[rule.column], limit)
            level[hit] = np.maximum(level[hit], LEVELS.index(name))
        worst = np.maximum(worst, level)
        fired = np.flatnonzero(level >= 0)
        for row, text in zip(fired, _texts(rule, table.iloc[fired]), strict=True):
            said[row].append((int(level[row]), text))
    # What is empty is not also poor for being thin.
    gravest = [max((level for level, _ in lines), default=0) for lines in said]
    kept = [
        [(n, text) for n, text in lines if most < len(LEVELS) - 1 or n == most]
        for lines, most in zip(said, gravest, strict=True)
    ]
    verdicts = ("clean", *LEVELS[1:])
    judged = table.assign(
        verdict=[verdicts[n] for n in worst],
        why=[_joined(lines, range(len(LEVELS) - 1, 0, -1)) for lines in kept],
        hints=[_joined(lines, (0,)) for lines in kept],
    )
    judged.attrs["kind"] = kind
    return judged


def _joined(lines: list[tuple[int, str]], levels: Iterable[int]) -> str:
    return "; ".join(text for wanted in levels for level, text in lines if level == wanted)


def _texts(rule: Rule, fired: pd.DataFrame) -> list[str]:
    named = [name for name in map(str, fired.columns) if f"{{{name}}}" in rule.says or f"{{{name}:" in rule.says]
    cells = [fired[name].tolist() for name in named]
    values = fired[rule.column].tolist()
    rows = zip(values, *cells, strict=True) if cells else ((value,) for value in values)
    texts = (rule.says.format(value=value, **dict(zip(named, rest, strict=True))) for value, *rest in rows)
    return [f"{rule.name}: " + _SINGLE.sub(r"1 \1", text) for text in texts]
