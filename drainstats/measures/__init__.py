"""Liquidity measures: one paper, one function; tables in, the same kind of table out; every window is trailing."""

from __future__ import annotations

import importlib
from typing import Any

_NAMES = {
    "edge": "spreads",
    "corwin_schultz": "spreads",
    "abdi_ranaldo": "spreads",
    "roll": "spreads",
    "parkinson": "ranges",
    "amihud": "impact",
    "dollar_volume": "volume",
    "square_root_cost": "exits",
}

__all__ = sorted(_NAMES)


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
