"""One parallel map for rolling refits, bootstraps, simulations and files; the answer never depends on the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from drainstats.errors import check_option, require_extra


@dataclass(frozen=True, slots=True)
class Failure:
    """An item that raised: its position, the exception's type and its message."""

    position: int
    error: str
    message: str


def _call(
    function: Callable[..., Any], position: int, item: Any, seed: np.random.SeedSequence | None, record: bool
) -> Any:
    try:
        return function(item) if seed is None else function(item, np.random.default_rng(seed))
    except Exception as error:
        if not record:
            raise
        return Failure(position, type(error).__name__, str(error))


def pmap(
    function: Callable[..., Any],
    items: Iterable[Any],
    *,
    seed: int | None = None,
    n_jobs: int = 1,
    on_error: str = "raise",
    progress: bool = False,
    label: str = "",
) -> list[Any]:
    """Apply a function to every item, in order, over joblib's current backend.

    Parameters
    ----------
    function : callable
        Called as ``function(item)``, or as ``function(item, rng)`` when ``seed`` is given.
    items : iterable
    seed : int, optional
        Each item gets its own generator, spawned by position: the answer is the same for any number of workers.
    n_jobs : int, default 1
        Workers; -1 takes all cores. ``joblib.parallel_config(backend=...)`` chooses threads, processes or Dask.
    on_error : {"raise", "record"}, default "raise"
        With "record" an item that raises becomes a `Failure` in its place.
    progress : bool, default False
        Show a bar when tqdm is installed (extra ``cli``).
    label : str
        Text beside the bar.

    Returns
    -------
    list
        One result an item, in the order of the items.

    Examples
    --------
    >>> from drainstats.parallel import pmap
    >>> pmap(lambda k: k * k, [1, 2, 3])
    [1, 4, 9]
    """
    check_option("on_error", on_error, ["raise", "record"])
    items = list(items)
    seeds = [None] * len(items) if seed is None else np.random.SeedSequence(seed).spawn(len(items))
    record = on_error == "record"
    work = list(zip(range(len(items)), items, seeds, strict=True))
    if n_jobs == 1:
        results = (_call(function, *w, record) for w in work)
    else:
        from joblib import Parallel, delayed

        results = Parallel(n_jobs=n_jobs, return_as="generator")(delayed(_call)(function, *w, record) for w in work)
    if progress:
        results = require_extra("tqdm", "cli").tqdm(results, total=len(items), desc=label)
    return list(results)
