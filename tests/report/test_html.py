"""The report: self-contained, escaped, whole or not at all, honest about what could not be done."""

from __future__ import annotations

import re

import numpy as np
import pytest

import drainstats as ds
from drainstats.errors import DataError, MissingExtraError, OptionError
from drainstats.report.analysis import analyse
from drainstats.report.figures import FIGURES, draw
from drainstats.report.tables import cell, section_tables
from tests.markets import calm_log_illiquidity, illiquidity_frame, panel_from_ranges, plant


@pytest.fixture(scope="module")
def page(analysis, tmp_path_factory):
    return ds.write_report(analysis, tmp_path_factory.mktemp("report") / "r.html").read_text(encoding="utf-8")


def test_every_stage_ran(analysis):
    assert analysis.problems == {}
    assert analysis.headline is not None
    assert set(analysis.studies) == {"change of log illiquidity", "log return"}


def test_names_from_data_are_text(page):
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "A &lt;b&gt;bold&lt;/b&gt; title" in page
    assert "$x$_y" in page  # a dollar sign is no formula
    assert "mathdefault" not in page


def test_nothing_is_fetched(page):
    for attribute in re.findall(r'(?:src|href|action|data)="([^"]*)"', page):
        assert attribute.startswith(("#", "data:image/png;base64,")), attribute
    assert "@import" not in page
    for target in re.findall(r"url\(([^)]*)\)", page):
        assert target.startswith("#"), target


def test_every_figure_and_section_is_there(page):
    assert page.count("<svg") == len(FIGURES)
    for word in (
        "Headline episode",
        "not known at the alarm",
        "What each measure saw",
        "Did anything warn?",
        "Provenance",
    ):
        assert word in page
    identifiers = re.findall(r'\bid="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))
    assert len(page) < 2_000_000


def test_the_figures_are_the_same_each_time(analysis):
    assert draw("breadth", analysis) == draw("breadth", analysis)


def test_a_failed_render_leaves_the_old_report(analysis, tmp_path, monkeypatch):
    path = ds.write_report(analysis, tmp_path / "r.html")
    before = path.read_bytes()
    monkeypatch.setattr("drainstats.files.os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        ds.write_report(analysis, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]


def test_an_hourly_panel_goes_through_the_whole_flow(tmp_path):
    rng = np.random.default_rng(3)
    paths = plant(calm_log_illiquidity(rng, 24 * 110, 5), 24 * 95 + 3, size=9.0)
    panel = panel_from_ranges(illiquidity_frame(paths, freq="h"), rng)
    done = analyse(ds.LiquidityPanel.from_long(panel.to_long()), day=panel.index[24 * 95 + 3])
    assert done.problems == {}
    assert done.headline.onset == panel.index[24 * 95 + 3]
    assert "03:00" in ds.write_report(done, tmp_path / "r.html").read_text(encoding="utf-8")


def calm(assets=4, rows=400, **changes):
    rng = np.random.default_rng(1)
    return panel_from_ranges(illiquidity_frame(calm_log_illiquidity(rng, rows, assets)), rng, **changes)


@pytest.mark.parametrize(
    ("panel", "stages"),
    [
        (calm(), {"co-liquidity", "event study", "measures"}),
        (calm(assets=1), {"episodes", "early warning"}),
        (calm(rows=40), {"episodes", "early warning"}),
        (ds.load_dataset("etf-closes-daily").window("2015-01-01", None), {"illiquidity", "episodes"}),
    ],
)
def test_what_cannot_be_done_is_said(panel, stages, tmp_path):
    done = analyse(panel)
    assert stages <= set(done.problems)
    text = ds.write_report(done, tmp_path / "r.html").read_text(encoding="utf-8")
    assert "No episode was found" in text
    assert text.count("Not done:") >= len(stages)


def test_a_panel_without_volume_has_no_exit_cost(hostile_panel, tmp_path):
    bare = ds.LiquidityPanel.from_bars(
        {
            a: hostile_panel.to_long().query("asset == @a").set_index("time")[["open", "high", "low", "close"]]
            for a in hostile_panel.assets
        }
    )
    done = analyse(bare)
    assert np.isnan(done.headline.exit_cost)
    assert "not measured" in ds.write_report(done, tmp_path / "r.html").read_text(encoding="utf-8")


def test_bad_input_is_a_sentence(tmp_path):
    with pytest.raises(DataError, match="a float came"):
        ds.write_report(3.0, tmp_path / "r.html")
    with pytest.raises(DataError, match="nothing to report on"):
        ds.write_report({}, tmp_path / "r.html")
    with pytest.raises(OptionError, match="no bundled dataset"):
        ds.write_report("nothing", tmp_path / "r.html")
    assert list(tmp_path.iterdir()) == []


def test_the_extra_is_named(analysis, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match=r"drainstats\[report\]"):
        ds.write_report(analysis, tmp_path / "r.html")


def test_cells_and_tables(analysis):
    assert cell(float("nan")) == "–"
    assert cell(0.123456) == "0.1235"
    assert cell(np.bool_(True)) == "yes"
    assert cell(analysis.headline.onset) == f"{analysis.headline.onset:%Y-%m-%d}"
    tables = section_tables(analysis)
    assert all(len(row) == len(t.header) for t in tables.values() for row in t.rows)
    assert "shares inputs" in tables["backtest"].header
