"""The pages of the catalogue say what the package says, and one set of the detector's table comes out again."""

from __future__ import annotations

import importlib.util
import pathlib
import sys

import numpy as np
import pandas as pd
import pytest

import drainstats as ds

DOCS = pathlib.Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("make_catalogue_table", DOCS / "make_catalogue_table.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_page_of_the_catalogue_is_current(script):
    written = (DOCS / "catalogue.md").read_text(encoding="utf-8")
    assert written == script.catalogue(), "run docs/make_catalogue_table.py again"


def test_the_page_has_every_episode_and_every_number():
    text = (DOCS / "catalogue.md").read_text(encoding="utf-8")
    for e in ds.episode_catalogue():
        assert f"\n## {e.name}\n" in text
        assert f"`{e.key}`" in text
        assert all(d in text for d in e.disputes)
    claims = ds.catalogue_table()
    undisputed = claims[(claims["dispute"] == "") & claims["value"].notna()]
    assert all(f"{r.text}: {r.value:,.10g} {r.unit} ({r.checked})" in text for r in undisputed.itertuples())


def test_without_data_the_script_says_so(script, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(script, "CATALOGUE", tmp_path / "catalogue.md")
    monkeypatch.setattr(script, "catalogue", lambda: "text")
    monkeypatch.setattr(script, "HITS", tmp_path / "catalogue_hits.md")
    monkeypatch.setenv("DRAINSTATS_DATA", str(tmp_path))
    assert script.main() == 1
    assert "was not written" in capsys.readouterr().err
    assert (tmp_path / "catalogue.md").is_file()
    assert not (tmp_path / "catalogue_hits.md").exists()


def test_coverage_begins_when_two_assets_have_a_baseline(script):
    day = pd.date_range("2020-01-01", periods=90, tz="UTC")
    bars = pd.DataFrame({"close": np.ones(90)}, index=day)
    panel = ds.LiquidityPanel.from_bars({"A": bars, "B": bars.iloc[20:], "C": bars.iloc[70:]})
    assert script.covered(panel, 60) == (day[79], day[89])


def test_calls_moved_in_time_find_what_is_everywhere_and_little_else(script):
    span = (pd.Timestamp("2020-01-01", tz="UTC"), pd.Timestamp("2023-01-01", tz="UTC"))
    calls = [ds.Episode.from_dates("2021-03-01", "2021-03-02", trough="2021-03-01")]
    rare = [ds.Episode.from_dates("2021-03-01", trough="2021-03-01", name="rare")]
    wide = [ds.Episode.from_dates(span[0], trough=span[1], name="wide")]
    chance = [script.by_chance(ds.compare_episodes(calls, told), span, "5D") for told in (rare, wide)]
    # A day beside a day with five days of slack: 12 days of 1096, and the moves are 11 days apart.
    assert chance[0] <= 2 / script.SHIFTS
    assert chance[1] == 1.0


@pytest.mark.slow
@pytest.mark.reference
def test_a_set_comes_out_again(script, data_root):
    """Bundled shares and the funds of one venue: their rows of the table, their columns, their extra calls."""
    text = (DOCS / "catalogue_hits.md").read_text(encoding="utf-8")
    outcomes = [script.work_out(s, data_root) for s in script.SETS if s.letter in ("D", "E")]
    assert len(outcomes) == 2
    for row in script.counts(outcomes).splitlines()[2:]:
        assert row in text, "run docs/make_catalogue_table.py again"
    for line in script.extras(outcomes).splitlines():
        assert line in text
