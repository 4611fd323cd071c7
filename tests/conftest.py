"""Fixtures that every room uses, and which part of the slow tests runs."""

from __future__ import annotations

import os
import pathlib
import zlib

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With ``DRAINSTATS_SLOW_PART=i/k`` run part i, counted from 0, of k parts of the slow tests."""
    part, parts = map(int, os.environ.get("DRAINSTATS_SLOW_PART", "0/1").split("/"))
    others = {
        item for item in items if item.get_closest_marker("slow") and zlib.crc32(item.nodeid.encode()) % parts != part
    }
    if others:
        config.hook.pytest_deselected(items=list(others))
        items[:] = [item for item in items if item not in others]


@pytest.fixture(scope="session")
def data_root() -> pathlib.Path:
    """The folder of reference numbers and market files that ``DRAINSTATS_DATA`` names."""
    folder = os.environ.get("DRAINSTATS_DATA")
    if not folder:
        pytest.skip("DRAINSTATS_DATA is not set: reference numbers and market files are not on this machine")
    root = pathlib.Path(folder)
    if not root.is_dir():
        pytest.fail(f"DRAINSTATS_DATA={folder} is not a folder")
    return root
