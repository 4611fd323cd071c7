"""The quality figure and page: every asset a strip, names as text, nothing fetched, whole or not at all."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

import drainstats as ds
from drainstats.cli import main
from drainstats.errors import DataError, MissingExtraError, OptionError
from drainstats.report.figures import BLUE, RED
from drainstats.report.quality_figure import AMBER, OUTSIDE
from tests.panel.test_quality_bars import clean_bars, dead, edit, scaled, spiked, unadjusted
from tests.panel.test_quality_ticks import QUOTES, TRADES, events
from tests.report.conftest import NAMES


def faulty():
    frame = clean_bars(np.random.default_rng(3), rows=390).drop(columns="dollar_volume")
    return ds.LiquidityPanel.from_bars(
        {
            NAMES[0]: frame.drop(frame.index[100:140]),
            NAMES[1]: dead(frame, 300),
            NAMES[2]: scaled(frame, slice(200, None), 1000.0),
            NAMES[3]: frame.iloc[50:],
            "split": unadjusted(frame, 310, 4.0),
            "spike": spiked(frame, 250, 10.0),
            "a name so long that no margin of a figure would ever hold it": edit(frame, slice(10, 20), volume=0.0),
            "nothing": frame * np.nan,
        },
        "utc_day",
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("quality") / "q.html"
    parts = {"A <b>bold</b> heading": faulty(), "Ticks": (TRADES, QUOTES), "Quotes": QUOTES, "Book": events()}
    return ds.write_quality(parts, path).read_text(encoding="utf-8")


def colour_at(ax, row, when):
    image = ax.images[0]
    left, right, _, _ = image.get_extent()
    from matplotlib.dates import date2num

    array = image.get_array()
    column = int((date2num(when) - left) / (right - left) * array.shape[1])
    return tuple(np.round(array[row, column], 3))


def test_strips_show_what_is_there():
    panel = faulty()
    ax = ds.plot_quality(panel)
    day = lambda n: panel.index[n] + pd.Timedelta("12h")  # noqa: E731
    shades = {name: tuple(np.round(to_rgb(name), 3)) for name in (BLUE, AMBER, RED, OUTSIDE)}
    assert colour_at(ax, 0, day(50)) == shades[BLUE]
    assert colour_at(ax, 0, day(120)) == shades[RED]
    assert colour_at(ax, 1, day(350)) == shades[AMBER]
    assert colour_at(ax, 3, day(20)) == shades[OUTSIDE]
    assert colour_at(ax, 3, day(60)) == shades[BLUE]
    assert colour_at(ax, 7, day(60)) == shades[OUTSIDE]
    # A whole history in more columns than rows has no hole that only the drawing makes.
    strip = np.round(np.asarray(ax.images[0].get_array())[5], 3)
    assert (strip == shades[BLUE]).all()
    assert len(ax.get_yticklabels()) == 8
    assert len(ax.get_yticklabels()[6].get_text()) <= 26
    texts = [t.get_text() for t in ax.texts]
    assert texts[3] == "clean"
    assert texts[1] == "dead"
    assert texts[0].startswith("usable: gaps, long-gap")
    labels = {t.get_text() for t in ax.get_legend().get_texts()}
    assert {"price break", "spike", "split?", "dead since"} <= labels


def test_one_missing_row_is_seen_in_a_long_history():
    frame = clean_bars(np.random.default_rng(3), rows=4000)
    ax = ds.plot_quality(ds.LiquidityPanel.from_bars({"A": frame.drop(frame.index[[2005]])}, "utc_day"))
    strip = np.asarray(ax.images[0].get_array())[0]
    away = np.abs(strip - np.array(to_rgb(BLUE))).max(axis=1)
    assert np.flatnonzero(away > 0.1).tolist() == [int(2005 / 4000 * 400)]


def test_sessions_and_weekends_are_no_holes():
    panel = ds.load_dataset("us-stocks-daily").select(["AAPL", "META"])
    strip = np.round(np.asarray(ds.plot_quality(panel).images[0].get_array()), 3)
    colours = {tuple(c) for c in strip.reshape(-1, 3)}
    assert colours <= {tuple(np.round(to_rgb(c), 3)) for c in (BLUE, OUTSIDE)}


def test_the_axes_may_be_given_and_bad_input_is_a_sentence():
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    assert ds.plot_quality(faulty(), ax=ax) is ax
    with pytest.raises(DataError, match="a DataFrame came"):
        ds.plot_quality(QUOTES)
    empty = ds.LiquidityPanel.from_bars({"A": clean_bars(np.random.default_rng(3)) * np.nan}, "utc_day")
    with pytest.raises(DataError, match="no bar"):
        ds.plot_quality(empty)


def test_names_from_data_are_text(page):
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "A &lt;b&gt;bold&lt;/b&gt; heading" in page
    assert "$x$_y" in page
    assert "mathdefault" not in page


def test_nothing_is_fetched_and_links_lead_somewhere(page):
    targets = re.findall(r'(?:src|href|action|data)="([^"]*)"', page)
    for target in targets:
        assert target.startswith(("#", "data:image/png;base64,")), target
    assert "@import" not in page
    identifiers = re.findall(r'\bid="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))
    assert {t[1:] for t in targets if t.startswith("#")} <= set(identifiers)


def test_verdicts_rules_and_measures_are_there(page):
    for text in (
        "reused-ticker",
        "sides-inverted",
        "level-disorder",
        "poor above 0",
        "rules that produced it",
        "dead-since",
    ):
        assert text.replace("-", " ") in page.replace("-", " "), text
    assert page.count("<svg") == 1
    for rule in ds.quality_rules().index:
        assert f'id="rule-{rule}"' in page
    order = [
        page.index(f'<span class="verdict {v}">{v}</span></td>') for v in ("empty", "poor", "dead", "usable", "clean")
    ]
    assert order == sorted(order)


def test_a_page_of_bars_lists_the_rules_for_bars_alone(tmp_path):
    text = ds.write_quality("us-equity-daily", tmp_path / "q.html").read_text(encoding="utf-8")
    assert "rule-coverage" in text
    assert "rule-crossed" not in text


def test_a_failed_render_leaves_the_old_page(tmp_path, monkeypatch):
    path = ds.write_quality(QUOTES, tmp_path / "q.html")
    before = path.read_bytes()
    monkeypatch.setattr("drainstats.files.os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        ds.write_quality(QUOTES, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["q.html"]


def test_names_that_the_font_lacks_do_no_harm(tmp_path):
    frame = clean_bars(np.random.default_rng(3))
    text = ds.write_quality(ds.LiquidityPanel.from_bars({"币安人生": frame}, "utc_day"), tmp_path / "q.html").read_text(
        encoding="utf-8"
    )
    assert "币安人生" in text


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ({}, DataError, "nothing to report on"),
        (3.0, DataError, "a float came"),
        ("nothing", OptionError, "no bundled dataset"),
        ({"x": pd.DataFrame({"mood": [1.0]})}, DataError, "mood"),
    ],
)
def test_bad_input_writes_nothing(data, error, message, tmp_path):
    with pytest.raises(error, match=message):
        ds.write_quality(data, tmp_path / "q.html")
    assert list(tmp_path.iterdir()) == []


def test_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match=r"drainstats\[report\]"):
        ds.write_quality(QUOTES, tmp_path / "q.html")


def test_the_command_writes_the_page_of_a_dataset_or_a_file(tmp_path, capsys):
    path = tmp_path / "bars.csv"
    faulty().to_long().to_csv(path, index=False)
    for name in ("us-equity-daily", str(path)):
        with pytest.raises(SystemExit) as stopped:
            main(["data", name, "--page", str(tmp_path / "q.html")])
        assert not stopped.value.code
        assert capsys.readouterr().out.strip().endswith("q.html")
        assert "Verdicts" in (tmp_path / "q.html").read_text(encoding="utf-8")
    with pytest.raises(SystemExit) as stopped:
        main(["data", "--page", str(tmp_path / "q.html")])
    assert stopped.value.code == 1
    assert "--page needs" in capsys.readouterr().err
