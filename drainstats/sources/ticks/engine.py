"""`tick_bars`: trades and quotes of any size as bars, in one pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from drainstats.errors import OptionError, check_option, check_whole
from drainstats.sources.ticks import jobs as work
from drainstats.sources.ticks.bulk import with_bulk_volume
from drainstats.sources.ticks.files import Reading
from drainstats.sources.ticks.order import nonnegative
from drainstats.sources.ticks.rule import BarRule, By
from drainstats.sources.ticks.signing import METHODS, QUOTE_METHODS
from drainstats.sources.ticks.table import table_of

_DAY = 86_400_000_000_000


def tick_bars(
    trades: Any,
    size: Any = "1min",
    by: By = "time",
    *,
    quotes: Any = None,
    sign: str = "given",
    lag: Any = "0s",
    horizon: Any = "5min",
    vpin_bucket: float | Mapping[str, float] | None = None,
    vpin_window: int = 50,
    bulk_window: int = 50,
    tolerance: Any = "0s",
    asset: str | None = None,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    quote_format: str | None = None,
    quote_columns: Mapping[str, str] | None = None,
    n_jobs: int = 1,
    progress: bool = False,
) -> pd.DataFrame:
    """Bars of trades, and of quotes beside them, with what they say about liquidity; files of any size, in one pass.

    Everything is computed from one UTC day of one asset: at midnight bars, returns, quotes and volume buckets start
    afresh. Only ``vpin`` (and ``sign="bvc"``) looks back over midnight, at what earlier days have finished. So the
    answer does not depend on how the data are cut into files, nor on the engine that reads them.

    Parameters
    ----------
    trades : path, list of paths, mapping of asset to either, or table
        Files as `drainstats.read_trades` knows them (CSV plain or in gz, xz, bz2, zst or a zip of one file; Parquet),
        read in batches: memory depends on the batch and on the number of bars, not on the file. DBN
        and recorded streams are read whole.
        Files may be named in any order; the rows of an asset must be in time order. A table is one that `read_trades`
        returns. An asset that a file does not name is called by ``asset=``, by its key in the mapping, or, when there
        is but one file, by the file.
    size : length of time or number, default "1min"
        A length of time up to a day, a number of trades, base units or quote currency.
    by : {"time", "tick", "volume", "dollar", "imbalance"}, default "time"
        A time bar is [t, t + size), counted from midnight UTC and cut there; a bar without trades is absent. The others
        end with the trade at which their count, volume, value or absolute signed volume (a fixed threshold) reaches
        ``size``: that trade belongs to the bar whole.
    quotes : as ``trades``, optional
        Best bids and asks, as `drainstats.read_quotes` knows them. Both must then be in time order over all their
        assets; with a mapping each asset is read by itself.
    sign : {"given", "tick", "lee_ready", "emo", "clnv", "bvc"}, default "given"
        Who took: as the data say, by `drainstats.sign_trades`, or by `drainstats.bulk_volume` for whole bars.
    lag, horizon : length of time, default "0s" and "5min"
        As in `sign_trades`; and after how long a spread counts as realised. Less than a day.
    vpin_bucket : float or mapping of asset to float, optional
        Base units of a volume bucket; ``vpin`` is NaN without it. A share of the usual daily volume, such as a
        fiftieth, which must be known beforehand: from the day itself it would look ahead.
    vpin_window : int, default 50
        Full buckets that are averaged.
    bulk_window : int, default 50
        As ``window`` in `bulk_volume`, for ``sign="bvc"``.
    tolerance : length of time, default "0s"
        A row may come that much later than one with a later stamp, and is sorted in; beyond it is an error.
    asset : str, optional
        Of files that name their assets the one to take; of others the name.
    format, columns, quote_format, quote_columns : optional
        As in `drainstats.read_trades`, for trades and for quotes.
    n_jobs : int, default 1
        Workers over the files (without quotes) or the assets of a mapping, through `drainstats.parallel.pmap`; files
        that share a day of an asset are read once more, as one.
    progress : bool, default False

    Returns
    -------
    DataFrame
        A row a bar, by asset and time. Index ``time``: start of the bar, for all but time bars its first trade. NaN
        stands where there is no answer. Columns, with Δ and returns taken from trade to trade, the first one from the
        trade before the bar on the same day, and r log returns:

        - ``asset``; ``end``: the bar is known then (end of a time bar, else its last trade), up to ``realised_spread``
          and ``price_impact``, which are known only at ``end`` + ``horizon``.
        - ``open high low close`` (quote currency), ``volume`` (base units), ``dollar_volume`` (quote currency),
          ``trades``, ``vwap`` (quote currency; NaN without volume).
        - ``buy_volume``, ``signed_volume`` (bought less sold, base units; unknown sides in neither), ``imbalance``
          (signed over all volume, -1 to 1).
        - ``amihud``: ``|log return|`` from the close of the bar before to the close, over ``dollar_volume`` (per unit
          of quote currency); the first bar of a day counts from its open, as in Barardehi et al. (2021). NaN without
          value and before the day's second trade.
        - ``kyle_lambda``: slope of the regression with intercept of Δ price on the trade's signed amount (quote
          currency per base unit); NaN with fewer than three pairs or equal amounts.
        - ``roll``: 2 sqrt(−cov(r, r before)), covariance with divisor n − 1, with the sign of −cov (fraction of the
          price); NaN with fewer than two pairs.
        - ``realised_variance``: sum of r²; adds up over the bars of a day.
        - ``vpin``: mean of ``|bought − sold|`` / bucket over the last ``vpin_window`` full buckets (0 to 1); a trade is
          split where a bucket is full, the unfinished bucket is dropped at midnight.
        - with quotes: ``ofi``, the sum over the quotes stamped in the bar of their order flow (base units; Cont,
          Kukanov and Stoikov 2014); ``quoted_spread`` (ask − bid) / mid, weighted by the time that a quote was in
          force; ``effective_spread`` 2 side (price − mid) / mid; ``realised_spread`` 2 side (price − later mid) / mid,
          the later mid being that at the trade's time + ``horizon``; ``price_impact``, their difference. The last three
          are weighted by value over signed trades; the mid is that of the quote before (see ``lag``). A crossed or
          one-sided quote counts in none of them, a later mid only when the asset's quotes of the day reach it. For all
          but time bars, the quotes of a bar are those after the end of the bar before.
        - ``complete``, for all but time bars: whether the bar reached ``size``; the others were cut by midnight or by
          the end of the data, which has moved on since.

        ``attrs["rules"]`` lists what was assumed of the stamps, as in `drainstats.read_bars`.

    Raises
    ------
    DataError
        What `drainstats.read_trades` refuses, and stamps that run backwards: with file, line and column. For Parquet
        the line is the row, counted from 1.
    OptionError
        A size, option or length of time that is not allowed; quotes missing for a method that needs them.
    MissingExtraError
        Parquet and zst without the extra ``ticks``.

    Notes
    -----
    Sums whose differences are taken carry their rounding errors along; moments are updated as by Welford: amounts from
    1e-8 to 1e9 may stand side by side. Fed in any pieces, the same rows give the same bits.

    References
    ----------
    Amihud (2002), Journal of Financial Markets 5(1), 31-56. Barardehi, Bernhardt, Ruchti and Weidenmier (2021), Review
    of Asset Pricing Studies 11(2), 269-308. Kyle (1985), Econometrica 53(6), 1315-1335. Roll (1984), Journal of Finance
    39(4), 1127-1139. Easley, López de Prado and O'Hara (2012), Review of Financial Studies 25(5), 1457-1493. Cont,
    Kukanov and Stoikov (2014), Journal of Financial Econometrics 12(1), 47-88. Huang and Stoll (1996), Journal of
    Financial Economics 41(3), 313-357.

    Examples
    --------
    >>> import pandas as pd, drainstats as ds
    >>> clock = pd.date_range("2024-01-02 10:00", periods=6, freq="20s", tz="UTC")
    >>> price = [10.0, 10.1, 10.0, 10.2, 10.1, 10.3]
    >>> trades = pd.DataFrame({"price": price, "amount": 1.0, "side": [-1, 1] * 3}, clock)
    >>> bars = ds.tick_bars(trades, "1min")
    >>> bars[["open", "close", "trades", "signed_volume"]].to_numpy().tolist()
    [[10.0, 10.0, 3.0, -1.0], [10.2, 10.3, 3.0, 1.0]]
    >>> float(round(1e6 * bars["amihud"].iloc[1]))
    966.0
    """
    rule = BarRule.of(size, by, vpin_bucket, vpin_window)
    check_option("sign", sign, [*METHODS, "bvc"])
    check_whole("bulk_window", bulk_window, 2)
    if sign in QUOTE_METHODS and quotes is None:
        raise OptionError(f'sign="{sign}" needs quotes; sign="tick" does without.')
    if sign == "bvc" and by == "imbalance":
        raise OptionError('sign="bvc" signs finished bars: it cannot say when an imbalance bar ends.')
    spans = {
        name: nonnegative(name, span) for name, span in {"lag": lag, "horizon": horizon, "tolerance": tolerance}.items()
    }
    for name in ("lag", "horizon"):
        if spans[name] >= _DAY:
            raise OptionError(f"{name} must be shorter than a day: quotes of another day do not count.")
    job = work.Job(
        rule, sign, **spans, trades=(), quotes=(),
        reading=Reading("trades", format, columns, asset),
        quote_reading=Reading("quotes", quote_format, quote_columns, asset),
    )  # fmt: skip
    jobs = work.plan(job, trades, quotes, alone=n_jobs != 1)
    harvest = work.run(jobs, n_jobs, progress)
    table = table_of(harvest, rule, quotes is not None)
    if sign == "bvc":
        table = with_bulk_volume(table, bulk_window, rule)
    table.attrs = {"rules": list(harvest.rules), "by": by, "size": str(size)}
    return table
