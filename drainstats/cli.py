"""The command ``drainstats``: report, data, fit, episodes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from drainstats.errors import DataError, DrainstatsError, MissingExtraError, OptionError, require_extra

DAY = "2020-03-12"
CRYPTO, CROSS = "Crypto venues and coins", "Across asset classes: crypto and US shares"


def main(arguments: list[str] | None = None) -> None:
    """Entry point: errors of the package and of the disk are one sentence on stderr and exit code 1."""
    try:
        app = build()
    except MissingExtraError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None
    try:
        app(arguments)
    except (DrainstatsError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None


def build() -> Any:
    """The typer application."""
    typer = require_extra("typer", "cli")
    app = typer.Typer(help="The statistics of crash episodes.", no_args_is_help=True, add_completion=False)
    dataset_or_file = "A bundled dataset, or a file of bars in any format of drainstats.list_formats()."

    @app.command("report")
    def _report(
        names: list[str] = typer.Argument(None, help="Bundled datasets; none: the drain of 12 March 2020."),
        output: Path = typer.Option(Path("build/report.html"), "--output", "-o"),
        progress: bool = typer.Option(True, help="Show a bar on stderr."),
    ) -> None:
        """Write the report of bundled datasets as one HTML file."""
        report(names, output, progress)

    @app.command("data")
    def _data(
        name: str = typer.Argument(None, help=f"{dataset_or_file} None: list the bundled ones."),
        page: Path = typer.Option(None, "--page", help="Write the quality page there instead."),
    ) -> None:
        """List the bundled datasets, or show the quality table of one or of a file."""
        data(name, page)

    @app.command("fit")
    def _fit(
        name: str = typer.Argument(..., help=dataset_or_file),
        model: str = typer.Option("dcc", help="dcc or ccc"),
        measure: str = typer.Option("parkinson", help="Measure of illiquidity."),
        start: str = typer.Option(None, help="First day."),
        end: str = typer.Option(None, help="Last day."),
        assets: str = typer.Option(None, help="Assets, separated by commas."),
    ) -> None:
        """Fit a co-liquidity model to the innovations of log illiquidity and print its card."""
        fit(name, model, measure, start, end, assets)

    @app.command("episodes")
    def _episodes(
        name: str = typer.Argument(..., help=dataset_or_file),
        as_json: bool = typer.Option(False, "--json", help="A JSON list instead of cards."),
    ) -> None:
        """Detect drain episodes and print their cards."""
        episodes(name, as_json)

    return app


def report(names: list[str] | None = None, output: Path = Path("build/report.html"), progress: bool = True) -> None:
    """Write a report; without names, of 12 March 2020 across crypto venues and across asset classes."""
    from drainstats.panel.datasets import load_dataset
    from drainstats.report.analysis import analyse
    from drainstats.report.html import write_report

    if names:
        panels = {name: load_dataset(name) for name in names}
    else:
        crypto = load_dataset("crypto-venues-daily")
        panels = {
            CRYPTO: crypto,
            CROSS: crypto.join(load_dataset("us-stocks-daily")).window("2013-01-01", "2020-12-07"),
        }
    output.parent.mkdir(parents=True, exist_ok=True)  # a folder that cannot be is said before the work
    day = None if names else DAY
    done = {title: analyse(panel, title, day=day, progress=progress) for title, panel in panels.items()}
    path = write_report(done, output)
    for title, analysis in done.items():
        sys.stdout.write(f"\n{title}\n{analysis.headline or 'no episode was found'}\n")
    sys.stdout.write(f"\n{path}\n")


def data(name: str | None = None, page: Path | None = None) -> None:
    """List the bundled datasets, or show the quality table of one or of a file; with PAGE write it as HTML."""
    from drainstats.panel.datasets import list_datasets

    if name is None:
        if page is not None:
            raise DataError("--page needs a dataset or a file to report on.")
        sys.stdout.write(f"{list_datasets().to_string()}\n")
        return
    panel = _panel(name)
    if page is None:
        sys.stdout.write(f"{panel}\n\n{panel.quality().to_string()}\n")
        return
    from drainstats.report.quality_page import write_quality

    sys.stdout.write(f"{panel}\n\n{write_quality({name: panel}, page)}\n")


def fit(
    name: str,
    model: str = "dcc",
    measure: str = "parkinson",
    start: str | None = None,
    end: str | None = None,
    assets: str | None = None,
) -> None:
    """Fit a co-liquidity model (dcc or ccc) to innovations of log illiquidity; ASSETS are separated by commas."""
    from drainstats.errors import check_option
    from drainstats.models.coliquidity.ccc import CCC
    from drainstats.models.coliquidity.dcc.engle import DCC
    from drainstats.models.coliquidity.margins.innovations import innovations

    check_option("model", model, ["dcc", "ccc"])
    panel = _panel(name).window(_day("start", start), _day("end", end))
    panel = panel.select(assets.split(",")) if assets else panel
    moves = innovations(panel.measure(measure))
    complete = moves.dropna(axis=1, thresh=int(0.99 * len(moves))).dropna()
    if complete.shape[1] < 2:
        raise DataError("Fewer than two assets are complete in this span; choose a shorter one with --start and --end.")
    result = (DCC() if model == "dcc" else CCC()).fit(complete)
    sys.stdout.write(f"{result.summary()}\n")


def episodes(name: str, as_json: bool = False) -> None:
    """Detect the episodes of a bundled dataset, or of a file of bars that holds several assets."""
    from drainstats.episodes.detection.detect import detect_episodes

    found = detect_episodes(_panel(name))
    if as_json:
        sys.stdout.write(json.dumps([e.to_dict() for e in found], indent=1) + "\n")
        return
    sys.stdout.write("\n\n".join(map(repr, found)) + "\n" if found else "no episode was found\n")


def _panel(name: str) -> Any:
    from drainstats.panel.datasets import load_dataset
    from drainstats.panel.panel import LiquidityPanel

    path = Path(name)
    if not path.suffix and not path.is_file():
        return load_dataset(name)
    from drainstats.sources.tables import read_bars

    table = read_bars(path)
    if "asset" in table:
        return LiquidityPanel.from_long(table)
    return LiquidityPanel.from_bars({path.name.split(".")[0]: table})


def _day(name: str, text: str | None) -> str | None:
    import pandas as pd

    try:
        pd.Timestamp(text or "2020-03-12")
    except ValueError:
        raise OptionError(f"{name}={text!r} is not a date; write it as 2020-03-12.") from None
    return text


if __name__ == "__main__":
    main()
