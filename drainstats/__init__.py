"""drainstats: the statistics of crash episodes.

Import it as ``ds``. Names are loaded when first touched, so that the import itself is light.
"""

from __future__ import annotations

from drainstats.lazy import attach

__version__ = "0.1.0"

_ROOMS = ("causal", "errors", "measures", "signals")
_NAMES = {
    "LiquidityPanel": "panel.panel",
    "list_datasets": "panel.datasets",
    "load_dataset": "panel.datasets",
    "read_bars": "sources.tables",
    "quality": "panel.quality",
    "quality_rules": "panel.quality_rules",
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
    "plot_quality": "report.quality_figure",
    "write_quality": "report.quality_page",
    "write_report": "report.html",
}

__getattr__, __dir__, __all__ = attach(__name__, _NAMES, _ROOMS)
