"""Fixtures that every room uses."""

from __future__ import annotations

import os
import pathlib

import pytest


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
