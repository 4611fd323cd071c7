"""The record: the user's own dates, round trip, card, table, catalogue."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError, OptionError
from tests.markets import calm_log_illiquidity, illiquidity_frame, plant


def detected():
    frame = illiquidity_frame(plant(calm_log_illiquidity(np.random.default_rng(0), 500, 6), 300))
    return ds.detect_episodes(frame)[0]


def test_from_dates_reads_naive_stamps_as_utc():
    e = ds.Episode.from_dates("2020-03-12", pd.Timestamp("2020-03-20T02:00+02:00"))
    assert e.onset == pd.Timestamp("2020-03-12", tz="UTC")
    assert e.end == pd.Timestamp("2020-03-20", tz="UTC")
    assert e.recovered
    assert not e.is_open
    assert ds.Episode.from_dates("2020-03-12").is_open


def test_source_shares_are_scaled_to_one():
    e = ds.Episode.from_dates("2020-03-12", source={"BTC": 3, "ETH": 1})
    assert e.source.to_dict() == {"BTC": 0.75, "ETH": 0.25}
    assert not e.source_identified


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"onset": "yesterday-ish"}, "not a date"),
        ({"onset": None}, "needs an onset"),
        ({"onset": "2020-03-12", "end": "2020-03-11"}, "lies before the onset"),
        ({"onset": "2020-03-12", "source": {"A": -1.0}}, "positive"),
    ],
)
def test_bad_dates_are_sentences(arguments, message):
    with pytest.raises(DataError, match=message):
        ds.Episode.from_dates(**arguments)


def test_json_round_trip():
    for e in (detected(), ds.Episode.from_dates("2010-05-06", source="ES", name="Flash crash")):
        again = ds.Episode.from_dict(json.loads(json.dumps(e.to_dict())))
        assert again == e
        assert repr(again) == repr(e)
    assert detected() != ds.Episode.from_dates("2020-01-01")


def test_records_are_frozen():
    with pytest.raises(AttributeError):
        detected().breadth = 0.0


def test_the_card_says_what_was_known_and_what_the_evidence_is():
    card = repr(detected())
    for word in (
        "source",
        "not identified",
        "onset",
        "known to an observer",
        "breadth",
        "depth",
        "exit cost",
        "recovery",
        "evidence",
    ):
        assert word in card
    assert "nan" not in card
    assert "not measured (needs a book, or prices and volumes above the notional)" in card
    assert "nan" not in repr(ds.Episode.from_dates("2020-03-12"))


def test_table_keeps_order_and_is_empty_without_episodes():
    table = ds.episodes_table([detected(), ds.Episode.from_dates("2010-05-06")])
    assert len(table) == 2
    assert table.loc[1, "onset"] == pd.Timestamp("2010-05-06", tz="UTC")
    assert list(ds.episodes_table([]).columns) == list(table.columns)


def test_catalogue_is_in_time_order_with_references():
    everything = ds.episode_catalogue()
    onsets = [e.onset for e in everything]
    assert onsets == sorted(onsets)
    assert all(e.reference and e.end >= e.onset and e.evidence == "documented" for e in everything)
    assert {e.name for e in ds.episode_catalogue("crypto")} < {e.name for e in everything}
    with pytest.raises(OptionError, match="'equity'"):
        ds.episode_catalogue("moon")


def test_documented_episodes_come_back_from_json_as_such():
    told = ds.episode_catalogue()
    back = ds.episodes_from_json(ds.episodes_to_json(told))
    assert back == told
    assert [repr(e) for e in back] == [repr(e) for e in told]
    # Controls that came back as plain episodes would count as drains that were missed.
    assert ds.compare_episodes([], back).summary.equals(ds.compare_episodes([]).summary)
    assert ds.Episode.from_json(told[0].to_json()).classes == told[0].classes


@pytest.mark.parametrize(
    ("field", "value"),
    [("members", 5), ("members", "BTC"), ("source", 5), ("member_table", {"a": 1}), ("flight", {"a": 1}),
     ("half_life", "x"), ("arrivals", "x"), ("onset", 5), ("notes", True)],
)  # fmt: skip
def test_json_that_is_no_episode_is_a_sentence(field, value):
    values = ds.Episode.from_dates("2020-03-12", source="BTC").to_dict()
    with pytest.raises(DataError, match=field):
        ds.Episode.from_dict({**values, field: value})


@pytest.mark.parametrize("given", [None, 5, ds.Episode.from_dates("2020-03-12"), "2020-03-12", ["2020-03-12"]])
def test_what_is_no_list_of_episodes_is_a_sentence(given):
    for taken in (ds.compare_episodes, ds.episodes_table, ds.episodes_to_json):
        with pytest.raises(DataError, match="came; "):
            taken(given)


def test_numbers_are_no_dates_and_one_member_is_no_list_of_letters():
    with pytest.raises(DataError, match="onset=20200312 is not a date"):
        ds.Episode.from_dates(20200312)
    assert ds.Episode.from_dates("2020-03-12", float("nan"), members="BTC").members == ("BTC",)
