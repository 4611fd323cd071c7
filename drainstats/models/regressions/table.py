"""Regressions side by side, for papers and pages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Literal

import numpy as np
import pandas as pd

from drainstats.errors import OptionError, check_option, check_whole
from drainstats.models.regressions.panel import PanelRegressionResult

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "²": r"\textsuperscript{2}", "−": r"\textminus{}", "–": "--", "…": r"\dots{}",
}  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class RegressionTable:
    """Columns of regressions as text.

    Parameters
    ----------
    frame : DataFrame of str
        Rows: coefficients, each with what stands below it; then facts. Columns: the regressions.
    coefficients : int
        How many rows belong to coefficients.
    notes : sentences below the table.
    """

    frame: pd.DataFrame
    coefficients: int
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        return "\n".join([self.frame.to_string(), *self.notes])

    def to_latex(self) -> str:
        """A tabular (booktabs) with the notes below it."""
        return latex_table(self.frame.rename_axis("").reset_index(), self.notes, self.coefficients)

    def to_html(self) -> str:
        """A table; names are escaped."""
        return self.frame.to_html(escape=True) + "".join(f"<p>{escape(note)}</p>" for note in self.notes)

    _repr_html_ = to_html


def regression_table(
    results: Sequence[PanelRegressionResult],
    names: Sequence[str] | None = None,
    *,
    below: Literal["std_error", "t", "p_value", "interval"] = "std_error",
    stars: Sequence[float] | None = None,
    digits: int = 3,
    level: float = 0.95,
) -> RegressionTable:
    """Regressions side by side.

    Parameters
    ----------
    results : sequence of PanelRegressionResult
    names : sequence of str, optional
        Of the columns; by default (1), (2), …
    below : {"std_error", "t", "p_value", "interval"}, default "std_error"
        What stands under an estimate.
    stars : sequence of float, optional
        Falling levels such as (0.1, 0.05, 0.01), a star each; none by default: they hide what the error says.
    digits : int, default 3
        Significant digits.
    level : float, default 0.95
        Of intervals.

    Returns
    -------
    RegressionTable
        ``frame``, ``to_latex()``, ``to_html()``.

    Examples
    --------
    >>> import numpy as np, pandas as pd, drainstats as ds
    >>> rng = np.random.default_rng(0)
    >>> x, u = rng.normal(size=(2, 200, 5))
    >>> found = [ds.PanelRegression(errors=e).fit(x + u, {"funding": x}) for e in ("driscoll_kraay", "clustered")]
    >>> ds.regression_table(found).frame.loc["Errors"].tolist()
    ['Driscoll-Kraay, 4 lags', 'clustered by asset']
    """
    results = list(results)
    if not results or not all(isinstance(r, PanelRegressionResult) for r in results):
        raise OptionError("results must be a list of what PanelRegression.fit returned.")
    check_option("below", below, ["std_error", "t", "p_value", "interval"])
    check_whole("digits", digits, 1)
    levels = tuple(stars or ())
    if any(not 0 < s < 1 for s in levels) or any(b >= a for a, b in pairwise(levels)):
        raise OptionError(f"stars={stars!r} must be levels between 0 and 1 that fall, such as (0.1, 0.05, 0.01).")
    heads = [f"({k})" for k in range(1, len(results) + 1)] if names is None else [str(n) for n in names]
    if len(heads) != len(results):
        raise OptionError(f"{len(heads)} names came for {len(results)} regressions.")
    rows = list(dict.fromkeys(name for r in results for name in r.params.index))
    columns = [_column(r, rows, below, levels, digits, level) for r in results]
    labels = [label for name in rows for label in (str(name), "")] + list(_facts(results[0], digits))
    frame = pd.DataFrame(np.array(columns, dtype=object).T, index=labels, columns=heads)
    return RegressionTable(frame, 2 * len(rows), _table_notes(results, below, levels, level))


def _column(
    result: PanelRegressionResult, rows: list[str], below: str, stars: tuple[float, ...], digits: int, level: float
) -> list[str]:
    out = []
    ends = result.conf_int(level)
    small = {"std_error": result.std_errors, "t": result.tstats, "p_value": result.pvalues}
    for name in rows:
        if name not in result.params.index:
            out += ["", ""]
            continue
        marks = "*" * sum(result.pvalues[name] < s for s in stars)
        out.append(number(result.params[name], digits) + marks)
        if below == "interval":
            out.append(f"[{number(ends.loc[name, 'lower'], digits)}, {number(ends.loc[name, 'upper'], digits)}]")
        else:
            out.append(f"({number(small[below][name], digits)})")
    return out + list(_facts(result, digits).values())


def _facts(result: PanelRegressionResult, digits: int) -> dict[str, str]:
    spec = result.spec
    return {
        "Asset effects": "yes" if "asset" in spec.effects else "no",
        "Time effects": "yes" if "time" in spec.effects else "no",
        "Regressors lagged": str(spec.lag),
        "Standardised": {"none": "no", "pooled": "over all cells", "asset": "by asset"}[spec.standardise],
        "Errors": result.error_method,
        "Observations": str(result.nobs),
        "Assets": str(result.assets),
        "Rows": str(result.rows),
        "R² within": number(result.r2_within, digits),
        "R² overall": number(result.r2_overall, digits),
    }


def _table_notes(
    results: list[PanelRegressionResult], below: str, stars: tuple[float, ...], level: float
) -> tuple[str, ...]:
    what = {"std_error": "standard errors", "t": "t statistics", "p_value": "p-values"}
    first = f"In brackets: {level:.0%} intervals." if below == "interval" else f"In parentheses: {what[below]}."
    marks = [f"{'*' * (k + 1)} p < {s:g}" for k, s in enumerate(stars)]
    return (first, *([", ".join(marks) + "."] if marks else []), *dict.fromkeys(n for r in results for n in r.notes))


def number(value: float, digits: int) -> str:
    """A number with so many significant digits; a dash when it is missing."""
    return f"{value:#.{digits}g}".rstrip(".") if np.isfinite(value) else "–"


def latex_table(table: pd.DataFrame, notes: Sequence[str] = (), rule_after: int | None = None) -> str:
    """A booktabs tabular from a table of text, with a rule after so many rows and notes below."""
    lines = [r"\begin{tabular}{l" + "r" * (table.shape[1] - 1) + "}", r"\toprule", _line(table.columns), r"\midrule"]
    for place, row in enumerate(table.itertuples(index=False)):
        lines += [r"\midrule"] if place and place == rule_after else []
        lines.append(_line(row))
    lines.append(r"\bottomrule")
    lines += [rf"\multicolumn{{{table.shape[1]}}}{{l}}{{\footnotesize {_escaped(note)}}} \\" for note in notes]
    return "\n".join([*lines, r"\end{tabular}"])


def _line(cells: Sequence[object]) -> str:
    return " & ".join(_escaped(str(cell)) for cell in cells) + r" \\"


def _escaped(text: str) -> str:
    escaped = "".join(_LATEX.get(letter, letter) for letter in text)
    return re.sub(r"(?<![\w-])-(?=\d)", r"\\textminus{}", escaped)
