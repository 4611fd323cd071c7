"""Do assets move together at all? A test by shifting each of them around the circle on its own.

    H0: the assets are independent of each other; each may depend on its own past as it likes

Shifting asset i by its own random number of rows keeps its values, its gaps and its autocorrelation, and breaks what it
has in common with the others. With s[t, i] the scores of asset i, of mean zero over its own rows, the statistic is the
mean over pairs and shared rows of s[t, i] s[t, j], in units of their variance, one-sided.

This is no test of a drain. Assets that share an ordinary factor are dependent in every bar, and the test rejects as it
should: with half of the variance common it rejects calm markets without exception. Whether a *breadth* is unusual for
a market that always moves together is asked by `drainstats.breadth_null`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from drainstats.errors import DataError, OptionError, check_number, check_option, check_whole
from drainstats.frames import as_wide
from drainstats.typing import BoolArray, FloatArray

FEWEST_ROWS = 20


@dataclass(frozen=True, repr=False)
class CoMovementTest:
    """A test of any co-movement.

    Attributes
    ----------
    scores : what was compared.
    statistic : float. Average over pairs of assets of the correlation of their scores.
    p_value : float
    null, alternative : the hypotheses in words.
    nobs, assets : rows and columns used.
    draws : number of random shifts.
    notes : what to keep in mind.
    """

    scores: str
    statistic: float
    p_value: float
    nobs: int
    assets: int
    draws: int
    null: str = "assets are independent of each other"
    alternative: str = "assets move together, as they do in most markets at most times"
    notes: tuple[str, ...] = ("ordinary commonality rejects too: this is no test of a drain",)

    def __repr__(self) -> str:
        lines = [
            f"<Test of any co-movement, scores by {self.scores}: {self.nobs} rows, {self.assets} assets",
            f" null:        {self.null}",
            f" alternative: {self.alternative}",
            f" statistic {self.statistic:.4f}, {self.draws} sets of shifts, p = {self.p_value:.4g}>",
        ]
        return "\n".join(lines + [f" note: {n}" for n in self.notes])


def co_movement_test(
    illiquidity: Any,
    scores: Literal["rank", "upper_tail"] = "rank",
    *,
    share: float = 0.05,
    draws: int = 999,
    seed: int = 0,
) -> CoMovementTest:
    """Test whether illiquidities move together at all.

    It holds its level whatever the autocorrelation of each asset (docs/detection_tables.md), and says nothing about
    drains: ordinary commonality rejects as well.

    Parameters
    ----------
    illiquidity : (T, N) table or array
        One column an asset, in any unit; only the order of each column's values counts. Gaps stay where they are.
    scores : {"rank", "upper_tail"}, default "rank"
        "rank": each value by its place in its column. "upper_tail": whether it is among the largest ``share`` of its
        column, so that only joint illiquidity counts.
    share : float, default 0.05
        For "upper_tail".
    draws : int, default 999
        Random sets of shifts; the observed one is counted with them, so that the smallest p-value is 1 / (draws + 1).
    seed : int, default 0

    Returns
    -------
    CoMovementTest

    Raises
    ------
    DataError
        Fewer than two assets with 20 values that vary, or no row that two of them share.
    OptionError
        An unknown kind of scores, a share outside (0, 0.5].

    Notes
    -----
    The series should be stationary: two trends move together for the test as for the eye.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(2)
    >>> apart = np.exp(rng.normal(size=(300, 5)))
    >>> together = apart * np.exp(rng.normal(size=(300, 1)))
    >>> co_movement_test(apart).p_value > 0.05, co_movement_test(together).p_value
    (True, 0.001)
    """
    check_option("scores", scores, ["rank", "upper_tail"])
    check_whole("draws", draws, 1)
    check_whole("seed", seed, 0)
    check_number("share", share, 0.0)
    if share > 0.5:
        raise OptionError(f"share={share} must lie above 0 and be at most 0.5.")
    values = as_wide(illiquidity, "illiquidity").values
    columns = [c for c in (_scored(column, scores, share) for column in values.T) if c is not None]
    if len(columns) < 2:
        raise DataError(f"{len(columns)} asset(s) have {FEWEST_ROWS} values that vary; co-movement needs two.")
    rows = len(values)
    counts = np.zeros(rows)
    for places, _ in columns:
        counts[places] += 1.0
    pairs = float((counts * (counts - 1.0)).sum())
    if pairs == 0:
        raise DataError("No row holds two assets: they have no time in common.")
    rng = np.random.default_rng(seed)
    own = sum(float(s @ s) for _, s in columns)
    drawn = np.empty(draws)
    for d in range(draws):
        drawn[d] = _cross([(p, np.roll(s, rng.integers(len(s)))) for p, s in columns], rows, own)
    observed = _cross(columns, rows, own)
    # A shift that changes nothing must not fall below by rounding.
    reached = np.count_nonzero(drawn >= observed - 1e-9 * own)
    p_value = float((1 + reached) / (1 + draws))
    return CoMovementTest(scores, float(observed / pairs), p_value, rows, len(columns), draws)


def _cross(columns: list[tuple[BoolArray, FloatArray]], rows: int, own: float) -> float:
    """Sum over rows and ordered pairs of the products of scores."""
    total = np.zeros(rows)
    for places, s in columns:
        total[places] += s
    return float(total @ total) - own


def _scored(column: FloatArray, scores: str, share: float) -> tuple[BoolArray, FloatArray] | None:
    """Where a column (T,) has values, and their scores of mean zero and variance one; None when there are too few."""
    from scipy.stats import rankdata

    places = ~np.isnan(column)
    seen = column[places]
    if len(seen) < FEWEST_ROWS:
        return None
    ranks = rankdata(seen)
    s = ranks if scores == "rank" else (ranks > len(seen) * (1.0 - share)) / 1.0
    s = s - s.mean()
    spread = s.std()
    return (places, s / spread) if spread > 0 else None
