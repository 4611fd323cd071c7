"""drainstats: the statistics of crash episodes.

Import it as ``ds``. Names are loaded when first touched, so that the import itself is light.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_ROOMS = ("causal", "errors", "measures", "signals")
_NAMES = {
    "LiquidityPanel": "panel.panel",
    "list_datasets": "panel.datasets",
    "load_dataset": "panel.datasets",
    "read_bars": "sources.tables",
    "list_measures": "measures.registry",
    "innovations": "models.coliquidity.innovations",
    "GARCH": "models.coliquidity.margins",
    "CCC": "models.coliquidity.ccc",
    "DCC": "models.coliquidity.dcc",
    "Episode": "episodes.episode",
    "detect_episodes": "episodes.detect",
    "episodes_table": "episodes.episode",
    "episode_catalogue": "episodes.catalogue",
    "event_study": "episodes.study",
    "backtest_signals": "signals.backtest",
    "write_report": "report.html",
}

__all__ = sorted([*_ROOMS, *_NAMES])


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        value: Any = importlib.import_module(f"{__name__}.{name}")
    elif name in _NAMES:
        value = getattr(importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
