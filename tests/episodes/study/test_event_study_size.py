"""Rejection rates on simulated common dates, by the script that writes the size tables of the documentation."""

from __future__ import annotations

import importlib.util
import json
import pathlib
import sys
import warnings

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.episodes.study.testing.registry import BAR, MEASURED, TESTS
from drainstats.errors import CommonShareWarning
from tests.episodes.study.battery import draws, sample

DOCS = pathlib.Path(__file__).parents[3] / "docs"
DEFAULTS = ["studentized_placebo", "kp_bmp"]


@pytest.fixture(scope="module")
def tables():
    spec = importlib.util.spec_from_file_location("make_size_tables", DOCS / "make_size_tables.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def printed():
    """Tables of the page by section, rates as fractions: tests × designs; ⚠ stays in the index."""
    found = {}
    for part in (DOCS / "size_tables.md").read_text(encoding="utf-8").split("\n## ")[1:]:
        blocks = [[r for r in block.splitlines() if r.startswith("|")] for block in part.split("\n\n")]
        cells = [[[c.strip() for c in r.strip("|").split("|")] for r in rows] for rows in blocks if rows]
        found[part.splitlines()[0]] = [
            pd.DataFrame([r[1:] for r in rows[2:]], [r[0] for r in rows[2:]], rows[0][1:]).astype(float) / 100
            for rows in cells
        ]
    return found


LEVEL, UNEQUAL = "True null, all variances jump by one factor", "True null, the common share of variance rises"


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.6])
def test_both_defaults_hold_their_level_in_a_sample(tables, rho):
    found = tables.rates(tables.Market(rho, "t6"), tables.PROPORTIONAL, 600, defaults_only=True)
    # The bar is 3.5 to 6.5 %; 600 replications have a standard error of .9 points, two of which are allowed on top.
    assert found[DEFAULTS].stack().between(0.017, 0.083).all()


def test_rejections_rise_with_the_shift_and_with_the_common_share(tables):
    market = tables.Market(0.3, "t6")
    jumps = [tables.Jump(), tables.Jump(shift=1.5), tables.Jump(shift=4.0), tables.Jump(common=3.0)]
    found = tables.rates(market, jumps, 300, defaults_only=True)
    for test in DEFAULTS:
        calm, small, large, common = found[test]
        assert calm < 0.10 < small < large
        assert large > 0.9
        assert common > 0.25
    assert found["warned"].iloc[3] > 0.35


def test_event_study_gives_the_simulated_p_values(tables):
    market, jumps = tables.Market(0.3, "t6"), tables.PROPORTIONAL
    frames = tables.p_values(market, jumps, 40, np.random.default_rng(2))
    common, own = tables.parts(market, 40, np.random.default_rng(2))
    days = pd.date_range("2001-01-01", periods=market.event + 1, tz="UTC")
    # The wild bootstrap draws its signs once for all simulated markets of a chunk.
    every = [*DEFAULTS, *(name for name in tables.BATTERY if name != "wild_bootstrap")]
    for frame, jump in zip(frames, jumps, strict=True):
        values = common + own
        values[:, market.event] = jump.common * common[:, market.event] + jump.own * own[:, market.event]
        for k in range(40):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", CommonShareWarning)
                tests = every if k < 5 else DEFAULTS
                study = ds.event_study(pd.DataFrame(values[k], days), days[-1], tests=tests)
            assert study.by_event["n_placebos"].iloc[0] == tables.PLACEBOS
            np.testing.assert_allclose(study.tests["p_value"], frame[tests].iloc[k], rtol=1e-9)
            assert bool(caught) == frame["warned"].iloc[k]


