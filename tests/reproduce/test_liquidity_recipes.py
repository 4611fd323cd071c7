"""The recipes of EDGE and of aggregate liquidity: their own data, and what the authors' second column confirms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.measures.reversal import innovations_of_changes
from drainstats.reproduce import ardia_guidotti_kroencke_2024_edge as edge
from drainstats.reproduce import pastor_stambaugh_2003 as pastor
from drainstats.reproduce.runner import verify

pytestmark = pytest.mark.reference


@pytest.mark.parametrize("recipe", [edge, pastor])
def test_a_recipe_holds_and_says_where_from(data_root, recipe):
    folder = data_root / "reproductions" / recipe.KEY
    verify(folder)
    items = recipe.reproduce(folder)
    assert all(item.ok for item in items), [item.record() for item in items if not item.ok]
    assert all(item.read.startswith(("memory", "seen")) for item in items)
    assert len({item.item for item in items}) == len(items)


def test_the_authors_degenerate_bars_have_no_edge():
    opened = np.array([18.21, 17.61, 17.61])
    low = np.full(3, 17.61)
    assert np.isnan(ds.measures.edge(opened, opened, low, low, window=3)[-1])


def test_equation_7_on_the_authors_levels_gives_nearly_their_innovations(data_root):
    """Their changes average over the shares known in both months, which the levels do not show: 0.91, not 1."""
    table = pd.read_csv(data_root / "reproductions" / pastor.KEY / "liq.csv", index_col="month")
    table = table.loc[pastor.FIRST : pastor.LAST]
    level = table["agg_liq"].to_numpy()
    ours = innovations_of_changes(level, np.diff(level, prepend=np.nan))
    used = np.isfinite(ours)
    assert np.corrcoef(ours[used], table["innov_liq_eq8"][used])[0, 1] == pytest.approx(0.909, abs=0.001)
