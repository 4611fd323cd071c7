"""Every measure of tables, with every option, on ugly tables: right, missing or one sentence; nothing else happens."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drainstats as ds
from drainstats.errors import DataError, DrainstatsError, DrainstatsWarning, OptionError

M = ds.measures
ERRORS = ["classical", "hc1", "hc3", "newey_west"]
NAMES = ("open", "high", "low", "close", "volume", "volume_2", "flow", "market")
OHLC = ("open", "high", "low", "close")
SE = {"with_se": [False, True]}


def part(x, y):
    """What was bought: a part of the volume."""
    return x * y / (1 + y)


def bought(function):
    def call(volume, other, **options):
        with np.errstate(all="ignore"):
            share = part(volume, other)
        return function(share, volume, **options)

    return call


# name: function, inputs, options and their values
CASES = {
    "edge": (M.edge, OHLC, {"window": [3, 8], "missing": ["joint", "separate"], "negative": ["keep", "zero"]} | SE),
    "ohlc_spread": (
        M.ohlc_spread, OHLC,
        {"window": [3, 8], "method": ["OHL", "OHLC", "CHL", "OHL.CHLO"], "missing": ["joint", "separate"]} | SE,
    ),
    "corwin_schultz": (
        M.corwin_schultz, OHLC[1:],
        {"window": [2, 8], "two_day": ["keep", "zero", "nan"], "overnight": [True, False], "negative": ["nan"]} | SE,
    ),
    "abdi_ranaldo": (
        M.abdi_ranaldo, OHLC[1:], {"window": [2, 8], "average": ["square", "two_day"], "negative": ["abs"]} | SE,
    ),
    "roll": (
        M.roll, ["close"],
        {"window": [4, 8], "returns": ["log", "simple", "difference"], "missing": ["joint", "separate"]} | SE,
    ),
    "parkinson": (M.parkinson, ["high", "low"], {"window": [1, 8]} | SE),
    "garman_klass": (M.garman_klass, OHLC, {"window": [1, 8], "formula": ["short", "full"]} | SE),
    "amihud": (
        M.amihud, ["close", "volume"],
        {"window": [1, 8], "returns": ["log", "simple"], "zero_volume": ["skip", "nan"], "side": ["both", "down"],
         "root": [False, True]} | SE,
    ),
    "amihud of the day": (
        lambda c, v, o, **k: M.amihud(c, v, open=o, **k), ["close", "volume", "open"],
        {"window": [1, 8], "returns": ["log", "simple"]} | SE,
    ),
    "high_low_impact": (M.high_low_impact, ["high", "low", "volume"], {"window": [1, 8]} | SE),
    "kyle_obizhaeva": (M.kyle_obizhaeva, ["close", "volume"], {"window": [3, 8]} | SE),
    "amivest": (M.amivest, ["close", "volume"], {"window": [1, 8]} | SE),
    "pastor_stambaugh": (
        M.pastor_stambaugh, ["close", "volume"],
        {"window": [8], "min_rows": [4], "returns": ["log", "simple"], "errors": ERRORS} | SE,
    ),
    "pastor_stambaugh beside a market": (
        M.pastor_stambaugh, ["close", "volume", "market"], {"window": [8], "min_rows": [5]} | SE,
    ),
    "kyle_lambda": (
        M.kyle_lambda, ["close", "flow"],
        {"window": [5, 8], "intercept": [True, False], "returns": ["log", "difference"], "errors": ERRORS} | SE,
    ),
    "kyle_lambda of ratios": (
        M.kyle_lambda, ["close", "flow"], {"window": [3], "method": ["mean_ratio"], "returns": ["difference"]} | SE,
    ),
    "hasbrouck_lambda": (
        M.hasbrouck_lambda, ["close", "flow"],
        {"window": [5], "flow": ["value", "root"], "method": ["ols", "mean_ratio"]} | SE,
    ),
    "zero_returns": (M.zero_returns, ["close"], {"window": [2, 8]} | SE),
    "zero_returns with volume": (M.zero_returns, ["close", "volume"], {"window": [2, 8]} | SE),
    "fht": (M.fht, ["close"], {"window": [3, 8], "returns": ["log", "simple"]} | SE),
    "lot": (M.lot, ["close", "market"], {"window": [20], "min_rows": [8], "regions": ["y_split", "mixed"]} | SE),
    "resilience": (M.resilience, ["flow"], {"window": [10], "output": ["speed", "half_life"], "lags": [0, 2]} | SE),
    "rolling_regression": (
        lambda y, a, b, **k: M.rolling_regression(y, {"a": a, "b": b}, **k), ["flow", "close", "volume"],
        {"window": [8], "errors": ERRORS, "intercept": [True, False]},
    ),
    "vpin": (bought(M.vpin), ["volume", "volume_2"], {"window": [1, 8], "divide_by": ["window", "last"]} | SE),
    "vpin_chance": (bought(M.vpin_chance), ["volume", "volume_2"], {"window": [3], "history": [8], "draws": [9]}),
    "excess_vpin": (M.excess_vpin, ["volume", "close", "flow"], {"window": [8]}),
    "integrated_ofi": (M.integrated_ofi, ["flow"], {"window": [2, 8]}),
    "dollar_volume": (M.dollar_volume, ["close", "volume"], {}),
    "turnover": (M.turnover, ["volume", "volume_2"], {}),
    "flow_split": (lambda q, p: M.flow_split(q, p).change, ["volume", "close"], {}),
    "fund_flow": (M.fund_flow, ["volume", "flow"], {}),
    "protocol_outflow": (M.protocol_outflow, ["volume", "close"], {"missing": ["nan", "skip"]}),
    "composition_break": (M.composition_break, ["volume", "close"], {}),
    "stable_share": (
        M.stable_share, ["volume", "close", "volume_2", "open"], {"basis": ["current", "first", "unmoved"]},
    ),
    "peg_deviation": (M.peg_deviation, ["close", "open"], {}),
}  # fmt: skip
# Where a number without bound is an answer: a half-life without return to a mean, and an error that overflows.
UNBOUND = {"resilience", "lot"}


def calls(name):
    function, inputs, options = CASES[name]
    for values in itertools.product(*options.values()):
        chosen = dict(zip(options, values, strict=True))
        yield lambda tables, o=chosen: function(*(tables[i] for i in inputs), **o)


def market(rng, rows, columns):
    close = np.exp(0.1 * rng.standard_normal((rows, columns)).cumsum(axis=0))
    around = [np.exp(0.02 * rng.standard_normal(close.shape)) for _ in range(3)]
    first = close * around[0]
    high = np.maximum(first, close) * np.maximum(around[1], 1.0)
    low = np.minimum(first, close) * np.minimum(around[2], 1.0)
    volumes = np.exp(rng.standard_normal((2, *close.shape)))
    steps = np.exp(0.1 * rng.standard_normal(close.shape).cumsum(axis=0))
    return dict(zip(NAMES, (first, high, low, close, *volumes, rng.standard_normal(close.shape), steps), strict=True))


def some(what, share):
    return lambda v, r: v.__setitem__(r.random(v.shape) < share, what)


def one(what):
    return lambda v, r: v.__setitem__((len(v) // 2, 0), what)


SPOIL = {
    "holes": some(np.nan, 0.2),
    "mostly holes": some(np.nan, 0.85),
    "no number": lambda v, r: v.fill(np.nan),
    "no ends": lambda v, r: (v[:5].fill(np.nan), v[-5:].fill(np.nan)),
    "empty asset": lambda v, r: v[:, 0].fill(np.nan),
    "zeros": some(0.0, 0.3),
    "nothing": lambda v, r: v.fill(0.0),
    "negatives": some(-1.0, 0.05),
    "infinite": some(np.inf, 0.05),
    "infinite below": some(-np.inf, 0.05),
    "flat": lambda v, r: v.fill(3.0),
    "flat, not binary": lambda v, r: v[:, -1].fill(0.1),
    "one step": lambda v, r: v.__setitem__((slice(None), 0), np.where(np.arange(len(v)) < len(v) // 2, 1.0, 2.0)),
    "one jump": one(1e9),
    "one huge": one(1e300),
    "one tiny": one(1e-300),
    "one below normal": one(5e-324),
    "huge": lambda v, r: v.__imul__(1e300),
    "large": lambda v, r: v.__imul__(1e15),
    "small": lambda v, r: v.__imul__(1e-12),
    "tiny": lambda v, r: v.__imul__(1e-310),
    "ties": lambda v, r: np.round(v, 0, out=v),
}


@st.composite
def spoiled(draw):
    """Tables of a market, some of them spoiled."""
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    tables = market(rng, draw(st.sampled_from([0, 1, 3, 9, 21, 40])), draw(st.sampled_from([0, 1, 3])))
    if tables["close"].size:
        for name, how in draw(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(sorted(SPOIL)))).items():
            SPOIL[how](tables[name], rng)
    return tables


def numbers(found):
    """All tables of an answer."""
    if hasattr(found, "coefficients"):
        return [x for estimate in found.coefficients.values() for x in numbers(estimate)]
    if hasattr(found, "interval"):
        ends = found.interval(0.9)
        return [np.asarray(x) for x in (found.estimate, found.std_error, ends.lower, ends.upper)]
    return [np.asarray(found, dtype=float)]


@pytest.mark.parametrize("name", CASES)
@given(tables=spoiled())
@settings(max_examples=40, deadline=None, derandomize=True)
def test_an_answer_or_one_sentence(name, tables):
    """Warnings are errors here."""
    rows, columns = tables["close"].shape
    index = pd.date_range("2020", periods=rows, freq="D")
    frames = {k: pd.DataFrame(v.copy(), index, [f"A{i}" for i in range(columns)]) for k, v in tables.items()}
    for call in calls(name):
        message, found = "an answer is no sentence", []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DrainstatsWarning)
            try:
                found = numbers(call(frames))
            except DrainstatsError as error:
                message = str(error)
        assert len(message) > 20
        assert "\n" not in message
        assert name in UNBOUND or not any(np.isinf(x).any() for x in found)
        assert len(found) != 4 or not (found[1] < 0).any()
    for key, frame in frames.items():
        np.testing.assert_array_equal(frame.to_numpy(), tables[key])


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


def every_second(x):
    wide = np.full((2 * len(x), 2 * x.shape[1]), np.nan)
    wide[::2, ::2] = x
    return wide[::2, ::2]


DATES = pd.date_range("2020", periods=40, freq="D")
FORMS = {
    "frame": lambda x: pd.DataFrame(x, DATES, list("abc")),
    "frame with a clock": lambda x: pd.DataFrame(x, DATES.tz_localize("UTC"), list("abc")),
    "frame of objects": lambda x: pd.DataFrame(x.astype(object), DATES),
    "frame of nullable integers": lambda x: pd.DataFrame(x, DATES).astype("Int64"),
    "frame of arrow": lambda x: pd.DataFrame(x, DATES).convert_dtypes(dtype_backend="pyarrow"),
    "frame of two levels": lambda x: pd.DataFrame(x, DATES, pd.MultiIndex.from_product([["x"], list("abc")])),
    "polars": lambda x: pl.DataFrame({"time": DATES.to_numpy(), **{c: x[:, i] for i, c in enumerate("abc")}}),
    "list": lambda x: x.tolist(),
    "objects": lambda x: x.astype(object),
    "integers": lambda x: x.astype(np.int64),
    "short integers": lambda x: x.astype(np.int16),
    "single precision": lambda x: x.astype(np.float32),
    "read only": read_only,
    "by column": np.asfortranarray,
    "every second": every_second,
    "backwards in memory": lambda x: x[::-1].copy()[::-1],
}


def whole_numbers():
    """Tables of whole numbers, which every form can hold."""
    tables = market(np.random.default_rng(1), 40, 3)
    tables = {k: np.round(50 * v + (100 if k == "flow" else 1)) for k, v in tables.items()}
    tables["high"] = np.maximum.reduce([tables[k] for k in ("open", "high", "close")])
    tables["low"] = np.minimum.reduce([tables[k] for k in ("open", "low", "close")])
    return tables


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_answer(form):
    tables = whole_numbers()
    for name in CASES:
        if name.startswith("vpin") and form in ("list", "polars", "short integers"):
            continue  # the test's own arithmetic needs arrays that do not overflow
        call = next(calls(name))
        given_ = {k: FORMS[form](v) for k, v in tables.items()}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DrainstatsWarning)
            for mine, theirs in zip(numbers(call(given_)), numbers(call(tables)), strict=True):
                # Objects and single precision hold whole numbers exactly; parts of volume do not come out alike.
                close = 1e-6 if form == "single precision" else 1e-12
                np.testing.assert_allclose(mine, theirs, rtol=close, atol=close, err_msg=name)
        for key, x in given_.items():
            if isinstance(x, np.ndarray):
                np.testing.assert_array_equal(x.astype(float), tables[key])


@pytest.mark.parametrize(
    ("what", "make"),
    [
        ("dates", lambda x: x.astype("datetime64[s]")),
        ("dates", lambda x: pd.DataFrame({"a": DATES, "b": 1.0})),
        ("complex numbers", lambda x: x.astype(complex)),
        ("text", lambda x: x.astype(str)),
        ("is not a number", lambda x: pd.DataFrame({"a": ["high"] * 40, "b": 1.0})),
        ("3 dimensions", lambda x: x[:, :, None]),
        ("stands twice", lambda x: pd.DataFrame(x, DATES[[0] * 40])),
        ("stands twice", lambda x: pd.DataFrame(x, DATES, list("aab"))),
        ("not in time order", lambda x: pd.DataFrame(x, DATES[::-1])),
        ("was expected", lambda x: None),
        ("was expected", lambda x: 3.0),
        ("was expected", lambda x: {"a": 1}),
    ],
)  # fmt: skip
def test_what_is_no_table_of_numbers_is_refused_by_a_sentence(what, make):
    tables = whole_numbers()
    bad = {k: make(v) for k, v in tables.items()}
    for name in CASES:
        if not name.startswith(("vpin", "ohlc_spread")):
            with pytest.raises(DataError, match=what):
                next(calls(name))(bad)


def test_masked_cells_are_missing():
    x = 1.0 + np.arange(9.0)
    masked = np.ma.masked_array(x, x > 6)
    np.testing.assert_array_equal(np.isnan(M.parkinson(2 * x, masked)), x > 6)


@pytest.mark.parametrize("window", [np.int64(10), np.int32(10), np.int8(10), np.uint8(10)])
def test_a_window_may_be_any_kind_of_whole_number(window):
    tables = market(np.random.default_rng(2), 40, 2)
    price, value = tables["close"], tables["volume"]
    for function in (
        lambda w: M.roll(price, w, with_se=True),
        lambda w: M.amihud(price, value, w, with_se=True),
        lambda w: M.kyle_obizhaeva(price, value, w, with_se=True),
        lambda w: M.kyle_lambda(price, tables["flow"], w, with_se=True),
        lambda w: M.vpin(value / 2, value, w, with_se=True),
        lambda w: M.vpin_chance(value / 2, value, w, 20, 9),
        lambda w: M.edge(*(tables[k] for k in OHLC), w),
    ):
        for mine, theirs in zip(numbers(function(window)), numbers(function(10)), strict=True):
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("window", [10.0, "10", None, True, 0, -3, [10], 41])
def test_a_window_that_is_none_is_refused(window):
    tables = market(np.random.default_rng(2), 40, 2)
    for function, inputs, options in CASES.values():
        if "window" in options:
            others = {k: v[0] for k, v in options.items() if k not in ("window", "history", "min_rows")}
            with pytest.raises((OptionError, DataError), match=r"window|must be a whole number"):
                function(*(tables[k] for k in inputs), window=window, **others)
