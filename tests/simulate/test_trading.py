"""Bars of a random walk: what cannot be drawn is refused in a sentence."""

from __future__ import annotations

import pytest

import drainstats as ds
from drainstats.errors import OptionError


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"spread": "wide"}, "spread must hold numbers"),
        ({"overnight": -1.0}, "overnight=-1.0 must be a number from 0"),
        ({"seed": -1}, "at least 0"),
        ({"drift": 1e3}, "The log price leaves ±300"),
        ({"impact": 1.0}, "The log price leaves ±300"),
    ],
)
def test_nonsense_is_answered_by_a_sentence(options, words):
    with pytest.raises(OptionError, match=words):
        ds.simulate.bars(rows=50, **options)
