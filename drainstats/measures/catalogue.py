"""The rows of `drainstats.list_measures`: facts about measures, as data.

Name, table, inputs, unit, rises with, sees in a crash, misses in a crash, default window in rows, standard errors,
source.
"""

from __future__ import annotations

Row = tuple[str, str, tuple[str, ...], str, str, str, str, int, str, str]

_OHLC = ("open", "high", "low", "close")
_CV = ("close", "dollar_volume")
_PRICE = "fraction of price"
_PER_MONEY = "per unit of quote currency"
_DELTA = "delta method, Newey-West"
_MEAN = "Newey-West of the mean"
_OLS = "least squares, heteroskedasticity-robust or Newey-West"
_SEEN = "none: observed, not estimated"

ROWS: tuple[Row, ...] = (
    # Spreads from bars.
    ("edge", "bars", _OHLC, _PRICE, "illiquidity", "the level of the spread over a month",
     "the crash day itself, which the window smooths away", 21, _DELTA, "Ardia, Guidotti and Kroencke (2024)"),
    ("ohlc_spread", "bars", _OHLC, _PRICE, "illiquidity", "as edge, by one of its four parts",
     "as edge; more noise", 21, _DELTA, "Ardia, Guidotti and Kroencke (2024)"),
    ("corwin_schultz", "bars", ("high", "low", "close"), _PRICE, "illiquidity", "changes of the spread over time",
     "levels when trading is thin: few trades shorten the range, and it turns negative", 21, _MEAN,
     "Corwin and Schultz (2012)"),
    ("abdi_ranaldo", "bars", ("high", "low", "close"), _PRICE, "illiquidity", "changes of the spread over time",
     "levels where prices jump between bars: overnight gaps dominate in shares", 21, _DELTA,
     "Abdi and Ranaldo (2017)"),
    ("roll", "bars", ("close",), _PRICE, "illiquidity", "bid-ask bounce of closes",
     "anything below volatility: negative in trends, half of the time on liquid assets", 21, _DELTA, "Roll (1984)"),
    # Ranges.
    ("parkinson", "bars", ("high", "low"), "log price per bar", "illiquidity", "the crash day itself",
     "the difference between volatility and a drain", 1, _DELTA, "Parkinson (1980)"),
    ("garman_klass", "bars", _OHLC, "log price per bar", "illiquidity", "the crash day itself, with less noise",
     "gaps between bars; the difference between volatility and a drain", 1, _DELTA, "Garman and Klass (1980)"),
    # Price against traded value.
    ("amihud", "bars", _CV, _PER_MONEY, "illiquidity", "slow changes of impact; levels across assets and venues",
     "flash crashes: volume explodes, and what comes back is no return", 21, _MEAN, "Amihud (2002)"),
    ("high_low_impact", "bars", ("high", "low", "dollar_volume"), _PER_MONEY, "illiquidity",
     "falls that come back within the bar", "crashes in which volume grows as fast as the range", 21, _MEAN,
     "Amihud (2002) with the range of Parkinson (1980)"),
    ("kyle_obizhaeva", "bars", _CV, "cube root of 1 / quote currency", "illiquidity",
     "levels across assets and venues", "short episodes: variance and volume jump together", 21, _DELTA,
     "Kyle and Obizhaeva (2016)"),
    ("amivest", "bars", _CV, "quote currency", "liquidity", "slow changes of what volume it takes to move a price",
     "as amihud", 21, _DELTA, "Cooper, Groth and Avera (1985)"),
    ("pastor_stambaugh", "bars", _CV, _PER_MONEY, "liquidity", "reversals after volume, over many assets",
     "one asset in one month: very noisy", 21, _OLS, "Pastor and Stambaugh (2003)"),
    ("kyle_lambda", "bars", ("close", "signed_volume"), "price change per base unit", "illiquidity",
     "what net selling moved; a window that holds a crash has the crash's impact",
     "cancelled quotes: prices that fall without trades", 21, _OLS, "Kyle (1985)"),
    ("hasbrouck_lambda", "bars", ("close", "signed_dollar_volume"), "return per root of quote currency",
     "illiquidity", "as kyle_lambda, large trades weighing less", "as kyle_lambda", 21, _OLS, "Hasbrouck (2009)"),
    ("dollar_volume", "bars", ("close", "volume"), "quote currency", "liquidity", "activity",
     "drains: it rises in a crash", 0, _SEEN, ""),
    ("turnover", "bars", ("volume", "shares"), "fraction", "liquidity", "activity, whatever the asset's size",
     "drains: it rises in a crash", 0, _SEEN, ""),
    # Zeros.
    ("zero_returns", "bars", ("close",), "share of returns", "illiquidity", "markets that stand still",
     "a crash, in which every price moves", 21, _MEAN, "Lesmond, Ogden and Trzcinka (1999)"),
    ("fht", "bars", ("close",), _PRICE, "illiquidity", "as zero_returns",
     "as zero_returns; volatility inflates it while zeros remain in the window", 21, _DELTA,
     "Fong, Holden and Trzcinka (2017)"),
    ("lot", "bars", ("close", "market"), _PRICE, "illiquidity", "cost of a round trip over a year",
     "a crash, in which every price moves; needs a market that moves", 250, "information matrix",
     "Lesmond, Ogden and Trzcinka (1999)"),
    # Flow.
    ("vpin", "bars", ("buy_volume", "volume"), "share of volume", "illiquidity", "one-sided flow",
     "what is not volume: it follows volume and volatility by construction (excess_vpin)", 50, _MEAN,
     "Easley, López de Prado and O'Hara (2012)"),
    ("ofi", "quotes", ("bid", "bid_size", "ask", "ask_size"), "base units", "buying pressure",
     "pressure by orders and cancellations, trade or no trade", "what stands behind the best quotes", 0, _SEEN,
     "Cont, Kukanov and Stoikov (2014)"),
    ("multilevel_ofi", "book", ("levels",), "base units", "buying pressure", "pressure on every level",
     "hidden orders", 0, _SEEN, "Xu, Gould and Howison (2018)"),
    ("integrated_ofi", "order flow by level", ("levels",), "weighted units", "buying pressure",
     "the part that levels share", "levels that part ways in a crash", 30,
     "none: weights are an eigenvector of a short window", "Cont, Cucuringu and Zhang (2023)"),
    # Trades and quotes.
    ("trade_measures", "trades and quotes", ("trades", "quotes"), _PRICE, "illiquidity",
     "what each trade paid: effective and realised spread, impact, quoted spread and depth",
     "orders that were not sent", 0, _SEEN, "Huang and Stoll (1996); Lee and Ready (1991)"),
    ("average_costs", "trades and quotes", ("trade_measures",), _PRICE, "illiquidity",
     "costs by the minute, hour or day", "orders that were not sent", 0, _MEAN, "Huang and Stoll (1996)"),
    # Books.
    ("depth_within", "book", ("levels",), "base units or quote currency", "liquidity",
     "what stands near the mid now", "hidden orders; what lies beyond the feed's last level", 0, _SEEN, ""),
    ("book_imbalance", "book", ("levels",), "-1 to 1", "bids", "which side left", "both sides leaving at once", 0,
     _SEEN, ""),
    ("book_slope", "book", ("levels",), "elasticity, or units per price", "liquidity", "how fast depth grows away",
     "the level of depth", 0, _SEEN, "Naes and Skjeltorp (2006)"),
    ("book_cost", "book", ("levels",), "basis points", "illiquidity", "what an order of a size costs now",
     "sizes beyond the feed's last level: missing, not free", 0, _SEEN, "Irvine, Benston and Kandel (2000)"),
    ("resilience", "any measure", ("liquidity",), "share per row, or rows", "liquidity",
     "how fast depth or spread come back", "recoveries longer than the window", 250, _OLS,
     "Kempf and Mayston (2008)"),
    # Money.
    ("flow_split", "supply", ("quantity", "price"), "quote currency", "money coming in", "money that moved",
     "money that moves within the aggregate", 0, _SEEN, "Bennet (1920)"),
    ("protocol_outflow", "supply", ("quantity", "price"), "quote currency", "money leaving",
     "what left a protocol, prices held", "tokens that the list lacks", 0, _SEEN, "Bennet (1920)"),
    ("stable_share", "supply", ("quantity", "price", "other_quantity", "other_price"), "fraction", "flight",
     "flight to stable coins, prices held", "cash outside", 0, _SEEN, ""),
    ("peg_deviation", "prices", ("price",), "fraction of the peg", "demand for a haven",
     "doubt (discount) or flight (premium)", "redemption at par behind the market", 0, _SEEN, ""),
    ("annualised_funding", "derivatives", ("funding_rate",), "fraction per year", "demand to be long",
     "who is crowded before a crash; turns negative in it", "venues that clamp the rate", 1, _MEAN, ""),
    ("funding_stress", "derivatives", ("funding_rate",), "deviations of the rows before", "demand to be long",
     "extremes on either side", "anything while a venue clamps the rate", 90, _SEEN, ""),
    ("liquidation_intensity", "derivatives", ("liquidated", "open_interest_value"), "share of open interest",
     "illiquidity", "forced selling as it happens", "what the feed leaves out: a lower bound on a sample", 1, _SEEN,
     ""),
    # What leaving costs.
    ("square_root_cost", "volatility and volume", ("volatility", "dollar_volume", "notional"), "fraction of notional",
     "illiquidity", "what a patient exit costs", "sweeps; volatility and volume that jump together", 0,
     "none: the prefactor is assumed", "Sato and Kanazawa (2024)"),
    ("exit_cost", "books, pools and laws", ("positions", "venues"), "quote currency, or basis points", "illiquidity",
     "what leaving a portfolio costs now, what finds no taker, and by when it fits a budget",
     "hidden orders; liquidity that is withdrawn when others leave too", 0,
     "none: books are observed, laws assumed", "Garcia del Molino et al. (2020) for cross impact"),
    ("bangia_lvar", "spreads", ("value", "volatility", "spread"), "quote currency", "illiquidity",
     "loss with the spread at its worst", "size", 0, "none: a quantile of assumed laws", "Bangia et al. (1999)"),
    # Many assets.
    ("commonality", "any measure", ("liquidity",), "adjusted R², R² or share", "common illiquidity",
     "whether liquidities move together, against chance", "who leads", 0, "stationary bootstrap; circular shifts",
     "Chordia, Roll and Subrahmanyam (2000); Karolyi, Lee and van Dijk (2012)"),
    ("rolling_commonality", "any measure", ("liquidity",), "adjusted R² or share", "common illiquidity",
     "when they begin to", "moves shorter than the window", 63, "bootstrap at chosen rows", "as commonality"),
    ("liquidity_factors", "several measures", ("measures",), "standard deviations", "common illiquidity",
     "what many measures of many assets share", "what only one measure can see", 0,
     "stationary bootstrap; circular shifts", "Korajczyk and Sadka (2008)"),
    ("absorption_ratio", "returns", ("returns",), "share of variance", "tightly coupled markets",
     "markets that can fall together", "liquidity as such", 500, "block bootstrap",
     "Kritzman, Li, Page and Rigobon (2011)"),
)  # fmt: skip
