"""The rules for bars. Each line is drawn once, here; what a number means stands in the module that measures it."""

from __future__ import annotations

from drainstats.panel.quality.prices import FAR, LEAST_WICK, LONG_GAP, REDENOMINATED, REUSED, SPIKE
from drainstats.panel.quality.rules import Rule
from drainstats.panel.quality.volume import SILENT, UNIT_SLACK

BARS = ("bars",)
_REPAIRED = "repaired by a rule of the ledger; above a twentieth the file is suspect as a whole"
_SHARE = {"usable": 0.0, "poor": 0.05}
_FILE = "look at the file, or take another source"

BAR_RULES = (
    Rule(
        "empty", BARS, "bars", {"empty": 0.5}, "no row with a number",
        "no number in any field", "nothing can be measured", "fetch it again or drop it", below=True,
    ),
    Rule(
        "stamps-1970", BARS, "stamps_1970", {"poor": 0.0}, "{value:.0%} of the bars lie in the first weeks of 1970",
        "seconds read as milliseconds, or milliseconds as microseconds",
        "no history stands in January 1970 and nowhere before 1972", "read the stamps with their unit",
    ),
    Rule(
        "stamps-future", BARS, "stamps_future", {"poor": 0.0}, "{value:.0%} of the bars lie after today",
        "a unit of time taken for a smaller one, or made-up rows", "the future has no bars",
        "read the stamps with their unit",
    ),
    Rule(
        "coverage", BARS, "coverage", {"poor": 0.8},
        "{value:.0%} of the rows of its clock from first to last are there",
        "rows that lack between the first and the last", "a fifth of every window is missing",
        "use the spans that are whole, or another source", below=True,
    ),
    Rule(
        "gaps", BARS, "missing", {"usable": 0.0}, "{value:.0f} rows missing in {gaps} gaps",
        "rows that lack between the first and the last", "any is worth knowing; nothing is filled",
        "none, when windows may hold missing rows",
    ),
    Rule(
        "long-gap", BARS, "longest_gap", {"usable": float(LONG_GAP)},
        "{value:.0f} rows from one bar to the next after {longest_gap_from:%Y-%m-%d}",
        "a history in two parts", "longer than a month of sessions: no window spans it",
        "cut the history there with panel.window",
    ),
    Rule(
        "off-calendar", BARS, "off_calendar", {"usable": 0.0}, "{value:.0f} bars on days without a session",
        "bars on holidays and weekends of the exchange", "the exchange was closed",
        "drop them, or check the time zone of the stamps",
    ),
    Rule(
        "closing-hours", BARS, "closing_hours", {"hint": 0.0},
        "closed for {value:.0%} of the week, which do not count as gaps",
        "a market with closing hours on a clock that never stops", "learned from six weeks on",
        'build the panel on its sessions, such as clock="session:XNYS"',
    ),
    Rule(
        "duplicates", BARS, "duplicates_share", _SHARE, "{duplicates} rows stood twice ({value:.1%})",
        "rows with a stamp that stands twice in the file", _REPAIRED, "check which of the two rows is right",
    ),
    Rule(
        "merged", BARS, "merged_share", {"hint": 0.0}, "{merged} bars were merged with another of their row",
        "several bars in one row of the clock", "right when resampling, wrong when a clock is too coarse",
        "check the clock",
    ),
    Rule(
        "disorder", BARS, "disorder_share", {"hint": 0.0}, "{disorder} rows stood after a later one ({value:.0%})",
        "rows out of time order; a file with the newest row first counts in full", "sorting loses nothing",
        "none, unless stamps also stand twice",
    ),
    Rule(
        "no-stamp", BARS, "missing_stamp", {"usable": 0.0}, "{value:.0f} rows had no stamp", "rows without a stamp",
        "they cannot be placed and are left out", _FILE,
    ),
    Rule(
        "not-positive", BARS, "not_positive_share", _SHARE,
        "{not_positive} bars with a price at or below zero ({value:.1%}), which lost their prices",
        "opens of 0 and other prices that none paid", _REPAIRED, "rebuild the open from another source, or use closes",
    ),
    Rule(
        "high-below-low", BARS, "high_below_low_share", _SHARE,
        "{high_below_low} bars with a high below their low ({value:.1%}), which lost their prices",
        "swapped or broken columns", _REPAIRED, _FILE,
    ),
    Rule(
        "infinite", BARS, "infinite_share", _SHARE, "{infinite} rows with an infinite number ({value:.1%})",
        "divisions by zero of an earlier program", _REPAIRED, _FILE,
    ),
    Rule(
        "negative-volume", BARS, "negative_volume_share", _SHARE, "{negative_volume} negative volumes ({value:.1%})",
        "signed volumes, or numbers that ran over", _REPAIRED, _FILE,
    ),
    Rule(
        "ohlc", BARS, "ohlc_share", _SHARE, "open or close outside high-low in {ohlc_violations} bars ({value:.1%})",
        "bars that contradict themselves by more than the rounding of adjusted prices",
        "above a twentieth, range measures rest on wrong highs and lows", "use measures of closes alone there",
    ),
    Rule(
        "price-missing", BARS, "price_missing", {"usable": 0.0, "poor": 0.2},
        "{value:.1%} of the bars have a volume and no price", "prices that were lost, mostly to rules of the ledger",
        "a fifth of every window is missing", "take the prices from another source",
    ),
    Rule(
        "stale", BARS, "stale_share", {"usable": 0.05, "poor": 0.5},
        "{value:.0%} of the bars repeat the last close without a range",
        "filled-forward prices, in bars that do not report a volume of zero",
        "one bar in twenty; above half the measures see the filling, not the market", "drop the filled bars",
    ),
    Rule(
        "copied", BARS, "copied_bars", {"usable": 0.0}, "{value:.0f} bars equal the one before, volume included",
        "rows that were copied over a gap", "prices, range and volume do not repeat together", "drop the copies",
    ),
    Rule(
        "spike", BARS, "spikes", {"usable": 0.0},
        "{value:.0f} opens or closes far from both neighbours, the first at {spike_at:%Y-%m-%d}",
        f"out and back at once by more than {SPIKE:g} robust standard deviations of the moves around",
        "twice the distance at which Barndorff-Nielsen et al. (2009) drop quotes", "compare with another source",
    ),
    Rule(
        "reused-ticker", BARS, "reused", {"poor": 0.0},
        "the price is another by a factor above 5 after a gap, at {break_at:%Y-%m-%d}: two assets?",
        f"a gap of more than {LONG_GAP} rows with a price beyond {REUSED:g} times or below a fifth",
        "what nobody traded for a month and returns at another price is mostly another asset",
        "split the history there into two assets",
    ),
    Rule(
        "price-break", BARS, "price_breaks", {"poor": 0.0},
        "the price opens at more than 50 times or less than a fiftieth, at {break_at:%Y-%m-%d}",
        f"an open beyond {REDENOMINATED:g} times the last close, without a gap and lasting",
        "a market trades its way down; a new unit or coin is there at the open", "rescale or split the history",
    ),
    Rule(
        "split", BARS, "splits", {"usable": 0.0},
        "{value:.0f} opens by a ratio of small numbers, the first at {split_at:%Y-%m-%d}: unadjusted splits?",
        "opens at 3/2, 2, 3, 4, 5, 8, 10 or 20 times the last close, or their inverse, to within two ordinary moves",
        "eight times an ordinary move overnight, and no more than three times the shares that the ratio explains",
        "adjust prices and volumes, or use dollar volume",
    ),
    Rule(
        "dead", BARS, "dead_rows", {"dead": 0.0}, "no trade in the last {value:.0f} bars, since {dead_since:%Y-%m-%d}",
        "a silent tail: delisted, or kept alive by its venue",
        f"at least {SILENT} bars and more than twice the longest silence before",
        "cut it there; never fill its liquidity",
    ),
    Rule(
        "silent-start", BARS, "silent_start", {"usable": 0.0},
        "no volume in the first {value:.0f} bars, until {volume_since:%Y-%m-%d}", "a volume that starts later",
        f"at least {SILENT} bars", "use volumes from there on",
    ),
    Rule(
        "no-volume", BARS, "no_volume", {"usable": 0.0}, "every volume is zero",
        "an index, or klines of mark or index prices", "no trade in any bar", "do not use it as a source of volume",
    ),
    Rule(
        "zero-volume", BARS, "zero_share", {"usable": 0.0, "poor": 0.5},
        "{value:.2%} of the bars without volume", "bars without a trade between the first and the last",
        "a bar without trade is information; above half, Amihud rests on the exceptions",
        "choose longer bars, or measures that count zeros",
    ),
    Rule(
        "volume-missing", BARS, "volume_missing", {"usable": 0.0, "poor": 0.2}, "{value:.1%} of the bars lack a volume",
        "rows that have prices and no volume", "a fifth of every window is missing", "take volumes from another source",
    ),
    Rule(
        "volume-break", BARS, "volume_break", {"usable": 10.0},
        "volume changes for good by a factor above {value:.0f} at {volume_break_at:%Y-%m-%d}",
        "16 volumes in a row, each beyond the 16 around them by that factor: another unit or another market",
        "the most in 156 perpetual futures is 2.8", "compare with another source; rescale or cut",
    ),
    Rule(
        "dollars-equal-base", BARS, "dollars_equal_base", {"poor": 0.05},
        "dollar volume equals volume in {value:.0%} of the bars", "one column taken for both",
        f"their ratio is 1, which is no price of the bar, to {UNIT_SLACK:.0%}", "read the other column",
    ),
    Rule(
        "dollars-swapped", BARS, "dollars_base_swapped", {"poor": 0.05},
        "volume is dollar volume and the reverse in {value:.0%} of the bars", "the two columns swapped",
        f"their ratio is one over a price of the bar, to {UNIT_SLACK:.0%}", "swap them",
    ),
    Rule(
        "dollars-outside", BARS, "dollars_outside", {"usable": 0.01, "poor": 0.5},
        "dollar volume / volume is no price of the bar in {value:.0%}, but {dollars_to_value:.4g} times the close",
        "contracts for coins, another market's volume, or prices adjusted beside raw volumes",
        f"between low and high, to {UNIT_SLACK:.0%}", "look up what the vendor's columns count",
    ),
    Rule(
        "twins", BARS, "twin_gap", {"poor": 0.05},
        "volume differs from another series of the same market by {value:.0%}",
        "two series of one base, quote, venue and class that contradict each other",
        "revisions of a vendor stay below a twentieth",
        "one of them is another market: a spot file under a future's name?",
    ),
    Rule(
        "small-venue", BARS, "volume_of_largest", {"hint": 0.05},
        "{value:.1%} of the volume of the panel's largest with this base",
        "the volume of one venue, which says little of the whole market", "less than a twentieth on common days",
        "do not take it for the market's volume", below=True,
    ),
    Rule(
        "jumps", BARS, "jumps", {"hint": 0.0}, "{value:.0f} moves above ten robust standard deviations",
        "moves far beyond those around them; crashes are among them", "none is no fault by itself", "look at the dates",
    ),
    Rule(
        "wicks", BARS, "wicks", {"hint": 0.0}, "{value:.0f} highs or lows far outside open and close",
        f"beyond {LEAST_WICK:g} times and {FAR:g} robust standard deviations: stub quotes, misprints, flash crashes",
        "they rule every range measure", "compare with another venue",
    ),
    Rule(
        "off-grid", BARS, "off_grid", {"hint": 0.0}, "prices stand on no grid",
        "prices adjusted or averaged, with volumes that may not be",
        "more than one in twenty off every grid of ten decimals",
        "take raw closes for dollar volumes",
    ),
    Rule(
        "coarse-tick", BARS, "tick_share", {"hint": 0.005}, "the tick is {value:.2%} of the price",
        "prices so low that the tick is the spread", "no spread can be below a tick",
        "read spread estimates as the tick",
    ),
    Rule(
        "tick-change", BARS, "tick_changes", {"hint": 0.0},
        "the tick changed {value:.0f} times, last at {tick_changed:%Y-%m-%d}",
        "another tick size, or another source from there on", "periods of 250 bars",
        "expect spreads to move with it",
    ),
    Rule(
        "negative-spreads", BARS, "negative_edge", {"hint": 0.4},
        "{value:.0%} of the signed EDGE estimates are negative",
        "spreads too small for their estimator", "a third at a true spread of 1 % on thin bars, a half at none",
        "average signed estimates over time or assets; never take absolute values",
    ),
    Rule(
        "negative-ranges", BARS, "negative_corwin_schultz", {"hint": 0.4},
        "{value:.0%} of the signed Corwin-Schultz estimates are negative",
        "spreads too small for their estimator, or gaps overnight", "a half at no spread at all",
        "average signed estimates over time or assets; never take absolute values",
    ),
    Rule(
        "volume-detached", BARS, "volume_range_agreement", {"hint": 0.1},
        "volume and range move together in only {value:.0%} more bars than apart",
        "volume that ignores the market: made up, another asset's, or another day's (Karpoff, 1987: both rise)",
        "0 when unrelated; the least of 103 perpetual futures is 0.41",
        "a hint of wash trading, no proof: look at single trades", below=True,
    ),
)  # fmt: skip
