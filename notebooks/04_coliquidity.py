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
# # Co-liquidity
#
# Do liquidities dry up together, more than they used to? First five crypto venues through March 2020, on bundled data;
# then some eighty perpetual futures through 10 October 2025, from files, coins that came and went among them.

# %%
import os
import pathlib

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import drainstats as ds

plt.rcParams.update({"figure.figsize": (9, 3.6), "axes.spines.top": False, "axes.spines.right": False, "font.size": 10})

# %% [markdown]
# ## Illiquidity of bitcoin on five venues
#
# The day's range per dollar traded says what a dollar moved. Its logarithm remembers for weeks, so the margins get a
# mean over the last day, week and month (HAR) and a variance of their own; what is left are shocks to illiquidity.

# %%
panel = ds.load_dataset("crypto-venues-daily").window("2019-01-01", "2020-12-07")
venues = ["bitstamp:BTC", "coinbase-pro:BTC", "bittrex:BTC", "poloniex:BTC", "okex:BTC"]
panel = panel.select(venues)


def range_per_dollar(panel):
    return np.log(panel["high"] / panel["low"]) / (panel["volume"] * panel["close"])


x = ds.log_illiquidity(range_per_dollar(panel)).dropna()
x.columns = [c.split(":")[0] for c in x.columns]
margins = ds.GARCH(mean="har", o=1)
fitted = margins.fit(x)
fitted.status[["loglikelihood", "persistence", "converged", "nobs"]].round(3)

# %%
ds.margin_diagnostics(fitted).round(3)

# %% [markdown]
# ## Is the correlation constant?
#
# Three tests with different eyes. A small p-value says that it moves.

# %%
z = fitted.std_resid
tests = [ds.constant_correlation_test(z, method=m, margins=None) for m in ("engle_sheppard", "tse", "stcc")]
pd.DataFrame([(t.method, t.statistic, t.df, t.p_value) for t in tests], columns=["test", "statistic", "df", "p"]).round(
    4
)

# %% [markdown]
# ## Which model?
#
# The same margins under each; log-likelihoods compare. A joint t law asks whether shocks come to all venues at once.

# %%
models = {
    "CCC": ds.CCC(),
    "DCC": ds.DCC(),
    "cDCC": ds.CDCC(),
    "ADCC": ds.ADCC(),
    "DCC, joint t": ds.DCC(dist="t"),
    "DECO": ds.DECO(),
    "diagonal": ds.FlexibleDCC(),
    "rotated": ds.RotatedDCC(),
}
results = {name: spec.fit(fitted) for name, spec in models.items()}
pd.DataFrame(
    {
        name: {"log-likelihood": r.loglikelihood, "parameters": len(r.params), "converged": r.converged}
        for name, r in results.items()
    }
).T

# %%
dcc = results["DCC"]
dcc.summary()

# %% [markdown]
# Three kinds of intervals. Simulations (docs/coverage) say which to take: "transformed" for a and the margins, Wald's
# for b, whose estimate lies a little low.

# %%
pd.concat({m: dcc.conf_int(method=m).loc[["a1", "b1"]] for m in ("wald", "transformed", "profile")}, axis=1).round(4)

# %% [markdown]
# ## The index, and how well it is known

# %%
index = ds.co_liquidity_index(dcc, draws=100)
ax = index.plot()
ax.axvline(pd.Timestamp("2020-03-12", tz="UTC"), color="0.6", lw=0.8)
ax.set_title("Average correlation of shocks to illiquidity, five venues")
# %% [markdown]
# ## Before, during, after
#
# Heat maps of the conditional correlation, and the contrast with its rank among all placements of the same windows.

# %%
days = pd.to_datetime(["2020-02-20", "2020-03-13", "2020-05-20"], utc=True)
maps = {t: R for t, R in dcc.iter() if t in days}
fig, axes = plt.subplots(1, 3, figsize=(9.5, 3.2), constrained_layout=True)
for ax, day in zip(axes, days, strict=True):
    image = ax.imshow(maps[day], vmin=0.0, vmax=1.0, cmap="viridis")
    ax.set_xticks(range(len(dcc.columns)), dcc.columns, rotation=60)
    ax.set_yticks(range(len(dcc.columns)), dcc.columns if ax is axes[0] else [])
    ax.set_title(f"{day:%d %B %Y}")
fig.colorbar(image, ax=axes, label="correlation")
# %%
ds.correlation_contrast(z, before=("2019-12-01", "2020-03-07"), during=("2020-03-08", "2020-03-31"))

# %% [markdown]
# What the twelfth of March did to the correlations of the weeks after it, and which news moves them in general:

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.4), constrained_layout=True)
ds.impulse_response(dcc, at="2020-03-12", horizon=30).plot(left)
ds.news_impact(results["ADCC"], *dcc.columns[:2]).plot(right)
# %% [markdown]
# ## What drives it?
#
# Bitcoin's own volatility of the day before, in standard deviations: does co-liquidity answer to it?