def test_printed_sizes_keep_the_bar_and_are_what_the_registry_says(printed):
    rates = pd.concat(printed[LEVEL], axis=1, ignore_index=True)
    assert rates.shape[1] == 12
    assert rates.loc[DEFAULTS].stack().between(*BAR).all()
    for name, test in TESTS.items():
        label = name if test.holds_on_common_date else f"⚠ {name}"
        row = rates.loc[label]
        assert (row.min(), row.max()) == pytest.approx(MEASURED[name], abs=1e-9), name
        for section in printed.values():
            assert all(label in table.index for table in section)
    assert (printed[UNEQUAL][0].loc[[n for n in rates.index if "*" not in n]] > 0.15).sum().sum() > 110


@pytest.mark.slow
def test_a_part_of_the_size_tables_made_anew_agrees(tables, printed):
    count = 500
    made = tables.core(count)
    level = tables.proportional(made)
    for rows, section in ((level, LEVEL), (made.drop(level.index), UNEQUAL)):
        found, rates = rows.T, pd.concat(printed[section], axis=1)
        rates.index = rates.index.str.replace("⚠ ", "").str.replace("*common-share warning*", "warned")
        expected = rates.loc[found.index].to_numpy()
        # The first of the replications against all of them: the standard error of the difference, five times, as there
        # are 400 cells, and half of the last digit printed.
        error = np.sqrt(np.maximum(expected, 0.002) * (1 - expected) * (1 / count - 1 / tables.REPLICATIONS))
        assert (np.abs(found.to_numpy() - expected) < 5 * error + 0.0005).all()


NAMES = {
    "patell": "patell",
    "bmp": "bmp",
    "kp_adjBMP": "kp_bmp",
    "kp_adjPatell": "kp_patell",
    "corrado_rank": "rank",
    "grank_t": "grank_t",
    "gen_sign": "generalized_sign",
    "wilcoxon": "wilcoxon",
    "PyPI eventstudystatistics BMP": "bmp",
    "PyPI eventstudystatistics grank": "grank_t",
}
"""Their names to ours. Their adjBMP takes a raw sum of products for a correlation and is not a test of ours."""
DESIGNS = {
    "rho=0": (0.0, 1.0, 400),
    "rho=0.3": (0.3, 1.0, 400),
    "rho=0.6": (0.6, 1.0, 400),
    "rho=0.3, event vol x2": (0.3, 2.0, 200),
}


@pytest.mark.slow
@pytest.mark.reference
@pytest.mark.parametrize("design", DESIGNS)
def test_sizes_are_those_of_another_simulation(data_root, design):
    folder = data_root / "reference" / "events" / "eventstudy" / "expected"
    theirs = json.loads((folder / "mc_size.json").read_text())["rejection"][design]
    (rho, jump, runs), count = DESIGNS[design], 1000
    found = []
    for chunk in range(count // 50):
        values = draws([5, chunk], (50, 121, 20), rho=rho)
        values[:, -1] *= jump
        s = sample(values)
        # The plain mean among the means of the estimation rows: what a placebo test without studentising does.
        means, event = np.abs(s.estimation.mean(axis=-1)), np.abs(s.event.mean(axis=-1))
        p = {name: TESTS[ours](s).p_value for name, ours in NAMES.items()}
        found.append(pd.DataFrame(p | {"placebo_date": (1 + (means >= event).sum(axis=-1)) / 121}))
    for name, rate in (pd.concat(found) <= 0.05).mean().items():
        assert abs(rate - theirs[name]) < 3 * _error(theirs[name], runs, count), name


@pytest.mark.reference
def test_studentized_placebo_sizes_are_those_of_another_simulation(data_root, printed):
    folder = data_root / "reference" / "events" / "eventstudy" / "expected"
    for design, rates in json.loads((folder / "mc_size_placebo.json").read_text()).items():
        rho, jump = design.removeprefix("rho=").split(",vol x")
        ours = printed[LEVEL][0].loc["studentized_placebo", f"{float(rho):g}, ×{jump}"]
        expected = rates["placebo on studentised (BMP) statistic"]
        assert abs(ours - expected) < 3 * _error(expected, 1500, 5000), design


def _error(rate: float, theirs: int, ours: int) -> float:
    return float(np.sqrt(rate * (1 - rate) * (1 / theirs + 1 / ours)))
