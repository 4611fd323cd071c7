"""The parallel map: order, seeds by position, failures as records."""

import numpy as np
import pytest

from drainstats.errors import OptionError
from drainstats.parallel import Failure, pmap


def draw(item, rng):
    return item, rng.random()


def fragile(item):
    if item == 2:
        raise ValueError("two is not liked")
    return item


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_order_and_seeds_do_not_depend_on_the_workers(n_jobs):
    results = pmap(draw, range(7), seed=3, n_jobs=n_jobs)
    assert [r[0] for r in results] == list(range(7))
    assert results == pmap(draw, range(7), seed=3)
    assert len({r[1] for r in results}) == 7
    longer = pmap(draw, range(9), seed=3)
    assert longer[:7] == results


def test_failures_raise_or_are_records():
    with pytest.raises(ValueError, match="two is not liked"):
        pmap(fragile, range(4))
    results = pmap(fragile, range(4), on_error="record", n_jobs=2)
    assert results[2] == Failure(2, "ValueError", "two is not liked")
    assert [results[i] for i in (0, 1, 3)] == [0, 1, 3]
    with pytest.raises(OptionError, match="'raise', 'record'"):
        pmap(fragile, [1], on_error="ignore")


def test_progress_shows_on_stderr(capsys):
    assert pmap(np.sqrt, [1.0, 4.0], progress=True, label="roots") == [1.0, 2.0]
    assert "roots" in capsys.readouterr().err
    assert pmap(np.sqrt, []) == []
