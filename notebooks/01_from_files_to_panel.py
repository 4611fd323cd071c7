# ---
# jupyter:
#   jupytext:
#     formats: py:percent,ipynb
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # From files to a panel
#
# A dirty CSV, a file of trades, two asset classes on two clocks, and the page that says what is wrong with the data.
# Everything runs offline, in a temporary folder.

# %%
import pathlib
import tempfile

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import drainstats as ds

plt.rcParams.update({"figure.figsize": (9, 3.6), "axes.spines.top": False, "axes.spines.right": False})
folder = pathlib.Path(tempfile.mkdtemp())

# %% [markdown]
# ## A dirty CSV
#
# The newest row first, a stamp twice, a high below its low, an empty cell, a price of zero: an ordinary file.

# %%
dirty = """Date,Open,High,Low,Close,Volume
2020-03-16,5400,5500,4800,5000,90000
2020-03-15,5200,5900,5100,5400,
2020-03-14,5600,5500,5700,5200,40000
2020-03-13,4900,5900,3900,5600,120000
2020-03-13,4900,5900,3900,5600,120000
2020-03-12,7900,7950,4800,4900,150000
2020-03-11,7850,7980,7600,7900,0
2020-03-10,0,8100,7700,7850,40000
"""
path = folder / "venue.csv"
path.write_text(dirty)
bars = ds.read_bars(path)
bars.attrs["format"], bars.attrs["rules"], len(bars)

# %% [markdown]
# The reader leaves the rows as they are. The panel repairs by named rules only, and every use of one is a row of its
# ledger: nothing is dropped in silence.

# %%
small = ds.LiquidityPanel.from_bars({"venue:BTC": bars}, clock="utc_day")
small.ledger

# %% [markdown]
# What cannot be read is a sentence that names file, line and column.

# %%
path.write_text(dirty.replace("4900,150000", "n/a?,150000"))
try:
    ds.read_bars(path)
except ds.errors.DataError as error:
    print(str(error).replace(str(folder), "…"))

# %% [markdown]
# Which formats are known, and what goes wrong with each:

# %%
ds.list_formats()[["table", "title", "traps"]].head(8)

# %% [markdown]
# ## A file of trades
#
# Six hours of made-up trades in the layout of Binance's archive, without a header and with stamps in microseconds. At
# half past two sellers take over. `tick_bars` reads files of any size in one pass.

# %%
rng = np.random.default_rng(7)
rows = 60_000
clock = np.sort(rng.integers(0, 6 * 3600 * 10**6, rows)) + pd.Timestamp("2025-03-03 11:00").value // 1000
selling = (clock > pd.Timestamp("2025-03-03 14:30").value // 1000) & (
    clock < pd.Timestamp("2025-03-03 14:50").value // 1000
)
side = np.where(rng.random(rows) < np.where(selling, 0.15, 0.5), 1, -1)
amount = rng.exponential(0.1, rows).round(5) + 1e-5
impact = np.where(selling, 0.6, 0.12)
price = (90_000 + np.cumsum(impact * side * amount * 25 + rng.normal(0, 0.4, rows)) + 2 * side).round(2)
trades = pd.DataFrame(
    {"id": np.arange(rows), "price": price, "qty": amount, "quote": (price * amount).round(6), "time": clock}
).assign(maker=np.where(side == 1, "False", "True"), best="True")
tick_file = folder / "BTCUSDT-trades-2025-03-03.csv"
trades.to_csv(tick_file, header=False, index=False)

minutes = ds.tick_bars(tick_file, "5min", asset="BTC", vpin_bucket=amount.sum() / 60, vpin_window=10)
minutes[["close", "volume", "imbalance", "amihud", "kyle_lambda", "vpin"]].iloc[38:46]

# %%
figure, axes = plt.subplots(3, 1, sharex=True, figsize=(9, 6))
for axis, column, title in zip(
    axes,
    ("close", "kyle_lambda", "vpin"),
    ("Close", "Kyle's λ, quote currency per coin", "VPIN over ten buckets"),
    strict=True,
):
    axis.plot(minutes.index, minutes[column], lw=1.2)
    axis.set_title(title, loc="left", fontsize=10)
    axis.axvspan(pd.Timestamp("2025-03-03 14:30Z"), pd.Timestamp("2025-03-03 14:50Z"), color="C3", alpha=0.15, lw=0)
figure.tight_layout()

# %% [markdown]
# ## Two asset classes, two clocks
#
# Crypto never sleeps, New York does. On the session clock each bar stands in the first session that ends after the bar
# was known: the daily crypto bar of 12 March (UTC) is known on the 13th at midnight and stands in the session of the
# 13th. Weekends accumulate into Monday. Nothing is filled.

# %%
crypto = ds.load_dataset("crypto-venues-daily").select(venue="bitstamp").window("2020-02-24", "2020-03-31")
stocks = ds.load_dataset("us-stocks-daily").select(["AAPL", "AMZN"]).window("2020-02-24", "2020-03-31")
both = stocks.join(crypto, clock="session:XNYS")
both

# %%
both["close"].loc["2020-03-10":"2020-03-17"]

# %% [markdown]
# ## What is wrong with it
#
# A row an asset, a verdict, and the rule that produced it.

# %%
panel = ds.load_dataset("crypto-venues-daily")
quality = ds.quality(panel)
quality[["bars", "coverage", "ohlc_violations", "zero_volume", "verdict", "why"]].sort_values("coverage").head(10)

# %%
ds.plot_quality(panel).figure

# %% [markdown]
# The same as a page, in one self-contained file:

# %%
page = ds.write_quality(panel, folder / "quality.html")
page.name, page.stat().st_size > 10_000