# %%
price = panel["close"].mean(axis=1)
turmoil = np.log(price).diff().rolling(5).std().reindex(x.index).bfill()
driver = pd.DataFrame({"turmoil": (turmoil - turmoil.mean()) / turmoil.std()})
driven = ds.DrivenDCC().fit(fitted, x=driver.loc[fitted.index])
driven.summary()

# %% [markdown]
# ## As it would have been known
#
# Refits every month on the last year, run forward at fixed parameters: nothing looks ahead.

# %%
rolled = ds.rolling_fits(ds.DCC(margins=margins), x, window=365, every=30)
rolled.plot().set_title(repr(rolled)[1:-1], fontsize=8)
# %% [markdown]
# ## A portfolio that has to leave
#
# Returns and spreads in one model: the cost of leaving is drawn together with the loss. Here spreads follow the range
# per dollar, and half a spread now is ten basis points.

# %%
returns = np.log(panel["close"]).diff().loc[x.index, ["bitstamp:BTC"]].set_axis(["bitcoin"], axis=1)
both = returns.join(x["bitstamp"].diff().rename("cost")).dropna()
joint = ds.DCC(margins=ds.GARCH(o=1)).fit(both)
ds.exit_risk(joint, {"bitcoin": 1e6}, {"bitcoin": ("cost", 0.001)})

# %%
risk = ds.portfolio_risk(joint, {"bitcoin": 1.0}, level=0.99)
risk.backtest().round(4)

# %% [markdown]
# ## Many coins across 10 October 2025
#
# Daily files of perpetual futures, a folder of CSVs that `DRAINSTATS_DATA` names; without it this part is left out.
# Coins are listed and delisted, so the table has holes; the likelihood counts what was seen.

# %%
root = os.environ.get("DRAINSTATS_DATA")
folder = pathlib.Path(root or "nowhere") / "data" / "binance-usdm-perp-klines-mutbug" / "1d"
coins = None
if folder.is_dir():
    bars = {path.name.split("_")[0]: ds.read_bars(path) for path in sorted(folder.glob("*.csv"))}
    many = ds.LiquidityPanel.from_bars(bars, clock="utc_day").window("2024-06-01", "2026-03-31")
    coins = ds.log_illiquidity(range_per_dollar(many))
    coins = coins.loc[:, coins.notna().sum() > 250]
    print(f"{coins.shape[1]} coins × {len(coins)} days, {coins.isna().mean().mean():.0%} of the cells empty")
else:
    print("The folder of files is not here.")

# %%
if coins is not None:
    wide = ds.DCC(margins=ds.GARCH(mean="har")).fit(coins)
    print(wide)
    level = wide.average_correlation.loc["2025-06-01":"2026-01-31"]
    _, ax = plt.subplots()
    ax.plot(level.index, level.to_numpy())
    ax.set_title("Average correlation of shocks to illiquidity, all coins that trade")

# %%
if coins is not None:
    days = pd.to_datetime(["2025-10-10", "2025-10-11", "2025-10-31"], utc=True)
    maps = {t: R for t, R in wide.iter() if t in days}
    alive = ~np.isnan(maps[days[1]]).all(axis=0)
    order = np.argsort(-np.nanmean(maps[days[1]][np.ix_(alive, alive)], axis=0))
    fig, axes = plt.subplots(1, 3, figsize=(9.5, 3.2), constrained_layout=True)
    for ax, day in zip(axes, days, strict=True):
        image = ax.imshow(maps[day][np.ix_(alive, alive)][np.ix_(order, order)], vmin=0.0, vmax=1.0, cmap="viridis")
        ax.set_title(f"{day:%d %B %Y}")
        ax.set_xticks([])
        ax.set_yticks([])
    fig.colorbar(image, ax=axes, label="correlation")

# %% [markdown]
# The matrix of the eleventh uses rows up to the tenth: it is what was expected on the morning after.
#
# Hundreds of assets are fitted by pairs (`CompositeDCC`) or by one correlation for all (`DECO`), both without ever
# holding a matrix a day in memory:

# %%
if coins is not None:
    full = coins.loc["2025-06-01":].dropna(axis=1)
    pairs = ds.CompositeDCC(margins=ds.GARCH(mean="har")).fit(full)
    deco = ds.DECO(margins=ds.GARCH(mean="har")).fit(full)
    print(pairs)
    print(deco)
    _, ax = plt.subplots()
    ax.plot(pairs.index, pairs.average_correlation.to_numpy(), label="by pairs")
    ax.plot(deco.index, deco.rho.to_numpy(), label="DECO")
    ax.legend()
