"""Early-warning signals: indicators, alarms, scores, and a backtest that cannot fool its owner."""

from __future__ import annotations

from drainstats.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "CoLiquidityLevel": "indicators",
        "list_indicators": "indicators",
        "threshold_alarms": "alarms",
        "auroc": "inference",
        "circular_shift_pvalue": "inference",
    },
)
