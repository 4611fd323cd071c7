"""Fixtures that every room uses, and which part of the slow tests runs."""

from __future__ import annotations

import datetime
import os
import pathlib
import zlib

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With ``DRAINSTATS_SLOW_PARTS=k`` run one part in k of the slow tests, another one every day."""
    parts = int(os.environ.get("DRAINSTATS_SLOW_PARTS", "1"))
    today = datetime.datetime.now(datetime.UTC).date().toordinal()
    later = [
        item for item in items if item.get_closest_marker("slow") and (zlib.crc32(item.nodeid.encode()) + today) % parts
    ]
    if later:
        config.hook.pytest_deselected(items=later)
        items[:] = [item for item in items if item not in set(later)]


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
