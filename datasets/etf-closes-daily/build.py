"""Rebuild data.csv.gz from PyPI mlfinpy 0.1.2: closes of 23 exchange-traded funds, raw values kept."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))
from _build import Build

if __name__ == "__main__":
    build = Build(__file__)
    closes = pd.read_csv(io.BytesIO(build.sources()[0]))
    build.write(closes.to_csv(index=False, lineterminator="\n"))
