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
# # Commonality
#
# Does liquidity dry up in many markets at once? How much more so in March 2020, how much is chance, and what does an
# asset explain of itself? Everything runs offline on bundled data and on simulated panels whose truth is known.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import drainstats as ds

M = ds.measures
plt.rcParams.update({"figure.figsize": (9, 3.6), "axes.spines.top": False, "axes.spines.right": False, "font.size": 10})

# %% [markdown]
# ## What chance alone gives
#
# Five assets that have nothing in common, each with its own persistence. In a month of twenty days, with a lead and a
# lag of the others' mean, an R² of a fifth is nothing. The circular shifts know this: they turn each asset's own
# history, which leaves its persistence and breaks the timing.

# %%
rng = np.random.default_rng(3)
days = pd.bdate_range("2018-01-01", periods=250)


def panel(loading, assets=5, memory=0.5):
    shocks = loading * rng.normal(size=(len(days), 1)) + rng.normal(size=(len(days), assets))
    for t in range(1, len(days)):
        shocks[t] += memory * shocks[t - 1]
    return pd.DataFrame(shocks, days)


alone, together = panel(0.0), panel(0.7)
rows = {
    (name, method): M.commonality(x, method, changes="none")
    for name, x in (("nothing in common", alone), ("a common factor", together))
    for method in ("market_model", "r2", "pca", "factors")
}
pd.DataFrame(
    {k: (f.statistic, f.std_error, f.null_mean, f.p_value) for k, f in rows.items()},
    ["statistic", "std_error", "chance", "p_value"],
).T.round(3)

# %% [markdown]
# The share of the first component of five unrelated assets is not zero and not even 1/5; only beside chance does it say
# anything.
#
# ## What leaving the asset out changes
#
# Regress each asset on the mean of *all* assets and it explains itself: about 1/N of R² out of nothing. The same with
# principal components, which are fitted to it. Panels without commonality, 200 rows:

# %%
sizes = [3, 5, 10, 20, 50, 100]
found = []
for n in sizes:
    x = rng.normal(size=(200, n))
    mean = x.mean(axis=1)
    own_in = np.mean([np.corrcoef(x[:, i], mean)[0, 1] ** 2 for i in range(n)])
    left_out = M.commonality(x, changes="none", leads_and_lags=0, replications=0).table["r2"].mean()
    factors = M.liquidity_factors(x, 1).r2
    found.append((own_in, left_out, factors["within"].mean(), factors["within_left_out"].mean()))
names = ["mean of all", "mean of the others", "first component", "component of the others"]
mechanical = pd.DataFrame(found, pd.Index(sizes, name="assets"), names)

figure, axis = plt.subplots()
for name, style in zip(names, ("C0o--", "C0o-", "C3s--", "C3s-"), strict=True):
    axis.plot(mechanical.index, mechanical[name], style, label=name, ms=5)
axis.set(
    xscale="log", xlabel="assets", ylabel="mean R²", title="R² without any commonality: own part in (dashed), left out"
)
axis.set_xticks(sizes, sizes)
axis.minorticks_off()
axis.axhline(0, color="0.6", lw=0.8)
axis.legend(frameon=False)
figure.tight_layout()

# %% [markdown]
# ## Nine markets in crypto
#
# Bitcoin, Ether and Litecoin on three venues, every day. Two measures of the day itself: the log range (Parkinson),
# which volatility moves too, and Amihud's ratio. The market model of Chordia, Roll and Subrahmanyam, with the market's
# return (now, before and after) and the change of the own squared return as controls:

# %%
crypto = ds.load_dataset("crypto-venues-daily").window("2018-01-01", "2020-11-30")
venues = ("bitstamp", "coinbase-pro", "poloniex")
crypto = crypto.select([f"{v}:{c}" for v in venues for c in ("BTC", "ETH", "LTC")])
levels = {name: crypto.measure(name, window=1) for name in ("parkinson", "amihud")}
returns = np.log(crypto["close"]).diff()
market = returns.mean(axis=1)
controls = {
    "market return": market,
    "lag": market.shift(1),
    "lead": market.shift(-1),
    "own squared return": (returns**2).diff(),
}
tests = {}
for name, level in levels.items():
    for given, asked in (("none", None), ("controls", controls)):
        answer = M.commonality(level, controls=asked)
        betas = answer.summary()
        tests[name, given] = {
            "R² of the market": answer.statistic, "std_error": answer.std_error, "chance": answer.null_mean,
            "p_value": answer.p_value, "mean beta": betas["mean_beta"], "mean sum of betas": betas["mean_sum"],
        }  # fmt: skip
pd.DataFrame(tests).T.round(3)

# %% [markdown]
# Much of this is one coin seen three times. On one venue, three coins, the same question is harder:

# %%
one_venue = [c for c in crypto.assets if c.startswith("bitstamp")]
one_coin = [c for c in crypto.assets if c.endswith("BTC")]
groups = {"nine series": list(crypto.assets), "three coins, Bitstamp": one_venue, "Bitcoin, three venues": one_coin}
pd.DataFrame(
    {
        (name, who): {"R² of the market": a.statistic, "std_error": a.std_error, "p_value": a.p_value}
        for name, level in levels.items()
        for who, which in groups.items()
        for a in [M.commonality(level[which])]
    }
).T.round(3)

# %% [markdown]
# ## March 2020
#
# Month by month (Karolyi, Lee and van Dijk): levels filtered by their lag and weekdays, R² on the others. The dashed
# line is what chance makes of it; it is far from zero because months are short.

