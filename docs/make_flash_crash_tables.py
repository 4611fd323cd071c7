"""Simulate the flash-crash tests, run them on real files, and write the tables into ``docs/flash_crashes.md``.

Run ``python docs/make_flash_crash_tables.py``; the seed is fixed, so that the same rates come out. The tables of real
files are made anew only where ``DRAINSTATS_DATA`` names a folder that holds them.
"""

from __future__ import annotations

import os
import pathlib
import re
import zlib
from dataclasses import dataclass

import numpy as np
import pandas as pd

import drainstats as ds

SEED = 20100506
DAYS = 2000
BURST_DAYS, CHUNK = 500, 100
PAGE = pathlib.Path(__file__).with_name("flash_crashes.md")
TESTS = np.arange(900.0, 23401.0, 60.0)
METHODS = ("bns", "min", "median", "threshold", "swap", "power")


@dataclass(frozen=True)
class Day:
    """A simulated day of ``n`` returns with daily deviation .01.

    ``wave``: how much larger volatility is at the open and close than at noon, less one. ``moving``: deviation of the
    day's change of log variance, and of its level across days. ``noise``: deviation of independent noise in each price,
    in deviations of a return. ``jump``: size of the one jump, ``burst``: total drift over 300 of 23 400 seconds, both
    in daily deviations.
    """

    n: int
    wave: float = 0.0
    moving: float = 0.0
    noise: float = 0.0
    jump: float = 0.0
    burst: float = 0.0


