"""Every public name is listed as causal or not, and the causal ones are put to the proof."""

from __future__ import annotations

import functools
import warnings

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.causal import CAUSAL, NOT_CAUSAL, assert_causal
from tests.markets import calm_log_illiquidity, illiquidity_frame, panel_from_ranges, plant

RNG = np.random.default_rng(11)
FRAME = illiquidity_frame(plant(calm_log_illiquidity(RNG, 260, 4), 180, size=9.0))
PANEL = panel_from_ranges(FRAME, RNG)
O, H, L, C, V = (PANEL[f] for f in ("open", "high", "low", "close", "volume"))
MOVES = np.log(FRAME).diff().dropna()
# Names whose answer has no rows in time, or that are specs, records and errors.
NOT_TIMED = {
    "simulate", "simulate.bars", "simulate.SimulatedBars", "CCC", "DCC", "DECO", "DrivenDCC", "FlexibleDCC",
    "RotatedDCC", "Episode", "GARCH", "EGARCH", "LocalProjection", "PanelRegression", "causal", "CompositeDCC",
    "episode_catalogue", "episodes_table", "episodes_to_json", "episodes_from_json", "episode_flight", "errors",
    "recovery_curves", "follow_members", "plot_episode",
    "fetch_binance", "catalogue_table", "compare_episodes",
    "fetch_file", "list_datasets", "list_formats", "list_measures", "measures", "signals", "plot_quality",
    "quality_rules", "regression_table", "reused_symbols", "write_quality", "write_report", "signals.auroc",
    "signals.circular_shift_pvalue", "signals.list_indicators", "measures.commonality", "measures.OrderBook",
    "measures.ConstantProductPool", "measures.ConcentratedPool", "measures.StableSwapPool",
    "measures.RangePosition", "measures.sell_across", "measures.buy_across", "measures.exit_cost",
    "measures.SquareRootLaw",
    "measures.almgren_chriss", "measures.obizhaeva_wang", "measures.days_to_sell", "measures.exit_horizon",
    "measures.bangia_lvar", "measures.liquidity_horizon_es", "measures.kyle_cross_impact",
    "CopulaDCC", "constant_correlation_test", "margin_diagnostics", "portmanteau", "shrink_correlation",
    "DriftBurst", "plot_drift_burst",
    "BEKK", "GOGARCH", "OGARCH", "ADCC", "CDCC", "adjust_studies", "bootstrap", "online", "news_impact", "exit_risk",
    "co_movement_test",
}  # fmt: skip


def as_known(data):
    """What stands on record of the alarms, stamped by when each was raised."""
    episodes = ds.detect_episodes(data, min_baseline=40)
    stamps = pd.DatetimeIndex([e.detected_at for e in episodes], tz="UTC")
    top = [e.source.max() for e in episodes]
    return pd.DataFrame({"onset": [e.onset for e in episodes], "top": top}, index=stamps)


def final_records(data):
    """Whole records, stamped by when they were final."""
    episodes = [e for e in ds.detect_episodes(data, min_baseline=40) if not pd.isna(e.known_at)]
    columns = ["trough", "end", "breadth", "depth", "half_life", "exit_cost"]
    table = ds.episodes_table(episodes)[columns]
    return table.set_axis(pd.DatetimeIndex([e.known_at for e in episodes], tz="UTC"))


def filtered(spec):
    fit = spec.fit(MOVES.iloc[:150])
    return lambda y: fit.filter(y).conditional_volatility


def filtered_correlation(spec):
    fit = spec.fit(MOVES.iloc[:150])
    return lambda y: fit.filter(y).average_correlation


def rolled_correlation(y):
    spec = ds.CCC(margins=ds.GARCH(mean="zero"))
    return ds.rolling_fits(spec, y, window=100, every=80).path


@functools.cache
def state_of_the_fit():
    return ds.online(ds.DCC().fit(MOVES.iloc[:150]))


def updated_correlation(y):
    """One row at a time, to the end."""
    state, path = state_of_the_fit(), []
    for _, row in y.iterrows():
        path.append(state.correlation.iloc[0, 1])
        state = state.update(row.fillna(0.0))
    return pd.Series(path, index=y.index)


