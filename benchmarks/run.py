"""Run the races: ``run.py [--quick] [--dry] [NAME ...]``; writes results.json and docs/benchmarks.md.

Of races that are named, the records are replaced; the others stay as they were measured.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import os
import pathlib
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

HERE = pathlib.Path(__file__).parent
PACKAGES = (
    "drainstats", "numpy", "numba", "pandas", "polars", "duckdb", "pyarrow", "bidask", "multiarch", "multigarch", "arch"
)  # fmt: skip


def main() -> int:
    """Every ``race_*.py`` has a function ``races(quick)`` that returns records."""
    sys.path.insert(0, str(HERE))
    names = sorted(p.stem.removeprefix("race_") for p in HERE.glob("race_*.py"))
    parser = argparse.ArgumentParser(description="Race drainstats against its peers in one run.")
    parser.add_argument("names", nargs="*", default=names, help=f"among {', '.join(names)}; all by default")
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--dry", action="store_true", help="print, write nothing")
    options = parser.parse_args()
    records: list[dict[str, Any]] = []
    about = {"date": f"{datetime.date.today():%Y-%m-%d}", "machine": _machine()}
    for name in options.names:
        found = importlib.import_module(f"race_{name}").races(quick=options.quick)
        records += [{"family": name} | about | record for record in found]
    sys.stdout.write(_table(about | {"versions": _versions(), "races": records}))
    if not options.dry:
        from drainstats.files import write_whole

        result = about | {"versions": _versions(), "races": _kept(options.names) + records}
        text = _table(result)

        write_whole(HERE / "results.json", (json.dumps(result, indent=1) + "\n").encode())
        write_whole(HERE.parent / "docs" / "benchmarks.md", text.encode())
    return 0


def _kept(names: list[str]) -> list[dict[str, Any]]:
    """The stored records of the races that were not run."""
    stored = HERE / "results.json"
    races = json.loads(stored.read_text(encoding="utf-8"))["races"] if stored.is_file() else []
    return [record for record in races if record["family"] not in names]


def _machine() -> str:
    return f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _cell(value: Any, form: str = "{}") -> str:
    return "–" if value is None else form.format(value)


def _table(result: dict[str, Any]) -> str:
    versions = ", ".join(f"{k} {v}" for k, v in result["versions"].items())
    lines = [
        "# Benchmarks",
        "",
        f"CPU seconds of one thread, ours and the peer alternating in one run, medians; made up to {result['date']} on",
        f"{result['machine']}; {versions}. The date of each race stands in `benchmarks/results.json`.",
        "Ratios are theirs over ours. Memory is the peak of Python and NumPy allocations.",
        "",
        "| race | peer | ours, s | peer, s | ratio | ours, MiB | peer, MiB | note |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for r in result["races"]:
        note = "; ".join(part for part in (r.get("note"), r.get("limit") and f"limit: {r['limit']}") if part)
        cells = [_cell(r["ours_s"], "{:.4g}"), _cell(r["peer_s"], "{:.4g}"), _cell(r["ratio"], "{:.1f}")]
        memory = [_cell(r.get("ours_mb")), _cell(r.get("peer_mb"))]
        lines.append(f"| {' | '.join([r['race'], r['peer'], *cells, *memory, note])} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
