"""Races in one process run: ours and each peer in turn, CPU seconds, medians and ratios, peak memory."""

from __future__ import annotations

import statistics
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

Work = Callable[[], Any]


def race(
    name: str, ours: Work, peers: dict[str, Work], *, repeats: int = 5, limit: str = "", note: str = ""
) -> list[dict[str, Any]]:
    """Time ``ours`` against every peer, alternating, after one uncounted round (compilation, caches).

    Returns a record a peer: CPU seconds (median of ``repeats``), ratio theirs / ours, peak of traced allocations, the
    physical limit as a sentence. A peer that cannot run is a record with its reason.
    """
    records = []
    for peer, theirs in peers.items():
        record: dict[str, Any] = {"race": name, "peer": peer, "limit": limit, "note": note, "repeats": repeats}
        try:
            ours()
            theirs()
            a, b = [], []
            for _ in range(repeats):
                a.append(_cpu(ours))
                b.append(_cpu(theirs))
        except Exception as error:
            records.append(not_run(name, peer, error))
            continue
        ratios = [y / x for x, y in zip(a, b, strict=True)]
        record |= {"ours_s": statistics.median(a), "peer_s": statistics.median(b), "ratio": statistics.median(ratios)}
        records.append(record | {"ours_mb": peak_memory(ours), "peer_mb": peak_memory(theirs)})
    return records


def not_run(name: str, peer: str, error: Exception) -> dict[str, Any]:
    """The record of a race that could not be run."""
    empty = {"ours_s": None, "peer_s": None, "ratio": None, "limit": "", "repeats": 0}
    return {"race": name, "peer": peer, "note": f"not run: {type(error).__name__}: {error}"} | empty


def _cpu(work: Work) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def peak_memory(work: Work) -> float:
    """MiB of Python and NumPy allocations at their peak while the work is done once."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return round(peak / 2**20, 1)
