"""Alarms, lead times and counts on hand-made cases; the indicator; bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError, OptionError
from drainstats.signals.alarms import starts
from tests.markets import calm_log_illiquidity, illiquidity_frame, plant

DAYS = pd.date_range("2018-01-01", periods=1000, tz="UTC")


def quiet(*alarms):
    """A signal that is flat but for the rows given."""
    x = pd.Series(np.linspace(0.1, 0.0, 1000), DAYS, name="s")
    for row in alarms:
        x.iloc[row] = 10.0 + row / 1000
    return x


def episode(row, length=5):
    return ds.Episode.from_dates(DAYS[row], DAYS[row + length])


def row_of(result):
    assert len(result.table) == 1
    return result.table.iloc[0]


def test_an_alarm_before_the_onset_is_a_warning_with_its_lead():
    result = ds.backtest_signals(quiet(590), [episode(600)], horizon=20)
    row = row_of(result)
    assert (row["events"], row["warned"], row["recall"], row["precision"]) == (1, 1, 1.0, 1.0)
    # Known at the end of row 590, which is the start of row 591: nine bars before the onset of row 600.
    assert row["lead_median"] == 9
    assert row["false_alarms_per_year"] == 0
    assert result.alarms["kind"].tolist() == ["warning"]


def test_what_is_known_exactly_at_the_onset_is_the_last_warning():
    last = ds.backtest_signals(quiet(599), [episode(600)]).alarms
    assert last[["kind", "lead"]].to_numpy().tolist() == [["warning", 0]]
    late = ds.backtest_signals(quiet(600), [episode(600)]).alarms
    assert late[["kind", "lead"]].to_numpy().tolist() == [["coincident", -1]]
    late = pd.Series(DAYS + pd.Timedelta("36h"), index=DAYS)
    assert ds.backtest_signals(quiet(599), [episode(600)], available_at=late).alarms["kind"].tolist() == ["coincident"]


def test_the_earliest_member_counts():
    e = ds.Episode.from_dict(episode(600).to_dict() | {"arrivals": {"A": DAYS[595].isoformat()}})
    assert ds.backtest_signals(quiet(597), [e]).alarms["kind"].tolist() == ["coincident"]


def test_alarms_too_early_or_after_are_false():
    result = ds.backtest_signals(quiet(500, 700, 900), [episode(600)], horizon=20)
    assert result.alarms["kind"].tolist() == ["false alarm"] * 3
    years = (DAYS[-1] - DAYS[252]) / pd.Timedelta("365.25D")  # no threshold, no alarm, before 252 values
    assert row_of(result)["false_alarms_per_year"] == pytest.approx(3 / years)
    assert row_of(result)["verdict"] == "not shown to lead"


def test_one_long_alarm_counts_once():
    active = np.zeros(50, dtype=bool)
    active[[5, 6, 7, 10, 30, 31]] = True
    assert starts(active, 5).tolist() == [5, 30]
    assert starts(active, 1).tolist() == [5, 10, 30]
    assert starts(np.zeros(3, dtype=bool), 1).tolist() == []


def test_several_sets_side_by_side_say_who_shares_inputs():
    frame = illiquidity_frame(plant(calm_log_illiquidity(np.random.default_rng(0), 1000, 6), 600))
    found = ds.detect_episodes(frame)
    result = ds.backtest_signals(quiet(590), {"detected": found, "documented": [episode(600)]})
    shares = result.table["shares_inputs"].droplevel("signal")
    assert shares.to_dict() == {"detected": True, "documented": False}
    assert any("flatters" in note for note in result.notes)
    assert "verdict" in repr(result)


def test_thresholds_come_from_the_past():
    x = pd.Series(np.random.default_rng(0).normal(size=400), DAYS[:400])
    alarms = ds.signals.threshold_alarms(x, 0.8, min_history=50)
    for t in (60, 200, 399):
        assert alarms.iloc[t] == (x.iloc[t] > np.quantile(x.iloc[:t], 0.8))
    assert not alarms.iloc[:50].any()


def test_a_leading_signal_is_called_leading_and_noise_is_not():
    rng = np.random.default_rng(1)
    onsets = [400, 550, 700, 850]
    x = pd.Series(rng.normal(size=1000), DAYS)
    assert row_of(ds.backtest_signals(x, [episode(k) for k in onsets]))["verdict"] != "leading"
    for k in onsets:
        x.iloc[k - 12 : k] += 4.0
    assert row_of(ds.backtest_signals(x, [episode(k) for k in onsets]))["verdict"] == "leading"


def test_a_signal_too_short_for_a_threshold_has_no_rate_of_false_alarms():
    result = ds.backtest_signals(quiet(590), [episode(600)], min_history=2000)
    assert np.isnan(row_of(result)["false_alarms_per_year"])
    assert result.alarms.empty


def test_no_event_in_the_span_is_a_row():
    row = row_of(ds.backtest_signals(quiet(500), [ds.Episode.from_dates("1987-10-19", "1987-10-30")]))
    assert row["verdict"] == "no event in the span"
    assert np.isnan(row["p_value"])
    assert row_of(ds.backtest_signals(quiet(500), []))["events"] == 0


@pytest.mark.parametrize(
    ("signal", "message"),
    [
        (quiet(5).reset_index(drop=True), "DatetimeIndex"),
        (pd.concat([quiet(5), quiet(5)]), "stands twice"),
        (quiet(5).iloc[::-1], "not in time order"),
        (quiet(5).astype(object).replace(0.1, "x"), "not a number"),
        ([1.0, 2.0], "DatetimeIndex"),
        (quiet(5) * np.nan, "has no value"),
    ],
)
def test_bad_signals_are_sentences(signal, message):
    with pytest.raises(DataError, match=message):
        ds.backtest_signals(signal, [episode(600)])


def test_one_episode_will_do_and_dates_will_not():
    assert row_of(ds.backtest_signals(quiet(590), episode(600)))["warned"] == 1
    with pytest.raises(DataError, match="make one with"):
        ds.backtest_signals(quiet(590), ["2019-08-24"])


@pytest.mark.parametrize(
    "option",
    [
        {"horizon": 0}, {"horizon": 2.5}, {"horizon": "a"}, {"refractory": -1}, {"quantile": 1.2}, {"min_history": 2.5},
        {"level": 0}, {"level": 2}, {"shared_inputs": {"other": True}},
    ],
)  # fmt: skip
def test_bad_options_are_sentences(option):
    with pytest.raises(OptionError, match=next(iter(option))):
        ds.backtest_signals(quiet(590), [episode(600)], **option)


@pytest.mark.parametrize("episodes", [None, {"detected": None}, "2019-08-24", 5])
def test_what_is_no_episode_is_a_sentence(episodes):
    with pytest.raises(DataError, match="Episodes are needed"):
        ds.backtest_signals(quiet(590), episodes)


def test_alarms_of_arrays_and_tables():
    x = np.random.default_rng(0).normal(size=300)
    expected = ds.signals.threshold_alarms(pd.Series(x)).to_numpy()
    for given in (x, list(x), pd.DataFrame({"a": x})):
        np.testing.assert_array_equal(ds.signals.threshold_alarms(given), expected)
    with pytest.raises(DataError, match="2 columns"):
        ds.signals.threshold_alarms(np.ones((300, 2)))


def test_availability_must_cover_the_signal():
    with pytest.raises(DataError, match="available_at lacks"):
        ds.backtest_signals(quiet(5), [episode(600)], available_at=pd.Series(DAYS[:10], index=DAYS[:10]))


def test_co_liquidity_level_rises_when_correlation_does():
    rng = np.random.default_rng(4)
    common = rng.normal(size=(700, 1))
    weight = np.where(np.arange(700)[:, None] < 400, 0.1, 0.9)
    moves = np.sqrt(weight) * common + np.sqrt(1 - weight) * rng.normal(size=(700, 4))
    level = ds.signals.CoLiquidityLevel(min_rows=200, max_rows=300, method="none").transform(moves)
    assert level.iloc[650:].mean() > level.iloc[250:390].mean() + 0.3
    assert level.iloc[:199].isna().all()
    assert level.iloc[199:].notna().all()


def test_co_liquidity_level_takes_ragged_panels_and_reports_fits():
    frame = illiquidity_frame(calm_log_illiquidity(np.random.default_rng(5), 700, 4))
    frame.iloc[:350, 0] = np.nan
    frame.iloc[450, 1] = np.nan
    spec = ds.signals.CoLiquidityLevel(min_rows=200, max_rows=300, refit_every=100)
    fits = spec.refits(frame)
    assert fits["assets"].tolist()[:2] == [3, 3]
    assert fits["assets"].iloc[-1] == 4
    level = spec.transform(frame)
    assert level.iloc[[450, 451]].isna().all()  # the innovation of 451 needs row 450 too


def test_co_liquidity_level_does_not_depend_on_the_workers():
    frame = illiquidity_frame(calm_log_illiquidity(np.random.default_rng(5), 400, 3))
    spec = ds.signals.CoLiquidityLevel(min_rows=200, max_rows=300, refit_every=50)
    pd.testing.assert_series_equal(spec.transform(frame), spec.transform(frame, n_jobs=2), check_exact=True)


def test_co_liquidity_level_that_cannot_be_fitted_is_a_row_with_a_reason():
    frame = illiquidity_frame(calm_log_illiquidity(np.random.default_rng(5), 400, 3))
    frame.iloc[150:260, :2] = np.nan
    fits = ds.signals.CoLiquidityLevel(min_rows=200, max_rows=300, refit_every=50).refits(frame)
    assert "1 assets are complete" in fits["why"].iloc[0]


@pytest.mark.parametrize("options", [{"min_rows": 5}, {"max_rows": 100}, {"method": "ar_residual"}, {"refit_every": 0}])
def test_bad_specs_are_sentences(options):
    with pytest.raises(OptionError):
        ds.signals.CoLiquidityLevel(**options)


def test_too_few_rows_or_assets():
    with pytest.raises(DataError, match="needs at least two"):
        ds.signals.CoLiquidityLevel().transform(np.ones((300, 1)))
    with pytest.raises(DataError, match="needs more than min_rows"):
        ds.signals.CoLiquidityLevel().transform(np.ones((100, 2)))
