"""One analysis of a small market with a planted drain and hostile asset names, shared by the report's tests."""

from __future__ import annotations

import numpy as np
import pytest

from drainstats.report.analysis import analyse
from tests.markets import calm_log_illiquidity, illiquidity_frame, panel_from_ranges, plant

NAMES = ["<script>alert(1)</script>", "$x$_y", "A&B", "plain"]


@pytest.fixture(scope="session")
def hostile_panel():
    rng = np.random.default_rng(0)
    frame = illiquidity_frame(plant(calm_log_illiquidity(rng, 700, 4), 560, size=9.0))
    return panel_from_ranges(frame.set_axis(NAMES, axis=1), rng)


@pytest.fixture(scope="session")
def analysis(hostile_panel):
    return analyse(hostile_panel, "A <b>bold</b> title")