# %%
monthly = {name: M.commonality(level, "r2") for name, level in levels.items()}
stocks = ds.load_dataset("us-stocks-daily").window("2018-01-01", "2020-11-30")
monthly["parkinson, US shares"] = M.commonality(stocks.measure("parkinson", window=1), "r2")

figure, axes = plt.subplots(3, 1, sharex=True, sharey=True, figsize=(9, 6.4))
titles = ("Range, nine crypto markets", "Amihud, nine crypto markets", "Range, eight US shares")
for axis, title, answer in zip(axes, titles, monthly.values(), strict=True):
    series = answer.table.mean(axis=1)
    stamps = series.index.to_timestamp()
    axis.plot(stamps, series, "o-", ms=3.5, lw=1.1)
    axis.axhline(answer.null_mean, color="0.4", ls="--", lw=1)
    axis.axvspan(pd.Timestamp("2020-02-16"), pd.Timestamp("2020-03-16"), color="C3", alpha=0.18, lw=0)
    axis.set_title(
        f"{title}: mean {answer.statistic:.2f}, chance {answer.null_mean:.2f}, p {answer.p_value:.3f}", loc="left"
    )
    axis.set_ylim(0, 1)
figure.supylabel("mean R²", fontsize=10)
figure.tight_layout()

# %% [markdown]
# How unusual was the month among its own history? Averages and comparisons use the logit of each share.

# %%
ranks = {}
for name, answer in monthly.items():
    share = answer.logit.mean(axis=1)
    crash = share.loc["2020-03"]
    rest = share.drop(pd.Period("2020-03", "M"))
    ranks[name] = {
        "R², March 2020": answer.table.loc["2020-03"].mean(),
        "R², other months": answer.table.drop(pd.Period("2020-03", "M")).mean(axis=1).median(),
        "z of the logit": (crash - rest.mean()) / rest.std(),
        "rank": f"{1 + (rest > crash).sum()} of {len(share)}",
    }
pd.DataFrame(ranks).T

# %% [markdown]
# Amihud's ratio was never so common among crypto markets in these three years; their ranges are common in any month,
# and those of eight US shares were not more so in March 2020 than in others. One month is one draw: even the first rank
# of 35 has a p-value of 1/35.
#
# ## As it was known then
#
# Trailing windows of 63 days with their standard errors. Neighbouring windows overlap: their steps are no evidence.

# %%
figure, axis = plt.subplots()
for name, colour in (("parkinson", "C0"), ("amihud", "C1")):
    rolled = M.rolling_commonality(levels[name], 63, with_se=True)
    ends = rolled.interval(0.9)
    axis.plot(rolled.estimate.index, rolled.estimate, color=colour, lw=1.2, label=name)
    axis.fill_between(rolled.estimate.index, ends.lower, ends.upper, color=colour, alpha=0.2, lw=0)
axis.axvline(pd.Timestamp("2020-03-12", tz="UTC"), color="C3", lw=1)
axis.set(title="Mean adjusted R² on the others' mean, 63 days, 90 % intervals; 12 March 2020 in red", ylim=(0, 1))
axis.legend(frameon=False, loc="lower right")
figure.tight_layout()

# %% [markdown]
# ## Which measure sees it: factors within and across measures
#
# Three measures a day: range, Amihud, and volume with its sign turned, so that all rise with illiquidity. Log changes,
# a factor within each and one across all (Korajczyk and Sadka).

# %%
panels = {
    "range": np.log(levels["parkinson"]),
    "amihud": np.log(levels["amihud"].where(levels["amihud"] > 0)),
    "minus volume": -np.log(crypto["volume"].where(crypto["volume"] > 0)),
}
factors = M.liquidity_factors(panels, 1, changes="difference", replications=99)
factors

# %%
factors.canonical.round(2)

# %% [markdown]
# A day's range and volume move against each other: what looks like liquidity in one measure is its absence in the
# other. The factor across measures must take a side, and its loadings say which.

# %%
across = factors.loadings["across"]["factor_1"].unstack("measure")[list(panels)]
figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), gridspec_kw={"width_ratios": [1, 1.25]})
means = factors.r2.drop(columns="n").groupby("measure", sort=False).mean()
places = np.arange(len(means))
axes[0].bar(places - 0.2, means["within_left_out"], 0.38, label="factor of the measure")
axes[0].bar(places + 0.2, means["across_left_out"], 0.38, label="factor across measures")
axes[0].set_xticks(places, means.index)
axes[0].set(title="Mean R², the asset left out", ylim=(0, 1))
axes[0].legend(frameon=False, fontsize=9)
for place, name in enumerate(across):
    axes[1].plot(across[name], np.arange(len(across)), "osD"[place], label=name)
axes[1].set_yticks(np.arange(len(across)), across.index, fontsize=8)
axes[1].axvline(0, color="0.6", lw=0.8)
axes[1].set_title("Loadings on the factor across measures")
axes[1].legend(frameon=False, fontsize=9, loc="center", bbox_to_anchor=(0.3, 0.5))
figure.tight_layout()

# %% [markdown]
# `liquidity_factors` looks at the whole sample. What was known each day comes from `rolling_factors`; around the crash:

# %%
known = M.rolling_factors(panels["amihud"], 1, 250, changes="difference", with_se=True)
table = pd.DataFrame({"factor": known.estimate["factor_1"], "std_error": known.std_error["factor_1"]})
table.loc["2020-03-09":"2020-03-17"].round(2)
