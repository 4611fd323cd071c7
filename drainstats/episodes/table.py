"""Episodes side by side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd

from drainstats.episodes.card import top_source
from drainstats.episodes.episode import Episode, as_episodes

# What a cell cannot hold; the table has counts, shares and the pattern instead.
NESTED = ("members", "arrivals", "source", "notes", "member_table", "field_known_at", "flight")


def episodes_table(episodes: Iterable[Episode]) -> pd.DataFrame:
    """Episodes side by side, a row each, in the order given.

    Returns
    -------
    DataFrame
        The fields of `Episode` that are one value (stamps in UTC, shares as fractions, half-life in bars, speed in bars
        and as a length of time, exit costs as fractions of the notional), and ``members``, their number;
        ``top_source``, empty where none is identified; ``top_share``, the largest share of being the source;
        ``flight``, the pattern; ``stablecoin_flow`` and ``stablecoin_premium``, of all coins together and the lowest,
        fractions; ``exit_ratio``, cost at the trough over that before; ``half_back``, share of the members that were
        seen to regain half of their own loss.

    Examples
    --------
    >>> import drainstats as ds
    >>> ds.episodes_table([ds.Episode.from_dates("2010-05-06", "2010-05-06")]).loc[0, "kind"]
    'documented'
    """
    columns = [f.name for f in fields(Episode) if f.name not in NESTED]
    rows = [{c: getattr(e, c) for c in columns} | _summary(e) for e in as_episodes(episodes)]
    return pd.DataFrame(rows, columns=[*columns, *_SUMMARY])


_SUMMARY = (
    "members",
    "top_source",
    "top_share",
    "flight",
    "stablecoin_flow",
    "stablecoin_premium",
    "exit_ratio",
    "half_back",
)


def _summary(e: Episode) -> dict[str, Any]:
    back = e.member_table["half_back_at"].notna() if len(e.member_table) else pd.Series(dtype=float)
    return {
        "members": len(e.members),
        "top_source": top_source(e),
        "top_share": float(e.source.max()) if len(e.source) else np.nan,
        "flight": e.flight.pattern,
        "stablecoin_flow": e.flight.net_flow,
        "stablecoin_premium": float(e.flight.coins["premium"].min()) if len(e.flight.coins) else np.nan,
        "exit_ratio": e.exit_cost / e.exit_cost_baseline if e.exit_cost_baseline > 0 else np.nan,
        "half_back": float(back.mean()) if len(back) else np.nan,
    }