def driven_correlation():
    """The first column drives the correlations."""
    fit = ds.DrivenDCC().fit(MOVES.iloc[:150], x=MOVES.iloc[:150, 0])
    return lambda y: fit.filter(y, x=y.iloc[:, 0]).average_correlation


def studied(data):
    """What an event study of row 200 found, stamped by the event."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ds.errors.CommonShareWarning)
        study = ds.event_study(ds.innovations(data), FRAME.index[200], estimation=(-60, -6))
    return study.by_event


WIDTH = 1 + FRAME.abs()
SNAPSHOTS = pd.DataFrame(
    {f"{side}{size}_0": WIDTH[a] + shift for (side, size, shift), a in zip(
        (("bid", "", 0.0), ("bid", "_size", 1.5), ("ask", "", 1e6), ("ask", "_size", 1.5)), FRAME.columns, strict=True
    )}
)  # fmt: skip
TRADES = pd.DataFrame(
    {"price": 100 + np.cumsum(RNG.normal(0, 0.1, 300)), "amount": RNG.exponential(1.0, 300)},
    pd.date_range("2024-01-02 20:00", periods=300, freq="97s", tz="UTC"),
)
BEST = pd.DataFrame(
    {"bid": 99.9, "bid_size": RNG.exponential(1.0, 300), "ask": 100.1, "ask_size": RNG.exponential(1.0, 300)},
    TRADES.index - pd.Timedelta("1s"),
)
BEST.loc[::3, ["bid", "ask"]] += 0.05
AFTER_HORIZON = ["later_mid", "realised_spread", "price_impact", "known_at"]


def averages_as_known(trades, quotes):
    """What trades cost on average, stamped by the end of each interval that is over, a horizon later."""
    table = ds.measures.trade_measures(trades, quotes, "2min")
    found = ds.measures.average_costs(table, "20min")
    return found.set_axis(found.index + pd.Timedelta("22min"))


def forced(trades):
    """Trades as if they closed longs, stamped by the end of each bar."""
    total = ds.measures.liquidations(trades.assign(asset="A", side=-1), "9min", feed="census").total
    return total.set_axis(total.index + pd.Timedelta("9min"))


def by_moment(panel):
    """A panel's numbers by the moment at which each row was known."""
    table = pd.concat(panel.fields, axis=1).set_axis(panel.available_at)
    return table[table.index.notna()]


LOG_PRICES = pd.Series(
    RNG.normal(0, 1e-3, 300).cumsum(), pd.date_range("2024-01-02 22:00", periods=300, freq="61s", tz="UTC")
)


def daily_bursts(log_price):
    """The largest drift burst of a day, stamped by the day's end."""
    bursts = ds.drift_burst(log_price, log_price.index, start="scaled", lags=5)
    found = ds.drift_burst_test(bursts)
    return found.set_axis(found.index + pd.Timedelta("1D"))


def final_moves(table):
    """Moves of a path, stamped by when the row was final."""
    return table.dropna(subset="known_at").set_index("known_at").sort_index(kind="stable")


def daily_jumps(log_price):
    """Tests of whole days, stamped by the day's end."""
    found = ds.jump_test(log_price, "threshold")
    return found.set_axis(found.index + pd.Timedelta("1D"))


def updated_bursts(log_price):
    """One price at a time."""
    state, path = ds.DriftBurst(pre_average=2), []
    for stamp, price in log_price.items():
        state = state.update(stamp, price)
        path.append(state.statistic)
    return pd.Series(path, log_price.index)


WEEKDAYS = FRAME.index[FRAME.index.day_of_week < 5]
SESSIONS = ds.LiquidityPanel.from_bars({"S": PANEL.to_long().query("asset == 'A0'").set_index("time")
                                        .drop(columns="asset").loc[WEEKDAYS]}, "session:XNYS")  # fmt: skip
