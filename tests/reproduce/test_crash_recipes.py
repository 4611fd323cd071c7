"""The recipes of crash days and momentum crashes: every item, and what an independent recomputation gave."""

from __future__ import annotations

import json

import numpy as np
import pytest

from drainstats.reproduce import daniel_moskowitz_2016_momentum_crashes as momentum
from drainstats.reproduce import index_crash_days as days
from drainstats.reproduce.runner import verify


@pytest.fixture(scope="module")
def folder(data_root):
    return lambda recipe: data_root / "reproductions" / recipe.KEY


@pytest.mark.reference
@pytest.mark.parametrize(("recipe", "items"), [(days, 19), (momentum, 15)])
def test_a_recipe_holds_and_says_where_from(folder, recipe, items):
    verify(folder(recipe))
    made = recipe.reproduce(folder(recipe))
    assert all(item.ok for item in made), [item.record() for item in made if not item.ok]
    assert len({item.item for item in made}) == len(made) == items
    assert all(item.read == "memory" and item.reason for item in made)


@pytest.mark.reference
def test_targets_are_those_that_were_handed_down(folder):
    expected = json.loads((folder(days) / "EXPECTED.json").read_text())["items"][0]
    for ours, theirs in ((days.FALLS, "values"), (days.POINTS, "points"), (days.LEVELS, "levels")):
        assert {" ".join(key): value for key, value in ours.items()} == expected[theirs]
    moments, worst = json.loads((folder(momentum) / "EXPECTED.json").read_text())["items"]
    assert sorted(momentum.MOMENTS.values()) == sorted(moments["printed_from_memory"].values())
    assert {str(m): v for m, v in momentum.WORST.items()} == worst["printed_from_memory"]


@pytest.mark.reference
def test_an_independent_recomputation_gave_the_same(folder):
    """Its last printed digit is the only slack."""
    moments, worst = json.loads((folder(momentum) / "EXPECTED.json").read_text())["items"]
    made = {i.item: i.ours for i in momentum.reproduce(folder(momentum))}
    theirs = moments["recomputed_here"]
    for name, value, digits in [
        ("largest month, percent", theirs["max"], 2),
        ("smallest month, percent", theirs["min"], 2),
        ("mean, percent a year", theirs["mean_ann"], 2),
        ("standard deviation, percent a year", theirs["std_ann"], 2),
        ("excess kurtosis", theirs["excess_kurtosis"], 1),
        ("skewness", theirs["skew"], 3),
        ("Sharpe ratio", theirs["sharpe"], 3),
    ]:
        assert made[f"WML 1927-03 to 2011-12: {name}"] == pytest.approx(value, abs=0.6 * 10**-digits), name
    for month, value in worst["recomputed_here"].items():
        assert made[f"WML {month}, percent"] == pytest.approx(value, abs=0.006)
    before = momentum.past_two_years(folder(momentum))
    for month, value in worst["mkt_past_2y_here"].items():
        assert before[int(month)] == pytest.approx(value, abs=0.006)


@pytest.mark.reference
def test_the_worst_months_follow_bad_years_of_the_market(folder):
    wml, before = momentum.winners_minus_losers(folder(momentum)), momentum.past_two_years(folder(momentum))
    worst = wml.loc[192807:201303].nsmallest(15).index
    assert (before[worst] < 0).mean() > 0.8
    assert np.isnan(before.iloc[:24]).all()
    assert before.iloc[24:].notna().all()


def test_only_the_first_block_is_read(tmp_path):
    text = "Words.\n\n  Average\n,Lo,Hi\n192701,  -1.00,   2.00\n192702, -99.99,   3.00\n\n,Lo,Hi\n192701, 9.00, 9.00\n"
    (tmp_path / "x.CSV").write_text(text)
    block = momentum.first_block(tmp_path / "x.CSV")
    assert block.index.tolist() == [192701, 192702]
    assert block.loc[192701].tolist() == [-1.0, 2.0]
    assert np.isnan(block.loc[192702, 0])
