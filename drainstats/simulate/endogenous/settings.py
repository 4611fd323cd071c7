"""The settings of an endogenous market, and what each scenario makes of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import OptionError, check_number, check_option, check_whole
from drainstats.kernels.cascade import Rules
from drainstats.simulate.ranges import bar_labels, bar_length, check_between

MINUTE = pd.Timedelta(minutes=1)
# Of what is added to logs, or multiplies them: beyond it depth leaves the range of floating-point numbers.
_MOST = 50.0
# What a scenario fixes; the seed's news, accounts and books stay the same.
SCENARIOS: dict[str, dict[str, Any]] = {
    "drain": {},
    "calm": {"shock": 0.0, "volatility": 1.0, "flight": "none"},
    "single_asset": {"cross_margin": False, "shared_makers": False, "volatility": 1.0, "flight": "none"},
    "common_volatility": {"shock": 0.0, "flight": "none"},
    "isolated": {"cross_margin": False},
    "venue_outage": {"shock": 0.0, "volatility": 1.0, "flight": "none", "outage": True},
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What `endogenous` takes; its text explains each."""

    scenario: str = "drain"
    assets: int = 10
    accounts: int = 600
    venues: int = 2
    rows: int = 840
    freq: str = "min"
    start: Any = "2025-06-02 06:00"
    onset: int | None = None
    source: str | None = None
    shock: float = -0.305
    shock_minutes: int = 30
    volatility: float = 4.0
    volatility_half_life: float = 90.0
    cross_margin: bool = True
    shared_makers: bool = True
    off_book: bool = True
    value_buyers: bool = True
    flight: str = "haven"
    suspect_venue: str = "V1"
    coin_jump: float = -0.2
    outage: bool = False
    outage_minutes: int = 45
    oi_over_depth: float = 26.0
    leverage: tuple[float, float] = (1.34, 0.58)
    size_tail: float = 1.6
    legs: float = 3.0
    pledged: float = 0.15
    in_coin: float = 0.1
    haircut: float = 0.9
    insurance: float = 0.02
    theta: float = 0.1
    maintenance: float = 0.01
    sigma: float = 8e-4
    common: float = 0.4
    permanent: float = 0.37
    impact_half_life: float = 10.0
    discount: float = 0.11
    cap: float = 0.1
    arbitrage: float = 0.3
    gap: float = 2e-4
    depth_half_life: float = 20.0
    var_limit: float = 0.87
    load: float = 0.62
    tilt: float = 2.7
    inventory: float = 5.0
    floor: float = 0.004
    memory: float = 30.0
    never_back: float = 0.0
    coin_depth: float = 0.3
    coin_half_life: float = 30.0
    flight_of_sales: float = 0.5
    flight_of_fear: float = 1.0

    @classmethod
    def of(cls, scenario: str, given: dict[str, Any]) -> Settings:
        """Checked settings of a scenario; what the scenario fixes goes before what is given."""
        check_option("scenario", scenario, SCENARIOS)
        known = {field.name for field in fields(cls)} - {"scenario"}
        for name in given:
            check_option("setting", name, sorted(known))
        settings = cls(**{"scenario": scenario, **given, **SCENARIOS[scenario]})
        settings._check()
        onset = settings.onset if settings.onset is not None else round(settings.rows * 200 / 840)
        return replace(settings, onset=onset)

    def _check(self) -> None:
        counts = {
            "assets": 2,
            "accounts": self.assets,
            "venues": 1,
            "rows": 10,
            "shock_minutes": 1,
            "outage_minutes": 1,
        }
        for name, least in counts.items():
            check_whole(name, getattr(self, name), least)
        if self.onset is not None:
            check_whole("onset", self.onset, 1)
            check_between("onset", self.onset, 1, self.rows - 1)
        if self.source is not None:
            check_option("source", self.source, self.names)
        check_option("suspect_venue", self.suspect_venue, self.venue_names)
        check_option("flight", self.flight, ("haven", "suspect", "none"))
        for name in _SWITCHES:
            check_option(name, getattr(self, name), (True, False))
        for name in ("shock", "coin_jump"):
            check_between(name, getattr(self, name), -5.0, 0.0)
        for name in _POSITIVE:
            check_number(name, getattr(self, name), 0.0, 1e4)
        check_number("sigma", self.sigma, 0.0, 1.0)
        check_number("depth_half_life", self.depth_half_life, 0.01)
        for name in _SHARES:
            check_between(name, getattr(self, name), 0.0, 1.0)
        for name in _NOT_NEGATIVE:
            check_between(name, getattr(self, name), 0.0, _MOST)
        self._check_clock()
        if not isinstance(self.leverage, (tuple, list)) or len(self.leverage) != 2:
            raise OptionError(
                f"leverage={self.leverage!r} must be the mean and the standard deviation of its logarithm."
            )
        check_between("leverage[0]", self.leverage[0], -10.0, 10.0)
        check_between("leverage[1]", self.leverage[1], 0.0, 10.0)

    def _check_clock(self) -> None:
        if bar_length(self.freq) % MINUTE:
            raise OptionError(f"freq={self.freq!r} must be whole minutes, at most a day, such as 'min' or '5min'.")
        bar_labels(self.start, self.rows, bar_length(self.freq))

    @property
    def names(self) -> list[str]:
        """Of the assets."""
        return [f"A{k}" for k in range(self.assets)]

    @property
    def venue_names(self) -> list[str]:
        """The main venue first."""
        return [f"V{v + 1}" for v in range(self.venues)]

    @property
    def per_bar(self) -> int:
        """Minutes of a bar."""
        return int(bar_length(self.freq) / MINUTE)

    @property
    def minutes(self) -> int:
        """Of the run."""
        return self.rows * self.per_bar

    @property
    def begin(self) -> int:
        """The minute in which the scenario begins."""
        return (self.onset or 0) * self.per_bar

    @property
    def index(self) -> pd.DatetimeIndex:
        """Labels of the bars."""
        return bar_labels(self.start, self.rows, bar_length(self.freq))

    def rules(self, all_depth: float) -> Rules:
        """The constants of the kernel for books of that depth in all."""
        keep = 2 ** (-1 / self.depth_half_life)
        sign = {"haven": 1.0, "suspect": -1.0, "none": 0.0}[self.flight]
        return Rules(
            theta=self.theta,
            maintenance=self.maintenance,
            haircut=self.haircut,
            off_book=float(self.off_book),
            sigma=self.sigma,
            permanent=self.permanent if self.value_buyers else 1.0,
            value_decay=np.log(2) / self.impact_half_life,
            discount=self.discount,
            cap=self.cap,
            arbitrage=self.arbitrage,
            keep=keep,
            pull=self.var_limit * (1 / keep - 1),
            load=self.load if self.shared_makers else 0.0,
            tilt=self.tilt,
            inventory=self.inventory,
            floor=self.floor,
            memory=2 ** (-1 / self.memory),
            fund=self.insurance * all_depth,
            coin_keep=2 ** (-1 / self.coin_half_life),
            coin_depth=self.coin_depth * all_depth,
            flight=sign * self.flight_of_sales,
            fear=sign * self.flight_of_fear,
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values, by name."""
        return asdict(self)


_SWITCHES = ("cross_margin", "shared_makers", "off_book", "value_buyers", "outage")
_POSITIVE = (
    "volatility", "volatility_half_life", "oi_over_depth", "size_tail", "legs", "sigma", "impact_half_life", "discount",
    "cap", "depth_half_life", "floor", "memory", "coin_depth", "coin_half_life",
)  # fmt: skip
_SHARES = (
    "pledged", "in_coin", "haircut", "theta", "maintenance", "common", "permanent", "arbitrage", "never_back",
)  # fmt: skip
_NOT_NEGATIVE = (
    "insurance", "gap", "var_limit", "load", "tilt", "inventory", "flight_of_sales", "flight_of_fear",
)  # fmt: skip
