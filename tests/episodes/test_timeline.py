"""The timeline: what is drawn, in which order, and for which episodes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError
from tests.markets import calm_log_illiquidity, illiquidity_frame, plant

FRAME = illiquidity_frame(plant(calm_log_illiquidity(np.random.default_rng(0), 400, 6), 300, size=9.0, lead=(4, 3)))


def test_members_stand_in_order_of_arrival_with_the_marks():
    e = ds.detect_episodes(FRAME)[-1]
    figure = ds.plot_episode(e, FRAME)
    heat, breadth, stress, _ = figure.axes
    assert [t.get_text() for t in heat.get_yticklabels()][: len(e.members)] == list(e.members)
    assert [t.get_text() for t in breadth.get_legend().get_texts()] == ["onset", "alarm", "trough", "end"]
    assert stress.get_ylabel() == "median stress"
    drawn = breadth.get_lines()[0].get_ydata()
    assert max(drawn) == pytest.approx(e.breadth)


def test_open_told_and_single_episodes_are_drawn():
    still = ds.detect_episodes(FRAME.iloc[:304])[-1]
    assert still.is_open
    assert len(ds.plot_episode(still, FRAME.iloc[:304], before=5, after=0).axes) == 4
    told = ds.Episode.from_dates(FRAME.index[299], FRAME.index[305], name="Told")
    assert ds.plot_episode(told, FRAME).axes[0].get_title() == "Told"
    assert len(ds.plot_episode(told, FRAME[["A0"]]).axes) == 4


def test_an_episode_outside_of_the_data_is_refused():
    with pytest.raises(DataError, match="outside of the data"):
        ds.plot_episode(ds.Episode.from_dates(FRAME.index[-1] + pd.Timedelta("9D")), FRAME)


def test_members_are_followed_on_the_clock_of_the_detector():
    market = ds.simulate.drain(seed=2, freq="h", rows=500, onset=380)
    options = {"baseline": "20D", "clock_within": "12h"}
    (found, *_) = ds.detect_episodes(market.panel, **options)
    (longer,) = ds.follow_members([found], market.panel, bars=30, **options)
    pd.testing.assert_series_equal(longer.member_table["depth"], found.member_table["depth"])
    figure = ds.plot_episode(found, market.panel, before=5, after=5, **options)
    stress = figure.axes[0].collections[0].get_array()
    assert stress.count() > 0.9 * stress.size, "with bars of the same hour alone there is no baseline"
