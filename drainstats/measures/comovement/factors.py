"""Common factors of liquidity within and across measures (Korajczyk and Sadka, 2008; Hasbrouck and Seppi, 2001).

    z_it^m = a_i^m + b_i^m′ f_t^m + e_it^m   within a measure m,     z_it^m = a_i^m + c_i^m′ f_t + u_it^m   across all,

where z are standardised series. The factors are asymptotic principal components (Connor and Korajczyk, 1986): the
eigenvectors of the T × T matrix of products of rows, averaged over series.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, check_option, check_whole
from drainstats.frames import Wide
from drainstats.measures.comovement.changes import Changes, changes_of
from drainstats.measures.comovement.components import left_out_groups, left_out_r2, pairwise_covariance
from drainstats.measures.comovement.extraction import (
    COUNTS,
    Components,
    Count,
    Missing,
    canonical_correlations,
    components,
    regressed,
    signed,
)
from drainstats.measures.comovement.inference import (
    draw_rows,
    draw_shifts,
    in_batches,
    in_chunks,
    mean_of,
    spans,
    spread,
    turned,
    upper_p_value,
)
from drainstats.measures.comovement.standardise import STANDARDISE, Standardise, standardised
from drainstats.typing import FloatArray, IntArray

ACROSS = "across"


@dataclass(frozen=True, eq=False, repr=False)
class LiquidityFactors:
    """The answer of `liquidity_factors`; "across" is there with two measures or more.

    Parameters
    ----------
    factors : dict of DataFrame
        By measure and "across": (T, k) histories of unit variance. Most series load positively on each.
    loadings : dict of DataFrame
        By measure (a row an asset) and "across" (a row a measure and asset): slopes of standardised series.
    r2 : DataFrame
        A row a measure and asset: n; R² of its regression on the factors "within" and "across"; and "within_left_out",
        "across_left_out": on the components of the other assets, in which it has no part.
    shares : DataFrame
        A row a component, a column a measure: shares of variance.
    canonical : DataFrame
        A row a pair of measures: canonical correlations of their factors.
    tests : DataFrame
        By measure and "across": n_factors, mean r2 and r2_left_out, and of the latter std_error (stationary bootstrap),
        null_mean and p_value (circular shifts of assets, all measures of one together); NaN without replications.
    """

    factors: dict[str, pd.DataFrame]
    loadings: dict[str, pd.DataFrame]
    r2: pd.DataFrame
    shares: pd.DataFrame
    canonical: pd.DataFrame
    tests: pd.DataFrame

    def __repr__(self) -> str:
        measures = [m for m in self.factors if m != ACROSS]
        rows = len(next(iter(self.factors.values())))
        head = f"LiquidityFactors of {', '.join(measures)} ({len(self.r2)} series × {rows} rows)"
        lines = []
        for name, test in self.tests.iterrows():
            error = "" if np.isnan(test["std_error"]) else f" ± {test['std_error']:.3f}"
            p = test["p_value"]
            chance = "" if np.isnan(p) else f", chance {test['null_mean']:.3f}, p {p:.3f}"
            lines.append(f"  {name}: {test['n_factors']:.0f} factors, mean R² {test['r2']:.3f}, "
                         f"left out {test['r2_left_out']:.3f}{error}{chance}")  # fmt: skip
        return "\n".join([head, *lines])


def liquidity_factors(
    measures: Any,
    n_factors: int | Count = 3,
    *,
    changes: Changes = "none",
    standardise: Standardise = "own",
    missing: Missing = "omega",
    min_rows: int = 30,
    replications: int = 0,
    bootstrap: int | None = None,
    seed: int = 0,
    n_jobs: int = 1,
) -> LiquidityFactors:
    """Common factors of one measure of liquidity, or of several, within each and across all of them.

    They come from the whole sample and look ahead: `rolling_factors` does not.

    Parameters
    ----------
    measures : mapping of str to (T, N) table, or one table
        Illiquidity measures (one that falls with illiquidity loads negatively) with the same rows; assets may differ.
    n_factors : int, or {"eigenvalue_ratio", "growth_ratio", "bai_ng"}, default 3
        Three as Korajczyk and Sadka; or found by Ahn and Horenstein (2013) or the criterion IC_p2 of Bai and Ng (2002),
        1 to 10.
    changes : {"log", "percent", "difference", "none"}, default "none"
        Taken first. Levels that trend make factors out of nothing: pass innovations, or ask for changes.
    standardise : {"own", "own_past", "average_past", "time_of_day", "none"}, default "own"
        A series' own mean and deviation; the same of rows before only; those of the cross-sectional average in the rows
        before (Korajczyk and Sadka); its own at the same time of day (Hasbrouck and Seppi). Then each is centred.
    missing : {"omega", "em"}, default "omega"
        Average each product of two rows over the series that both have (Connor and Korajczyk, 1987), or fill holes with
        the common component until it stands still (Stock and Watson, 2002). The same without holes.
    min_rows : int, default 30
        Fewest numbers of a series, and rows before of ``standardise`` by the past.
    replications : int, default 0
        Circular shifts; across measures each takes an eigendecomposition an asset.
    bootstrap : int, optional
        Samples for the standard error, as many as shifts by default.
    seed : int, default 0
    n_jobs : int, default 1

    Returns
    -------
    LiquidityFactors

    Raises
    ------
    DataError
        Fewer than three assets, infinite values, other rows, too few series or rows for the factors; two rows without a
        series in common, with ``missing="omega"``.
    SizeError
        More than 10 000 rows with holes and ``missing="omega"``.
    OptionError

    References
    ----------
    Korajczyk and Sadka (2008), Journal of Financial Economics 87(1), 45-72; Hasbrouck and Seppi (2001), Journal of
    Financial Economics 59(3), 383-411; Connor and Korajczyk (1987), Journal of Financial Economics 18(1), 61-93; Ahn
    and Horenstein (2013), Econometrica 81(3), 1203-1227; Bai and Ng (2002), Econometrica 70(1), 191-221.

    Examples
    --------
    >>> import numpy as np, drainstats as ds
    >>> rng = np.random.default_rng(0)
    >>> market = rng.normal(size=(300, 1))
    >>> measures = {m: market + rng.normal(size=(300, 20)) for m in ("spread", "impact")}
    >>> found = ds.measures.liquidity_factors(measures, n_factors=1)
    >>> found.factors["across"].shape, bool(found.canonical.loc[("spread", "impact"), 1] > 0.9)
    ((300, 1), True)
    """
    samples = replications if bootstrap is None else bootstrap
    _check(n_factors, standardise, missing, min_rows, min(replications, samples))
    wides = as_measures(measures, changes)
    panels = {m: _centred(standardised(w, standardise, min_rows), min_rows) for m, w in wides.items()}
    index = next(iter(wides.values())).index
    named = {m: pd.MultiIndex.from_product([[m], w.columns], names=["measure", "asset"]) for m, w in wides.items()}
    assets = pd.Index(pd.unique(np.concatenate([np.asarray(w.columns, dtype=object) for w in wides.values()])))
    owners = {m: assets.get_indexer(w.columns) for m, w in wides.items()}
    if len(wides) > 1:
        panels[ACROSS] = np.concatenate(list(panels.values()), axis=1)
        named[ACROSS] = named[next(iter(wides))].append([named[m] for m in list(wides)[1:]])
        owners[ACROSS] = np.concatenate(list(owners.values()))
    found = {m: _signed(components(z, n_factors, missing, index), z) for m, z in panels.items()}
    fits = {m: regressed(z, found[m].factors, min_rows) for m, z in panels.items()}
    counts = {m: c.factors.shape[1] for m, c in found.items()}
    left_out = {m: _left_out(z, owners[m], counts[m], m == ACROSS) for m, z in panels.items()}
    draws = _drawn(panels, owners, counts, len(assets), (replications, samples), seed, n_jobs)
    columns = {m: [f"factor_{k}" for k in range(1, counts[m] + 1)] for m in found}
    return LiquidityFactors(
        {m: pd.DataFrame(c.factors, index, columns[m]) for m, c in found.items()},
        {m: pd.DataFrame(fits[m][0], named[m] if m == ACROSS else wides[m].columns, columns[m]) for m in found},
        _r2_table(panels, named, fits, left_out),
        pd.DataFrame({m: pd.Series(c.shares[:10]) for m, c in found.items()}).rename(lambda k: k + 1),
        _canonical({m: found[m].factors for m in wides}),
        _tests(fits, left_out, counts, draws),
    )


def as_measures(measures: Any, changes: Changes) -> dict[str, Wide]:
    """Changes of one or several measures with the same rows, by name."""
    given = dict(measures) if isinstance(measures, Mapping) else {"liquidity": measures}
    if not given or ACROSS in given:
        raise DataError(f"{len(given)} measures came; pass one or more, none of them named {ACROSS!r}.")
    wides = {str(m): changes_of(table, changes, assets=3, name=str(m)) for m, table in given.items()}
    first, *others = wides
    for m in others:
        if not wides[m].index.equals(wides[first].index):
            raise DataError(f"{m} and {first} have different time labels; align them first.")
    return wides


def _check(n_factors: int | Count, standardise: str, missing: str, min_rows: int, draws: int) -> None:
    if isinstance(n_factors, str):
        check_option("n_factors", n_factors, COUNTS)
    else:
        check_whole("n_factors", n_factors, 1)
    check_option("standardise", standardise, STANDARDISE)
    check_option("missing", missing, ["omega", "em"])
    if min_rows < 3 or draws < 0:
        raise OptionError("min_rows is at least 3, replications and bootstrap at least 0.")


def _centred(z: FloatArray, min_rows: int) -> FloatArray:
    there = np.isfinite(z)
    count = there.sum(axis=0)
    away = z - np.where(there, z, 0.0).sum(axis=0) / np.maximum(count, 1)
    return np.where(count >= min_rows, away, np.nan)


def _signed(found: Components, z: FloatArray) -> Components:
    return Components(signed(found.factors, z), found.shares)


def _left_out(z: FloatArray, owners: IntArray, factors: int, across: bool) -> FloatArray:
    covariance = pairwise_covariance(z)
    if not across:
        return left_out_r2(covariance, factors)
    if covariance.ndim > 2:
        return np.stack([left_out_groups(c, owners, factors) for c in covariance])
    return left_out_groups(covariance, owners, factors)


def _drawn(
    panels: dict[str, FloatArray],
    owners: dict[str, IntArray],
    counts: dict[str, int],
    assets: int,
    numbers: tuple[int, int],
    seed: int,
    n_jobs: int,
) -> tuple[FloatArray, FloatArray]:
    """Mean left-out R² (B, measures) of turned panels, and of bootstrap samples."""
    whole = panels[ACROSS] if ACROSS in panels else next(iter(panels.values()))
    owner = owners[ACROSS] if ACROSS in panels else next(iter(owners.values()))
    there = np.stack([np.isfinite(whole[:, owner == a]).any(axis=1) for a in range(assets)], axis=1)
    span = spans(there)

    def means(sample: Callable[[str, IntArray], FloatArray], draws: IntArray) -> FloatArray:
        # Mean left-out R² (B, measures) of panels (B, T, N), so many at once as fit.
        def of(m: str) -> FloatArray:
            size = panels[m].size + 4 * panels[m].shape[1] ** 2
            return in_batches(
                lambda d: np.array([mean_of(r) for r in _left_out(sample(m, d), owners[m], counts[m], m == ACROSS)]),
                draws,
                size,
            )

        return np.stack([of(m) for m in panels], axis=1)

    def null(shifts: IntArray) -> FloatArray:
        return means(lambda m, by: turned(panels[m], span.of(owners[m]), by[:, owners[m]]), shifts)

    def samples(rows: IntArray) -> FloatArray:
        return means(lambda m, r: panels[m][r], rows)

    none = np.empty((0, len(panels)))
    return (
        in_chunks(null, draw_shifts(span, numbers[0], seed), n_jobs) if numbers[0] else none,
        in_chunks(samples, draw_rows(whole, numbers[1], seed + 1), n_jobs) if numbers[1] else none,
    )


def _r2_table(
    panels: dict[str, FloatArray],
    named: dict[str, pd.MultiIndex],
    fits: dict[str, tuple[FloatArray, FloatArray]],
    left_out: dict[str, FloatArray],
) -> pd.DataFrame:
    within = [m for m in panels if m != ACROSS]
    table = pd.concat(
        pd.DataFrame(
            {"n": np.isfinite(panels[m]).sum(axis=0), "within": fits[m][1], "within_left_out": left_out[m]}, named[m]
        )
        for m in within
    )
    if ACROSS in panels:
        table["across"], table["across_left_out"] = fits[ACROSS][1], left_out[ACROSS]
    return table


def _canonical(factors: dict[str, FloatArray]) -> pd.DataFrame:
    rows = {(a, b): pd.Series(canonical_correlations(factors[a], factors[b])) for a, b in combinations(factors, 2)}
    table = pd.DataFrame(rows).T.rename(columns=lambda k: k + 1)
    return table.rename_axis(index=["measure", "other"]) if rows else table


def _tests(
    fits: dict[str, tuple[FloatArray, FloatArray]],
    left_out: dict[str, FloatArray],
    counts: dict[str, int],
    draws: tuple[FloatArray, FloatArray],
) -> pd.DataFrame:
    null, samples = draws
    rows = {}
    for place, m in enumerate(fits):
        observed = mean_of(left_out[m])
        rows[m] = {
            "n_factors": counts[m],
            "r2": mean_of(fits[m][1]),
            "r2_left_out": observed,
            "std_error": spread(samples[:, place]),
            "null_mean": mean_of(null[:, place]),
            "p_value": upper_p_value(observed, null[:, place]),
        }
    return pd.DataFrame(rows).T
