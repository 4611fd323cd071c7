"""Merging bars agrees with pandas, whatever is missing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainstats.errors import OptionError
from drainstats.panel.merging import WAYS, merged, rule_of, runs

NUMBER = st.one_of(st.just(np.nan), st.floats(-1e6, 1e6))


@given(st.lists(st.tuples(st.integers(0, 3), NUMBER), min_size=1, max_size=40), st.sampled_from(WAYS))
def test_runs_agree_with_pandas(cells, how):
    rows = np.cumsum([step for step, _ in cells])
    values = np.array([value for _, value in cells])
    groups = pd.Series(values).groupby(rows)
    expected = groups.sum(min_count=1) if how == "sum" else getattr(groups, how)()
    ours = merged(values, runs(rows), how)
    # pandas sums with compensation, numpy in order: the last bits differ.
    np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-8 if how in ("sum", "mean") else 0)


def test_fields_are_merged_by_name_or_as_asked():
    assert [rule_of(f) for f in ("open", "high", "low", "close", "volume", "trades", "spread")] == [
        "first", "max", "min", "last", "sum", "sum", "last",
    ]  # fmt: skip
    assert rule_of("spread", {"spread": "mean"}) == "mean"
    with pytest.raises(OptionError, match="'first', 'max'"):
        rule_of("spread", {"spread": "median"})
