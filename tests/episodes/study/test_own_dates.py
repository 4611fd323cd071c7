"""Dates by asset: rows of its own, correlations by the calendar, firms that come twice, who is left out and why."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

import drainstats as ds
from drainstats.episodes.study.expected.abnormal import Offsets
from drainstats.episodes.study.expected.linear import event_sample
from drainstats.errors import DataError, OptionError

pytestmark = pytest.mark.filterwarnings("ignore::drainstats.errors.CommonShareWarning")
DAYS = pd.date_range("2018-01-01", periods=600, tz="UTC", name="time")
NAMES = list("ABCDEFGH")
OPTIONS = {"estimation": (-100, -6), "window": (-1, 2)}


def market(seed: int = 1, rho: float = 0.3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    common, own = rng.standard_normal((600, 1)), rng.standard_normal((600, 8))
    return pd.DataFrame(np.sqrt(rho) * common + np.sqrt(1 - rho) * own, DAYS, NAMES)


def spread(rows=(300, 302, 304, 350, 400, 450, 500, 550)) -> pd.Series:
    return pd.Series(DAYS[list(rows)], NAMES)


def test_one_date_for_all_is_the_common_design():
    y = market()
    own = ds.event_study(y, pd.Series(DAYS[400], NAMES), min_rows=95, **OPTIONS)
    common = ds.event_study(y, DAYS[400], min_rows=95, **OPTIONS)
    np.testing.assert_allclose(own.tests["statistic"], common.tests["statistic"], rtol=1e-10)
    np.testing.assert_allclose(own.tests["p_value"], common.tests["p_value"], rtol=1e-10)
    np.testing.assert_allclose(own.placebos.to_numpy()[::-1], common.placebos.to_numpy(), rtol=1e-9)
    assert own.by_event.index[0] == DAYS[400]


@pytest.mark.parametrize(
    "model",
    [
        *("constant_mean", "market", "seasonal", "zero", "market_adjusted"),
        pytest.param("garch", marks=pytest.mark.slow),
    ],
)
def test_each_asset_is_its_own_common_study(model):
    y = market().assign(x=np.random.default_rng(2).standard_normal(600))
    dates = spread()
    options = {"model": model, "tests": "kp_bmp"} | OPTIONS
    with_market = model in ("market", "market_adjusted")
    frame, more = (y, {"market": "x"}) if with_market else (y[NAMES], {})
    own = ds.event_study(frame, dates, **options, **more)
    for asset in ("A", "F"):
        pair = [asset, "C"]
        alone = ds.event_study(frame[[*pair, "x"] if with_market else pair], dates[asset], **options, **more)
        np.testing.assert_allclose(own.abnormal[asset], alone.abnormal[asset], rtol=1e-10)
        found = own.by_asset.droplevel("event").loc[asset, "standardized"]
        assert found == pytest.approx(alone.by_asset.loc[asset, "standardized"], rel=1e-10)


def test_the_statistic_by_hand_with_partly_overlapping_windows():
    y, dates, offsets = market(), spread(), Offsets(**OPTIONS)
    own = ds.event_study(y, dates, tests="kp_bmp", **OPTIONS)
    standardized, residuals = [], {}
    for k, name in enumerate(NAMES):
        row = DAYS.get_loc(dates[name])
        s = event_sample(y[[name]].to_numpy(), offsets, row)
        standardized.append(s.event.sum() / s.total_error[0])
        residuals[k] = (row, pd.Series(s.estimation[:, 0], range(row - 100, row - 5)))
    total = 0.0
    for i in range(8):
        for j in range(8):
            shared = max(0, 4 - abs(residuals[i][0] - residuals[j][0]))
            if i != j and shared:
                both = pd.concat([residuals[i][1], residuals[j][1]], axis=1, join="inner").to_numpy()
                scales = [np.sqrt((residuals[k][1] ** 2).mean()) for k in (i, j)]
                total += shared / 4 * (both[:, 0] * both[:, 1]).mean() / np.prod(scales)
    r = total / 56
    a = np.array(standardized)
    bmp = a.mean() / a.std(ddof=1) * np.sqrt(8)
    assert own.worked_out[0].at.correlation[0] == pytest.approx(r, rel=1e-10)
    assert own.tests["statistic"].iloc[0] == pytest.approx(bmp * np.sqrt((1 - r) / (1 + 7 * r)), rel=1e-10)


def test_dates_that_share_no_row_have_no_correlation_and_no_warning():
    y = market(rho=0.9)
    y.iloc[[100, 200, 300, 400, 500], :5] += 9.0
    own = ds.event_study(y, pd.Series(DAYS[[150, 200, 250, 300, 350]], NAMES[:5]), tests="kp_bmp", **OPTIONS)
    assert own.worked_out[0].at.correlation[0] == 0.0
    assert not own.common_share["passed"].iloc[0]
    assert own.tests["statistic"].iloc[0] == own.by_event["bmp"].iloc[0]


def test_missing_rows_are_dropped_before_rows_are_counted():
    y = market()
    holed = y.copy()
    holed.loc[DAYS[[380, 390, 401]], "A"] = np.nan
    dates = pd.Series(DAYS[400], NAMES)
    dropped = ds.event_study(holed, dates, tests="kp_bmp", **OPTIONS)
    by_hand = y["A"].drop(DAYS[[380, 390, 401]])
    place = by_hand.index.get_loc(DAYS[400])
    inside = by_hand.iloc[place - 100 : place - 5]
    np.testing.assert_allclose(dropped.abnormal["A"], by_hand.iloc[place - 1 : place + 3] - inside.mean(), rtol=1e-10)
    kept = ds.event_study(holed, dates, tests="kp_bmp", missing="keep", **OPTIONS)
    assert "A" not in kept.abnormal
    assert kept.by_asset.loc["A", "reason"].iloc[0] == "missing in the event window"


def test_a_firm_that_comes_twice_is_two_units():
    y = market()
    y.loc[DAYS[300], "A"] += 5.0
    table = pd.DataFrame({"name": [*NAMES, "A"], "when": [*spread(), DAYS[500]]})
    twice = ds.event_study(y, table, tests="kp_bmp", **OPTIONS)
    assert twice.abnormal.columns.names == ["asset", "event"]
    assert twice.abnormal.shape == (4, 9)
    once = ds.event_study(y, spread(), tests="kp_bmp", **OPTIONS)
    np.testing.assert_array_equal(twice.abnormal["A", DAYS[300]], once.abnormal["A"])
    # Nine units: the statistic is that of nine values, not of eight firms with one counted for more.
    values = twice.by_asset["standardized"]
    assert twice.by_event["bmp"].iloc[0] == pytest.approx(values.mean() / values.std() * 3, rel=1e-10)


def test_two_events_of_one_firm_in_one_window_are_as_one():
    y = market(rho=0.0)
    far = {"A": [DAYS[300], DAYS[500]], "B": DAYS[350], "C": DAYS[400]}
    near = {"A": [DAYS[300], DAYS[301]], "B": DAYS[350], "C": DAYS[400]}
    apart, close = (ds.event_study(y, d, tests="kp_bmp", **OPTIONS) for d in (far, near))
    # The two windows share three of four rows; the residuals of both are those of one asset, nearly.
    assert apart.worked_out[0].at.correlation[0] == 0.0
    assert close.worked_out[0].at.correlation[0] == pytest.approx(0.75 * 2 / 12, abs=0.01)
    assert any("overlapping windows" in note for note in close.notes)
    same = ds.event_study(y, {"A": [DAYS[300], DAYS[300]], "B": DAYS[350]}, tests="kp_bmp", **OPTIONS)
    assert same.by_event["n_assets"].iloc[0] == 2


def test_who_is_left_out_is_a_row_with_its_reason():
    y = market()
    y.loc[: DAYS[520], "F"] = np.nan  # listed late
    y.loc[DAYS[351] :, "D"] = np.nan  # delisted a row after its event
    y["E"] = 1.0
    dates = pd.concat([spread(), pd.Series({"Z": DAYS[300]})])
    dates["G"] = pd.Timestamp("2031-01-01", tz="UTC")
    study = ds.event_study(y, dates, tests="kp_bmp", **OPTIONS)
    reasons = study.by_asset["reason"].droplevel("event")
    assert reasons["Z"] == "not in the outcome"
    assert reasons["D"] == "0 rows after the event, the window needs 2"
    assert reasons["E"] == "no variation in the estimation window"
    assert reasons["F"] == "in no row; its rows run from 2019-06-06 to 2019-08-23"
    assert reasons["G"] == "in no row; its rows run from 2018-01-01 to 2019-08-23"
    assert set(study.abnormal) == {"A", "B", "C", "H"}
    assert study.by_asset["abnormal"].isna().sum() == 5
    assert any("left out" in note for note in study.notes)


def test_tables_of_any_kind():
    y, dates = market(), spread()
    plain = ds.event_study(y, dates, tests="kp_bmp", **OPTIONS).tests
    mapping = dates.to_dict() | {"A": ds.Episode.from_dates(dates["A"], name="split")}
    frame = dates.rename_axis("firm").rename("Event").reset_index()
    for events in (mapping, frame, pl.from_pandas(frame.assign(Event=frame["Event"].dt.tz_localize(None)))):
        pd.testing.assert_frame_equal(ds.event_study(y, events, tests="kp_bmp", **OPTIONS).tests, plain)
    with pytest.raises(DataError, match=r"column of assets .* columns are a, b"):
        ds.event_study(y, pd.DataFrame({"a": ["A"], "b": [DAYS[300]]}))
    with pytest.raises(DataError, match="No event came"):
        ds.event_study(y, {})
    for events in ({"Q": DAYS[300]}, {"A": [[DAYS[300]]]}, {"A": pd.NaT}, {"A": "soon"}):
        with pytest.raises(DataError, match="None of the 1 events"):
            ds.event_study(y, events)
    with pytest.raises(DataError, match=r"1 of 1 events can be used and a test needs two"):
        ds.event_study(y, {"A": DAYS[300]})
    with pytest.raises(OptionError, match="needs one date"):
        ds.event_study(y, dates, "dcc", market=y["A"])
    table = pd.DataFrame({"onset": DAYS[[300, 400]], "source": ["A", "B"]})
    assert len(ds.event_study(y, table, tests="kp_bmp", **OPTIONS).by_event) == 2  # as `episodes_table` gives it
    several = ds.event_study(y, pd.Series(DAYS[[300, 400]]), tests="kp_bmp", **OPTIONS)
    assert len(several.by_event) == 2  # a Series whose labels are no assets is a list of dates


def test_tests_of_the_literature_say_that_they_line_up_by_event_time():
    study = ds.event_study(market(), spread(), tests=("kp_bmp", "patell"), **OPTIONS)
    assert any("patell line events up by rows" in note for note in study.notes)
    assert study.tests.loc["patell", "reference"] == "normal"


def test_nothing_after_the_event_windows_counts():
    y, dates = market(), spread()
    one = ds.event_study(y, dates, **OPTIONS)
    changed = y.copy()
    for name in NAMES:
        changed.loc[DAYS[DAYS.get_loc(dates[name]) + 3] :, name] *= 1e6
    two = ds.event_study(changed, dates, **OPTIONS)
    pd.testing.assert_frame_equal(one.tests, two.tests, rtol=1e-9)
    pd.testing.assert_frame_equal(one.by_asset, two.by_asset, rtol=1e-9)


def test_placebo_dates_keep_off_the_events_of_their_asset():
    y = market(rho=0.0)
    y.loc[DAYS[300], "A"] += 50.0
    own = ds.event_study(y, {"A": [DAYS[300], DAYS[500]], "B": [DAYS[310], DAYS[510]]}, **OPTIONS)
    windows = own.worked_out[0].again()
    assert np.abs(windows.event[..., 1][windows.usable[:, 1]]).max() < 25.0
    assert len(own.placebos) > 100


@pytest.mark.slow
def test_rejections_of_a_true_null_with_dates_that_overlap_in_part():
    """Firms in one industry, dates within a few days of each other: without the calendar BMP rejects too often."""
    rng = np.random.default_rng(8)
    rejected = {"kp_bmp": 0, "bmp": 0}
    for _ in range(120):
        y = pd.DataFrame(
            0.8 * rng.standard_normal((130, 1)) + 0.6 * rng.standard_normal((130, 12)), DAYS[:130], list("ABCDEFGHIJKL")
        )
        dates = pd.Series(DAYS[rng.integers(120, 125, 12)], y.columns)
        tests = ds.event_study(y, dates, estimation=(-100, -1), window=(0, 4), tests=("kp_bmp", "bmp")).tests
        for name in rejected:
            rejected[name] += tests.loc[name, "p_value"] < 0.05
    # 120 draws at 5 %: three binomial standard errors are 6 points.
    assert rejected["kp_bmp"] / 120 < 0.11
    assert rejected["bmp"] / 120 > 0.25
