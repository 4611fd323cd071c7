"""Local projections against statsmodels and shifts by hand; known impulse responses; coverage; ugly tables."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import drainstats as ds
from drainstats.errors import DataError, MissingExtraError, OptionError
from drainstats.models.regressions.panel import PanelRegression
from drainstats.models.regressions.projections import LocalProjection

DAYS = pd.date_range("2023-01-01", periods=240, tz="UTC")


def market(seed=0, rows=240, assets=5, memory=0.6, shared=True):
    """An AR(1) of each asset with its own level, moved by a shock, shared noise and noise of its own."""
    rng = np.random.default_rng(seed)
    shock = rng.normal(size=(rows, 1 if shared else assets)) * np.ones((1, assets))
    noise = rng.normal(size=(rows, assets)) + (rng.normal(size=(rows, 1)) if assets > 1 else 0.0)
    y = np.zeros((rows, assets))
    for t in range(1, rows):
        y[t] = memory * y[t - 1] + shock[t] + noise[t]
    return y + np.arange(assets), shock


OUTCOME, SHOCK = (pd.DataFrame(v, DAYS, list("ABCDE")) for v in market())
CONTROL = pd.Series(np.random.default_rng(9).normal(size=240), DAYS)


def projected(y, shock, h, lags, control=None):
    """One horizon of a single series as a statsmodels regression."""
    x = {"shock": shock}
    for k in range(1, lags + 1):
        x |= {f"y{k}": y.shift(k), f"s{k}": shock.shift(k)}
        if control is not None:
            x[f"c{k}"] = control.shift(k)
    return sm.OLS(y.shift(-h), sm.add_constant(pd.DataFrame(x)), missing="drop")


@pytest.mark.parametrize("h", [0, 1, 7])
def test_one_series_is_statsmodels(h):
    y, shock = OUTCOME["B"], SHOCK["B"]
    for errors in (None, "newey_west", "driscoll_kraay"):
        found = LocalProjection([h], lags=2, errors=errors, hac_lags=6).fit(y, shock, {"c": CONTROL})
        peer = projected(y, shock, h, 2, CONTROL).fit(cov_type="HAC", cov_kwds={"maxlags": 6, "use_correction": True})
        assert found.estimates.loc[h, "response"] == pytest.approx(peer.params["shock"])
        assert found.estimates.loc[h, "std_error"] == pytest.approx(peer.bse["shock"])
        assert found.error_method == "Newey-West, 6 lags"
        assert found.estimates.loc[h, "n"] == peer.nobs
    augmented = LocalProjection([h], lags=2, augmented=True).fit(y, shock)
    white = projected(y, shock, h, 3).fit(cov_type="HC1")
    assert augmented.estimates.loc[h, "response"] == pytest.approx(white.params["shock"])
    assert augmented.estimates.loc[h, "std_error"] == pytest.approx(white.bse["shock"])


def test_default_bandwidths_grow_with_the_horizon():
    y, shock = OUTCOME["B"], SHOCK["B"]
    found = LocalProjection([0, 12], lags=1).fit(y, shock)
    for h, lags in ((0, 4), (12, 13)):
        peer = projected(y, shock, h, 1).fit(cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": True})
        assert found.estimates.loc[h, "std_error"] == pytest.approx(peer.bse["shock"])
    assert found.error_method == "Newey-West, 4 lags, rising to 13 lags"


@pytest.mark.parametrize("response", ["level", "change", "sum"])
def test_a_panel_is_a_regression_of_shifted_tables(response):
    h, holes = 3, OUTCOME.mask(np.random.default_rng(3).random(OUTCOME.shape) < 0.05)
    ahead = {
        "level": holes.shift(-h),
        "change": holes.shift(-h) - holes.shift(1),
        "sum": sum(holes.shift(-k) for k in range(h + 1)),
    }[response]
    x = {"shock": SHOCK, "c": CONTROL, "y1": holes.shift(1), "s1": SHOCK.shift(1), "c1": CONTROL.shift(1)}
    for errors in ("clustered", "two_way"):
        hand = PanelRegression(errors=errors).fit(ahead, x)
        spec = LocalProjection([h], lags=1, errors=errors, response=response, contemporaneous=True)
        found = spec.fit(holes, SHOCK["A"], {"c": CONTROL})
        assert found.estimates.loc[h, "response"] == pytest.approx(hand.params["shock"])
        assert found.estimates.loc[h, "std_error"] == pytest.approx(hand.std_errors["shock"])
        assert found.frame(0.9)["ci_low"].iloc[0] == pytest.approx(hand.conf_int(0.9).loc["shock", "lower"])


def test_driscoll_kraay_with_dummies_in_statsmodels():
    h, n_assets = 2, 5
    ahead, lagged, before = OUTCOME.shift(-h), OUTCOME.shift(1), SHOCK.shift(1)
    long = pd.concat({"y": ahead, "s": SHOCK, "y1": lagged, "s1": before}, axis=1).stack(level=1, future_stack=True)
    long = long.dropna()
    row, asset = (pd.factorize(long.index.get_level_values(k), sort=True)[0] for k in (0, 1))
    design = np.column_stack([long[["s", "y1", "s1"]], np.equal.outer(asset, range(n_assets)).astype(float)])
    kwds = {"time": row, "maxlags": 5, "use_correction": False}
    peer = sm.OLS(long["y"].to_numpy(), design).fit(cov_type="hac-groupsum", cov_kwds=kwds)
    small = np.sqrt(len(long) / (len(long) - design.shape[1]))
    found = LocalProjection([h], lags=1, hac_lags=5).fit(OUTCOME, SHOCK["A"])
    assert found.estimates.loc[h, "response"] == pytest.approx(peer.params[0])
    assert found.estimates.loc[h, "std_error"] == pytest.approx(peer.bse[0] * small)
    assert "Nickell" in found.notes[0]


def test_states_are_apart_and_lagged():
    state = pd.Series((np.random.default_rng(4).random(240) < 0.4).astype(float), DAYS)
    y, shock, before = OUTCOME["A"], SHOCK["A"], state.shift(1)
    found = LocalProjection([0, 2], lags=1, hac_lags=4).fit(y, shock, state=state)
    x = {"on": before}
    for name, weight in (("off", 1 - before), ("on", before)):
        x |= {f"s {name}": shock * weight, f"s1 {name}": shock.shift(1) * weight, f"y1 {name}": y.shift(1) * weight}
    peer = sm.OLS(y.shift(-2), sm.add_constant(pd.DataFrame(x)), missing="drop")
    peer = peer.fit(cov_type="HAC", cov_kwds={"maxlags": 4, "use_correction": True})
    rows = found.estimates.loc[2]
    assert rows["response"].tolist() == pytest.approx(
        [peer.params["s off"], peer.params["s on"], peer.params["s on"] - peer.params["s off"]]
    )
    contrast = peer.t_test("s on - s off = 0")
    errors = [peer.bse["s off"], peer.bse["s on"], float(np.squeeze(contrast.sd))]
    assert rows["std_error"].tolist() == pytest.approx(errors)
    # The state of the shock's own row does not enter: only the last row's has no row after it.
    flipped = state.copy()
    flipped.iloc[-1] = 1 - flipped.iloc[-1]
    again = LocalProjection([0, 2], lags=1, hac_lags=4).fit(y, shock, state=flipped)
    pd.testing.assert_frame_equal(again.estimates, found.estimates)


def test_known_responses_are_recovered():
    y, shock = market(seed=1, rows=20_000, assets=2, memory=0.6)
    for augmented in (False, True):
        found = LocalProjection(range(0, 9, 2), lags=1, augmented=augmented).fit(y, shock).estimates
        truth = 0.6 ** found.index.to_numpy(float)
        assert (np.abs(found["response"] - truth) < 4 * found["std_error"]).all()
        assert found["std_error"].max() < 0.05
    total = LocalProjection([4], lags=1, response="sum").fit(y, shock).estimates.loc[4]
    assert abs(total["response"] - sum(0.6**k for k in range(5))) < 4 * total["std_error"]
    # Where the state doubles the blow, it doubles the response.
    rng = np.random.default_rng(2)
    state = (rng.random(20_000) < 0.3).astype(float)
    z = np.zeros(20_000)
    for t in range(1, 20_000):
        z[t] = 0.5 * z[t - 1] + (1 + state[t - 1]) * shock[t, 0] + rng.normal()
    rows = LocalProjection([0, 2], lags=1).fit(z, shock[:, 0], state=state).estimates
    assert (np.abs(rows["response"] - [1, 2, 1, 0.25, 0.5, 0.25]) < 4 * rows["std_error"]).all()


def test_scale_levels_and_the_order_of_assets():
    spec = LocalProjection([0, 3], lags=2)
    one = spec.fit(OUTCOME, SHOCK).estimates
    scaled = spec.fit(1e-9 * OUTCOME, 100 * SHOCK).estimates
    np.testing.assert_allclose(scaled[["response", "std_error"]], one[["response", "std_error"]] * 1e-11, rtol=1e-7)
    level = spec.fit(OUTCOME + [1.0, 50.0, -3.0, 0.0, 7.0], SHOCK).estimates
    np.testing.assert_allclose(level, one, rtol=1e-7)
    order = list("DACEB")
    pd.testing.assert_frame_equal(spec.fit(OUTCOME[order], SHOCK[order]).estimates, one)


@pytest.mark.slow
@pytest.mark.parametrize(("assets", "augmented"), [(1, True), (1, False), (6, True), (6, False)])
def test_intervals_cover_the_response(assets, augmented):
    """AR(1) of memory 0.6, 250 rows; in the panel shock and half of the noise are shared."""
    draws, horizons = 300, [0, 2, 6]
    inside = np.zeros(len(horizons))
    spec = LocalProjection(horizons, lags=1, augmented=augmented)
    for seed in range(draws):
        y, shock = market(seed, rows=250, assets=assets)
        found = spec.fit(y, shock[:, 0]).frame()
        inside += (found["ci_low"] < 0.6 ** np.array(horizons)) & (0.6 ** np.array(horizons) < found["ci_high"])
    assert (inside / draws >= 0.88).all()
    assert (inside / draws <= 0.98).all()


def test_a_horizon_beyond_the_data_is_a_row_with_its_reason():
    found = LocalProjection([0, 239], lags=1).fit(OUTCOME, SHOCK)
    assert np.isnan(found.estimates.loc[239, "response"])
    assert found.estimates.loc[239, "n"] == 0
    assert any(note.startswith("Horizon 239: No cell") for note in found.notes)
    assert np.isfinite(found.frame().loc[0]).all()
    with pytest.raises(DataError, match="No cell"):
        LocalProjection([300]).fit(OUTCOME, SHOCK)


UGLY = {
    "constant shock": (lambda: LocalProjection([0]).fit(OUTCOME, 0 * SHOCK + 1), "shock does not vary over time"),
    "no event": (lambda: LocalProjection([0]).fit(OUTCOME, 0 * SHOCK), "shock is zero throughout"),
    "common, time effects": (
        lambda: LocalProjection([0], effects=("asset", "time")).fit(OUTCOME, SHOCK["A"]), "effects absorb it"
    ),
    "the outcome as its own shock": (lambda: LocalProjection([0]).fit(OUTCOME, OUTCOME), "combination of the other"),
    "infinite": (lambda: LocalProjection([0]).fit(OUTCOME, np.log(SHOCK * 0)), "shock is infinite"),
    "state of twos": (lambda: LocalProjection([0]).fit(OUTCOME, SHOCK, state=2 * (SHOCK > 0)), "must be 0 or 1"),
    "state that stays": (lambda: LocalProjection([0]).fit(OUTCOME, SHOCK, state=0 * SHOCK), "never changes"),
    "short": (lambda: LocalProjection([0], lags=3).fit(OUTCOME.iloc[:5], SHOCK.iloc[:5]), "complete cells came"),
    "one asset, clusters": (
        lambda: LocalProjection([0], errors="clustered").fit(OUTCOME["A"], SHOCK["A"]), "need several"
    ),
    "other rows": (lambda: LocalProjection([0]).fit(OUTCOME, SHOCK.shift(freq="D")), "stands on other rows"),
}  # fmt: skip


@pytest.mark.parametrize("name", UGLY)
def test_ugly_tables_get_a_sentence(name):
    call, message = UGLY[name]
    with np.errstate(divide="ignore"), pytest.raises(DataError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: LocalProjection([]), "that rise"),
        (lambda: LocalProjection([2, 1]), "that rise"),
        (lambda: LocalProjection([-1]), "at least 0"),
        (lambda: LocalProjection(lags=-1), "at least 0"),
        (lambda: LocalProjection(errors="hc3"), "'newey_west'"),
        (lambda: LocalProjection(response="cumulative"), "'level', 'change', 'sum'"),
        (lambda: LocalProjection(augmented=True, errors="driscoll_kraay"), "leave it out"),
        (lambda: LocalProjection([0], errors="newey_west").fit(OUTCOME, SHOCK), "for one series"),
        (lambda: LocalProjection([0]).fit(OUTCOME, SHOCK, {"shock": SHOCK}), "are taken"),
        (lambda: LocalProjection([0]).fit(OUTCOME, SHOCK).frame(2.0), "level"),
    ],
)
def test_options_that_are_none(call, message):
    with pytest.raises(OptionError, match=message):
        call()


def test_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "linearmodels.panel", None)
    with pytest.raises(MissingExtraError, match=r"drainstats\[panels\]"):
        LocalProjection([0]).fit(OUTCOME, SHOCK)


def test_figure_card_and_latex():
    found = LocalProjection(range(4), lags=1).fit(OUTCOME, SHOCK)
    ax = found.plot()
    assert ax.lines[0].get_ydata().tolist() == found.estimates["response"].tolist()
    assert found.plot(ax=ax) is ax
    state = (SHOCK["A"] > 0).astype(float)
    both = LocalProjection(range(3), lags=1).fit(OUTCOME, SHOCK, state=state)
    assert [t.get_text() for t in both.plot().get_legend().get_texts()] == ["off", "on"]
    card = str(found)
    for text in ("Local projection", "y(t+h)", "Driscoll-Kraay, 4 lags", "Nickell"):
        assert text in card
    latex = found.to_latex(digits=4)
    assert f"{found.estimates.loc[2, 'response']:.4g}"[:4] in latex
    assert r"std\_error" in latex
    assert "difference" in both.to_latex()


def test_a_projection_of_one_event_is_noted():
    event = pd.Series((np.arange(240) == 100).astype(float), DAYS)
    found = LocalProjection([0, 1], lags=1).fit(OUTCOME, event)
    assert any("shock varies in 1.0 rows" in note for note in found.notes)


def test_public_names():
    assert ds.LocalProjection is LocalProjection
    assert hash(LocalProjection()) == hash(LocalProjection(horizons=tuple(range(21))))
