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
# # A horse race of liquidity measures
#
# Which proxy finds a spread that is known? Which one follows it through a crash, and how sure is it? Then real markets:
# March 2020 on crypto venues, and a day of shares on which every trade's true cost is on record.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import drainstats as ds

M = ds.measures
plt.rcParams.update({"figure.figsize": (9, 3.6), "axes.spines.top": False, "axes.spines.right": False})
ds.list_measures().query("table == 'bars'")[["inputs", "unit", "sees", "misses"]]

# %% [markdown]
# ## A market whose spread is known
#
# Fifty assets, three hundred days, a spread of 1 %. From day 200 on, ten days of crash: the spread is six times as
# wide, prices move four times as fast; then it halves every fifteen days.

# %%
days, crash = np.arange(300), 200
after = np.clip(days - crash, 0, None)
stress = np.where(days < crash, 0.0, np.where(after < 10, 1.0, 0.5 ** ((after - 10) / 15)))
market = ds.simulate.bars(300, 50, spread=0.01 * (1 + 5 * stress), volatility=0.03 * (1 + 3 * stress), seed=20200312)
o, h, l, c, v = market.open, market.high, market.low, market.close, market.dollar_volume
market

# %%
proxies = {
    "edge": M.edge(o, h, l, c),
    "ohlc_spread": M.ohlc_spread(o, h, l, c),
    "abdi_ranaldo": M.abdi_ranaldo(h, l, c),
    "corwin_schultz": M.corwin_schultz(h, l, c),
    "corwin_schultz, zero": M.corwin_schultz(h, l, c, two_day="zero"),
    "roll": M.roll(c),
}
fig, ax = plt.subplots()
ax.plot(days, 100 * market.spread.iloc[:, 0].to_numpy(), color="black", lw=2, label="truth")
ax.plot(
    days,
    100 * market.spread.iloc[:, 0].rolling(21).mean().to_numpy(),
    color="black",
    ls=":",
    label="truth, mean of 21 days",
)
for name, table in proxies.items():
    ax.plot(days, 100 * table.median(axis=1).to_numpy(), lw=1, label=name)
ax.set(ylabel="spread, %", xlabel="day", title="Median of 50 assets, windows of 21 days", xlim=(150, 300))
ax.legend(ncols=2, fontsize=8, frameon=False)
plt.show()

# %% [markdown]
# A window of 21 days sees the crash late and holds on to it: the peak comes when the window is full of it. That is a
# property of the window, not of the proxy. Against the mean of the true spread over the same 21 days:

# %%
target = market.spread.rolling(21).mean()
calm, crisis = slice(20, crash), slice(crash, 240)


def against(found, rows):
    away = (found - target).iloc[rows].to_numpy()
    return {
        "bias, bp": 1e4 * np.nanmean(away),
        "RMSE, bp": 1e4 * np.sqrt(np.nanmean(away**2)),
        "below zero": np.nanmean(found.iloc[rows].to_numpy() < 0),
    }


pd.concat(
    {
        label: pd.DataFrame({name: against(t, rows) for name, t in proxies.items()}).T
        for label, rows in (("calm", calm), ("crash", crisis))
    },
    axis=1,
).round(2)

# %% [markdown]
# ## What happens to negative estimates
#
# A squared spread can come out negative. Set to zero, dropped or made positive, negative estimates become a bias that
# no average takes away. Kept, they still are roots, and a mean of roots is too low where squares lie near zero: average
# the *squares* and take the root last. Here the true spread is a tenth of a percent, far below a day's move.

# %%
narrow = ds.simulate.bars(250, 200, spread=0.001, seed=2)
tables = narrow.open, narrow.high, narrow.low, narrow.close
shown = {
    policy: M.edge(*tables, negative=policy).iloc[20::21].mean().mean() for policy in ("keep", "zero", "abs", "nan")
}
kept = M.edge(*tables).iloc[20::21]
square = (np.sign(kept) * kept**2).mean().mean()
shown["root of the mean of kept squares"] = np.sign(square) * np.sqrt(abs(square))
(1e4 * pd.Series(shown, name="mean estimate, bp (truth: 10)")).round(1)

# %% [markdown]
# ## How sure is an estimate?
#
# `with_se=True` returns estimates, standard errors and intervals. They say when a rise is more than noise: in calm
# times the interval of one asset holds the truth, and zero in most windows; once the window is full of the crash it
# leaves both the calm level and zero.

# %%
found = M.edge(o, h, l, c, with_se=True)
ends = found.interval(0.95)
fig, ax = plt.subplots()
ax.fill_between(
    days,
    100 * ends.lower["A0"].to_numpy(),
    100 * ends.upper["A0"].to_numpy(),
    color="tab:blue",
    alpha=0.2,
    label="95 % interval",
)
ax.plot(days, 100 * found.estimate["A0"].to_numpy(), color="tab:blue", label="EDGE of one asset")
ax.plot(days, 100 * target["A0"].to_numpy(), color="black", ls=":", label="truth, mean of 21 days")
ax.axhline(0, color="grey", lw=0.5)
ax.set(ylabel="spread, %", xlabel="day", xlim=(20, 300))
ax.legend(frameon=False, fontsize=8)
plt.show()
inside = (ends.lower <= target) & (target <= ends.upper)
print(
    f"the interval covers the mean spread of its window in {inside.iloc[20:crash].stack().mean():.1%} of calm windows"
)

