"""How often the tests of commonality reject, by the script that writes the table of the documentation."""

from __future__ import annotations

import importlib.util
import pathlib
import sys

import pytest

DOCS = pathlib.Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def rates():
    spec = importlib.util.spec_from_file_location("make_commonality_table", DOCS / "make_commonality_table.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def printed(title):
    """Rates of one table of the page, row by row, in percent."""
    part = (DOCS / "commonality.md").read_text(encoding="utf-8").split(title)[1].split("\n**")[0]
    rows = [line.strip("| ").split("|") for line in part.splitlines() if line.startswith("| ")][2:]
    return {row[0].strip(): [float(c.strip(" %")) for c in row[1:] if c.strip()] for row in rows}


def test_the_printed_rates_hold_the_bar(rates):
    table = printed("**Without commonality**")
    assert list(table) == list(rates.NULL)
    assert sum(map(len, table.values())) == 5 * 5 + 2
    for row in table.values():
        assert all(3 <= rate <= 7 for rate in row)
    power = printed("**With a common factor**")
    for weak, strong in zip(power["loading 0.2"], power["loading 0.7"], strict=True):
        assert weak < strong
    # A month of twenty days says least.
    assert min(power["loading 0.7"]) > 50


@pytest.mark.slow
@pytest.mark.parametrize("name", ["white", "autoregression .8", "one control drives all, autoregression .8"])
@pytest.mark.parametrize("method", ["market_model", "r2", "pca", "factors", "across"])
def test_panels_without_commonality_are_rejected_as_often_as_promised(rates, method, name):
    panel = rates.NULL[name]
    if not rates.applies(method, panel):
        pytest.skip("only the market model takes controls")
    draws = 80 if method == "across" else 250
    # 99 replications: p takes multiples of .01, and .05 or less has a true level of 5 %. Three binomial errors.
    error = rates.error(draws) / 100
    assert abs(rates.rate(method, panel, draws) - 0.05) <= 3 * error


@pytest.mark.slow
@pytest.mark.parametrize("method", ["market_model", "pca", "factors", "across"])
def test_planted_commonality_is_found(rates, method):
    assert rates.rate(method, rates.POWER["loading 0.7"], 40) >= 0.9
