"""Fixtures of the sources room."""

import pytest

from drainstats.sources.fetch import fetch_file
from tests.sources.loopback import QUICK, serving


@pytest.fixture
def server():
    with serving() as loopback:
        yield loopback


@pytest.fixture
def fetch(tmp_path):
    def call(url, sha256=None, **options):
        return fetch_file(url, sha256, **{"cache": tmp_path, "timeout": 0.3, "patience": QUICK} | options)

    return call
