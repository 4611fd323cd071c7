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
# # Anatomy of a drain
#
# When did it begin, whom did it reach, how deep did it go, where did the money flee, when was it back, and what of all
# that was known when? March 2020 on bundled data first; then Terra, FTX and the depeg of USDC from files.

# %%
import os
import pathlib

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import drainstats as ds

plt.rcParams.update({"figure.figsize": (9, 3.6), "axes.spines.top": False, "axes.spines.right": False, "font.size": 10})

# %% [markdown]
# ## March 2020
#
# Nine venues, three coins, daily bars. The detector compares each series with its own trailing year and asks how many
# stand out at once, and whether that is rare.

# %%
panel = ds.load_dataset("crypto-venues-daily").window("2018-01-01", "2020-12-07")
episodes = ds.detect_episodes(panel)
march = episodes[-1]
march

# %%
drawn = ds.plot_episode(march, panel, before=15, after=20, figure=plt.figure(figsize=(8, 6.4), layout="constrained"))

# %% [markdown]
# Every field has a date from which it was known. The alarm could be raised when the bar of 12 March closed; the trough
# and the half-life are hindsight.

# %%
march.field_known_at.sort_values().to_frame("known at")

# %% [markdown]
# Nearly all series cross the line in one daily bar. A source is then not identified, and shares are what can be said.
# One venue printed a wide range a day early: the model gives it the largest share and, rightly, does not name it.

# %%
march.source[march.source > 0.03].sort_values(ascending=False).round(3)

# %% [markdown]
# Each member has its own trough and its own way back.

# %%
march.member_table[["arrival", "trough", "half_back_at", "calm_at", "depth"]].head(8)

# %% [markdown]
# ## A market in which the truth is known
#
# The same detector on a simulated market with a book. The depth path is planted, so that every field of the record can
# be checked; and the same market with volatility alone, where books thin out too and nobody has to sell.

# %%
market = ds.simulate.drain(seed=9, lag=2, half_life=4.0)
found = ds.detect_episodes(market.panel, stablecoin=market.stablecoin)
print(market, "\n")
print(found[0])

# %%
alike = ds.simulate.drain(seed=9, scenario="common_volatility")
[f"{e.onset:%Y-%m-%d} {e.evidence}" for e in ds.detect_episodes(alike.panel)]

# %%
fig, axes = plt.subplots(1, 2, figsize=(9, 3), sharey=True, constrained_layout=True)
span = slice(market.truth.onset - pd.Timedelta("20D"), market.truth.onset + pd.Timedelta("30D"))
for ax, m, title in zip(axes, (market, alike), ("a drain", "common volatility"), strict=True):
    ax.plot(m.panel["depth"].loc[span] / m.panel["depth"].loc[: span.start].median(), lw=0.9)
    ax.axvline(market.truth.onset, color="0.5", lw=0.8)
    ax.set_title(f"Depth against its median: {title}")
    ax.tick_params(axis="x", rotation=30)

# %% [markdown]
# ## Terra and FTX, hour by hour
#
# Hourly bars of eleven coins, CSV files that `DRAINSTATS_DATA` names; without them this part is left out.

# %%
root = pathlib.Path(os.environ.get("DRAINSTATS_DATA") or "nowhere") / "data"
folder = root / "binance-usdm-perp-klines-mutbug" / "1h"
hourly = None
if folder.is_dir():
    bars = {path.name.split("_")[0]: ds.read_bars(path) for path in sorted(folder.glob("*.csv"))}
    hourly = ds.LiquidityPanel.from_bars(bars).window("2021-01-01", "2023-06-30")
    print(hourly)
else:
    print("The folder of files is not here.")

# %%
if hourly is not None:
    found = ds.detect_episodes(hourly, clock_within="2h")
    table = ds.episodes_table(found)
    shown = ["onset", "trough", "breadth", "depth", "half_life", "kind", "members"]
    print(table.loc[table["breadth"] > 0.8, shown].sort_values("depth").head(8).to_string(index=False))

