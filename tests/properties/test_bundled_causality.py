"""On the bundled crypto panel nothing of the detection moves when the future is cut or disturbed."""

from __future__ import annotations

import pandas as pd

import drainstats as ds


def alarms(panel):
    found = ds.detect_episodes(panel)
    table = pd.DataFrame({"onset": [e.onset for e in found], "top": [e.source.max() for e in found]})
    return table.set_axis(pd.DatetimeIndex([e.detected_at for e in found], tz="UTC"))


def test_march_2020_was_knowable_when_it_is_said_to_be():
    panel = ds.load_dataset("crypto-venues-daily").window("2019-03-01", "2020-06-30")
    ds.causal.assert_causal(alarms, panel, cuts=60, min_rows=70)
    row = panel.index.get_loc(pd.Timestamp("2020-03-12", tz="UTC"))
    assert alarms(panel.cut(row)).empty
    assert alarms(panel.cut(row + 1)).index[0] == pd.Timestamp("2020-03-13", tz="UTC")
