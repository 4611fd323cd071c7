"""Logarithms of illiquidity with zeros and ties: order, units, what is counted, nothing that looks ahead."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import drainstats as ds
from drainstats.errors import DataError, OptionError

TICK = 0.01
RULES = [
    {"zeros": "missing"}, {"zeros": "offset"}, {"zeros": "asinh"}, {"zeros": "offset", "ties": "scores"},
    {"zeros": "missing", "ties": "scores"}, {"ties": "jitter", "tick": TICK},
]  # fmt: skip


@pytest.fixture
def spreads():
    """Heavy-tailed spreads on a grid of ticks, a fifth of them zero, some missing."""
    rng = np.random.default_rng(3)
    x = np.round(np.exp(rng.standard_normal((200, 3)) - 4.0) * (rng.random((200, 3)) > 0.2) / TICK) * TICK
    x[rng.random((200, 3)) < 0.05] = np.nan
    return pd.DataFrame(x, columns=list("ABC"), index=pd.date_range("2020-01-01", periods=200, tz="UTC"))


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("history", [None, 60])
def test_order_is_kept_and_missing_stays_missing(spreads, rule, history):
    out = ds.log_illiquidity(spreads, history=history, **rule)
    for name in spreads:
        pair = pd.DataFrame({"x": spreads[name], "y": out[name]}).dropna()
        assert (out[name].isna() | spreads[name].notna()).all()
        # Expanding ranks keep the order among rows of one moment only: the last row against the ones before it.
        if rule.get("ties") == "scores" and history:
            below = (spreads[name].dropna() < spreads[name].dropna().iloc[-1]).mean()
            assert stats.norm.cdf(out[name].dropna().iloc[-1]) >= below - 1e-12 or rule["zeros"] == "missing"
            continue
        for level, group in pair.groupby("x"):
            higher = pair.loc[pair["x"] > level, "y"]
            assert higher.empty or group["y"].max() < higher.min()
        if rule.get("ties") != "jitter":
            assert (pair.groupby("x")["y"].nunique() == 1).all()


@pytest.mark.parametrize("rule", RULES[:3], ids=str)
def test_a_unit_adds_its_logarithm(spreads, rule):
    base = ds.log_illiquidity(spreads, **rule)
    np.testing.assert_allclose(ds.log_illiquidity(1e4 * spreads, **rule), base + np.log(1e4), atol=1e-11)
    large = ds.log_illiquidity(1e4 * spreads + 1.0, zeros=rule["zeros"], offset=1e-3)
    # c = 1e-3 against x of one or more.
    np.testing.assert_allclose(large, np.log(1e4 * spreads + 1.0), atol=1.1e-3)


def test_values_by_hand(spreads):
    x = spreads["A"].to_numpy()
    c = 0.5 * np.nanmin(np.where(x[:60] > 0.0, x[:60], np.nan))
    offset = ds.log_illiquidity(spreads["A"], zeros="offset")
    assert offset.attrs["offset"] == {"A": c}
    np.testing.assert_allclose(offset[60:], np.log(x[60:] + c), atol=1e-14)
    assert offset[:60].isna().all()
    asinh = ds.log_illiquidity(x - 0.02, zeros="asinh", offset=0.5)
    np.testing.assert_allclose(asinh, np.log(0.5) + np.arcsinh(x - 0.02), atol=1e-14)
    scores = ds.log_illiquidity(x, zeros="offset", ties="scores", history=None)
    there = x[np.isfinite(x)]
    for value, score in zip(x, scores, strict=True):
        if np.isfinite(value):
            rank = (there < value).sum() + 0.5 * ((there == value).sum() + 1)
            assert score == pytest.approx(stats.norm.ppf((rank - 0.5) / len(there)), abs=1e-12)
    expanding = ds.log_illiquidity(x, zeros="offset", offset=1.0, ties="scores", history=80)
    for t in (80, 123, 199):
        seen = x[: t + 1][np.isfinite(x[: t + 1])]
        rank = (seen < x[t]).sum() + 0.5 * ((seen == x[t]).sum() + 1)
        assert expanding[t] == pytest.approx(stats.norm.ppf((rank - 0.5) / len(seen)), abs=1e-12)


def test_jitter_stays_within_the_tick(spreads):
    out = np.exp(ds.log_illiquidity(spreads, ties="jitter", tick=TICK))
    move = (out - spreads).to_numpy() / TICK
    assert np.nanmax(np.abs(move)) < 0.5
    assert (move[spreads.to_numpy() == 0.0] > 0.0).all()
    even = move[spreads.to_numpy() > 0.0] + 0.5
    assert stats.kstest(even, "uniform").pvalue > 0.01
    pd.testing.assert_frame_equal(out, np.exp(ds.log_illiquidity(spreads, ties="jitter", tick=TICK)))
    assert not out.equals(np.exp(ds.log_illiquidity(spreads, ties="jitter", tick=TICK, seed=1)))
    swapped = ds.log_illiquidity(spreads[["C", "A"]], ties="jitter", tick={"A": TICK, "C": TICK})
    np.testing.assert_allclose(swapped["A"], np.log(out["A"]), atol=1e-12)
    assert out["A"].dropna().is_unique


def test_scores_do_not_depend_on_the_unit_or_a_monotone_change(spreads):
    for history in (None, 60):
        base = ds.log_illiquidity(spreads, zeros="offset", ties="scores", history=history)
        other = ds.log_illiquidity(np.sqrt(spreads) * 7.0, zeros="offset", ties="scores", history=history)
        pd.testing.assert_frame_equal(base, other)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_what_says_that_it_is_causal_is(spreads, rule):
    def transform(x):
        return ds.log_illiquidity(x, **rule)

    assert transform(spreads).attrs["causal"]
    ds.causal.assert_causal(transform, spreads, cuts=40, min_rows=61)
    if len(rule) > 1 or rule["zeros"] != "missing":
        taken = ds.log_illiquidity(spreads, history=None, **rule)
        assert taken.attrs["causal"] == ("tick" in rule)


def test_shares_are_counted(spreads):
    broken = spreads.copy()
    broken.iloc[100, 0] = -1.0
    found = ds.log_illiquidity(broken, zeros="offset").attrs
    there = broken["A"].notna().sum()
    assert found["zero_share"]["A"] == pytest.approx((broken["A"] == 0.0).sum() / there)
    assert found["negative_share"] == {"A": pytest.approx(1.0 / there), "B": 0.0, "C": 0.0}
    assert found["tied_share"]["B"] > 0.5
    assert np.isnan(ds.log_illiquidity(broken, zeros="offset").iloc[100, 0])
    assert np.isfinite(ds.log_illiquidity(broken, zeros="asinh").iloc[100, 0])


def test_an_asset_without_a_positive_value_does_not_hinder_the_others(spreads):
    out = ds.log_illiquidity(spreads.assign(D=0.0), zeros="offset")
    assert out["D"].isna().all()
    assert out.attrs["unusable"] == ["D"]
    pd.testing.assert_series_equal(out["A"], ds.log_illiquidity(spreads, zeros="offset")["A"])
    assert ds.log_illiquidity(spreads.iloc[:50], zeros="asinh").isna().all(axis=None)


def test_bad_input_is_a_sentence(spreads):
    with pytest.raises(OptionError, match="'missing', 'offset', 'asinh'"):
        ds.log_illiquidity(spreads, zeros="drop")
    with pytest.raises(OptionError, match="tick"):
        ds.log_illiquidity(spreads, ties="jitter")
    with pytest.raises(OptionError, match="no number for the asset 'C'"):
        ds.log_illiquidity(spreads, ties="jitter", tick={"A": 1.0, "B": 1.0})
    with pytest.raises(OptionError, match="offset"):
        ds.log_illiquidity(spreads, zeros="offset", offset=-1.0)
    with pytest.raises(OptionError, match="history"):
        ds.log_illiquidity(spreads, history=0)
    with pytest.raises(DataError, match="No asset has a positive value"):
        ds.log_illiquidity(0.0 * spreads.fillna(0.0), zeros="offset")
    with pytest.raises(DataError, match="infinite"):
        ds.log_illiquidity(spreads.replace(spreads.iloc[0, 0], np.inf))
    empty = ds.log_illiquidity(spreads.iloc[:, :0], zeros="offset", ties="scores")
    assert empty.shape == (200, 0)
