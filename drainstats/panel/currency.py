"""Prices and dollar volumes in one currency, by rates as they were known at each row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError
from drainstats.frames import to_pandas
from drainstats.panel.cleaning import Ledger, utc_index
from drainstats.panel.tables import NAT, nanoseconds_of, table_of, values_of
from drainstats.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from drainstats.panel.panel import LiquidityPanel

Rate: TypeAlias = pd.Series | str


@dataclass(frozen=True, slots=True)
class _Rate:
    """A rate with its name: known (R,) moments in order, values (R,)."""

    name: str
    known: IntArray
    values: FloatArray

    def at(self, moments: IntArray, age: int) -> FloatArray:
        """The last rate known at each moment; NaN where it is older than that or there is none."""
        last = np.searchsorted(self.known, moments, side="right") - 1
        found = (last >= 0) & (moments - self.known[last] <= age)
        return np.where(found, self.values[last], np.nan)


def converted(
    panel: LiquidityPanel, currency: str, rates: Mapping[str, Rate], max_age: str | pd.Timedelta
) -> LiquidityPanel:
    """The panel's money in one currency (`LiquidityPanel.convert`)."""
    quotes = panel.asset_table["quote"]
    _check_rates(panel, currency, rates)
    age = pd.Timedelta(max_age).as_unit("ns").value
    known = {quote: _rate(panel, quote, currency, rate) for quote, rate in rates.items()}
    money = [f for f in panel.fields if panel.units[f] in {"quote currency", *quotes}]
    fields = {f: values_of(panel.fields[f]).copy() for f in money}
    available = nanoseconds_of(panel.available)
    ends = panel.clock.end(panel.index).as_unit("ns").asi8
    ledger = Ledger()
    for line, asset in enumerate(panel.assets):
        if quotes.iloc[line] == currency:
            continue
        priced = np.any([~np.isnan(v[line]) for v in fields.values()], axis=0)
        rate = known[quotes.iloc[line]].at(np.where(available[line] == NAT, ends, available[line]), age)
        ledger.note(asset, "converted", panel.index[priced & ~np.isnan(rate)])
        ledger.note(asset, "rate-missing", panel.index[priced & np.isnan(rate)])
        for values in fields.values():
            values[line] *= rate
    step = {"to": currency, "rates": {q: r.name for q, r in known.items()}, "max_age": str(pd.Timedelta(max_age))}
    return replace(
        panel,
        fields={**panel.fields, **{f: table_of(v, panel.index, panel.assets) for f, v in fields.items()}},
        asset_table=panel.asset_table.assign(quote=currency),
        units={**panel.units, **dict.fromkeys(money, currency)},
        provenance={**panel.provenance, "converted": [*panel.provenance.get("converted", []), step]},
        ledger=ledger.after(panel.ledger),
    )


def _check_rates(panel: LiquidityPanel, currency: str, rates: Mapping[str, Rate]) -> None:
    quotes = panel.asset_table["quote"]
    if (quotes == "").any():
        raise DataError(
            f"The quote currency of {quotes.index[quotes == ''][0]!r} is not known: name it in the asset table "
            "(assets= of from_bars) before converting."
        )
    lacking = sorted(set(quotes) - {currency} - set(rates))
    if lacking:
        raise OptionError(f"rates has no rate for {', '.join(lacking)}; give one, or select the assets in {currency}.")


def _rate(panel: LiquidityPanel, quote: str, currency: str, given: Rate) -> _Rate:
    if isinstance(given, str):
        return _of_asset(panel, quote, currency, given)
    series = to_pandas(given)
    if not isinstance(series, pd.Series):
        raise OptionError(f"The rate of {quote} is a Series by the time it was known, or the name of an asset.")
    series = series.dropna()
    name = str(series.name) if series.name is not None else f"{quote}/{currency}"
    index = utc_index(series.index, name, Ledger())
    if not index.is_monotonic_increasing:
        raise DataError(f"The rate {name} is not in time order; sort it first.")
    return _checked(name, index.as_unit("ns").asi8, np.asarray(series, dtype=np.float64))


def _of_asset(panel: LiquidityPanel, quote: str, currency: str, asset: str) -> _Rate:
    if asset not in panel.asset_table.index:
        raise OptionError(f"The rate of {quote} is the asset {asset!r}, which the panel does not have.")
    base, own = panel.asset_table.loc[asset, ["base", "quote"]]
    if (base, own) != (quote, currency):
        raise OptionError(f"{asset!r} prices {base} in {own}; a rate for {quote} prices {quote} in {currency}.")
    close, known = panel.fields["close"][asset].to_numpy(), nanoseconds_of(panel.available[[asset]])[0]
    there = (known != NAT) & ~np.isnan(close)
    return _checked(asset, known[there], close[there])


def _checked(name: str, known: IntArray, values: FloatArray) -> _Rate:
    if not len(values):
        raise DataError(f"The rate {name} has no value.")
    if not (np.isfinite(values).all() and (values > 0).all()):
        raise DataError(f"The rate {name} has a value that is not positive and finite.")
    return _Rate(name, known, values)
