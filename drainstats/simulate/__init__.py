"""Ground truth: simulated markets whose spread, impact, volume and drain are known."""

from __future__ import annotations

from drainstats.lazy import attach

_NAMES = {
    "bars": "trading",
    "SimulatedBars": "trading",
    "drain": "market",
    "random_settings": "endogenous.run",
    "SCENARIOS": "market",
    "FAMILIES": "market",
    "SimulatedMarket": "truth",
    "Truth": "truth",
    "book": "records",
    "trades": "records",
    "process": "processes",
    "SimulatedProcess": "processes",
}

__getattr__, __dir__, __all__ = attach(__name__, _NAMES)
