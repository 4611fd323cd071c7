"""Local projections: how liquidity answers a shock, horizon by horizon.

For each horizon h, with asset effects a_i and z the p lags of outcome, shock and controls (Jordà, 2005),

    y_i,t+h = β_h shock_it + γ_h' z_it + a_i + u_i,t+h,

and β_0, β_1, … is the impulse response. The errors u overlap over h rows, so that usual ones do not hold: either
they are made robust to it (Driscoll and Kraay; Newey and West for one series), or one lag more than the outcome needs
is put among the regressors, after which the score of β_h is serially uncorrelated and White's errors hold at every
horizon, unit roots included (Montiel Olea and Plagborg-Møller, 2021). In a panel with common shocks White's errors
become clusters by row (Almuzara and Sancibrián, 2024).

Lags of the outcome beside asset effects bias the responses by an amount of order 1 / T (Nickell, 1981), which matters
when rows are few and horizons long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, check_option, check_whole, require_extra
from drainstats.frames import Wide
from drainstats.models.base import Card
from drainstats.models.regressions.estimation import (
    ERRORS,
    Coefficients,
    bartlett_lags,
    check_effects,
    estimate,
    student_reach,
)
from drainstats.models.regressions.stacking import beside, outcome_of, regressors_of, shifted, stacked
from drainstats.typing import FloatArray

RESPONSES = ("level", "change", "sum")
_NAMES = {"off": "shock while off", "on": "shock while on"}


@dataclass(frozen=True, eq=False, repr=False)
class LocalProjectionResult:
    """The answer of `LocalProjection.fit`.

    Parameters
    ----------
    spec : LocalProjection
    estimates : DataFrame
        A row a horizon (with a state: a row a horizon and a state, "off", "on" and their "difference"): response,
        std_error, df, n. A horizon that could not be estimated is missing.
    error_method : str
    notes : sentences on what to beware of, and on horizons that failed.
    """

    spec: LocalProjection
    estimates: pd.DataFrame
    error_method: str
    notes: tuple[str, ...]

    def frame(self, level: float = 0.95) -> pd.DataFrame:
        """Responses with intervals: columns response, std_error, ci_low, ci_high, n."""
        found = self.estimates
        reach = np.array([student_reach(level, df) if df > 0 else np.nan for df in found["df"]])
        half = reach * found["std_error"]
        ends = {"ci_low": found["response"] - half, "ci_high": found["response"] + half}
        return found[["response", "std_error"]].assign(**ends, n=found["n"])

    def summary(self, level: float = 0.95) -> Card:
        """The responses as a card."""
        used = self.estimates["n"]
        facts = {
            "response of": {"level": "y(t+h)", "change": "y(t+h) − y(t−1)", "sum": "y(t) + … + y(t+h)"}[
                self.spec.response
            ],
            "lags": str(self.spec.depth),
            "errors": self.error_method,
            "observations": f"{used.max():g} to {used[used > 0].min():g}",
        }
        return Card("Local projection", facts, self.frame(level), self.notes)

    def __repr__(self) -> str:
        return str(self.summary())

    def to_latex(self, level: float = 0.95, digits: int = 3) -> str:
        """The responses as a LaTeX table (booktabs)."""
        from drainstats.models.regressions.table import latex_table, number

        table = self.frame(level).reset_index()
        numbers = table.select_dtypes("float")
        text = table.assign(**{c: [number(v, digits) for v in numbers[c]] for c in numbers})
        return latex_table(text.astype(str), (f"Errors: {self.error_method}. Intervals of {level:.0%}.",))

    def plot(self, ax: Any = None, level: float = 0.95) -> Any:
        """Responses over horizons with their intervals, a line a state; returns the axes.

        Parameters
        ----------
        ax : matplotlib axes, optional
        level : float, default 0.95
        """
        require_extra("matplotlib", "plot")
        if ax is None:
            from matplotlib.figure import Figure

            ax = Figure(figsize=(6.4, 3.6), layout="constrained").subplots()
        table = self.frame(level)
        parts = {"": table} if table.index.nlevels == 1 else {s: table.xs(s, level="state") for s in _NAMES}
        for number, (label, part) in enumerate(parts.items()):
            color = f"C{number}"
            ax.fill_between(part.index, part["ci_low"], part["ci_high"], color=color, alpha=0.2, linewidth=0)
            ax.plot(part.index, part["response"], color=color, label=label or None)
        ax.axhline(0.0, color="0.4", linewidth=0.8)
        ax.set(xlabel="rows after the shock", ylabel=f"response ({level:.0%} intervals)")
        if len(parts) > 1:
            ax.legend(frameon=False)
        return ax


@dataclass(frozen=True, slots=True)
class LocalProjection:
    """Impulse responses of liquidity to a shock, on a panel or one series.

    Parameters
    ----------
    horizons : sequence of int, default range(0, 21)
        Rows after the shock.
    lags : int, default 4
        Lags of outcome, shock and controls among the regressors.
    effects : tuple of {"asset", "time"}, default ("asset",)
        With "time" only shocks that differ between assets can be seen.
    errors : str, optional
        As in `PanelRegression`, or "newey_west" for one series. By default "driscoll_kraay", which for one series is
        Newey-West; with ``augmented`` "clustered_time", which for one series is White.
    hac_lags : int, optional
        For Driscoll-Kraay; by default the larger of h + 1 and floor(4 (T / 100)^(2/9)).
    response : {"level", "change", "sum"}, default "level"
        y(t+h); the change since before the shock, y(t+h) − y(t−1); or the sum y(t) + … + y(t+h). The last two are
        what is called cumulative: of a level, and of a flow.
    augmented : bool, default False
        One lag more than ``lags``, and errors that need no correction for overlap.
    contemporaneous : bool, default False
        Controls enter in the shock's own row, too, as what comes before it. A control that the shock moves in the same
        row would take part of the response away.

    References
    ----------
    Jordà (2005), American Economic Review 95(1), 161-182. Montiel Olea and Plagborg-Møller (2021), Econometrica
    89(4), 1789-1823. Almuzara and Sancibrián (2024), Federal Reserve Bank of New York Staff Report 1090. Nickell
    (1981), Econometrica 49(6), 1417-1426. Gonçalves, Herrera, Kilian and Pesavento (2024), Journal of Econometrics
    244(2), 105702.

    Examples
    --------
    >>> import numpy as np, pandas as pd, drainstats as ds
    >>> rng = np.random.default_rng(0)
    >>> shock, spread = rng.normal(size=2000), np.zeros(2000)
    >>> for t in range(1, 2000):
    ...     spread[t] = 0.5 * spread[t - 1] + shock[t] + rng.normal()
    >>> found = ds.LocalProjection(horizons=range(4), lags=1, augmented=True).fit(pd.Series(spread), pd.Series(shock))
    >>> found.frame()["response"].round(1).tolist()
    [1.0, 0.5, 0.2, 0.2]
    """

    horizons: Sequence[int] = range(0, 21)
    lags: int = 4
    effects: tuple[str, ...] = ("asset",)
    errors: str | None = None
    hac_lags: int | None = None
    response: Literal["level", "change", "sum"] = "level"
    augmented: bool = False
    contemporaneous: bool = False

    def __post_init__(self) -> None:
        horizons = tuple(self.horizons)
        for h in horizons:
            check_whole("horizons", h, 0)
        if not horizons or any(b <= a for a, b in pairwise(horizons)):
            raise OptionError(f"horizons={self.horizons!r} must be whole numbers that rise, such as range(0, 21).")
        object.__setattr__(self, "horizons", horizons)
        check_whole("lags", self.lags, 0)
        check_effects(self.effects)
        check_option("errors", self.errors, (None, "newey_west", *ERRORS))
        check_option("response", self.response, RESPONSES)
        if self.hac_lags is not None:
            check_whole("hac_lags", self.hac_lags, 0)
        if self.augmented and self.errors not in (None, "clustered_time", "robust"):
            raise OptionError(f'errors={self.errors!r} with augmented=True; leave it out, "clustered_time" is meant.')

    @property
    def depth(self) -> int:
        """Lags among the regressors, the one for augmentation included."""
        return self.lags + self.augmented

    def fit(
        self, outcome: Any, shock: Any, controls: Mapping[str, Any] | None = None, state: Any = None
    ) -> LocalProjectionResult:
        """Estimate every horizon on the cells that are complete for it.

        Parameters
        ----------
        outcome : (T, N) table, Series or array
        shock : (T, N) table or (T,) Series
            An innovation, or 0 and 1 for events. A Series is common to all assets.
        controls : mapping of str to (T, N) table or (T,) Series, optional
        state : (T, N) table or (T,) Series of 0 and 1, optional
            Everything is estimated apart in either state, as it was in the row before the shock. The answer is a mean
            over what the state does afterwards; when large shocks change the state, it is not the response of a small
            one (Gonçalves, Herrera, Kilian and Pesavento, 2024).

        Returns
        -------
        LocalProjectionResult
            Responses to a shock of one.

        Raises
        ------
        DataError
            Tables that do not match, infinite values, a state that is not 0 and 1, no horizon that can be estimated.
        OptionError
            errors="newey_west" with several assets.
        MissingExtraError
            Without the extra ``panels``.
        """
        wide = outcome_of(outcome)
        if self.errors == "newey_west" and wide.values.shape[1] > 1:
            raise OptionError('errors="newey_west" is for one series; "driscoll_kraay" is its form for panels.')
        x = self._regressors(wide, shock, controls or {})
        names = ["shock"]
        if state is not None:
            x, names = _by_state(x, _state_before(state, wide)), list(_NAMES.values())
        found, failed = {}, []
        for h in self.horizons:
            try:
                found[h] = self._project(wide.values, x, h)
            except DataError as error:
                failed.append((h, error))
        if not found:
            raise failed[0][1]
        table = pd.concat({h: _row(found.get(h), names) for h in self.horizons}, names=["horizon", "state"])
        notes = dict.fromkeys(n for f in found.values() for n in f.notes)
        notes |= dict.fromkeys(f"Horizon {h}: {error}" for h, error in failed)
        if self.depth and "asset" in self.effects and wide.values.shape[1] > 1:
            rows = next(iter(found.values())).rows
            notes[f"Lags of the outcome beside asset effects: bias of order 1/T with T = {rows} (Nickell, 1981)."] = (
                None
            )
        methods = list(dict.fromkeys(f.error_method for f in found.values()))
        method = methods[0] if len(methods) == 1 else f"{methods[0]}, rising to {methods[-1].split(', ')[-1]}"
        return LocalProjectionResult(self, table.droplevel("state") if state is None else table, method, tuple(notes))

    def _regressors(self, wide: Wide, shock: Any, controls: Mapping[str, Any]) -> dict[str, FloatArray]:
        hit = beside("shock", shock, wide)
        others = regressors_of(controls, wide) if controls else {}
        if {"shock", "outcome"} & set(others):
            raise OptionError("'shock' and 'outcome' are taken; give the control another name.")
        x = {"shock": hit} | (others if self.contemporaneous else {})
        for name, table in {"outcome": wide.values, "shock": hit, **others}.items():
            x |= {f"{name} lag {k}": shifted(table, k) for k in range(1, self.depth + 1)}
        return x

    def _project(self, y: FloatArray, x: Mapping[str, FloatArray], h: int) -> Coefficients:
        ahead = shifted(y, -h)
        if self.response == "change":
            ahead = ahead - shifted(y, 1)
        elif self.response == "sum":
            ahead = np.sum([shifted(y, -k) for k in range(h + 1)], axis=0)
        sample = stacked(ahead, x)
        errors = self.errors or ("clustered_time" if self.augmented else "driscoll_kraay")
        errors = "driscoll_kraay" if errors == "newey_west" else errors
        lags = self.hac_lags
        if errors == "driscoll_kraay" and lags is None:
            rows = len(np.unique(sample.row))
            lags = min(max(h + 1, bartlett_lags(rows)), rows - 1)
        return estimate(sample, self.effects, errors, lags)[0]


def _state_before(state: Any, wide: Wide) -> FloatArray:
    values = beside("state", state, wide)
    there = values[np.isfinite(values)]
    if not np.isin(there, (0.0, 1.0)).all():
        raise DataError("state must be 0 or 1 (or missing); compare with a threshold first.")
    if len(np.unique(there)) < 2:
        raise DataError("state never changes; leave it out.")
    return shifted(values, 1)


def _by_state(x: Mapping[str, FloatArray], on: FloatArray) -> dict[str, FloatArray]:
    out: dict[str, FloatArray] = {}
    for name, table in x.items():
        out |= {f"{name} while off": table * (1 - on), f"{name} while on": table * on}
    return out | {"on": on}


def _row(found: Coefficients | None, names: list[str]) -> pd.DataFrame:
    """response, std_error, df and n of the shocks; with two of them, of their difference too."""
    labels = [""] if len(names) == 1 else [*_NAMES, "difference"]
    out = pd.DataFrame(np.nan, index=labels, columns=["response", "std_error", "df", "n"])
    if found is not None:
        picks = np.array([[1.0]]) if len(names) == 1 else np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 1.0]])
        out["response"] = picks @ found.params[names].to_numpy()
        variance = np.diag(picks @ found.param_covariance.loc[names, names].to_numpy() @ picks.T)
        out["std_error"] = np.sqrt(np.where(variance >= 0, variance, np.nan))
        out["df"] = found.df
    out["n"] = 0 if found is None else found.nobs
    return out
