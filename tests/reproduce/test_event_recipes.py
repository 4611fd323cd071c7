"""The recipe of 11 September 2001: the table, and what the library adds to it."""

from __future__ import annotations

import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import CommonShareWarning
from drainstats.reproduce import chen_siems_2004_911 as recipe
from drainstats.reproduce.runner import verify

pytestmark = [pytest.mark.reference, pytest.mark.filterwarnings("ignore::drainstats.errors.CommonShareWarning")]


def test_all_markets_hold(data_root):
    folder = data_root / "reproductions" / recipe.KEY
    verify(folder)
    items = recipe.reproduce(folder)
    assert len(items) == 33
    assert all(item.ok for item in items), [item.record() for item in items if not item.ok]
    # Half a unit of the seventh digit of a number below 18.
    assert max(abs(item.gap) for item in items) < 6e-6


def test_the_markets_share_days_and_the_tests_know(data_root):
    folder = data_root / "reproductions" / recipe.KEY
    returns = pd.read_csv(folder / "TerrorIndiceReturns.csv", index_col="date", parse_dates=True)
    dates = pd.read_csv(folder / "TerrorAttack.csv")
    with pytest.warns(CommonShareWarning):
        study = ds.event_study(
            returns, dates, estimation=(-30, -11), window=(0, 10), tests=("kp_bmp", "bmp"), closed="last"
        )
    correlation = study.worked_out[0].at.correlation[0]
    assert 0.1 < correlation < 0.6
    assert study.tests.loc["bmp", "p_value"] < 1e-6 < study.tests.loc["kp_bmp", "p_value"] < 0.05
