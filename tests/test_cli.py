"""The command line: what it prints, exit codes, sentences instead of tracebacks."""

from __future__ import annotations

import json

import numpy as np
import pytest

from drainstats.cli import main
from tests.markets import calm_log_illiquidity, illiquidity_frame, panel_from_ranges, plant


def run(capsys, *arguments):
    try:
        main(list(arguments))
        code = 0
    except SystemExit as stopped:
        code = stopped.code or 0
    out, err = capsys.readouterr()
    return code, out, err


def test_data_lists_and_shows(capsys):
    code, out, _ = run(capsys, "data")
    assert code == 0
    assert "crypto-venues-daily" in out
    code, out, _ = run(capsys, "data", "us-equity-daily")
    assert code == 0
    assert "verdict" in out


def test_fit_prints_a_card(capsys):
    arguments = ("fit", "us-equity-daily", "--start", "2016-01-01", "--end", "2018-12-31", "--model", "ccc")
    code, out, _ = run(capsys, *arguments)
    assert code == 0
    assert "log-likelihood" in out


def test_episodes_from_a_file_as_cards_and_json(capsys, tmp_path):
    rng = np.random.default_rng(0)
    frame = illiquidity_frame(plant(calm_log_illiquidity(rng, 400, 4), 300, size=9.0))
    path = tmp_path / "bars.csv"
    panel_from_ranges(frame, rng).to_long().to_csv(path, index=False)
    code, out, _ = run(capsys, "episodes", str(path))
    assert code == 0
    assert f"{frame.index[300]:%Y-%m-%d}" in out
    code, out, _ = run(capsys, "episodes", str(path), "--json")
    assert json.loads(out)[0]["onset"].startswith(f"{frame.index[300]:%Y-%m-%d}")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", b"", "is empty"),
        ("text.csv", b"time,asset,open,high,low,close\n2024-01-01,A,1,2,0.5,x\n", "row 2, column close"),
        ("noise.csv", bytes(range(128, 256)), "cannot be read"),
        ("noise.gz", b"x", "noise.gz"),
        ("one.csv", b"time,open,high,low,close\n2024-01-01,1,2,0.5,1\n", "breadth needs at least 2"),
    ],
)
def test_bad_files_are_one_sentence(capsys, tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    code, _, err = run(capsys, "episodes", str(tmp_path / name))
    assert code == 1
    assert message in err
    assert err.strip().count("\n") == 0


def test_report_writes_one_file_and_prints_cards(capsys, tmp_path):
    path = tmp_path / "r.html"
    code, out, err = run(capsys, "report", "us-equity-daily", "-o", str(path))
    assert code == 0
    assert out.strip().endswith(str(path))
    assert "Episode:" in out
    assert "100%" in err  # the progress bar
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("data", "nothing"), 1, "no bundled dataset 'nothing'"),
        (("episodes", "nowhere.csv"), 1, "no such file"),
        (("fit", "us-equity-daily", "--start", "nonsense"), 1, "start='nonsense' is not a date"),
        (("fit", "us-equity-daily", "--measure", "luck"), 1, "no measure 'luck'"),
        (("report", "us-equity-daily", "-o", "/dev/null/r.html"), 1, "/dev/null"),
        (("fit", "us-equity-daily", "--model", "magic"), 1, "'dcc', 'ccc'"),
        (("fit", "crypto-venues-daily"), 1, "Fewer than two assets"),
        (("report", "nothing"), 1, "no bundled dataset"),
    ],
)
def test_errors_are_one_sentence(capsys, arguments, code, message):
    got, _, err = run(capsys, *arguments)
    assert got == code
    assert message in err
    assert "Traceback" not in err
    assert err.strip().count("\n") == 0


def test_a_missing_extra_is_named(capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "typer", None)
    code, _, err = run(capsys, "data")
    assert code == 2
    assert "drainstats[cli]" in err
