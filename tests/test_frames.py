"""The boundary of tables: what is no table is a sentence, stamps of availability belong to their rows."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from drainstats.errors import DataError, OptionError, check_number, check_whole
from drainstats.frames import as_wide, known_stamps

DAYS = pd.date_range("2024-01-01", periods=4, tz="UTC")
ALL = np.ones(4, dtype=bool)


@pytest.mark.parametrize(
    "bad", [["a", "b"], [[1.0, 2.0], [3.0]], [["a"]], None, "text", {"a": [1.0]}, np.ones((2, 2, 2))]
)
def test_what_is_no_table_is_a_sentence(bad):
    with pytest.raises(DataError):
        as_wide(bad)


@pytest.mark.parametrize("kind", [object, "str"])
def test_digits_in_text_are_text(kind):
    """A column of "1" and "2" is a file that was read wrongly, not data; decimals are numbers."""
    table = pd.DataFrame({"A": [1.0, 2.0], "B": pd.Series(["1", "2"], dtype=kind)})
    with pytest.raises(DataError, match="'1' is not a number") as caught:
        as_wide(table)
    assert caught.value.column == "B"
    assert as_wide(pd.Series([Decimal("1.5"), None])).values[0, 0] == 1.5


@pytest.mark.parametrize("empty", [[], np.empty((0, 3)), np.empty((5, 0)), pd.DataFrame()])
def test_empty_tables_keep_their_shape(empty):
    wide = as_wide(empty)
    assert wide.values.size == 0
    assert wide.values.ndim == 2


def test_stamps_go_by_label_or_by_row():
    later = pd.Series(DAYS + pd.Timedelta("1D"), index=DAYS)
    for given in (later, later.iloc[::-1], later.reset_index(drop=True), later.to_numpy(), later.dt.tz_localize(None)):
        assert list(known_stamps(given, DAYS, ALL)) == list(later)
    halves = pd.Series([later.iloc[0], pd.NaT, *later.iloc[2:]], index=DAYS)
    assert known_stamps(halves, DAYS, ALL & (np.arange(4) != 1)).isna().tolist() == [False, True, False, False]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("x", "no time stamps"),
        (None, "no time stamps"),
        (DAYS[:2], "2 rows, the table 4"),
        (pd.Series(DAYS, index=DAYS).iloc[:3], r"lacks 1 of the stamps.*2024-01-04"),
        (pd.Series([pd.NaT] * 4), "lacks 4"),
        (DAYS - pd.Timedelta("1h"), "before the row starts"),
        (pd.Series(DAYS, index=DAYS[[0, 0, 1, 2]]), "stands twice"),
    ],
)
def test_stamps_that_cannot_be_right_are_sentences(given, message):
    with pytest.raises(DataError, match=message):
        known_stamps(given, DAYS, ALL)


def test_options_are_numbers_within_bounds():
    check_whole("n", np.int64(3), 3)
    check_number("x", np.float32(0.5), 0.0, 1.0)
    for value in (2, 2.5, "3", None, True, np.nan):
        with pytest.raises(OptionError, match=r"n=.* whole number, at least 3"):
            check_whole("n", value, 3)
    for value in (0, 1, np.nan, np.inf, "0.5", None, True):
        with pytest.raises(OptionError, match=r"x=.* above 0 and below 1"):
            check_number("x", value, 0.0, 1.0)
    with pytest.raises(OptionError, match="finite number above 0"):
        check_number("x", np.inf, 0.0)
