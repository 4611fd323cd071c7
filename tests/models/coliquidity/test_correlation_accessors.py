"""What every correlation result offers: pairs, averages by group, portfolios, eigenvalues, files; against its path."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import OptionError
from drainstats.models.coliquidity import correlation
from tests.models.coliquidity import twins

GROUPS = {"A": "majors", "B": "majors", "C": "others", "D": "others", "E": "stable"}


@pytest.fixture(scope="module")
def fits():
    index = pd.date_range("2020-01-01", periods=400, tz="UTC", name="day")
    y = pd.DataFrame(twins.simulate_dcc(400, 5, seed=5), index=index, columns=list("ABCDE"))
    return [spec.fit(y) for spec in (ds.CCC(), ds.DCC(), ds.CDCC(), ds.DECO(), ds.CompositeDCC(target="nonlinear"))]


def test_pairs(fits):
    for fit in fits:
        found = fit.pairs([("A", "C"), ("E", "B")])
        assert list(found.columns) == [("A", "C"), ("E", "B")]
        np.testing.assert_array_equal(found["E", "B"], fit.pair("E", "B"))
        np.testing.assert_allclose(found["A", "C"], fit.correlation[:, 0, 2], atol=1e-12)


def test_averages_and_portfolios_are_those_of_the_path(fits):
    rng = np.random.default_rng(0)
    for fit in fits:
        R, H = fit.correlation, fit.covariance
        np.testing.assert_allclose(fit.average_correlation, (R.sum(axis=(1, 2)) - 5) / 20, atol=1e-12)
        found = fit.average(GROUPS)
        assert list(found.columns) == ["majors", "others", "majors, others", "majors, stable", "others, stable"]
        np.testing.assert_allclose(found["others"], R[:, 2, 3], atol=1e-12)
        np.testing.assert_allclose(found["majors, others"], R[:, :2, 2:4].mean(axis=(1, 2)), atol=1e-12)
        np.testing.assert_allclose(fit.average({"A": 1, "E": 1})["1"], R[:, 0, 4], atol=1e-12)
        w = rng.normal(size=5)
        expected = np.sqrt(np.einsum("i,tij,j->t", w, H, w))
        for weights in (w, pd.Series(w, list("ABCDE")), dict(zip("EDCBA", w[::-1], strict=True))):
            np.testing.assert_allclose(fit.portfolio_volatility(weights), expected, rtol=1e-10)
        one = fit.portfolio_volatility({"B": 2.0})
        np.testing.assert_allclose(one, 2.0 * fit.conditional_volatility["B"], rtol=1e-10)


def test_eigenvalue_share(fits, monkeypatch):
    for fit in fits:
        expected = np.linalg.eigvalsh(fit.correlation)[:, -1] / 5
        np.testing.assert_allclose(fit.eigenvalue_share(), expected, atol=1e-12)
        some = fit.eigenvalue_share(every=150)
        assert some.index.equals(fit.index[[0, 150, 300]])
        np.testing.assert_allclose(some, expected[::150], atol=1e-12)
    monkeypatch.setattr(correlation, "DENSE_EIGENVALUES", 3)
    np.testing.assert_allclose(fit.eigenvalue_share(every=20), expected[::20], atol=1e-9)


def test_parquet_has_a_row_a_time_and_pair(fits, tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    from drainstats.models.coliquidity import correlation_files

    monkeypatch.setattr(correlation_files, "GROUP_ROWS", 77)
    fit = fits[1]
    path = fit.to_parquet(tmp_path / "new" / "path.parquet")
    table = pd.read_parquet(path)
    assert list(table.columns) == ["time", "first", "second", "correlation"]
    assert len(table) == 400 * 10
    wide = table.pivot(index="time", columns=["first", "second"], values="correlation")
    assert wide.index.equals(fit.index.rename("time"))
    np.testing.assert_array_equal(wide["B", "D"], fit.correlation[:, 1, 3])
    with pytest.raises(KeyError):
        _ = wide["D", "B"]
    assert [p.name for p in path.parent.iterdir()] == ["path.parquet"]
    assert fit.to_parquet(path) == path


def test_zarr_store_holds_path_and_labels(fits, tmp_path, monkeypatch):
    pytest.importorskip("zarr")
    xarray = pytest.importorskip("xarray")
    fit = fits[4]
    monkeypatch.setattr(correlation, "CHUNK_BYTES", 8 * 25 * 70)
    path = fit.to_zarr(tmp_path / "path.zarr")
    assert len(list((path / "correlation").glob("*.0.0"))) == 6
    opened = xarray.open_zarr(path, consolidated=False)
    assert opened["correlation"].dims == ("time", "asset", "asset_other")
    np.testing.assert_allclose(opened["correlation"], fit.correlation, atol=1e-15)
    assert pd.DatetimeIndex(opened["time"].to_numpy()).tz_localize("UTC").equals(fit.index)
    assert list(opened["asset"].to_numpy()) == list("ABCDE")
    np.testing.assert_array_equal(opened["correlation"].sel(asset="B", asset_other="D"), fit.pair("B", "D"))
    assert [p.name for p in tmp_path.iterdir()] == ["path.zarr"]
    with pytest.raises(OptionError, match="there already"):
        fit.to_zarr(path)


def test_a_failed_write_leaves_nothing(fits, tmp_path, monkeypatch):
    fit = fits[1]

    def broken(self):
        yield from list(super(type(fit), fit).iter())[:3]
        raise OSError("disk full")

    monkeypatch.setattr(type(fit), "iter", broken)
    pytest.importorskip("zarr")
    for write in (fit.to_parquet, fit.to_zarr):
        with pytest.raises(OSError, match="disk full"):
            write(tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_bad_input_is_a_sentence(fits):
    fit = fits[1]
    for call, message in (
        (lambda: fit.pairs([("A", "Z")]), "'Z' is not an asset"),
        (lambda: fit.pairs([]), "list of pairs"),
        (lambda: fit.pairs(["AB", "CD"]), "list of pairs"),
        (lambda: fit.average({"Z": 1}), "Z"),
        (lambda: fit.average({}), "no asset"),
        (lambda: fit.portfolio_volatility({"Z": 1.0}), "'Z'"),
        (lambda: fit.portfolio_volatility([1.0, 2.0]), "5 finite numbers"),
        (lambda: fit.portfolio_volatility([np.nan] * 5), "5 finite numbers"),
        (lambda: fit.eigenvalue_share(every=0), "every"),
    ):
        with pytest.raises(OptionError, match=message):
            call()