# %% [markdown]
# ## March 2020 on crypto venues
#
# Every measure that these daily bars allow, on 26 pairs of coin and venue: its level in the window that ends on
# 13 March 2020 over its median of the six months before, and the rank of that day among those of 2018 to 2020.

# %%
panel = ds.load_dataset("crypto-venues-daily").window("2018-01-01", "2020-12-07")
listed, day = ds.list_measures(), pd.Timestamp("2020-03-13", tz="UTC")
rows = {}
for name, row in listed[listed["table"] == "bars"].iterrows():
    if not set(row["inputs"].split(", ")) <= set(panel.field_names) or name == "lot":
        continue
    table = panel.measure(name)
    falls = row["rises_with"] == "liquidity"
    before, now = table.loc["2019-09-01":"2020-02-29"].median(), table.loc[day]
    rank = table.rank(pct=True).loc[day].median()
    rows[name] = {
        "rises with": row["rises_with"],
        "times the calm level": (now.where(now > 0) / before.where(before > 0)).median(),
        "rank of the day": 1 - rank if falls else rank,
        "window": row["window"],
    }
seen = pd.DataFrame(rows).T.infer_objects().sort_values("rank of the day", ascending=False)
seen.round(2)

# %% [markdown]
# A rank near one means that the measure calls this day one of the most illiquid in three years. The range of a single
# day says it at once; the bounce of closes and invariance say it over a month. Amihud is in the middle, because volume
# grew with the moves. Corwin and Schultz take a fall of several days for volatility, and traded value calls the day
# liquid, because everybody trades in a crash.

# %%
fig, ax = plt.subplots(figsize=(9, 4.2))
order = seen["rank of the day"].astype(float).sort_values()
ax.barh(order.index, order, color=np.where(order > 0.95, "tab:red", "tab:grey"))
ax.set(xlabel="rank of 13 March 2020 among the days of 2018 to 2020, 1 is the least liquid", xlim=(0, 1))
plt.show()

# %% [markdown]
# ## A day on which the cost of every trade is known
#
# The free LOBSTER sample holds the trades and quotes of one share on one day. It is fetched by name
# (`ds.fetch_dataset`), from the network or from the folder that `DRAINSTATS_DATA` names; without either this part is
# left out. Effective spread, realised spread and impact by the half hour:

# %%
try:
    files = ds.fetch_dataset("lobster-amzn-20120621-l1", offline=True)
    trades, book = (next(t for n, t in files.items() if kind in n) for kind in ("message", "orderbook"))
except ds.errors.DrainstatsError as error:
    trades = book = None
    print(error)

# %%
if trades is not None:
    quotes = book.rename(columns={"bid_0": "bid", "bid_size_0": "bid_size", "ask_0": "ask", "ask_size_0": "ask_size"})
    costs = M.trade_measures(trades, quotes, horizon="1min")
    average = M.average_costs(costs, "30min", with_se=True)
    fig, ax = plt.subplots()
    for name in ("quoted_spread", "effective_spread", "realised_spread", "price_impact"):
        ax.errorbar(
            average.estimate.index,
            1e4 * average.estimate[name],
            1.96e4 * average.std_error[name],
            label=name,
            capsize=2,
            lw=1,
        )
    ax.set(ylabel="basis points of the mid", title="AMZN, 21 June 2012, with 95 % intervals")
    ax.legend(frameon=False, fontsize=8, ncols=2)
    plt.show()

# %% [markdown]
# What do bars of a minute know of it? The proxies see only the prices of trades; the truth is the effective spread.

# %%
if trades is not None:
    bars = ds.tick_bars(trades, "1min")
    truth = M.average_costs(costs, "1min", weight="equal")["effective_spread"].mean()
    prices = [bars[name] for name in ("open", "high", "low", "close")]
    rows = len(bars)
    one = {
        "edge": M.edge(*prices, window=rows, with_se=True),
        "ohlc_spread": M.ohlc_spread(*prices, window=rows, with_se=True),
        "abdi_ranaldo": M.abdi_ranaldo(*prices[1:], window=rows, with_se=True),
        "corwin_schultz": M.corwin_schultz(*prices[1:], window=rows, with_se=True),
        "roll": M.roll(prices[3], window=rows, with_se=True),
    }
    found = pd.DataFrame(
        {
            name: {"estimate, bp": 1e4 * e.estimate.iloc[-1], "error, bp": 1e4 * e.std_error.iloc[-1]}
            for name, e in one.items()
        }
    ).T
    found["effective spread, bp"] = 1e4 * truth
    print(found.round(2))

# %% [markdown]
# ## What to take from it
#
# - Where the spread is large against what a bar moves, EDGE is the least noisy of the spread proxies; where it is
#   small, no proxy sees it in a month of bars, and the interval says so.
# - Corwin and Schultz need many trades a bar and days that do not trend; their clipped version has no level.
# - Average squares, with their signs, and take the root last.
# - In a crash look at ranges for the day, at spreads and impact for the months around it, and at traded value for
#   neither.
# - [Spread proxies against the truth](../docs/spread_tables.md) has the full tables of bias, RMSE and coverage.