# %%
if hourly is not None:
    days = {"Terra": ("2022-05-07", "2022-05-16"), "FTX": ("2022-11-06", "2022-11-16")}
    for name, (first, last) in days.items():
        inside = [e for e in found if pd.Timestamp(first, tz="UTC") <= e.onset <= pd.Timestamp(last, tz="UTC")]
        deepest = min(inside, key=lambda e: e.depth)
        print(name, deepest, sep="\n", end="\n\n")

# %% [markdown]
# Beside what is documented: which of these calls others have dated, and from what.

# %%
if hourly is not None:
    beside = ds.compare_episodes(found, ds.episode_catalogue("crypto"), coverage=("2021-06-01", "2023-06-30"))
    print(beside.summary.round(2).to_string())
    print(beside.table.loc[beside.table["status"] != "extra", ["status", "name", "onset_error"]].to_string(index=False))

# %% [markdown]
# How fast do members come back? Over all members of all episodes, with errors that know that members of one episode
# share their fate; and which part never does.

# %%
if hourly is not None:
    curves = ds.recovery_curves(ds.follow_members(found, hourly, clock_within="2h"))
    print(curves)
    curves.plot()

# %% [markdown]
# ## The depeg of USDC, minute by minute
#
# On 10 March 2023 a bank that held reserves of a stable coin failed. Here the haven itself was in doubt. Four markets
# of stable coins on three venues, by the hour; two weeks of history are a short baseline.

# %%
depeg = None
folder = root / "stablecoin-depeg-202303-1m"
if folder.is_dir():
    names = ["binance_usdcusdt", "coinbase_usdtusd", "kraken_usdcusd", "kraken_usdtusd"]
    depeg = ds.LiquidityPanel.from_bars({name: ds.read_bars(folder / f"{name}.parquet") for name in names})
    hours = depeg.resample("utc_hour")
    *_, run = ds.detect_episodes(hours, baseline="14D", clock_within="12h")
    print(run)

# %%
figure = None
if depeg is not None:
    figure = ds.plot_episode(run, hours, baseline="14D", clock_within="12h", before=30, after=20)
figure

# %% [markdown]
# Did the money flee into the coin, or out of it? Supply and peg, against earlier windows of the same length: November
# 2022 and March 2023 have opposite signs.

# %%
folder = root / "defillama-stablecoins-tvl-202308"
if folder.is_dir():
    chains = pd.read_csv(folder / "stablecoins__stablecoin_USDC_circulating_by_chain.csv")
    prices = pd.read_csv(folder / "stablecoins__stablecoin_prices.csv")
    supply = chains.set_index(pd.to_datetime(chains["Date"]).dt.normalize()).select_dtypes("number").sum(axis=1)
    price = prices.set_index(pd.to_datetime(prices["Date"]))["usd-coin"]
    usdc = {"USDC": pd.DataFrame({"supply": supply[~supply.index.duplicated()], "price": price}).dropna()}
    for name, (first, last) in {"FTX": ("2022-11-08", "2022-11-10"), "SVB": ("2023-03-10", "2023-03-11")}.items():
        print(name, ds.episode_flight(ds.Episode.from_dates(first, last), usdc).describe())

# %% [markdown]
# Within the day: drift bursts are moves that are too steady for their own volatility. The fall came in steps; the climb
# back is the burst.

# %%
figure = None
if depeg is not None:
    price = np.log(depeg["close"]["kraken_usdcusd"]).loc["2023-03-10":"2023-03-12"].dropna()
    times = pd.date_range("2023-03-10 06:00", "2023-03-12 23:55", freq="5min", tz="UTC")
    bandwidths = {"mean_bandwidth": 1800, "variance_bandwidth": 5400}
    bursts = ds.drift_burst(price, test_times=times, pre_average=1, **bandwidths)
    figure = ds.plot_drift_burst(np.exp(price), bursts, mean_bandwidth=1800)
figure
