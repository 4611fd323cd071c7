"""``python -m drainstats.reproduce [--out FILE]``: run every recipe."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from drainstats.errors import DrainstatsError
from drainstats.reproduce.runner import run


def main(arguments: list[str] | None = None) -> int:
    """Run the recipes, write the records and the table; 0 when every item is within its tolerance."""
    parser = argparse.ArgumentParser(prog="python -m drainstats.reproduce", description="Recompute published results.")
    parser.add_argument("--out", type=Path, default=Path("paper/results.json"), help="where the list of records goes")
    parser.add_argument("--data", type=Path, default=None, help="data folder; default: the variable DRAINSTATS_DATA")
    options = parser.parse_args(arguments)
    try:
        outcome = run(data_root=options.data, out=options.out)
    except DrainstatsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{outcome.table()}\n")
    return outcome.exit_code


if __name__ == "__main__":
    raise SystemExit(main())