QUOTES = pd.DataFrame({"base": ["X", "USDT", "Y", "Z"], "quote": ["USDT", "USD", "USDT", "USD"]}, FRAME.columns)
QUOTED = ds.LiquidityPanel.from_long(PANEL.to_long().join(QUOTES, on="asset"))
LEVEL = ds.signals.CoLiquidityLevel(min_rows=60, max_rows=80, refit_every=40)
CASES = {
    "measures.edge": (lambda *t: ds.measures.edge(*t, window=10), (O, H, L, C), 10),
    "measures.corwin_schultz": (lambda *t: ds.measures.corwin_schultz(*t, window=10), (H, L, C), 10),
    "measures.abdi_ranaldo": (lambda *t: ds.measures.abdi_ranaldo(*t, window=10), (H, L, C), 10),
    "measures.roll": (lambda c: ds.measures.roll(c, window=10), C, 10),
    "measures.parkinson": (lambda *t: ds.measures.parkinson(*t, window=3), (H, L), 3),
    "measures.amihud": (lambda *t: ds.measures.amihud(*t, window=5), (C, C * V), 5),
    "measures.ohlc_spread": (lambda *t: ds.measures.ohlc_spread(*t, window=10, method="OHL.CHL"), (O, H, L, C), 10),
    "measures.garman_klass": (lambda *t: ds.measures.garman_klass(*t, window=5), (O, H, L, C), 5),
    "measures.high_low_impact": (lambda *t: ds.measures.high_low_impact(*t, window=5), (H, L, C * V), 5),
    "measures.kyle_obizhaeva": (lambda *t: ds.measures.kyle_obizhaeva(*t, window=5), (C, C * V), 5),
    "measures.amivest": (lambda *t: ds.measures.amivest(*t, window=5), (C, C * V), 5),
    "measures.turnover": (ds.measures.turnover, (V, 2 * V), 2),
    "measures.dollar_volume": (ds.measures.dollar_volume, (C, V), 2),
    "measures.pastor_stambaugh": (
        lambda p, v: ds.measures.pastor_stambaugh(p, p * v, p["A0"], 12, min_rows=8),
        (C, V),
        12,
    ),
    "measures.kyle_lambda": (lambda p, v: ds.measures.kyle_lambda(p, v.diff(), 10), (C, V), 10),
    "measures.hasbrouck_lambda": (lambda p, v: ds.measures.hasbrouck_lambda(p, v.diff(), 10), (C, V), 10),
    "measures.zero_returns": (lambda p: ds.measures.zero_returns(p.round(1), window=10), C, 10),
    "measures.fht": (lambda p: ds.measures.fht(p.round(1), window=10), C, 10),
    "measures.lot": (lambda p: ds.measures.lot(p.round(1), p["A0"], window=31), C, 31),
    "measures.resilience": (lambda x: ds.measures.resilience(x, 20), FRAME, 20),
    "measures.rolling_regression": (
        lambda y, x: ds.measures.rolling_regression(y, {"x": x}, 10).coefficients["x"].estimate,
        (C, V),
        10,
    ),
    "measures.square_root_cost": (lambda s, v: ds.measures.square_root_cost(s, v, 1e5), (FRAME, C * V), 2),
    "measures.rolling_commonality": (lambda x: ds.measures.rolling_commonality(x, 20), FRAME, 30),
    "measures.absorption_ratio": (lambda x: ds.measures.absorption_ratio(x, window=20), FRAME, 30),
    "measures.absorption_shift": (lambda x: ds.measures.absorption_shift(x, 5, 20), FRAME["A0"], 30),
    "measures.rolling_factors": (lambda x: ds.measures.rolling_factors(x, 2, 20, refit=3), FRAME, 30),
    "measures.depth_within": (lambda b: ds.measures.depth_within(b, 1e4), SNAPSHOTS, 2),
    "measures.depth_reach": (ds.measures.depth_reach, SNAPSHOTS, 2),
    "measures.book_imbalance": (ds.measures.book_imbalance, SNAPSHOTS, 2),
    "measures.book_slope": (ds.measures.book_slope, SNAPSHOTS, 2),
    "measures.book_cost": (lambda b: ds.measures.book_cost(b, 1.0), SNAPSHOTS, 2),
    "measures.trade_measures": (
        lambda t, q: ds.measures.trade_measures(t, q, "2min").drop(columns=AFTER_HORIZON),
        (TRADES, BEST),
        3,
    ),
    "measures.average_costs": (averages_as_known, (TRADES, BEST), 20),
    "measures.ofi": (ds.measures.ofi, BEST, 3),
    "measures.multilevel_ofi": (ds.measures.multilevel_ofi, BEST.add_suffix("_0"), 3),
    "measures.integrated_ofi": (lambda x: ds.measures.integrated_ofi(x, 10), FRAME, 10),
    "measures.vpin": (lambda b, v: ds.measures.vpin(b, b + v, 10), (V, 2 * V), 10),
    "measures.excess_vpin": (lambda *t: ds.measures.excess_vpin(*t, window=20), (FRAME, V, H / L), 20),
    "measures.vpin_chance": (lambda b, v: ds.measures.vpin_chance(b, b + v, 5, 20, 9), (V, 2 * V), 20),
    "measures.flow_split": (lambda q, p: ds.measures.flow_split(q, p).flow, (V, C), 2),
    "measures.fund_flow": (lambda v: ds.measures.fund_flow(v, 0 * v), C, 2),
    "measures.stable_share": (lambda q, p: ds.measures.stable_share(q, p, q, p, basis="first"), (V, C), 2),
    "measures.peg_deviation": (ds.measures.peg_deviation, C, 2),
    "measures.protocol_outflow": (lambda q, p: ds.measures.protocol_outflow(q, p, missing="skip"), (V, C), 2),
    "measures.composition_break": (lambda q, p: ds.measures.composition_break(q, p, 1e-3), (V, C), 2),
    "measures.annualised_funding": (lambda r: ds.measures.annualised_funding(r, 8.0, 10), FRAME, 10),
    "measures.funding_paid": (lambda r, p: ds.measures.funding_paid(r, 3, p), (FRAME, C), 3),
    "measures.funding_stress": (lambda r: ds.measures.funding_stress(r, 20), FRAME, 21),
    "measures.liquidations": (forced, TRADES, 3),
    "measures.liquidation_intensity": (lambda x, v: ds.measures.liquidation_intensity(x, v, 5), (V, V), 6),
    "tick_bars": (
        lambda t: ds.tick_bars(t, "9min", sign="tick", vpin_bucket=4.0, vpin_window=5).set_index("end"),
        TRADES,
        9,
    ),
    "sign_trades": (lambda t: ds.sign_trades(t, method="tick"), TRADES, 2),
    "bulk_volume": (lambda c, v: ds.bulk_volume(pd.DataFrame({"close": c, "volume": v}), 10), (C["A0"], V["A0"]), 12),
    "LiquidityPanel.measure": (lambda p: p.measure("edge", window=10), PANEL, 10),
    "LiquidityPanel.join": (lambda p: by_moment(p.join(SESSIONS, clock="session:XNYS")), PANEL, 10),
    "LiquidityPanel.resample": (lambda p: by_moment(p.resample("utc_7day")), PANEL, 10),
    "LiquidityPanel.carry": (lambda p: by_moment(p.join(SESSIONS).carry("48h")), PANEL, 10),
    "LiquidityPanel.convert": (lambda p: by_moment(p.convert("USD", {"USDT": "A1"})), QUOTED, 10),
    "innovations": (ds.innovations, FRAME, 3),
    "log_illiquidity": (lambda x: ds.log_illiquidity(x, "offset", "scores", history=20), FRAME, 21),
    "breadth_null": (lambda x: ds.breadth_null(x, window=50, min_rows=20), FRAME["A0"], 21),
    "detect_episodes": (as_known, PANEL, 60),
    "event_outcome": (lambda p: ds.event_outcome(p, "volatility", "innovation", history=40), PANEL, 70),
    "event_study": (studied, FRAME, 202),
    "drift_burst": (lambda p: ds.drift_burst(p, p.index, start="scaled", lags=5), LOG_PRICES, 12),
    "drift_burst_test": (daily_bursts, LOG_PRICES, 120),
    "DriftBurst.update": (updated_bursts, LOG_PRICES.iloc[:60], 12),
    "realised_measures": (lambda p: ds.realised_measures(p, 30), LOG_PRICES, 32),
    "jump_test": (daily_jumps, LOG_PRICES, 120),
    "lee_mykland": (lambda p: ds.lee_mykland(p, 30), LOG_PRICES, 10),
    "drawdowns": (lambda p: final_moves(ds.drawdowns(p, 2.0, 20, "both")), np.exp(LOG_PRICES), 25),
    "flash_events": (
        lambda p: final_moves(ds.flash_events(p, "runs", history=20, quantile=0.8)),
        np.exp(LOG_PRICES),
        60,
    ),
    "intraday_seasonality": (
        lambda p: ds.intraday_seasonality(p, 4, min_days=2, slot=7200, overnight="keep"),
        LOG_PRICES.set_axis(pd.date_range("2024-01-02 22:00", periods=300, freq="37min", tz="UTC")),
        3,
    ),
    "signals.CoLiquidityLevel": (LEVEL.transform, FRAME.iloc[:130], 61),
    "signals.threshold_alarms": (lambda s: ds.signals.threshold_alarms(s, min_history=30), FRAME["A0"], 31),
    "GARCHResult.filter": (filtered(ds.GARCH()), MOVES, 3),
    "seasonal_dummies": (lambda x: ds.seasonal_dummies(x.index), MOVES, 8),
    "GivenMargins.filter": (filtered_correlation(ds.DCC(margins=None)), MOVES, 3),
    "CCCResult.filter": (filtered(ds.CCC()), MOVES, 3),
    "DCCResult.filter": (filtered_correlation(ds.DCC()), MOVES, 3),
    "CompositeResult.filter": (filtered_correlation(ds.CompositeDCC()), MOVES, 3),
    "DECOResult.filter": (filtered_correlation(ds.DECO()), MOVES, 3),
    "CopulaDCCResult.filter": (filtered_correlation(ds.CopulaDCC(transform="empirical")), MOVES, 3),
    "DrivenDCCResult.filter": (driven_correlation(), MOVES, 3),
    "LoadingResult.filter": (filtered_correlation(ds.RotatedDCC()), MOVES, 3),
    "rolling_fits": (rolled_correlation, MOVES.iloc[:, :2], 110),
    "OnlineCorrelation.update": (updated_correlation, MOVES.iloc[:40], 3),
    "BEKKResult.filter": (filtered_correlation(ds.BEKK(kind="diagonal")), MOVES, 3),
    "OGARCHResult.filter": (filtered_correlation(ds.OGARCH(factors=2)), MOVES, 3),
    "GOGARCHResult.filter": (filtered_correlation(ds.GOGARCH(method="moments")), MOVES, 3),
}


