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
# # An event study that is right
#
# In a drain all assets share one date and all variances jump. The usual tests take assets for independent draws and
# variances for what they were, and then reject a third to seven tenths of true nulls. This notebook shows it, shows
# what holds, and what no test on one date can do.

# %%
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import drainstats as ds

plt.rcParams.update({"figure.figsize": (9, 3.6), "axes.spines.top": False, "axes.spines.right": False, "font.size": 10})

# %% [markdown]
# ## Two hundred dates on which nothing happened
#
# Twenty assets with a mean correlation of .4; on the date all variances double, and no mean moves. Every test at 5 %.

# %%
battery = ["patell", "bmp", "t", "rank", "generalized_sign", "wilcoxon", "kp_patell", "kp_bmp", "studentized_placebo"]
days = pd.date_range("2018-01-01", periods=520, tz="UTC", name="time")
names = [f"A{i}" for i in range(20)]
rng = np.random.default_rng(12)
p_values = []
for _ in range(200):
    common, own = rng.standard_t(6, (520, 1)), rng.standard_t(6, (520, 20))
    moves = np.sqrt(0.4) * common + np.sqrt(0.6) * own
    moves[-1] *= 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ds.errors.CommonShareWarning)
        p_values.append(ds.event_study(pd.DataFrame(moves, days, names), days[-1], tests=battery).tests["p_value"])
rejected = (pd.DataFrame(p_values) <= 0.05).mean()
rejected.rename("rejected at 5 %").to_frame().T

# %%
_, ax = plt.subplots(figsize=(9, 3))
ax.barh(rejected.index[::-1], rejected[::-1], color=["#1f4e79" if r < 0.1 else "#c0392b" for r in rejected[::-1]])
ax.axvline(0.05, color="0.2", lw=0.8)
_ = ax.set_title("Rejections of a true null at 5 %: one date, correlation .4, variance doubled")

# %% [markdown]
# The tables of the documentation have every test on every design, with thousands of markets a cell.
#
# ## 8 August 2011
#
# The first session after the downgrade of US debt. Did the volatility of exchange-traded funds across asset classes
# move abnormally? Volatility is persistent, so that its innovations are studied: what is new in the log of the size of
# the return.

# %%
funds = ds.load_dataset("etf-closes-daily")
shocks = ds.event_outcome(funds, "volatility", "innovation")
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    study = ds.event_study(shocks, "2011-08-08")
study

# %% [markdown]
# Where the statistic of the date stands among the same statistic on ordinary dates, and the path with its bands.

# %%
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    path = ds.event_study(shocks, "2011-08-08", window=(0, 8))
fig, axes = plt.subplots(1, 2, figsize=(9.5, 3.4), constrained_layout=True)
study.plot(axes[0], "placebo")
_ = path.plot(axes[1], "cumulative")

# %% [markdown]
# ## One date cannot tell a shift from a large draw
#
# When the *common share* of variance rises, the mean of the date is one draw of a factor whose variance rose. That is
# the case here; the result warns of it, and gives the date's rank in the market's own history.

# %%
print(*caught[0].message.args)
pd.concat({"common share": study.common_share, "rank": study.rank}, axis=1).T.round(3)

# %% [markdown]
# ## Several dates
#
# Across events the unit is the event. Then the test holds when the common share rises too. It needs several of them:
# with six events an exact test cannot go below 1/32.

# %%
falls = ["2010-05-06", "2011-08-08", "2013-06-20", "2014-10-15", "2015-08-24", "2016-06-24"]
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    several = ds.event_study(shocks, falls)
several.across_events.round(4).to_frame("across six dates").T

# %% [markdown]
# ## Which assets?
#
# Looking at many assets finds some. Adjusted p-values answer for all of them together, and know that they move
# together.

# %%
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    day = ds.event_study(shocks, "2015-08-24")
day.adjust(studentize=False).sort_values("p_value").head(8).round(4)

# %% [markdown]
# ## What was to be expected?
#
# The same date under other models of the expected value; GARCH standardises by the variance forecast for the day.

# %%
rows = {}
for model in ("constant_mean", "seasonal", "garch"):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows[model] = ds.event_study(shocks, "2011-08-08", model=model, tests=("kp_bmp", "studentized_placebo")).tests[
            "p_value"
        ]
pd.DataFrame(rows).round(4)

# %% [markdown]
# ## Each asset on its own date
#
# The design of the textbooks: dates by asset. Correlations are taken where the windows share days of the calendar.

# %%
shares = ds.event_outcome(ds.load_dataset("us-stocks-daily"), "parkinson")
own_dates = {"AAPL": "2013-01-24", "AMZN": "2018-02-05", "NVDA": "2018-11-16", "META": ["2018-07-26", "2022-02-03"]}
ds.event_study(shares, own_dates, window=(0, 1), tests=("kp_bmp", "bmp", "patell"))
