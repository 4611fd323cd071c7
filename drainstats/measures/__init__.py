"""Liquidity measures: one paper, one function; tables in, the same kind of table out; every window is trailing."""

from __future__ import annotations

from drainstats.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "edge": "spreads",
        "corwin_schultz": "spreads",
        "abdi_ranaldo": "spreads",
        "roll": "spreads",
        "parkinson": "ranges",
        "amihud": "impact",
        "dollar_volume": "volume",
        "square_root_cost": "exits",
    },
)
