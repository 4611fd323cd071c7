"""What else to know of an event: sentences about the assets that were used, those that were not, and placebo dates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from drainstats.episodes.study.commondate import DateStatistics
from drainstats.episodes.study.rows import iso
from drainstats.episodes.study.sample import EventSample
from drainstats.typing import FloatArray

_NAMED = 8
"""A note names that many assets before it counts the rest."""


def sentence_of(left_out: dict[Any, str]) -> str:
    """Who does not take part, by reason, in one sentence; empty when all do."""
    reasons: dict[str, list[str]] = {}
    for name, reason in left_out.items():
        shown = " ".join(map(iso, name)) if isinstance(name, tuple) else str(name)
        reasons.setdefault(reason, []).append(shown)
    if not reasons:
        return ""
    return "left out: " + "; ".join(f"{_names(names)} ({reason})" for reason, names in reasons.items()) + "."


def _names(names: list[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED} more"


def about(
    label: str,
    at: DateStatistics,
    placebos: pd.Index,
    effective: float,
    what: str = "correlation of estimation residuals",
) -> list[str]:
    """How far the assets move together, and how many placebo dates there are and what they are worth."""
    notes = []
    if at.correlation[0] * (at.n_assets[0] - 1.0) < -0.5:
        notes.append(
            f"{label}: the assets' residuals nearly cancel, as they do when the market is their mean; the tests then "
            "see only what is left between the assets, not a move of all."
        )
    text = f"{label}: mean {what} {at.correlation[0]:.2f} over {at.n_assets[0]:.0f} assets"
    if not len(placebos):
        return [*notes, f"{text}; no placebo date."]
    span = f"{iso(placebos[0])} to {iso(placebos[-1])}"
    notes += [f"{text}; {len(placebos)} placebo dates from {span}, worth {effective:.0f} independent ones."]
    if effective < 19:
        notes.append(
            f"{label}: with so few placebo dates the p-value of the placebo test cannot fall below "
            f"{1 / (effective + 1):.3f}; give more history or a shorter estimation window."
        )
    return notes


def about_sample(label: str, names: pd.Index, sample: EventSample) -> list[str]:
    """Notes on one asset that makes the dispersion, on assets that come in groups, and on persistence."""
    notes = _dominant(label, names, sample.event.sum(axis=0) / sample.total_error)
    standard = (sample.estimation - np.nanmean(sample.estimation, axis=0)) / sample.sigma
    return notes + _groups(label, standard) + _persistence(label, standard)


def _dominant(label: str, names: pd.Index, standardized: FloatArray) -> list[str]:
    """A note when one of at least five assets makes most of the dispersion, as after a stale estimation window."""
    squares = (standardized - standardized.mean()) ** 2
    k = int(np.argmax(squares))
    share = squares[k] / squares.sum()
    if len(names) < 5 or share < 0.8:
        return []
    return [
        f"{label}: {names[k]} alone makes {share:.0%} of the dispersion across assets (standardised value "
        f"{standardized[k]:.1f}), which blunts the tests; see whether its estimation window is stale."
    ]


def _groups(label: str, standard: FloatArray) -> list[str]:
    """A note when assets come in groups that move together, so that n assets are worth far fewer.

    With one common factor the dispersion across n assets has n - 1 degrees of freedom; for a residual correlation
    matrix C and the centring matrix M it has tr(MC)^2 / tr(MCMC) (Satterthwaite); what sampling adds is taken off.
    """
    seen = np.isfinite(standard)
    z = np.where(seen, standard, 0.0)
    z = z / np.sqrt((z**2).sum(axis=0))
    correlation = z.T @ z
    centred = correlation - correlation.mean(axis=0) - correlation.mean(axis=1)[:, None] + correlation.mean()
    trace, n = np.trace(centred), standard.shape[1]
    freedom = trace**2 / max((centred**2).sum() - trace**2 / len(standard), 1e-12)
    if n < 5 or freedom > (n - 1) / 2:
        return []
    return [
        f"{label}: the assets come in groups: the dispersion has about {freedom:.0f} degrees of freedom, not {n - 1}; "
        "kp_bmp rejects too often; take one asset a group, or read studentized_placebo."
    ]


def _persistence(label: str, standard: FloatArray) -> list[str]:
    """A note when the mean standardised residual is so persistent that it is hardly an innovation."""
    seen = np.isfinite(standard)
    path = np.where(seen, standard, 0.0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    path = path - path.mean()
    autocorrelation = path[1:] @ path[:-1] / (path @ path)
    if autocorrelation < max(0.3, 3.0 / np.sqrt(len(path))):
        return []
    return [
        f"{label}: the outcome is persistent (autocorrelation {autocorrelation:.2f} of the assets' mean in the "
        "estimation window), so that its level carries over to the event; study its changes or innovations."
    ]
