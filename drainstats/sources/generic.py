"""Any CSV or Parquet file with a header: columns by their usual names, or by a map."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import pandas as pd

from drainstats.errors import DataError, OptionError
from drainstats.sources.cells import BLANKS
from drainstats.sources.layout import Format, Layout, Source, shortened
from drainstats.sources.schema import ALIASES, MAKER_SIDES, NEEDED, SIDES, canonical

_MAKERS = ("is_buyer_maker", "buyer_maker", "m")


def read_generic(source: Source, table: str, columns: Mapping[str, str] | None = None) -> pd.DataFrame:
    """A table by usual names; ``columns`` (ours → theirs) overrides and adds."""
    columns = {"symbol" if ours == "asset" else ours: theirs for ours, theirs in (columns or {}).items()}
    names = source.cells().names
    _check_map(source, table, names, columns)
    found = {ours: theirs.lower() for ours, theirs in canonical(table, names, columns).items()}
    for needed in NEEDED[table]:
        if needed not in found:
            spelled = ", ".join(filter(None, ALIASES[table][needed]))
            raise DataError(
                f"No {needed} column: one of {spelled} is expected, the header has {shortened(names)}; name it with "
                "columns=.",
                file=source.path,
                row=1,
            )
    time, symbol, side = found.pop("time"), found.pop("symbol", None), found.pop("side", None)
    if table == "flows":
        taken = {time, symbol, *found.values()}
        found |= {name: name.lower() for name in _numeric(source) if name.lower() not in taken}
        if not found:
            raise DataError("No column holds numbers.", file=source.path)
    meaning = None if side is None else (side, MAKER_SIDES if side in _MAKERS else SIDES)
    exact = table in ("trades", "book")
    result = Layout(time, found, side=meaning, symbol=symbol, money=table == "flows", whole=exact).read(source)
    if table == "book":
        result["snapshot"] = False
    return result


def _check_map(source: Source, table: str, names: list[str], columns: Mapping[str, str]) -> None:
    for ours, theirs in columns.items():
        if theirs not in names:
            raise DataError(f"There is no column {theirs!r}; the file has {shortened(names)}.", file=source.path, row=1)
        if table != "flows" and ours not in ALIASES[table]:
            known = ", ".join(ALIASES[table])
            raise OptionError(f"columns= names {ours!r}, which {table} do not have; they have {known}.")
    # Where nothing was named, a file of prices taken for flows is more likely a mistake than a wish.
    for other in ("bars", "quotes") if table == "flows" and not columns else ():
        if set(NEEDED[other]) | ({"open"} if other == "bars" else set()) <= set(canonical(other, names)):
            raise DataError(f"This is a file of {other}: read it with read_{other}.", file=source.path)


def _numeric(source: Source) -> list[str]:
    """Columns whose first filled cell is a number."""
    cells = source.cells()
    texts = cells.read(dict.fromkeys(cells.names, "text"))
    first = {
        name: next((str(v).strip() for v in values if str(v).strip() not in BLANKS), "")
        for name, values in texts.items()
    }
    bare = pd.Series(first, dtype="str").str.replace(r"^\$|,|%$", "", regex=True)
    numbers = pd.to_numeric(bare, errors="coerce").notna()
    return [name for name, number in zip(first, numbers, strict=True) if number]


FORMATS = tuple(
    Format(
        "generic", table, f"any CSV or Parquet with {', '.join(NEEDED[table])}", lambda source: False,
        partial(read_generic, table=table), "columns are found by their usual names: look at attrs['ignored']",
        genuine=table != "book",
    )
    for table in NEEDED
)  # fmt: skip
