"""The tests by name, what each supposes, and which of them hold when all assets share the date.

``holds_on_common_date`` is read off the size tables: on every design in which all variances jump by one factor
(correlation 0, .3, .6; factor 1, 2; normal and t6 errors) the test rejects 3.5 to 6.5 % of true nulls at 5 %.
No test on one date holds when the common share of variance rises.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from drainstats.episodes.study.sample import EventSample
from drainstats.episodes.study.testing import bootstrap, parametric, ranks, signs
from drainstats.episodes.study.testing.outcome import Outcome
from drainstats.errors import DataError, check_option

BAR = (0.035, 0.065)
"""Between these a rejection rate at 5 % counts as right."""
MEASURED = {
    "kp_bmp": (0.045, 0.062),
    "kp_patell": (0.043, 0.339),
    "bmp": (0.047, 0.71),
    "patell": (0.047, 0.78),
    "brown_warner_1980": (0.047, 0.78),
    "brown_warner_1985": (0.043, 0.335),
    "lamb": (0.042, 0.334),
    "t": (0.048, 0.71),
    "skewness_adjusted_t": (0.049, 0.709),
    "rank": (0.017, 0.144),
    "modified_rank": (0.017, 0.144),
    "grank_t": (0.058, 0.108),
    "grank_z": (0.056, 0.719),
    "sign": (0.039, 0.648),
    "corrado_sign": (0.0, 0.046),
    "generalized_sign": (0.039, 0.65),
    "wilcoxon": (0.045, 0.704),
    "wild_bootstrap": (0.048, 0.71),
    "calendar_block_bootstrap": (0.042, 0.052),
}
"""Lowest and highest rejection rate of a true null at 5 % over those designs."""
_MEAN = "the mean abnormal outcome is zero"
_MEDIAN = "the median abnormal outcome is zero"
_SHARE = "abnormal outcomes are above zero as often as in the estimation window"
_SYMMETRY = "abnormal outcomes are symmetric about zero"
_RANKS = "the event rows rank as any other rows"
_APART = "; assets are independent"
_SAME = "; variances do not change"


@dataclass(frozen=True, slots=True)
class EventTest:
    """A test of the battery.

    name : as `drainstats.event_study` takes it.
    run : sample (and seed, when it draws) to `Outcome`.
    null : what is rejected, with what is supposed beside it.
    law : what the statistic is referred to.
    source : author and year.
    """

    name: str
    run: Callable[..., Outcome]
    null: str
    law: str
    source: str

    @property
    def measured(self) -> tuple[float, float]:
        """Lowest and highest rejection rate on common dates, see `MEASURED`."""
        return MEASURED[self.name]

    @property
    def random(self) -> bool:
        """Whether the test draws random numbers."""
        return "seed" in inspect.signature(self.run).parameters

    @property
    def holds_on_common_date(self) -> bool:
        """Whether the level holds when all assets share the date and all variances may jump by one factor."""
        return BAR[0] <= self.measured[0] and self.measured[1] <= BAR[1]

    @property
    def note(self) -> str:
        """What a user who asks for the test on a common date must know; empty when it holds."""
        if self.holds_on_common_date:
            return ""
        low, high = (f"{100 * rate:.0f}" for rate in self.measured)
        supposed = " and ".join(self.null.split("; ")[1:])
        return (
            f"{self.name} does not hold its level when all assets share the date: on simulated common dates it rejects "
            f"{low} to {high} % of true nulls at 5 %. "
            + (f"It supposes that {supposed}. " if supposed else "")
            + "Read studentized_placebo or kp_bmp instead."
        )

    def __call__(self, sample: EventSample, seed: int = 0) -> Outcome:
        """The outcome on one event, or on many simulated ones along leading axes."""
        return self.run(sample, seed) if self.random else self.run(sample)


_ENTRIES = (
    EventTest("kp_bmp", parametric.kp_bmp, _MEAN, "t(n - 1)", "Kolari and Pynnonen 2010"),
    EventTest("kp_patell", parametric.kp_patell, _MEAN + _SAME, "normal", "Kolari and Pynnonen 2010"),
    EventTest("bmp", parametric.bmp, _MEAN + _APART, "t(n - 1)", "Boehmer, Musumeci and Poulsen 1991"),
    EventTest("patell", parametric.patell, _MEAN + _APART + _SAME, "normal", "Patell 1976"),
    EventTest(
        "brown_warner_1980", parametric.brown_warner_1980, _MEAN + _APART + _SAME, "normal", "Brown and Warner 1980"
    ),
    EventTest("brown_warner_1985", parametric.brown_warner_1985, _MEAN + _SAME, "t(L - 1)", "Brown and Warner 1985"),
    EventTest("lamb", parametric.lamb, _MEAN + _SAME, "t(f)", "Lamb 1995"),
    EventTest("t", parametric.cross_sectional, _MEAN + _APART, "t(n - 1)", "Student 1908"),
    EventTest("skewness_adjusted_t", parametric.skewness_adjusted, _MEAN + _APART, "t(n - 1)", "Hall 1992"),
    EventTest("rank", ranks.rank, _RANKS + _SAME, "normal", "Corrado 1989"),
    EventTest("modified_rank", ranks.modified_rank, _RANKS + _SAME, "normal", "Corrado and Zivney 1992"),
    EventTest("grank_t", ranks.grank_t, _RANKS, "t(L - 1)", "Kolari and Pynnonen 2011"),
    EventTest("grank_z", ranks.grank_z, _RANKS + _APART, "normal", "Kolari and Pynnonen 2011"),
    EventTest("sign", signs.sign, _MEDIAN + _APART, "binomial, exact", "McConnell and Muscarella 1985"),
    EventTest("corrado_sign", signs.corrado_sign, _MEDIAN, "normal", "Corrado and Zivney 1992"),
    EventTest("generalized_sign", signs.generalized_sign, _SHARE + _APART, "normal", "Cowan 1992"),
    EventTest("wilcoxon", signs.wilcoxon, _SYMMETRY + _APART, "signed ranks, exact", "Wilcoxon 1945"),
    EventTest("wild_bootstrap", bootstrap.wild_bootstrap, _SYMMETRY + _APART, "sign vectors", "Liu 1988"),
    EventTest(
        "calendar_block_bootstrap",
        bootstrap.calendar_block_bootstrap,
        _MEAN,
        "windows of the estimation rows",
        "Kunsch 1989",
    ),
)
TESTS: dict[str, EventTest] = {entry.name: entry for entry in _ENTRIES}


def run_test(name: str, samples: Sequence[EventSample], seed: int = 0) -> dict[str, Any]:
    """One test on one event or across several.

    Parameters
    ----------
    name : str
        One of `TESTS`.
    samples : sequence of EventSample
        One an event, without leading axes. Several events count as independent: the sum of the normal scores of those
        that have a statistic, over the root of their number, is referred to the normal law.
    seed : int, default 0
        Of the tests that draw.

    Returns
    -------
    dict
        statistic, p_value, reference, null, alternative, smallest_p (what the p-value could reach at best), n_events
        (those with a statistic). Statistic and p-value are NaN when no event has one, as when all assets are equal.

    Raises
    ------
    OptionError
        When there is no such test.
    DataError
        When no sample came, or one that holds many events.
    """
    check_option("test", name, tuple(TESTS))
    entry, outcomes = TESTS[name], []
    for number, sample in enumerate(samples):
        outcome = entry(sample, seed + number)
        if np.size(outcome.statistic) != 1:
            raise DataError(f"sample {number} holds {np.size(outcome.statistic)} events; give one sample an event.")
        outcomes.append(outcome)
    if not outcomes:
        raise DataError("run_test needs at least one event and got none.")
    alone = outcomes[0] if len(outcomes) == 1 else None
    found = _single(alone) if alone is not None else _pooled(outcomes)
    return found | {"null": entry.null, "alternative": "two-sided"}


def _single(outcome: Outcome) -> dict[str, Any]:
    law = outcome.reference.format(freedom=np.asarray(outcome.freedom).item())
    numbers = {name: np.asarray(getattr(outcome, name)).item() for name in ("statistic", "p_value", "smallest_p")}
    return numbers | {"reference": law, "n_events": int(np.isfinite(numbers["statistic"]))}


def _pooled(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    from scipy.special import ndtr, ndtri

    scores = np.array([np.asarray(o.normal_score).item() for o in outcomes])
    least = np.array([np.asarray(o.smallest_p).item() for o in outcomes])[np.isfinite(scores)]
    scores = scores[np.isfinite(scores)]
    root = np.sqrt(len(scores)) if len(scores) else np.nan
    statistic = scores.sum() / root
    best = 0.0 if (least == 0.0).any() else 2.0 * ndtr(ndtri(least / 2.0).sum() / root)
    return {
        "statistic": float(statistic),
        "p_value": float(2.0 * ndtr(-abs(statistic))),
        "smallest_p": float(best),
        "reference": "normal",
        "n_events": len(scores),
    }
