"""The runner of published results: verified data in, a whole file or none out."""

from __future__ import annotations

import hashlib
import json

import pytest

from drainstats.errors import DataError
from drainstats.reproduce.__main__ import main
from drainstats.reproduce.runner import Item, Outcome, recipes, run, verify


def _provenance(folder, content, digest=None):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "x.txt").write_bytes(content)
    digest = digest or hashlib.sha256(content).hexdigest()
    (folder / "PROVENANCE.md").write_text(
        f"| file | source | sha256 |\n|---|---|---|\n| x.txt | somewhere | {digest} |\n"
    )


def test_verify_compares_the_digest(tmp_path):
    _provenance(tmp_path / "good", b"abc")
    verify(tmp_path / "good")
    _provenance(tmp_path / "bad", b"abc", "0" * 64)
    with pytest.raises(DataError, match="not the one"):
        verify(tmp_path / "bad")
    (tmp_path / "good" / "x.txt").unlink()
    with pytest.raises(DataError, match="missing"):
        verify(tmp_path / "good")


def test_an_item_says_its_gap():
    item = Item("k", "mu", 1.0, "memory", 1.25, 0.2, "rounding")
    assert item.gap == 0.25
    assert not item.ok
    assert item.record()["ok"] is False
    assert "OFF" in Outcome((item,), ()).table()
    assert Outcome((item,), ()).exit_code == 1
    assert Outcome((), ()).exit_code == 1


def test_every_recipe_has_its_parts():
    found = recipes()
    assert found
    for recipe in found:
        assert isinstance(recipe.KEY, str)
        assert isinstance(recipe.PAPER, str)
        assert callable(recipe.reproduce)


def test_missing_data_is_a_sentence_and_a_code(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("DRAINSTATS_DATA", raising=False)
    with pytest.raises(DataError, match="DRAINSTATS_DATA"):
        run()
    assert main(["--data", str(tmp_path)]) == 2
    assert "reproductions" in capsys.readouterr().err
    (tmp_path / "reproductions").mkdir()
    out = tmp_path / "results.json"
    assert main(["--data", str(tmp_path), "--out", str(out)]) == 1
    assert json.loads(out.read_text()) == []
    assert "not here" in capsys.readouterr().out


@pytest.mark.reference
def test_published_results_hold(data_root, tmp_path):
    outcome = run(data_root, tmp_path / "paper" / "results.json")
    records = json.loads((tmp_path / "paper" / "results.json").read_text())
    assert outcome.exit_code == 0, outcome.table()
    assert {r["item"] for r in records if r["key"] == "bollerslev-ghysels-1996"} >= {"mu", "omega", "alpha1", "beta1"}
    assert all(r["reason"] and r["read"] for r in records)
