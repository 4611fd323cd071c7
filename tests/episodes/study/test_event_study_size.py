"""Rejection rates on simulated common dates, by the script that writes the size tables of the documentation."""

from __future__ import annotations

import importlib.util
import pathlib
import sys
import warnings

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import CommonShareWarning

DOCS = pathlib.Path(__file__).parents[3] / "docs"
TESTS = ["studentized_placebo", "kp_bmp"]


@pytest.fixture(scope="module")
def tables():
    spec = importlib.util.spec_from_file_location("make_size_tables", DOCS / "make_size_tables.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.6])
def test_both_tests_hold_their_level_in_a_sample(tables, rho):
    found = tables.rates(tables.Market(rho, "t6"), tables.PROPORTIONAL, 600)
    # The bar is 3.5 to 6.5 %; 600 replications have a standard error of .9 points, two of which are allowed on top.
    assert found[TESTS].stack().between(0.017, 0.083).all()
    assert found["bmp"].iloc[0] < 0.08 if rho == 0 else found["bmp"].iloc[0] > 0.3


def test_rejections_rise_with_the_shift_and_with_the_common_share(tables):
    market = tables.Market(0.3, "t6")
    jumps = [tables.Jump(), tables.Jump(shift=1.5), tables.Jump(shift=4.0), tables.Jump(common=3.0)]
    found = tables.rates(market, jumps, 300)
    for test in TESTS:
        calm, small, large, common = found[test]
        assert calm < 0.10 < small < large
        assert large > 0.9
        assert common > 0.25
    assert found["warned"].iloc[3] > 0.35


def test_event_study_gives_the_simulated_p_values(tables):
    market, jumps = tables.Market(0.3, "t6"), tables.PROPORTIONAL
    frames = tables.p_values(market, jumps, 60, np.random.default_rng(2))
    common, own = tables.parts(market, 60, np.random.default_rng(2))
    days = pd.date_range("2001-01-01", periods=market.event + 1, tz="UTC")
    for frame, jump in zip(frames, jumps, strict=True):
        values = common + own
        values[:, market.event] = jump.common * common[:, market.event] + jump.own * own[:, market.event]
        for k in range(60):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", CommonShareWarning)
                study = ds.event_study(pd.DataFrame(values[k], days), days[-1])
            assert study.by_event["n_placebos"].iloc[0] == tables.PLACEBOS
            np.testing.assert_allclose(study.tests["p_value"], frame[TESTS].iloc[k], rtol=1e-9)
            assert bool(caught) == frame["warned"].iloc[k]


@pytest.mark.slow
def test_size_tables_hold_the_bar_and_are_those_of_the_documentation(tables):
    proportional, unequal = tables.core()
    assert proportional[TESTS].stack().between(0.035, 0.065).all(), proportional.to_string()
    text = (DOCS / "size_tables.md").read_text(encoding="utf-8")
    for table in (proportional, unequal):
        rows = tables.markdown(table).splitlines()
        start = text.index("\n".join(rows[:2]) + "\n" + rows[2].split("%")[0][:20])
        printed = text[start:].splitlines()[: len(rows)]
        # The rates are counts of 5000: another processor's last bit may move one or two of them.
        np.testing.assert_allclose(_rates(printed), _rates(rows), atol=0.1 + 1e-9)


def _rates(lines: list[str]) -> list[list[float]]:
    cells = [[c.strip() for c in line.strip("| ").split("|")] for line in lines[2:]]
    return [[float(c.rstrip(" %")) for c in row if c.endswith("%")] for row in cells]
