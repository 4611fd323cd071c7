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
# # Quick start: the drain of 12 March 2020
#
# From bundled market files to a dated, tested account of an episode: who drained, how many followed, how deep, what an
# exit cost, when it came back, and whether anything warned in time. Everything here runs offline.

# %%
import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import pandas as pd

import drainstats as ds

plt.rcParams.update({"figure.figsize": (9, 3.6), "axes.spines.top": False, "axes.spines.right": False})
ds.list_datasets()

# %% [markdown]
# ## A panel, and what is wrong with it
#
# The data are real and therefore dirty. The loader repairs by named rules only and says what it did.

# %%
panel = ds.load_dataset("crypto-venues-daily")
panel

# %%
panel.ledger.groupby("rule")["rows"].sum()

# %%
panel.quality()[["first", "coverage", "ohlc_violations", "zero_volume", "verdict", "why"]].head(8)

# %% [markdown]
# ## Measures: what daily bars see, and what they do not
#
# On 12 March the price range of every series has its worst day. Daily Amihud illiquidity rises too, but within its
# ordinary scatter: volume exploded with the move, and part of the fall reverted within the day. A detector on ranges
# calls the day, one on Amihud sleeps.

# %%
spring = panel.window("2019-09-01", "2020-06-30")
names = ["coinbase-pro:BTC", "coinbase-pro:ETH", "bitstamp:BTC"]
price_range = spring.measure("parkinson")[names]
amihud = spring.measure("amihud", window=1)[names]

figure, axes = plt.subplots(1, 2)
for axis, table, title in zip(axes, (price_range, amihud), ("Price range (Parkinson)", "Amihud, one day"), strict=True):
    axis.semilogy(table / table.loc[:"2020-03-11"].median(), lw=1)
    axis.axvline(pd.Timestamp("2020-03-12", tz="UTC"), color="k", lw=0.8, ls=":")
    axis.set_title(title, loc="left")
    axis.set_ylabel("times its own median")
    axis.tick_params(axis="x", rotation=30)
axes[0].legend(names, frameon=False, fontsize=8)
figure.tight_layout()

# %%
on_ranges = ds.detect_episodes(panel.measure("parkinson"))
on_amihud = ds.detect_episodes(panel.measure("amihud", window=1))
{"ranges": [f"{e.onset:%Y-%m-%d}" for e in on_ranges], "Amihud": [f"{e.onset:%Y-%m-%d}" for e in on_amihud]}

# %% [markdown]
# ## Episodes
#
# An episode has an `onset` (retrospective) and a `detected_at`: when the alarm could first have been raised. A daily
# bar of 12 March is known on the 13th.

# %%
episodes = ds.detect_episodes(panel)
ds.episodes_table(episodes)[["onset", "detected_at", "trough", "end", "breadth", "depth", "kind"]]

# %%
march = next(e for e in episodes if f"{e.onset:%Y-%m-%d}" == "2020-03-12")
march

# %% [markdown]
# Nothing of this moves when the future is cut away: prove it.


# %%
def alarms(p):
    """What stood on record, by when each alarm was raised."""
    raised = ds.detect_episodes(p)
    return pd.DataFrame({"onset": [e.onset for e in raised]}, index=[e.detected_at for e in raised])


ds.causal.assert_causal(alarms, panel.window("2019-06-01"), cuts=50, min_rows=70)

# %% [markdown]
# ## Did liquidities move together more than before?
#
# A DCC model on the innovations of log illiquidity, with robust two-step standard errors.

# %%
balanced = panel.window("2018-10-01", None).select(venue=["coinbase-pro", "bitstamp"])
shocks = ds.innovations(balanced.measure("parkinson")).dropna()
fit = ds.DCC().fit(shocks)
fit

# %%
figure, axis = plt.subplots()
fit.average_correlation.plot(ax=axis, lw=1, color="#1f4e79")
axis.axvspan(march.onset, march.end, color="#c0392b", alpha=0.25, lw=0)
axis.set_ylabel("average conditional correlation")
axis.set_xlabel("")
axis.set_title("Co-liquidity of six crypto series", loc="left")
figure.tight_layout()

# %% [markdown]
# ## Was the day abnormal?
#
# All assets share the date and variance jumps: exactly where the usual event-study tests reject 30 to 70 % of true
# nulls. The two default tests hold when the jump is in proportion; the result warns when the common share rose too.

# %%
import warnings

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    study = ds.event_study(shocks, march)
study

# %%
[str(w.message) for w in caught]

# %% [markdown]
# ## Did anything warn?
#
# Score the co-liquidity level against the episodes detected in the same series (which flatters it) and against
# documented ones (which does not). With so few events almost nothing can be shown; the table says so.

# %%
level = ds.signals.CoLiquidityLevel().transform(balanced.measure("parkinson")).rename("co-liquidity level")
score = ds.backtest_signals(
    level,
    {"detected": episodes, "documented": ds.episode_catalogue("crypto", controls=False)},
    horizon=20,
    available_at=balanced.available_at,
)
score.table

# %% [markdown]
# ## The figure of the README

# %%
from drainstats.episodes.detection.stress import measure_stress

year = panel.window("2018-12-01", "2020-06-30")
stress = measure_stress(
    year.measure("parkinson"), baseline=pd.Timedelta("365D"), min_baseline=60, line=3.0, min_assets=2
)
z = pd.DataFrame(stress.z, index=year.index, columns=year.assets).loc["2020-02-25":"2020-04-05", list(march.members)]
figure, (top, bottom) = plt.subplots(2, 1, figsize=(9, 6), height_ratios=[3, 1], sharex=True, layout="constrained")
image = top.pcolormesh(z.index, range(len(z.columns)), z.T, cmap="magma_r", vmin=0, vmax=5)
top.set_yticks(range(len(z.columns)), z.columns, fontsize=6)
top.invert_yaxis()
top.set_title("Illiquidity of 25 crypto series: robust standard deviations above their own baseline", loc="left")
figure.colorbar(image, ax=top, shrink=0.7)
bottom.step(year.index, stress.breadth, where="mid", color="#b3392c")
bottom.set_xlim(z.index[0], z.index[-1])
bottom.set_ylabel("breadth")
bottom.xaxis.set_major_locator(mdates.WeekdayLocator(mdates.MO))
bottom.xaxis.set_major_formatter(mdates.DateFormatter("%d %b"))
bottom.set_title("Share of series above three", loc="left")
plt.rcParams["svg.hashsalt"] = "drainstats"
figure.savefig("../docs/figures/march-2020.svg", metadata={"Date": None})

# %% [markdown]
# ## Everything in one file
#
# `ds.write_report(panel)` writes all of this, and more, into one self-contained HTML file.
