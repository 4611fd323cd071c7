"""Event studies against R estudy2 0.10.0, R eventstudies 1.2.2 and an earlier simulation of test sizes."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.episodes.study.commondate import cross_section, date_statistics
from drainstats.episodes.study.expected.abnormal import Offsets, abnormal_values
from drainstats.episodes.study.expected.linear import event_sample

pytestmark = pytest.mark.reference

FOLDER = "reference/events/eventstudy"
DATES = pd.date_range("2020-03-16", "2020-03-20")


@pytest.fixture(scope="module")
def estudy2(data_root):
    folder = data_root / FOLDER
    read = {
        name: pd.read_csv(folder / "data" / f"estudy2_{name}.csv", index_col=0, parse_dates=True)
        for name in ("observed", "market", "abnormal")
    }
    expected = json.loads((folder / "expected" / "estudy2_expected.json").read_text())["parametric"]
    return read["observed"], read["market"]["market"], read["abnormal"], expected


@pytest.mark.parametrize("day", range(5))
def test_market_model_abnormal_returns(estudy2, day):
    observed, market, abnormal, expected = estudy2
    row = observed.index.get_loc(DATES[day])
    fits = abnormal_values(
        observed.to_numpy(), Offsets((-240 - day, -1 - day), (0, 0)), row, 1, market=market.to_numpy()
    )
    np.testing.assert_allclose(fits.total[0], abnormal.loc[DATES[day]], rtol=0, atol=1e-14)
    n, mean, variance = cross_section(fits.total[0], np.ones(7))
    assert mean == pytest.approx(expected[day]["mean"], rel=1e-8)
    assert mean / np.sqrt(variance / n) == pytest.approx(expected[day]["t_test_stat"], rel=1e-8)


@pytest.mark.parametrize("day", range(5))
def test_boehmer_statistic_in_the_convention_of_estudy2(estudy2, day):
    """estudy2 divides by rows - 1 and takes the market's moments over all estimation rows, the asset's own or not.

    Ours divides by rows - 2 and uses the rows that the asset has; converting one into the other must give its number.
    """
    observed, market, _, expected = estudy2
    row = observed.index.get_loc(DATES[day])
    fits = abnormal_values(
        observed.to_numpy(), Offsets((-240 - day, -1 - day), (0, 0)), row, 1, market=market.to_numpy()
    )
    x = market.to_numpy()[row - 240 - day : row - day]
    leverage = (market.iloc[row] - x.mean()) ** 2 / ((x - x.mean()) ** 2).sum()
    rows = fits.rows[0]
    sigma = fits.sigma[0] * np.sqrt((rows - 2) / (rows - 1))
    theirs = fits.total[0] / (sigma * np.sqrt(1 + 1 / rows + leverage))
    n, mean, variance = cross_section(theirs, np.ones(7))
    assert mean / np.sqrt(variance / n) == pytest.approx(expected[day]["bh_stat"], rel=1e-8)


@pytest.mark.parametrize("day", range(5))
def test_boehmer_statistic_in_our_convention_is_near(estudy2, day):
    observed, market, _, expected = estudy2
    row = observed.index.get_loc(DATES[day])
    offsets = Offsets((-240 - day, -1 - day), (0, 0))
    found = date_statistics(observed.to_numpy(), offsets, row, 1, market=market.to_numpy())
    # Two of seven firms miss 13 and 28 of 240 rows; the conventions differ by that much.
    assert found.bmp[0] == pytest.approx(expected[day]["bh_stat"], rel=1e-3, abs=5e-4)


@pytest.mark.parametrize(("rho", "name"), [(0.0, "rho=0"), (0.3, "rho=0.3"), (0.6, "rho=0.6")])
def test_sizes_agree_with_an_earlier_simulation(data_root, rho, name):
    """20 assets, 120 estimation rows, normal errors: rejections of BMP and KP-BMP by the normal law, as they had it."""
    from scipy.special import ndtr

    expected = json.loads((data_root / FOLDER / "expected" / "mc_size.json").read_text())["rejection"][name]
    rng = np.random.default_rng(17)
    y = np.sqrt(rho) * rng.standard_normal((2000, 121, 1)) + np.sqrt(1 - rho) * rng.standard_normal((2000, 121, 20))
    found = date_statistics(y, Offsets((-120, -1), (0, 0)), 120, 1)
    for key, statistic in (("bmp", found.bmp), ("kp_adjBMP", found.kp)):
        rate = (2 * ndtr(-np.abs(statistic)) < 0.05).mean()
        error = np.sqrt(rate * (1 - rate) * (1 / 400 + 1 / 2000))
        assert abs(rate - expected[key]) < 3 * error


def test_abnormal_returns_before_and_in_the_event_window(estudy2):
    """All 240 estimation residuals and the five event days of seven firms, two of them with missing days."""
    observed, market, abnormal, _ = estudy2
    row = observed.index.get_loc(DATES[0])
    sample = event_sample(observed.to_numpy(), Offsets((-240, -1), (0, 4)), row, market=market.to_numpy())
    found = np.vstack([sample.estimation, sample.event])
    np.testing.assert_allclose(found, abnormal.iloc[row - 240 : row + 5], rtol=0, atol=1e-14)
    study = ds.event_study(
        observed, DATES[0], "market", (-240, -1), (0, 4), tests="kp_bmp", market=market, min_rows=100
    )
    np.testing.assert_allclose(study.abnormal, abnormal.loc[DATES], rtol=0, atol=1e-14)


@pytest.fixture(scope="module")
def eventstudies(data_root):
    folder = data_root / FOLDER
    read = {
        name: pd.read_csv(folder / "data" / f"es_{name}.csv", index_col=0, parse_dates=True)
        for name in ("StockPriceReturns", "OtherReturns")
    }
    splits = pd.read_csv(folder / "data" / "es_SplitDates.csv")
    expected = {
        name: pd.read_csv(folder / "expected" / f"es_{name}_cumsum.csv", index_col=0) for name in ("none", "mm")
    }
    # Its columns are rows of the list of splits, counted from one: those that it could study.
    chosen = splits.iloc[expected["none"].columns.astype(int) - 1]
    return read["StockPriceReturns"], read["OtherReturns"]["NiftyIndex"], splits, chosen, expected


@pytest.mark.parametrize("name", ["none", "mm"])
@pytest.mark.filterwarnings("ignore::drainstats.errors.CommonShareWarning")
def test_cumulative_returns_of_stock_splits(eventstudies, name):
    """Each share on its own date. eventstudies fits the market model on all rows before the event window, and its sum
    begins with the second row of the window."""
    returns, nifty, _, chosen, expected = eventstudies
    options = {"none": {"model": "zero"}, "mm": {"model": "market", "market": nifty}}[name]
    study = ds.event_study(
        returns, chosen, estimation=(-700, -5), window=(-4, 5), tests="kp_bmp", min_rows=20, closed="last", **options
    )
    assert list(study.abnormal.columns) == list(chosen["name"])
    cumulative = study.cumulative - study.abnormal.iloc[0]
    np.testing.assert_allclose(cumulative, expected[name], rtol=0, atol=1e-8)
    assert list(cumulative.index) == list(expected[name].index)


@pytest.mark.filterwarnings("ignore::drainstats.errors.CommonShareWarning")
def test_bands_of_stock_splits(eventstudies, data_root):
    """Its sums, and so its bands, begin with the second row of its window: here with the first of ours."""
    returns, nifty, _, chosen, _ = eventstudies
    expected = json.loads((data_root / FOLDER / "expected" / "es_expected.json").read_text())
    options = {"model": "market", "market": nifty, "tests": "kp_bmp", "min_rows": 20, "closed": "last"}
    study = ds.event_study(returns, chosen, estimation=(-700, -5), window=(-3, 5), **options)
    for band, centre, name in (("independent", "mean", "classic"), ("signed_rank", "median", "wilcox")):
        found = study.path("cumulative", band)[["low", centre, "high"]]
        theirs = np.array([[float(v) for v in row] for row in expected[name]])[1:]
        np.testing.assert_allclose(found, theirs, rtol=0, atol=1e-8)
    np.testing.assert_allclose(study.path()["mean"], expected["mm_car_mean"][1:], rtol=0, atol=1e-8)


@pytest.mark.filterwarnings("ignore::drainstats.errors.CommonShareWarning")
def test_splits_outside_of_the_data_are_rows_with_a_reason(eventstudies):
    returns, _, splits, chosen, _ = eventstudies
    study = ds.event_study(
        returns, splits, estimation=(-60, -6), window=(-4, 5), tests="kp_bmp", min_rows=20, closed="last"
    )
    table = study.by_asset.reset_index()
    assert len(table) == len(splits)
    assert set(chosen["name"]) <= set(table.loc[table["reason"] == "", "asset"])
    assert table.loc[table["asset"] == "Cipla", "reason"].str.startswith("in no row").all()