def draw(day: Day, days: int, part: int = 0) -> np.ndarray:
    """Log prices (n + 1, days)."""
    rng = np.random.default_rng([SEED, zlib.crc32(repr(day).encode()), part])
    n, small = day.n, 0.01 / np.sqrt(day.n)
    log_var = rng.normal(0, day.moving, days) + rng.normal(0, day.moving / np.sqrt(n), (n, days)).cumsum(axis=0)
    shape = 1.0 + day.wave * np.linspace(-1, 1, n)[:, None] ** 2
    r = small * shape / np.sqrt((shape**2).mean()) * np.exp(log_var / 2) * rng.normal(size=(n, days))
    if day.jump:
        r[rng.integers(n // 10, n, days), np.arange(days)] += 0.01 * day.jump * rng.choice([-1, 1], days)
    if day.burst:
        length = n * 300 // 23400
        at = rng.integers(n // 3, n - length, days)
        for k in range(days):
            r[at[k] : at[k] + length, k] -= 0.01 * day.burst / length
    path = np.concatenate([np.zeros((1, days)), r.cumsum(axis=0)])
    return path + small * day.noise * rng.normal(size=path.shape)


def in_a_row(path: np.ndarray) -> pd.Series:
    """Days (n + 1, days) of 23 400 seconds one after the other, labelled in seconds."""
    rows, days = path.shape
    stamps = np.arange(days)[:, None] * 86400.0 + 50000.0 + np.arange(rows) * 23400.0 / (rows - 1)
    return pd.Series(path.T.ravel(), stamps.ravel())


def table(heads: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|", *lines])


def percent(share: float) -> str:
    """A rate in percent."""
    return f"{100 * share:.1f} %"


def jump_rates(path: pd.Series, factor: pd.Series | None) -> list[float]:
    """Shares of days that the jump tests reject."""
    found = [ds.jump_test(path, method, seasonality=factor)["p_value"] for method in METHODS]
    found.append(ds.jump_test(path, "bns", gap=2, seasonality=factor)["p_value"])
    return [(p.dropna() < 0.05).mean() for p in found]


def jumps() -> str:
    """Rejection rates of the daily jump tests at 5 %."""
    designs = [
        Day(n, wave, moving, noise, jump)
        for n in (78, 390)
        for wave, moving, noise, jump in [
            (0, 0, 0, 0), (0, 0.5, 0, 0), (1.5, 0.5, 0, 0), (0, 0.5, 0.5, 0), (0, 0.5, 0, 0.3), (0, 0.5, 0, 0.6),
        ]
    ]  # fmt: skip
    rows = []
    for day in designs:
        path = in_a_row(draw(day, DAYS))
        for factor in (None, ds.intraday_seasonality(path, 60, slot=1800.0)) if day.wave else (None,):
            wave = f"{day.wave:g}" + (", corrected" if factor is not None else "")
            cells = [str(day.n), wave, f"{day.moving:g}", f"{day.noise:g}", f"{day.jump:g}"]
            rows.append(cells + [percent(rate) for rate in jump_rates(path, factor)])
    return table(["returns", "wave", "moving", "noise", "jump", *METHODS, "bns, gap 2"], rows)


def single_jumps() -> str:
    """Share of days with a call of Lee and Mykland, level 5 % over the day."""
    rows = []
    for wave, moving in ((0.0, 0.0), (0.0, 0.3), (1.5, 0.0)):
        for jump in (0.0, 0.6):
            series = in_a_row(draw(Day(78, wave, moving, jump=jump), 500))
            cells = [f"{wave:g}", f"{moving:g}", f"{jump:g}"]
            factors = [None, ds.intraday_seasonality(series, 60), ds.intraday_seasonality(series, 60, slot=1800.0)]
            for factor in factors:
                found = ds.lee_mykland(series, 270, 0.05, family=78, seasonality=factor)["jump"]
                cells.append(percent(found.to_numpy().reshape(500, 79).any(axis=1)[80:].mean()))
            rows.append(cells)
    return table(["wave", "moving", "jump", "no factor", "factor a bar", "factor a half-hour"], rows)


def largest(path: np.ndarray, k: int, lags: int | str) -> np.ndarray:
    """Largest drift-burst statistic of each day."""
    found = ds.drift_burst(path, TESTS, 300, 900, k, lags=lags, start="scaled")
    return found["statistic"].abs().max().to_numpy()


def bursts() -> str:
    """Share of days whose largest drift-burst statistic rejects at 5 %."""
    designs = [
        (Day(23400), 1), (Day(23400, 0.5, 0.5), 1), (Day(23400, 0.5, 0.5, 1.0), 1), (Day(23400, 0.5, 0.5, 1.0), 5),
        (Day(23400, 0.5, 0.5, 0.0, 0.6), 1), (Day(23400, 0.5, 0.5, 1.0, burst=0.5), 5),
        (Day(23400, 0.5, 0.5, 1.0, burst=1.0), 5),
    ]  # fmt: skip
    rows, any_day = [], pd.Series(0.1, TESTS, name="statistic")
    bar, gumbel = (
        ds.drift_burst_test(any_day, level=0.05, law=law)["critical"].iloc[0] for law in ("bandwidth", "gumbel")
    )
    for day, k in designs:
        cells = [f"{day.wave:g}", f"{day.moving:g}", f"{day.noise:g}", f"{day.jump:g}", f"{day.burst:g}", str(k)]
        tops = {lags: np.concatenate([largest(draw(day, CHUNK, part), k, lags) for part in range(BURST_DAYS // CHUNK)])
                for lags in ("automatic", "newey_west", 10, 0)}  # fmt: skip
        over = [
            tops["automatic"] > bar,
            tops["automatic"] > gumbel,
            tops["newey_west"] > bar,
            tops[10] > bar,
            tops[0] > bar,
        ]
        rows.append(cells + [percent(x.mean()) for x in over])
    heads = [
        "wave",
        "moving",
        "noise",
        "jump",
        "burst",
        "k",
        "automatic",
        "automatic, Gumbel",
        "newey_west",
        "10 lags",
        "no lags",
    ]
    return table(heads, rows)


def _mid(root: pathlib.Path) -> pd.Series:
    folder = root / "data" / "lobster-amzn-20120621-l1"
    messages = pd.read_csv(next(folder.glob("*message*")), header=None)
    book = pd.read_csv(next(folder.glob("*orderbook*")), header=None, sep=";")
    stamps = pd.Timestamp("2012-06-21", tz="America/New_York") + pd.to_timedelta(messages[0], unit="s")
    return pd.Series((book[0] + book[2]).to_numpy() / 2e4, stamps).tz_convert("UTC")


def _minutes(root: pathlib.Path) -> dict[str, pd.Series]:
    folder, found = root / "data" / "stablecoin-depeg-202303-1m", {}
    for name in ("kraken_usdcusd", "binance_usdcusdt", "coinbase_btcusd", "kraken_btcusdc"):
        bars = pd.read_parquet(folder / f"{name}.parquet")
        close = bars["close"].astype(float)
        # A bar is known at its end.
        found[name] = close[bars["volume"].astype(float) > 0].set_axis(
            close.index[bars["volume"].astype(float) > 0] + pd.Timedelta("1min")
        )
    return found


def _hours(root: pathlib.Path) -> dict[str, pd.Series]:
    folder, found = root / "data" / "binance-usdm-perp-klines-mutbug" / "1h", {}
    for name in ("BTC", "ETH", "SOL", "ATOM"):
        bars = pd.read_csv(folder / f"{name}_USDT_1h.csv")
        stamps = pd.to_datetime(bars["timestamp"], unit="ms", utc=True) + pd.Timedelta("1h")
        found[name] = pd.Series(bars["close"].to_numpy(), stamps).loc["2025-06":"2025-12"]
    return found


def real_bursts(root: pathlib.Path) -> str:
    """Days whose drift bursts reject at 1 %, and the largest of the file."""
    mid, rows = _mid(root), []
    cases = [("AMZN mid, every quote", mid[mid.diff() != 0], 300.0, 900.0, 5)]
    cases += [(f"{name}, minutes", close, 1800.0, 5400.0, 1) for name, close in _minutes(root).items()]
    for name, price, h, narrow, k in cases:
        found = ds.drift_burst(np.log(price), None, h, narrow, k, start="scaled", longest_gap=7200.0)
        tested = ds.drift_burst_test(found, h, burn_in=0)
        top = tested.loc[tested["maximum"].idxmax()]
        days = f"{(tested['p_value'] < 0.01).sum()} of {len(tested)}"
        rows.append([name, f"{h:g} / {narrow:g}", str(k), str(len(price)), days, f"{top['statistic']:.2f}",
                     f"{top['at']:%Y-%m-%d %H:%M}", f"{top['p_value']:.1g}"])  # fmt: skip
    heads = ["series", "bandwidths, s", "k", "prices", "days below 1 %", "largest", "at, UTC", "its p-value"]
    return table(heads, rows)


def real_jumps(root: pathlib.Path) -> str:
    """Days that each jump test rejects at 1 %."""
    rows = []
    for name, close in _minutes(root).items():
        grid = np.log(close).resample("5min").last()
        cells = [f"{name}, 5 minutes"]
        for method in METHODS:
            p = ds.jump_test(grid, method, overnight="keep")["p_value"]
            cells.append(f"{(p < 0.01).sum()} of {p.notna().sum()}")
        found = ds.lee_mykland(grid, 270, 0.01, family=288, overnight="keep")
        top = found.loc[found["jump"], "size"]
        at = top.abs().idxmax()
        rows.append([*cells, f"{len(top)}, largest {100 * top[at]:.1f} % at {at:%d %b %H:%M}"])
    return table(["series", *METHODS, "Lee-Mykland: returns"], rows)


def real_events(root: pathlib.Path) -> str:
    """Flash events and the largest epsilon-drawdown."""
    rows = []
    mid = _mid(root)
    cases = [("AMZN mid, every quote", mid[mid.diff() != 0], {"within": 60.0, "multiple": 6.0}, 30.0)]
    cases += [(f"{name}, minutes", p, {"within": 900.0, "volatility_window": 86400.0, "recovery_within": 7200.0}, 5.0)
              for name, p in _minutes(root).items()]  # fmt: skip
    cases += [(f"{name}, hours", p, {"within": 7200.0, "volatility_window": 14 * 86400.0, "recovery_within": 86400.0},
               2.0) for name, p in _hours(root).items()]  # fmt: skip
    for name, price, options, epsilon in cases:
        found = ds.flash_events(price, "v", **options)
        fall = ds.drawdowns(price, epsilon, window=200)
        worst = fall.loc[fall["size"].idxmin()]
        cells = [name, str(len(found)), str(int(found["recovery"].notna().sum()))]
        first = found.loc[found["size"].abs().idxmax()] if len(found) else None
        cells.append("" if first is None else f"{100 * first['size']:.1f} % from {first['onset']:%Y-%m-%d %H:%M}, "
                     f"{100 * first['retraced']:.0f} % back")  # fmt: skip
        took = worst["seconds"] / 3600
        rows.append([*cells, f"{100 * worst['size']:.1f} % from {worst['onset']:%Y-%m-%d %H:%M} in {took:.1f} h"])
    return table(["series", "V events", "recovered", "the largest", "largest drawdown, epsilon in deviations"], rows)


def main() -> None:
    """Put each table between its marks."""
    text = PAGE.read_text(encoding="utf-8")
    parts = {"jumps": jumps, "single jumps": single_jumps, "bursts": bursts}
    folder = os.environ.get("DRAINSTATS_DATA")
    if folder and (pathlib.Path(folder) / "data").is_dir():
        root = pathlib.Path(folder)
        parts |= {
            "real bursts": lambda: real_bursts(root), "real jumps": lambda: real_jumps(root),
            "real events": lambda: real_events(root),
        }  # fmt: skip
    for name, make in parts.items():
        mark = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        made = f"\n{make()}\n\n"
        text = mark.sub(lambda m, made=made: m[1] + made + m[2], text)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
