"""Imports go down the floors only, the package imports light, and every public name can be touched."""

from __future__ import annotations

import ast
import pathlib
import subprocess
import sys

import pytest

import drainstats as ds

PACKAGE = pathlib.Path(ds.__file__).parent
FLOORS = [
    {"errors", "typing", "frames", "files", "lazy"},
    {"kernels"},
    {"parallel", "causal"},
    {"measures", "models", "sources"},
    {"panel"},
    {"episodes"},
    {"signals"},
    {"simulate"},
    {"reproduce"},
    {"report"},
    {"cli"},
]
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
HEAVY = ["numba", "statsmodels", "arch", "sklearn", "scipy.stats", "matplotlib"]


def _modules():
    return sorted(p for p in PACKAGE.rglob("*.py") if "_datasets" not in p.parts)


def _room(path):
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def _imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").startswith("drainstats."):
            yield node.module.split(".")[1]
        elif isinstance(node, ast.Import):
            yield from (a.name.split(".")[1] for a in node.names if a.name.startswith("drainstats."))


@pytest.mark.parametrize("path", _modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down_the_floors(path):
    room = _room(path)
    if room == "__init__":
        assert list(_imports(path)) == ["lazy"]
        return
    for other in set(_imports(path)) - {room}:
        if room == "kernels":
            assert other == "typing", f"a kernel imports {other}"
        assert LEVEL[other] < LEVEL[room] or {room, other} <= FLOORS[0], f"{room} imports {other}, which lies above it"


def _fresh(code):
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_import_is_light():
    loaded = _fresh(f"import sys, drainstats; print([m for m in {HEAVY} if m in sys.modules])")
    assert loaded.strip() == "[]"


def test_every_public_name_twice_in_a_fresh_process():
    # Twice, because a submodule of the same name would take the place of the function after its first import.
    names = _fresh(
        "import drainstats as ds, types\n"
        "for _ in range(2):\n"
        "    for room in (ds, ds.measures, ds.signals):\n"
        "        for name in room.__all__:\n"
        "            value = getattr(room, name)\n"
        "            module = isinstance(value, types.ModuleType)\n"
        "            assert module == (name in ds._ROOMS), name\n"
        "            assert not name.startswith('_'), name\n"
        "print(len(ds.__all__))"
    )
    assert int(names) == len(ds.__all__)


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        ds.nonsense  # noqa: B018


def test_public_names_have_docstrings_with_examples():
    for room in (ds, ds.measures, ds.signals):
        for name in room.__all__:
            value = getattr(room, name)
            assert value.__doc__, name
            if room is not ds or name not in ds._ROOMS:
                text = value.__doc__ + "".join(m.__doc__ or "" for m in vars(value).values() if callable(m))
                assert ">>>" in text, f"{name} has no example"
