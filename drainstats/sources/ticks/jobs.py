"""The work on one run of files, and the plan of many: what is shared by two files is done once more, by one worker."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from drainstats.errors import DataError, OptionError
from drainstats.parallel import pmap
from drainstats.sources.ticks.files import Batch, Reading
from drainstats.sources.ticks.order import in_order
from drainstats.sources.ticks.quotes import paired
from drainstats.sources.ticks.rule import BarBuilder, BarRule, Harvest, join
from drainstats.sources.ticks.signing import Signer


@dataclass(frozen=True, slots=True)
class Job:
    """Files, or tables, whose rows follow one another in time, and what to make of them.

    sign : a method; lag, horizon, tolerance : nanoseconds; quotes : files of quotes, none for bars of trades alone.
    """

    rule: BarRule
    sign: str
    lag: int
    horizon: int
    tolerance: int
    trades: tuple[Any, ...]
    quotes: tuple[Any, ...]
    reading: Reading
    quote_reading: Reading

    def run(self) -> Harvest:
        """The bars, as arrays."""
        builder, signer = BarBuilder(self.rule), Signer(self.sign)
        if not self.quotes:
            for batch in self._stream(self.trades, self.reading):
                builder.feed(batch, signer.sign(batch))
            return builder.finish()
        trades = self._signed_if_given(self._stream(self.trades, self.reading))
        for events in paired(trades, self._stream(self.quotes, self.quote_reading), self.lag, self.horizon):
            traded = events.quote == 0
            side = np.zeros(len(traded), dtype=np.int8)
            bid, ask = events.found[:, 0][traded], events.found[:, 2][traded]
            side[traded] = signer.sign(events.batch.take(traded), bid, ask)
            extra = events.found.copy()
            # A trade's row holds bid, ask and the later mid, a quote's its four numbers.
            extra[traded] = np.column_stack([bid, ask, events.later[traded], bid])
            builder.feed(events.batch, side, events.quote, extra)
        return builder.finish()

    def _stream(self, sources: tuple[Any, ...], reading: Reading) -> Iterator[Batch]:
        chained = (batch for source in by_first_stamp(sources, reading) for batch in reading.batches(source))
        return in_order(chained, self.tolerance, by_symbol=not self.quotes)

    def _signed_if_given(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        signer = Signer(self.sign)
        for batch in batches:
            if self.sign == "given":
                signer.sign(batch)
            yield batch


def by_first_stamp(sources: Sequence[Any], reading: Reading) -> list[Any]:
    """Sources by the earliest stamp of their first rows, so that the order in which files are named does not matter."""
    if len(sources) < 2:
        return list(sources)
    batches = [next(reading.batches(source, small=True), None) for source in sources]
    firsts = [int(batch.time.min()) if batch is not None else 0 for batch in batches]
    return [sources[k] for k in np.argsort(firsts, kind="stable")]


def run(jobs: Sequence[Job], n_jobs: int, progress: bool) -> Harvest:
    """All jobs over `drainstats.parallel.pmap`; those that met the same day of a symbol are run once more, as one.

    Jobs of one file each would otherwise cut such a day in two.
    """
    harvests = pmap(Job.run, jobs, n_jobs=n_jobs, progress=progress, label="files")
    there = {name for harvest in harvests for name in harvest.names}
    for job in jobs:
        if job.reading.asset is not None and job.reading.asset not in there:
            raise DataError(f"There is no asset {job.reading.asset!r} in the data, which name others.")
    if len(harvests) == 1:
        return harvests[0]
    groups = _sharing([h.days() for h in harvests])
    again = [group for group in groups if len(group) > 1]
    for group in again:
        _refuse_mixed([jobs[k] for k in group])
    merged = pmap(Job.run, [_chained([jobs[k] for k in group]) for group in again], n_jobs=n_jobs, progress=progress)
    done = {group[0]: harvest for group, harvest in zip(again, merged, strict=True)}
    parts = [done.get(group[0], harvests[group[0]]) for group in groups]
    return join(parts, tuple(dict.fromkeys(rule for part in parts for rule in part.rules)))


def _sharing(days: Sequence[set[tuple[str, int]]]) -> list[list[int]]:
    """Groups of positions that are connected through a day of a symbol, each in order, by their first."""
    parent = list(range(len(days)))

    def root(k: int) -> int:
        while parent[k] != k:
            k = parent[k]
        return k

    owner: dict[tuple[str, int], int] = {}
    for k, own in enumerate(days):
        for day in own:
            a, b = sorted((root(owner.setdefault(day, k)), root(k)))
            parent[b] = a
    groups: dict[int, list[int]] = {}
    for k in range(len(days)):
        groups.setdefault(root(k), []).append(k)
    return list(groups.values())


def _chained(jobs: Sequence[Job]) -> Job:
    return replace(jobs[0], trades=tuple(t for job in jobs for t in job.trades))


def _refuse_mixed(jobs: Sequence[Job]) -> None:
    if any(job.quotes for job in jobs) or len({job.reading.asset for job in jobs}) > 1:
        raise DataError("Two entries of the mapping hold the same day of one asset; put its files into one list.")


def plan(job: Job, trades: Any, quotes: Any, alone: bool) -> list[Job]:
    """The jobs of what the caller passed; ``alone`` gives every file of trades a job of its own."""
    if isinstance(trades, Mapping):
        if quotes is not None and (not isinstance(quotes, Mapping) or set(quotes) != set(trades)):
            raise OptionError("trades is a mapping of assets: quotes must be one with the same assets.")
        if not trades:
            raise OptionError("The mapping of trades is empty.")
        jobs = []
        for asset, files in trades.items():
            named = replace(
                job,
                reading=replace(job.reading, asset=str(asset)),
                quote_reading=replace(job.quote_reading, asset=str(asset)),
            )  # fmt: skip
            jobs += plan(named, files, None if quotes is None else quotes[asset], alone)
        return jobs
    sources = _listed(trades)
    if not sources:
        raise OptionError(
            "No trades were named: pass a path, a list of paths, a table, or a mapping of assets to them."
        )
    beside = [] if quotes is None else _listed(quotes)
    job = replace(
        job,
        reading=replace(job.reading, several=len(sources) > 1),
        quote_reading=replace(job.quote_reading, several=len(beside) > 1),
    )
    if beside:
        return [replace(job, trades=tuple(sources), quotes=tuple(beside))]
    if alone:
        return [replace(job, trades=(source,)) for source in sources]
    return [replace(job, trades=tuple(sources))]


def _listed(sources: Any) -> list[Any]:
    if isinstance(sources, (str, os.PathLike)) or hasattr(sources, "columns"):
        return [sources]
    return list(sources)
