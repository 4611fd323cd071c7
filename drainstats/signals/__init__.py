"""Early-warning signals: indicators, alarms, scores, and a backtest that cannot fool its owner."""

from __future__ import annotations

import importlib
from typing import Any

_NAMES = {
    "CoLiquidityLevel": "indicators",
    "list_indicators": "indicators",
    "threshold_alarms": "alarms",
    "auroc": "inference",
    "circular_shift_pvalue": "inference",
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
