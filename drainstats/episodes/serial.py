"""Records to plain values and back: ISO stamps and durations, lists, numbers; what is missing is None."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from numbers import Number
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError

if TYPE_CHECKING:
    from drainstats.episodes.episode import Episode

STAMPS = "datetime64[ns, UTC]"
# Columns of `Episode.member_table`.
MEMBER_STAMPS = ("arrival", "trough", "half_back_at", "calm_at", "seen_until")
MEMBER_NUMBERS = ("depth", "bars_to_half", "bars_to_calm", "bars_seen")
FORMAT = "drainstats.episodes/1"


def stamp(name: str, value: Any) -> Any:
    """A UTC time stamp, or NaT; naive ones are read as UTC."""
    if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return pd.NaT
    try:
        if isinstance(value, Number):  # nanoseconds since 1970, which nobody means
            raise TypeError
        read = pd.Timestamp(value)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name}={value!r} is not a date; write it as 2020-03-12 or 2020-03-12T10:00Z.") from error
    return read.tz_localize("UTC") if read.tz is None else read.tz_convert("UTC")


def stamps(values: Mapping[str, Any] | None) -> pd.Series:
    """Name → UTC stamp."""
    return pd.Series({k: stamp(k, v) for k, v in (values or {}).items()}, dtype=STAMPS)


def plain(value: Any) -> Any:
    """A value that JSON can hold without loss: floats keep every bit, infinities become text."""
    if isinstance(value, pd.DataFrame):
        return {"rows": [str(r) for r in value.index], **{str(c): [plain(v) for v in value[c]] for c in value}}
    if isinstance(value, (pd.Series, Mapping)):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(v) for v in value]
    if value is pd.NaT or value is None:
        return None
    if isinstance(value, (pd.Timestamp, pd.Timedelta)):
        return value.isoformat()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value


def number(value: Any) -> float:
    """The float that `plain` wrote."""
    return math.nan if value is None else float(value)


def frame(values: Mapping[str, Any] | None, stamped: Iterable[str] = ()) -> pd.DataFrame:
    """The table that `plain` wrote: columns named in ``stamped`` hold stamps, the others floats."""
    columns = dict(values or {})
    rows = pd.Index(columns.pop("rows", []), dtype=object)
    dates = set(stamped)
    read = {
        c: pd.Series([stamp(c, v) for v in cells], index=rows, dtype=STAMPS)
        if c in dates
        else pd.Series([number(v) for v in cells], index=rows, dtype=float)
        for c, cells in columns.items()
    }
    return pd.DataFrame(read, index=rows)


def empty_members() -> pd.DataFrame:
    """A table of members without rows."""
    return frame({c: [] for c in (*MEMBER_STAMPS, *MEMBER_NUMBERS)}, MEMBER_STAMPS)


def episodes_to_json(episodes: Iterable[Episode], *, indent: int | None = None) -> str:
    """Episodes as JSON text, which `episodes_from_json` reads back without loss.

    Parameters
    ----------
    episodes : iterable of Episode
    indent : int, optional
        Spaces of indentation; one line by default.

    Returns
    -------
    str
        An object with ``format`` and ``episodes``.

    Examples
    --------
    >>> import drainstats as ds
    >>> text = ds.episodes_to_json([ds.Episode.from_dates("2020-03-12", "2020-03-20")])
    >>> ds.episodes_from_json(text)[0].end
    Timestamp('2020-03-20 00:00:00+0000', tz='UTC')
    """
    from drainstats.episodes.episode import as_episodes

    records = {"format": FORMAT, "episodes": [e.to_dict() for e in as_episodes(episodes)]}
    return json.dumps(records, ensure_ascii=False, allow_nan=False, indent=indent)


def episodes_from_json(text: str) -> list[Episode]:
    """The episodes that `episodes_to_json` wrote.

    Raises
    ------
    DataError
        When the text is no JSON, of another format, or a field is not what `episodes_to_json` writes.

    Examples
    --------
    >>> import drainstats as ds
    >>> ds.episodes_from_json(ds.episodes_to_json([]))
    []
    """
    from drainstats.episodes.episode import Episode

    values = parse(text)
    if not isinstance(values, dict) or values.get("format") != FORMAT or not isinstance(values.get("episodes"), list):
        raise DataError(f"The text holds no episodes: format {FORMAT!r} was expected, as episodes_to_json writes it.")
    return [Episode.from_dict(v) for v in values["episodes"]]


def parse(text: str) -> Any:
    """JSON, or a sentence."""
    try:
        return json.loads(text)
    except (TypeError, ValueError) as error:
        raise DataError(f"The text is no JSON ({error}).") from error
