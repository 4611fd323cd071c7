"""Ground truth: simulated markets whose spread, impact and volume are known."""

from __future__ import annotations

from drainstats.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {"bars": "trading", "SimulatedBars": "trading"})
