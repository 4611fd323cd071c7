"""Liquidity measures: one paper, one function; tables in, the same kind of table out; every window is trailing."""

from __future__ import annotations

from drainstats.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "edge": "efficient",
        "ohlc_spread": "efficient",
        "corwin_schultz": "spreads",
        "abdi_ranaldo": "spreads",
        "roll": "spreads",
        "parkinson": "ranges",
        "amihud": "impact",
        "dollar_volume": "volume",
        "commonality": "comovement.summary",
        "rolling_commonality": "comovement.summary",
        "absorption_ratio": "comovement.components",
        "depth_within": "depth",
        "depth_reach": "depth",
        "book_imbalance": "depth",
        "book_slope": "depth",
        "book_cost": "depth",
        "flow_split": "flows",
        "fund_flow": "flows",
        "stable_share": "flows",
        "peg_deviation": "flows",
        "square_root_cost": "exits.laws",
        "OrderBook": "exits.book",
        "ConstantProductPool": "exits.pools",
        "ConcentratedPool": "exits.pools",
        "StableSwapPool": "exits.pools",
        "sell_across": "exits.routing",
        "almgren_chriss": "exits.schedules",
        "obizhaeva_wang": "exits.schedules",
        "days_to_sell": "exits.schedules",
        "exit_horizon": "exits.schedules",
        "bangia_lvar": "exits.risk",
        "liquidity_horizon_es": "exits.risk",
        "kyle_cross_impact": "exits.risk",
    },
)
