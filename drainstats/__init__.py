"""drainstats: the statistics of crash episodes.

Import it as ``ds``. Names are loaded when first touched, so that the import itself is light.
"""

from __future__ import annotations

from drainstats.lazy import attach

__version__ = "0.1.0"

_ROOMS = ("causal", "errors", "measures", "signals", "simulate")
_NAMES = {
    "LiquidityPanel": "panel.panel",
    "list_datasets": "panel.datasets",
    "load_dataset": "panel.datasets",
    "fetch_dataset": "panel.datasets",
    "fetch_binance": "sources.vision",
    "fetch_file": "sources.fetch",
    "list_formats": "sources.tables",
    "read_bars": "sources.tables",
    "read_trades": "sources.tables",
    "read_quotes": "sources.tables",
    "read_book": "sources.tables",
    "read_flows": "sources.tables",
    "tick_bars": "sources.ticks.engine",
    "sign_trades": "sources.ticks.signing",
    "bulk_volume": "sources.ticks.bulk",
    "reused_symbols": "panel.symbols",
    "quality": "panel.quality.table",
    "quality_rules": "panel.quality.rules",
    "list_measures": "measures.registry",
    "innovations": "models.coliquidity.innovations",
    "log_illiquidity": "models.coliquidity.transforms",
    "GARCH": "models.coliquidity.margins",
    "EGARCH": "models.coliquidity.margins",
    "seasonal_dummies": "models.coliquidity.margin_data",
    "CCC": "models.coliquidity.ccc",
    "DCC": "models.coliquidity.dcc",
    "ADCC": "models.coliquidity.adcc",
    "CDCC": "models.coliquidity.cdcc",
    "CopulaDCC": "models.coliquidity.copula_dcc",
    "CompositeDCC": "models.coliquidity.composite",
    "DECO": "models.coliquidity.equicorrelation",
    "BEKK": "models.coliquidity.bekk",
    "OGARCH": "models.coliquidity.ogarch",
    "GOGARCH": "models.coliquidity.gogarch",
    "FlexibleDCC": "models.coliquidity.flexible",
    "DrivenDCC": "models.coliquidity.driven",
    "RotatedDCC": "models.coliquidity.rotated",
    "constant_correlation_test": "models.coliquidity.constancy",
    "bootstrap": "models.coliquidity.bootstrap",
    "rolling_fits": "models.coliquidity.uses.rolling",
    "co_liquidity_index": "models.coliquidity.uses.index",
    "online": "models.coliquidity.uses.online",
    "correlation_contrast": "models.coliquidity.uses.contrast",
    "impulse_response": "models.coliquidity.uses.impulse",
    "news_impact": "models.coliquidity.uses.impulse",
    "portfolio_risk": "models.coliquidity.uses.risk",
    "exit_risk": "models.coliquidity.uses.risk",
    "portmanteau": "models.coliquidity.diagnostics",
    "margin_diagnostics": "models.coliquidity.diagnostics",
    "shrink_correlation": "models.coliquidity.shrinkage",
    "PanelRegression": "models.regressions.panel",
    "LocalProjection": "models.regressions.projections",
    "regression_table": "models.regressions.table",
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
