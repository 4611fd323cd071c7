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
    "innovations": "models.coliquidity.margins.innovations",
    "log_illiquidity": "models.coliquidity.margins.transforms",
    "GARCH": "models.coliquidity.margins.garch",
    "EGARCH": "models.coliquidity.margins.garch",
    "seasonal_dummies": "models.coliquidity.margins.data",
    "CCC": "models.coliquidity.ccc",
    "DCC": "models.coliquidity.dcc.engle",
    "ADCC": "models.coliquidity.dcc.adcc",
    "CDCC": "models.coliquidity.dcc.cdcc",
    "CopulaDCC": "models.coliquidity.copulas.copula_dcc",
    "CompositeDCC": "models.coliquidity.large.composite",
    "DECO": "models.coliquidity.large.equicorrelation",
    "BEKK": "models.coliquidity.covariances.bekk",
    "OGARCH": "models.coliquidity.covariances.ogarch",
    "GOGARCH": "models.coliquidity.covariances.gogarch",
    "FlexibleDCC": "models.coliquidity.loadings.flexible",
    "DrivenDCC": "models.coliquidity.loadings.driven",
    "RotatedDCC": "models.coliquidity.loadings.rotated",
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
    "detect_episodes": "episodes.detection.detect",
    "episodes_table": "episodes.table",
    "episodes_to_json": "episodes.serial",
    "episodes_from_json": "episodes.serial",
    "episode_flight": "episodes.detection.flight",
    "episode_catalogue": "episodes.catalogue",
    "catalogue_table": "episodes.catalogue",
    "compare_episodes": "episodes.compare",
    "event_study": "episodes.study.study",
    "backtest_signals": "signals.backtest",
    "plot_quality": "report.quality_figure",
    "write_quality": "report.quality_page",
    "write_report": "report.html",
}

__getattr__, __dir__, __all__ = attach(__name__, _NAMES, _ROOMS)
