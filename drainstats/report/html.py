"""`write_report`: the main job on one or several panels as one self-contained HTML file."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Any

from drainstats.errors import DataError, require_extra
from drainstats.files import write_whole
from drainstats.panel.datasets import load_dataset
from drainstats.panel.panel import LiquidityPanel
from drainstats.report.analysis import Analysis, analyse
from drainstats.report.figures import FIGURES, draw
from drainstats.report.tables import headline_facts, section_tables

REFERENCES = (
    "Range: Parkinson (1980), Journal of Business 53(1). Spreads: Ardia, Guidotti and Kroencke (2024), Journal of "
    "Financial Economics 161; Corwin and Schultz (2012), Journal of Finance 67(2); Abdi and Ranaldo (2017), Review of "
    "Financial Studies 30(12); Roll (1984), Journal of Finance 39(4). Impact: Amihud (2002), Journal of Financial "
    "Markets 5(1).",
    "Co-liquidity: Engle (2002), Journal of Business & Economic Statistics 20(3), on log differences of the range.",
    "Event tests: Boehmer, Musumeci and Poulsen (1991), Journal of Financial Economics 30(2); Kolari and Pynnönen "
    "(2010), Review of Financial Studies 23(11). Both hold their level when all variances jump in proportion.",
    "Signal: circular shifts of the labels; thresholds from earlier rows only.",
)
PARAMETERS = (
    "Baseline: median and 1.4826 MAD of log illiquidity over at most 365 days before, same time of day, at least 60 "
    "bars. Alarm: at least half of the observed assets more than 3 robust standard deviations above it, with a rank of "
    "that breadth of at most 1 % in its own trailing year, in which an earlier episode counts once and equal breadths "
    "are ordered by the median stress. End: the median asset below 1 for 3 bars in a row. Exit cost: mean cost of "
    "1,000,000 in quote currency, Y = 1, exponent 0.5, on members that trade more than that in a bar, at the trough "
    "and in the 60 bars before the onset. Event study: constant mean, rows −250 to −11. Signal: DCC refitted every 63 "
    "rows on at most 504, alarm above the 90 % quantile of its past."
)
PACKAGES = ("drainstats", "numpy", "scipy", "pandas", "numba", "matplotlib")


def write_report(
    data: Any,
    path: str | os.PathLike[str] = "report.html",
    *,
    title: str = "Liquidity drains",
    day: Any = None,
    progress: bool = False,
) -> Path:
    """Write the report of one or several panels.

    Parameters
    ----------
    data : LiquidityPanel, dataset name, `Analysis`, or mapping heading → any of them
    path : path, default "report.html"
        Written under a temporary name and renamed: an old report stays whole until the new one is.
    title : str
    day : time stamp, optional
        The headline episode is the one that covers it (see `drainstats.report.analysis.analyse`).
    progress : bool, default False

    Returns
    -------
    pathlib.Path
        Of a file that needs no network and no script. Names that come from data are escaped.

    Raises
    ------
    MissingExtraError
        Without the extra ``report``.
    DataError
        When there is nothing to report on.

    Examples
    --------
    >>> import drainstats as ds, pathlib, tempfile
    >>> panel = ds.load_dataset("crypto-venues-daily").select(base="BTC").window("2019-06-01", "2020-06-30")
    >>> path = ds.write_report(panel, pathlib.Path(tempfile.mkdtemp()) / "btc.html")
    >>> path.stat().st_size > 50_000
    True
    """
    jinja2 = require_extra("jinja2", "report")
    require_extra("matplotlib", "report")
    parts = dict(data) if isinstance(data, Mapping) else {_heading(data): data}
    if not parts:
        raise DataError("There is nothing to report on: pass a panel or a dataset's name.")
    sections = []
    for number, (heading, part) in enumerate(parts.items(), 1):
        done = part if isinstance(part, Analysis) else analyse(_panel(part), heading, day=day, progress=progress)
        sections.append(_section(done, heading, number))
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    template = environment.from_string(files("drainstats.report").joinpath("template.html").read_text(encoding="utf-8"))
    page = template.render(
        title=title,
        made=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        sections=sections,
        versions=_versions(),
        parameters=PARAMETERS,
        references=REFERENCES,
    )
    return write_whole(Path(path), page.encode("utf-8"))


def _heading(data: Any) -> str:
    return data if isinstance(data, str) else data.title if isinstance(data, Analysis) else "Panel"


def _panel(data: Any) -> LiquidityPanel:
    if isinstance(data, str):
        return load_dataset(data)
    if not isinstance(data, LiquidityPanel):
        raise DataError(f"A report needs a LiquidityPanel or a dataset's name, a {type(data).__name__} came.")
    return data


def _section(analysis: Analysis, heading: str, number: int) -> dict[str, Any]:
    panel, headline = analysis.panel, analysis.headline
    tables = section_tables(analysis)
    studies = [{"table": tables.pop(f"study:{name}"), "notes": study.notes} for name, study in analysis.studies.items()]
    names = ("episodes", "members", "measures", "coliquidity", "dcc", "backtest", "quality", "ledger")
    return {
        "title": heading,
        "summary": repr(panel),
        "facts": headline_facts(headline) if headline else [],
        "kind": headline.kind if headline else "",
        "episode_notes": headline.notes if headline else (),
        "figures": {name: draw(name, analysis, f"s{number}{name}") for name in FIGURES},
        "tables": {name: tables.get(name) for name in names},
        "studies": studies,
        "signal_notes": analysis.backtest.notes if analysis.backtest else (),
        "provenance": json.dumps(dict(panel.provenance), indent=1, default=str, ensure_ascii=False),
        "problems": analysis.problems,
    }


def _versions() -> dict[str, str]:
    out = {}
    for name in PACKAGES:
        try:
            out[name] = version(name)
        except PackageNotFoundError:
            out[name] = "not installed"
    return out
