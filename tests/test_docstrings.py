"""Every example in a docstring and in the README runs."""

from __future__ import annotations

import doctest
import importlib
import pathlib
import pkgutil

import pytest

import drainstats

MODULES = [m.name for m in pkgutil.walk_packages(drainstats.__path__, "drainstats.") if not m.name.endswith("__main__")]
README = pathlib.Path(__file__).parents[1] / "README.md"


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0


def test_readme():
    result = doctest.testfile(
        str(README), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    )
    assert result.failed == 0
    assert result.attempted >= 5
