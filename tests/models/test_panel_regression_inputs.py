"""Panel regressions on sparse and ugly tables."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

from drainstats.errors import DataError, MissingExtraError, OptionError
from drainstats.models.regressions.panel import PanelRegression
from tests.models.test_panel_regression import DAYS, XS, X, Y, Z, by_dummies, holding, ragged


def test_rows_without_any_cell_change_nothing():
    later = DAYS.append(pd.date_range("2025-01-01", periods=9, tz="UTC"))
    y, x, z = (t.reindex(later) for t in (Y, X, Z))
    one, other = (PanelRegression().fit(a, b) for a, b in ((Y, XS), (y, {"funding": x, "volume": z})))
    pd.testing.assert_frame_equal(one.param_covariance, other.param_covariance)
    assert (other.rows, len(other.residuals)) == (80, 89)


@pytest.mark.parametrize("holes", [0.6, 0.75, "apart"])
def test_sparse_panels_and_panels_in_two_pieces(holes):
    y, x, z = ragged(3, holes=0.1 if holes == "apart" else holes)
    if holes == "apart":
        y.iloc[:40, :3] = np.nan
        y.iloc[40:, 3:] = np.nan
    found = PanelRegression(effects=("asset", "time"), hac_lags=3).fit(y, {"x": x, "z": z})
    beta, covariance = by_dummies(y, [x, z], ("asset", "time"), "driscoll_kraay", 3)
    np.testing.assert_allclose(found.params, beta, rtol=1e-9)
    np.testing.assert_allclose(found.std_errors, np.sqrt(np.diag(covariance)), rtol=1e-9)


UGLY = {
    "collinear": (lambda: PanelRegression().fit(Y, {"a": X, "b": 2 * X}), "combination of the other regressors"),
    "collinear with effects": (
        lambda: PanelRegression().fit(Y, {"a": X, "b": X + np.arange(6)}), "combination of the other"
    ),
    "constant in time": (
        lambda: PanelRegression().fit(Y, {"size": X * 0 + np.arange(6.0)}), "size does not vary over time within any"
    ),
    "common, with time effects": (
        lambda: PanelRegression(effects=("asset", "time")).fit(Y, {"vol": pd.Series(np.arange(80.0) ** 2, DAYS)}),
        "vol is an asset's level plus a row's level",
    ),
    "only time effects": (
        lambda: PanelRegression(effects=("time",)).fit(Y, {"vol": pd.Series(np.arange(80.0), DAYS)}),
        "same for all assets in every row",
    ),
    "zero": (lambda: PanelRegression(effects=()).fit(Y, {"z": 0 * Z}), "z is zero throughout"),
    "flat outcome": (lambda: PanelRegression().fit(0 * Y + 3, {"x": X}), "outcome does not vary"),
    "one asset, clusters": (lambda: PanelRegression(errors="clustered").fit(Y["A0"], {"x": X["A0"]}), "need several"),
    "one asset, time effects": (
        lambda: PanelRegression(effects=("time",)).fit(Y["A0"], {"x": X["A0"]}), "absorb all of it"
    ),
    "infinite outcome": (lambda: PanelRegression().fit(holding(Y, np.inf), {"x": X}), "outcome is infinite"),
    "infinite regressor": (
        lambda: PanelRegression().fit(Y, {"x": holding(X, -np.inf)}), "x is infinite.*2024-01-06.*A1"
    ),
    "too few": (lambda: PanelRegression().fit(Y.iloc[1:3, 0], {"x": X.iloc[1:3, 0]}), "cells came for"),
    "two rows": (lambda: PanelRegression(effects=()).fit(Y.iloc[:2], {"x": X.iloc[:2]}), "need at least 3"),
    "no overlap": (lambda: PanelRegression(lag=79).fit(Y.iloc[:79], {"x": X.iloc[:79]}), "No cell has"),
    "other rows": (lambda: PanelRegression().fit(Y, {"x": X.shift(freq="D")}), "x stands on other rows"),
    "fewer rows": (lambda: PanelRegression().fit(Y, {"x": X.iloc[1:]}), "79 rows, the outcome 80"),
    "other assets": (lambda: PanelRegression().fit(Y, {"x": X.rename(columns={"A0": "B"})}), "other columns"),
    "two columns": (lambda: PanelRegression().fit(Y, {"x": X.iloc[:, :2]}), "2 columns; one, or one an asset"),
    "weights": (lambda: PanelRegression().fit(Y, {"x": X}, weights=0 * X), "weight is not above zero"),
    "empty": (lambda: PanelRegression().fit(Y.iloc[:0], {"x": X.iloc[:0]}), "empty"),
    "flat asset": (
        lambda: PanelRegression(standardise="asset").fit(Y, {"x": X.assign(A2=1.0)}), "x does not vary where"
    ),
    "huge": (lambda: PanelRegression().fit(Y, {"x": X * 1e200}), "change its unit"),
}  # fmt: skip


@pytest.mark.parametrize("name", UGLY)
def test_ugly_tables_get_a_sentence(name):
    call, message = UGLY[name]
    with pytest.raises(DataError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: PanelRegression(effects=("day",)), "'asset', 'time'"),
        (lambda: PanelRegression(effects="asset"), "must be a tuple"),
        (lambda: PanelRegression(effects=("asset", "asset")), "must be a tuple"),
        (lambda: PanelRegression(errors="hac"), "'driscoll_kraay', 'clustered'"),
        (lambda: PanelRegression(lag=-1), "at least 0"),
        (lambda: PanelRegression(hac_lags=1.5), "whole number"),
        (lambda: PanelRegression(standardise="yes"), "standardise"),
        (lambda: PanelRegression(hac_lags=80).fit(Y, XS), "below the 80 rows"),
        (lambda: PanelRegression().fit(Y, {}), "at least one table"),
        (lambda: PanelRegression().fit(Y, {"constant": X}), "name of the intercept"),
        (lambda: PanelRegression().fit(Y, {1: X, "1": Z}), "same name"),
    ],
)
def test_options_that_are_none(call, message):
    with pytest.raises(OptionError, match=message):
        call()


def test_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "linearmodels.panel", None)
    with pytest.raises(MissingExtraError, match=r"drainstats\[panels\]"):
        PanelRegression().fit(Y, {"x": X})


def test_notes_warn_of_few_clusters():
    assert "few clusters" in " ".join(PanelRegression(errors="two_way").fit(Y, {"x": X}).notes)
    assert "Driscoll-Kraay errors do" in " ".join(PanelRegression(errors="clustered").fit(Y, {"x": X}).notes)
    few = PanelRegression().fit(Y.iloc[:20], {"x": X.iloc[:20]})
    assert "20 rows are few" in str(few.summary())