@pytest.mark.parametrize("name", CAUSAL)
def test_what_is_listed_as_causal_passes_the_proof(name):
    function, data, min_rows = CASES[name]
    assert_causal(function, data, cuts=50, min_rows=min_rows)


def test_final_records_of_episodes_do_not_move():
    assert_causal(final_records, PANEL, cuts=60, min_rows=60)
    assert_causal(as_known, FRAME, cuts=60, min_rows=60)


def test_every_public_name_is_listed():
    names = {
        *ds.__all__,
        *(f"measures.{n}" for n in ds.measures.__all__),
        *(f"signals.{n}" for n in ds.signals.__all__),
    }
    listed = {*CAUSAL, *NOT_CAUSAL, *NOT_TIMED}
    assert names - listed - {"LiquidityPanel"} == set()
    assert not set(CAUSAL) & set(NOT_CAUSAL)


def test_every_timed_accessor_of_the_results_is_listed():
    listed = {*CAUSAL, *NOT_CAUSAL}
    for spec in (ds.GARCH(), ds.CCC(), ds.DCC(), ds.DECO()):
        result = spec.fit(MOVES.iloc[:150])
        for name in dir(result):
            if (
                name.startswith("_")
                or name in ("y", "mean_x", "variance_x", "index", "margins", "plot", "iter")
                or name.endswith("_values")
            ):
                continue
            value = getattr(result, name)
            timed = isinstance(value, (pd.DataFrame, pd.Series, np.ndarray)) and len(value) == 150
            if timed or name in ("filter", "pair"):
                kind = type(result).__name__
                same = {f"{k}.{name}" for k in (kind, "DCCResult", "GARCHResult")}
                assert same & listed, f"{kind}.{name} is in neither list"
