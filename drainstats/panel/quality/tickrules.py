"""The rules for trades, quotes and books."""

from __future__ import annotations

from drainstats.panel.quality.rules import Rule
from drainstats.panel.quality.ticks import FAR, NEIGHBOURS, WIDE

TICKS = ("trades", "quotes", "book")
_BNHLS = "Barndorff-Nielsen, Hansen, Lunde and Shephard (2009)"

TICK_RULES = (
    Rule(
        "no-rows", TICKS, "rows", {"empty": 0.5}, "the table has no rows", "a table without rows",
        "nothing can be measured", "fetch it again or drop it", below=True,
    ),
    Rule(
        "event-stamps", TICKS, "missing_stamps", {"usable": 0.0}, "{value:.0f} rows have no stamp",
        "events without a stamp", "they cannot be placed", "drop them",
    ),
    Rule(
        "events-1970", TICKS, "stamps_1970", {"poor": 0.0}, "{value:.0%} of the rows lie before March 1970",
        "seconds read as milliseconds, or milliseconds as microseconds", "nobody recorded ticks then",
        "read the stamps with their unit",
    ),
    Rule(
        "events-future", TICKS, "stamps_future", {"poor": 0.0}, "{value:.0%} of the rows lie after today",
        "a unit of time taken for a smaller one", "the future has no events", "read the stamps with their unit",
    ),
    Rule(
        "steps-back", TICKS, "disorder_share", {"usable": 0.0, "poor": 0.05},
        "{late_rows} rows stand after a later one ({value:.2%}), by up to {largest_step_back:.6g} s",
        "rows out of time order; the newest row first is an order",
        "one in twenty: the file mixes streams", "sort by time, or use the time of receipt",
    ),
    Rule(
        "newest-first", TICKS, "newest_first", {"hint": 0.0}, "the newest row stands first",
        "a file in reverse order", "sorting loses nothing but the order within one stamp",
        "reverse the rows, then sort",
    ),
    Rule(
        "silence", TICKS, "gap_ratio", {"hint": 100.0},
        "no row for {longest_gap:.6g} s from {longest_gap_from:%Y-%m-%d %H:%M:%S}, {value:.0f} times the usual wait",
        "a gap in time: outage, halt, or hours without trading",
        "in four recorded markets the longest is 21 to 87 times",
        "look whether the venue was open",
    ),
    Rule(
        "clock-ahead", TICKS, "clock_ahead", {"usable": 0.01},
        "{value:.0%} of the rows were received before they happened, the median {delay_median:.3g} s after",
        "two clocks that disagree", "one in a hundred: more than a jump of the clock",
        "order by the time of receipt; never join streams of different stamps",
    ),
    Rule(
        "repeated-rows", TICKS, "repeated_rows", {"hint": 0.0},
        "{value:.3%} of the rows repeat another in every column",
        "rows that stand twice", "fills of one order may look alike: without numbers nobody can tell",
        "drop them if the source numbers its rows and the numbers repeat",
    ),
    Rule(
        "repeated-ids", TICKS, "duplicate_ids", {"usable": 0.0, "poor": 0.05}, "{value:.2%} of the ids stand twice",
        "one event twice", "ids are unique; one in twenty is a file joined with itself", "keep one row an id",
    ),
    Rule(
        "missing-ids", TICKS, "id_gaps", {"usable": 0.0, "poor": 0.05},
        "{value:.2%} of the ids between first and last are missing",
        "events that were lost", "ids that mostly count by one", "fetch the file again",
    ),
    Rule(
        "event-prices", TICKS, "bad_prices", {"usable": 0.0, "poor": 0.05},
        "{value:.2%} of the rows have a price at or below zero, or none",
        "prices that none paid", f"{_BNHLS}, rules P2 and Q1", "drop those rows",
    ),
    Rule(
        "event-amounts", TICKS, "bad_amounts", {"usable": 0.0, "poor": 0.05},
        "{value:.2%} of the rows have an amount that cannot be",
        "trades of nothing, quotes without a size, negative levels", "nothing cannot be traded", "drop those rows",
    ),
    Rule(
        "outliers", ("trades", "quotes"), "outliers", {"hint": 0.0, "usable": 0.01},
        "{value:.3%} of the prices are far from those around",
        f"more than {FAR:g} mean absolute deviations, and ticks, from the median of the {NEIGHBOURS} around",
        f"{_BNHLS}, rule Q4; up to one in two hundred in four recorded markets", "look at them before dropping any",
    ),
    Rule(
        "crossed", ("quotes", "book"), "crossed", {"usable": 0.0, "poor": 0.05},
        "{value:.2%} of the quotes are crossed",
        "a bid above the ask", f"{_BNHLS}, rule Q2; one venue's book never is", "drop them, or rebuild the book",
    ),
    Rule(
        "locked", ("quotes", "book"), "locked", {"hint": 0.0, "usable": 0.05}, "{value:.2%} of the quotes are locked",
        "a bid equal to the ask", "happens between venues; on one venue it is an artefact", "drop them for spreads",
    ),
    Rule(
        "one-sided", ("quotes", "book"), "one_sided", {"hint": 0.0, "usable": 0.05},
        "{value:.2%} of the quotes lack a side",
        "an empty side", "in a drain it is the news, in a calm market a fault", "compare with other venues",
    ),
    Rule(
        "wide-spreads", ("quotes", "book"), "wide_spreads", {"hint": 0.0},
        "{value:.2%} of the spreads are above 50 times the median", f"spreads above {WIDE:g} times the median",
        f"{_BNHLS}, rule Q3", "keep them when a crash is the subject",
    ),
    Rule(
        "level-disorder", ("book",), "level_disorder", {"poor": 0.0}, "levels out of order in {value:.2%} of the rows",
        "a deeper level with a better price, or depth that shrinks outwards", "a book is sorted",
        "check how the columns were read",
    ),
    Rule(
        "book-gap", ("book",), "book_gap", {"poor": 0.0}, "the chain of update numbers is broken",
        "updates that were lost", "every level after the gap may be wrong", "start again at the next snapshot",
    ),
    Rule(
        "no-snapshot", ("book",), "no_snapshot", {"hint": 0.0}, "updates without a snapshot",
        "a stream that nothing anchors", "a level that never changes is not seen", "fetch the snapshot before it",
    ),
    Rule(
        "outside-quotes", ("trades",), "outside_quotes", {"hint": 0.05, "usable": 0.5},
        "{value:.0%} of the trades lie a spread or more outside the quotes of their moment",
        "clocks of trades and quotes that disagree, or another market's quotes",
        f"{_BNHLS}, rule T4; large orders walk through the book, but not half of the trades",
        "bring both to one clock",
    ),
    Rule(
        "sides-inverted", ("trades",), "side_against_quotes", {"poor": 0.5},
        "{value:.0%} of the trades at the ask are sales, or at the bid purchases",
        "a flag read the wrong way round: is_buyer_maker means that the seller took",
        "more wrong than right among trades at the quotes", "swap the sides",
    ),
    Rule(
        "sides-against-ticks", ("trades",), "side_tick_agreement", {"usable": 0.4},
        "only {value:.0%} of the price changes go the way of the side", "a flag read the wrong way round",
        "in five recorded markets 87 to 98 % do, by chance a half", "swap the sides, or hold them against quotes",
        below=True,
    ),
    Rule(
        "sides-unknown", ("trades",), "unknown_side", {"hint": 0.0, "usable": 0.5},
        "{value:.0%} of the trades have no side",
        "trades whose taker is not known", "above half, signed volume is that of the others",
        "sign them: drainstats.measures",
    ),
    Rule(
        "one-size", ("trades",), "commonest_size", {"hint": 0.5},
        "{value:.0%} of the trades have one and the same amount",
        "a program that trades with itself, or a lot that is all that trades",
        "in five recorded markets it is 1 to 33 %", "a hint of wash trading, no proof: look who trades",
    ),
    Rule(
        "no-round-sizes", ("trades",), "round_sizes", {"hint": 1.2},
        "round amounts are only {value:.2f} times as often as by chance",
        "no trace of the round sizes that people choose (Cong et al., 2023; Aloosh and Li, 2024)",
        "in five recorded markets 2 to 7 times, by chance once", "a hint of wash trading, no proof", below=True,
    ),
)  # fmt: skip
