"""Detected beside documented: planted lists with a hand-made truth, every pairing by brute force, invariants."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.episodes.catalogue import DocumentedEpisode
from drainstats.episodes.matching import Fall, best_pairs
from drainstats.errors import DataError, OptionError

DAY = pd.Timedelta("1D")
FIRST = pd.Timestamp("2020-01-01", tz="UTC")


def call(onset, trough=None, end=None, **more):
    """A detected episode: alarm one bar after the onset."""
    e = ds.Episode.from_dates(onset, end, trough=trough or onset)
    return replace(e, detected_at=e.onset + DAY, evidence="price range", kind="flash", **more)


def told(onset, trough=None, end=None, **more):
    e = DocumentedEpisode.from_dates(onset, end, trough=trough, members=more.pop("members", ("equity",)))
    return replace(e, **{"onset_precision": "day", "trough_precision": "day", "end_precision": "day"} | more)


def statuses(comparison):
    return comparison.table["status"].tolist()


def test_a_planted_truth():
    detected = [call("2020-01-02"), call("2020-02-10"), call("2020-03-05"), call("2020-04-01")]
    documented = [
        told("2020-01-01", "2020-01-08", name="A"),
        told("2020-02-20", "2020-02-25", name="B"),
        told("2020-03-04", name="C", control=True),
        told("2020-05-01", name="D", control=True),
    ]
    result = ds.compare_episodes(detected, documented)
    assert statuses(result) == ["hit", "extra", "miss", "control called", "extra", "control quiet"]
    hit = result.table.iloc[0]
    assert hit["onset_error"] == pd.Timedelta(0), "a day and the day after touch"
    assert hit["onset_error_bars"] == 1
    assert hit["trough_error"] == -5 * DAY
    assert hit["trough_error_bars"] == -6
    assert hit["alarm_delay"] == 2 * DAY
    counts = result.summary[["count", "of"]].astype(int)
    assert counts.loc["drains found"].tolist() == [1, 2]
    assert counts.loc["calls that match"].tolist() == [1, 4]
    assert counts.loc["controls called"].tolist() == [1, 2]
    assert "drains found        1 of 2 (50%" in repr(result)


@pytest.mark.parametrize(
    ("detected", "documented", "precision", "bar", "days", "bars"),
    [
        ("2020-03-12", "2020-03-12T10:00Z", "hour", "1D", 0.0, 0),
        ("2020-03-12T10:00Z", "2020-03-12", "day", "1h", 0.0, 0),
        ("2020-03-13", "2020-03-12T22:30Z", "minute", "1D", 1.5 / 24 - 1 / 1440, 1),
        ("2020-03-11", "2020-03-12T22:30Z", "minute", "1D", -22.5 / 24, -1),
        ("2020-03-13T00:00Z", "2020-03-12", "day", "1h", 0.0, 1),
        ("2020-03-13T05:00Z", "2020-03-12", "day", "1h", 5 / 24, 6),
        ("2020-03-12T09:00Z", "2020-03-12T10:00:03Z", "second", "1h", -3 / 86400, -1),
        ("2020-03-20", "2020-03-01", "month", "1D", 0.0, 0),
    ],
)
def test_errors_count_from_where_the_stamps_end(detected, documented, precision, bar, days, bars):
    one = ds.compare_episodes([call(detected)], [told(documented, onset_precision=precision)], bar=bar)
    assert statuses(one) == ["hit"]
    assert one.table["onset_error"].iloc[0] / DAY == pytest.approx(days, abs=1e-9)
    assert one.table["onset_error_bars"].iloc[0] == bars


def test_more_pairs_win_over_nearer_ones():
    """The nearest pair alone (13 and 14 January) would leave both others without a partner."""
    detected = [call("2020-01-13"), call("2020-01-18")]
    documented = [told("2020-01-09", name="A"), told("2020-01-14", name="B")]
    result = ds.compare_episodes(detected, documented, "3D")
    assert statuses(result) == ["hit", "hit"]
    assert result.table["onset_error"].tolist() == [3 * DAY, 3 * DAY]
    assert result.table["onset_error_bars"].tolist() == [4.0, 4.0]


def _total(pairs, far):
    return len(pairs), -sum(far[i, j] for i, j in pairs)


def test_pairings_are_the_best_of_all():
    rng = np.random.default_rng(7)
    for _ in range(30):
        n, m = rng.integers(1, 5, 2)
        ours, theirs = (
            [Fall.of(told(FIRST + int(d) * DAY, FIRST + int(d + w) * DAY)) for d, w in rng.integers(0, 12, (k, 2))]
            for k in (n, m)
        )
        slack = int(rng.integers(0, 5)) * DAY
        far = np.array([[max(abs((a.onset - b.onset) / DAY) - 1, 0) for b in theirs] for a in ours])
        falls = np.array([[max((a.onset - b.until) / DAY, (b.onset - a.until) / DAY, 0) for b in theirs] for a in ours])
        may = falls <= slack / DAY
        best = (0, 0.0)
        for order in permutations(range(max(n, m)), int(n)):
            pairs = [(i, j) for i, j in enumerate(order) if j < m and may[i, j]]
            best = max(best, _total(pairs, far))
        found = best_pairs(ours, theirs, "fall", slack)
        assert all(may[i, j] for i, j in found)
        assert len({i for i, _ in found}) == len({j for _, j in found}) == len(found)
        assert _total(found, far) == pytest.approx(best)


@pytest.fixture(scope="module")
def lists():
    rng = np.random.default_rng(1)
    detected = [call(FIRST + int(d) * DAY, FIRST + int(d + w) * DAY) for d, w in rng.integers(1, 90, (12, 2))]
    documented = [
        told(FIRST + int(d) * DAY, FIRST + int(d + w) * DAY, name=str(k))
        for k, (d, w) in enumerate(rng.integers(1, 90, (9, 2)))
    ]
    return detected, documented


def test_the_order_of_the_lists_does_not_matter(lists):
    detected, documented = lists
    one = ds.compare_episodes(detected, documented)
    other = ds.compare_episodes(detected[::-1], documented[::-1])
    assert one.summary.equals(other.summary)
    assert one.table["onset_error"].abs().sum() == other.table["onset_error"].abs().sum()


def test_time_has_no_origin(lists):
    shift = pd.Timedelta("1234D")

    def moved(e):
        return replace(e, onset=e.onset + shift, trough=e.trough + shift, detected_at=e.detected_at + shift)

    one = ds.compare_episodes(*lists)
    other = ds.compare_episodes(*([moved(e) for e in episodes] for episodes in lists))
    same = ["status", "name", "onset_error", "trough_error", "alarm_delay", "overlap"]
    pd.testing.assert_frame_equal(one.table[same], other.table[same])


def test_a_larger_tolerance_finds_no_less(lists):
    found = [ds.compare_episodes(*lists, f"{d}D").summary.at["drains found", "count"] for d in range(0, 30, 5)]
    assert found == sorted(found)
    strict = ds.compare_episodes(*lists, reach="onset").summary.at["drains found", "count"]
    assert strict <= ds.compare_episodes(*lists).summary.at["drains found", "count"]


def test_only_what_the_data_cover_takes_part():
    documented = [
        told("2020-01-10", name="shares"),
        told("2020-01-20", name="coins", members=("crypto",)),
        told("2021-01-10", name="later"),
    ]
    span = ("2020-01-01", "2020-12-31")
    pair = ds.compare_episodes([], documented, coverage=span)
    assert pair.table["name"].tolist() == ["shares", "coins"]
    assert any("1 of 3 documented episodes lie outside" in note for note in pair.notes)
    coins = ds.compare_episodes([call("2021-06-01")], documented, coverage={"crypto": span})
    assert coins.table["name"].tolist() == ["coins"], "a call outside the span is none"
    both = ds.compare_episodes([], documented, coverage={"crypto": span, "equity": ("2021-01-01", "2021-02-01")})
    assert both.table["name"].tolist() == ["coins", "later"]
    assert any("no coverage" in note for note in ds.compare_episodes([], documented).notes)


@pytest.mark.parametrize(("k", "n"), [(0, 4), (1, 4), (4, 4), (7, 20)])
def test_intervals_are_clopper_and_pearsons(k, n):
    from statsmodels.stats.proportion import proportion_confint

    documented = [told(FIRST + 20 * i * DAY) for i in range(n)]
    detected = [call(FIRST + 20 * i * DAY) for i in range(k)]
    row = ds.compare_episodes(detected, documented, level=0.9).summary.loc["drains found"]
    assert row[["low", "high"]].tolist() == pytest.approx(proportion_confint(k, n, 0.1, "beta"), abs=1e-12)


def test_source_overlap_and_shared_inputs():
    own = call("2020-01-10", end="2020-01-13", source=pd.Series({"UST": 0.6, "btc": 0.4}))
    facts = told("2020-01-12", end="2020-01-15", source_assets=("ust", "LUNA"), onset_checked="data")
    row = ds.compare_episodes([own], [facts]).table.iloc[0]
    assert row["source_share"] == pytest.approx(0.6)
    # 10 to 13 and 12 to 15 January, last days included: two days of six.
    assert row["overlap"] == pytest.approx(2 / 6)
    assert row["shares_inputs"]
    assert np.isnan(ds.compare_episodes([own], [told("2020-01-12")]).table["source_share"].iloc[0])
    mine = ds.Episode.from_dates("2020-01-12", source="BTC")
    row = ds.compare_episodes([own], [mine]).table.iloc[0]
    assert row["source_share"] == pytest.approx(0.4)
    assert np.isnan(row["overlap"]), "one of them is open"
    assert not row["shares_inputs"]
    apart = ds.compare_episodes([own], [told("2020-01-15", end="2020-01-16")]).table.iloc[0]
    assert apart["overlap"] == 0.0


def test_labels_cut_from_data_are_said_to_be():
    result = ds.compare_episodes([call("2020-01-10")], [call("2020-01-10")])
    assert any("themselves cut from data" in note for note in result.notes)
    assert result.table["shares_inputs"].all()


def test_empty_lists_have_rows_and_no_shares():
    nothing = ds.compare_episodes([], [])
    assert nothing.table.empty
    assert nothing.summary["share"].isna().all()
    assert "0 of 0" in repr(nothing)
    assert statuses(ds.compare_episodes([], [told("2020-01-10")])) == ["miss"]
    assert statuses(ds.compare_episodes([call("2020-01-10")], [])) == ["extra"]


def test_the_catalogue_is_the_default():
    result = ds.compare_episodes([call("2020-03-12")])
    assert len(result.documented) == 46
    assert result.table.loc[result.table["status"] == "hit", "key"].tolist() == ["crypto-black-thursday-2020"]


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"tolerance": 5}, OptionError, "length of time"),
        ({"tolerance": "-1D"}, OptionError, "length of time"),
        ({"reach": "trough"}, OptionError, "'fall'"),
        ({"bar": "0D"}, OptionError, "no length"),
        ({"level": 1.5}, OptionError, "level"),
        ({"coverage": "2020"}, DataError, "pair of dates"),
        ({"coverage": {"crypto": ("x", "y")}}, DataError, "pair of dates"),
        ({"coverage": ("2021-01-01", "2020-01-01")}, DataError, "later last one"),
        ({"coverage": (None, "2020-01-01")}, DataError, "later last one"),
        ({"catalogue": ["2020-01-01"]}, DataError, "Episodes are needed"),
    ],
)
def test_bad_input_is_a_sentence(arguments, error, words):
    with pytest.raises(error, match=words):
        ds.compare_episodes([call("2020-01-10")], **{"catalogue": [], **arguments})


def test_the_timeline_joins_the_pairs():
    import matplotlib.pyplot as plt

    detected = [call("2020-01-02"), call("2020-02-10")]
    ax = ds.compare_episodes(detected, [told("2020-01-01", name="A"), told("2020-04-01", name="B")]).plot()
    assert [len(line.get_xdata()) for line in ax.lines[:3]] == [2, 1, 1]
    assert {t.get_text() for t in ax.texts} == {"A", "B"}
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["hit", "miss", "extra"]
    empty = ds.compare_episodes([], []).plot(plt.figure().add_subplot())
    assert not empty.texts
    plt.close("all")
