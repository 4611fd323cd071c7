"""Fixtures of the sources room."""

import pytest

from tests.sources.loopback import serving


@pytest.fixture
def server():
    with serving() as loopback:
        yield loopback
