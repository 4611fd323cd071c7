"""The card of an episode: what one would paste into an e-mail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from drainstats.episodes.episode import Episode


def card(episode: Episode) -> str:
    """The text of an episode, a line a matter."""
    e = episode
    rows = [
        ("source", source_text(e)),
        ("onset", f"{_iso(e.onset)} (known to an observer {_iso(e.detected_at)})"),
        ("trough", _iso(e.trough)),
        ("end", "open" if e.is_open else f"{_iso(e.end)} (record final {_iso(e.known_at)})"),
        ("breadth", _breadth_text(e)),
        ("depth", f"{_percent(e.depth)} of baseline liquidity left"),
        ("speed", _speed_text(e)),
        ("exit cost", _exit_text(e)),
        ("flight", e.flight.describe()),
        ("recovery", _recovery_text(e)),
        ("evidence", e.evidence),
    ]
    lines = [f"Episode: {e.name or f'{e.kind} drain'}", *(f"  {label:<10}{text}" for label, text in rows)]
    return "\n".join([*lines, *(f"  note      {note}" for note in e.notes)])


def top_source(episode: Episode) -> str:
    """The asset named as source; empty when the data do not identify one."""
    return str(episode.source.idxmax()) if episode.source_identified else ""


def source_text(episode: Episode) -> str:
    """Who drained first, or why nobody is named."""
    shares = episode.source[episode.source > 0].sort_values(ascending=False)
    if shares.empty:
        return "not stated"
    basis = f"; {episode.source_basis}" if episode.source_basis else ""
    if episode.source_identified:
        return f"{shares.index[0]} ({shares.iloc[0]:.0%}{basis})"
    names = ", ".join(f"{name} {share:.0%}" for name, share in shares.iloc[:3].items())
    more = ", …" if len(shares) > 3 else ""
    return f"not identified: {names}{more} ({len(shares)} assets{basis})"


def _iso(stamp: Any) -> str:
    if pd.isna(stamp):
        return "not stated"
    return f"{stamp:%Y-%m-%d}" if stamp == stamp.normalize() else f"{stamp:%Y-%m-%dT%H:%MZ}"


def _number(value: float, form: str) -> str:
    return "not measured" if value != value else format(value, form)


def _percent(value: float) -> str:
    return _number(value, ".0%")


def _breadth_text(e: Episode) -> str:
    rank = _number(e.breadth_p_value, ".3f")
    return f"{_percent(e.breadth)} of observed assets (p {rank}); {len(e.members)} members"


def _speed_text(e: Episode) -> str:
    if e.speed_bars != e.speed_bars:
        return "not measured"
    return f"10 to 90 % of the loss in {e.speed_bars:.1f} bars ({_duration(e.speed)})"


def _duration(value: Any) -> str:
    """A length of time in the largest unit of which there is at least one."""
    seconds = value.total_seconds()
    unit, size = next(((u, s) for u, s in (("d", 86400), ("h", 3600), ("min", 60)) if seconds >= s), ("s", 1))
    return f"{seconds / size:.3g} {unit}"


def _exit_text(e: Episode) -> str:
    if e.exit_cost != e.exit_cost:
        return "not measured (needs a book, or prices and volumes above the notional)"
    ratio = f"× {e.exit_cost / e.exit_cost_baseline:.1f}; " if e.exit_cost_baseline > 0 else ""
    return (
        f"{1e4 * e.exit_cost:.0f} bp to leave {e.notional:,.0f} at the trough, "
        f"{1e4 * e.exit_cost_baseline:.0f} bp before ({ratio}{e.exit_law or 'law not stated'})"
    )


def _recovery_text(e: Episode) -> str:
    state = "calm again inside the data" if e.recovered else "not calm again inside the data"
    if e.half_life != e.half_life:
        return f"{state}; no decay could be fitted"
    return f"{state}; fitted half-life {e.half_life:.1f} bars{' (censored)' if e.half_life_censored else ''}"
