"""`drain`: a simulated market with a drain in it, or with something that only looks like one."""

from __future__ import annotations

import inspect
from typing import Any

from drainstats.errors import OptionError, check_number, check_option, check_whole
from drainstats.simulate import families
from drainstats.simulate.assembly import stablecoin_of, states_of, truth_of
from drainstats.simulate.confounders import CONFOUNDERS, VENUES, venue_of
from drainstats.simulate.observation import lose, observed, panel_of
from drainstats.simulate.planted import PEGS, draw_plan, forced_sales
from drainstats.simulate.planted import drain as planted_drain
from drainstats.simulate.ranges import bar_labels, bar_length, check_between
from drainstats.simulate.truth import SimulatedMarket

SCENARIOS = ("drain", *CONFOUNDERS)
FAMILIES = tuple(families.FAMILIES)
MODES = ("planted", "endogenous")
# More is beyond the range of floating-point prices in a drain of a hundred bars.
_MOST_VOLATILE = 100.0


def drain(seed: int = 0, *, mode: str = "planted", **settings: Any) -> SimulatedMarket:
    """Simulate a market whose drain is known, or a look-alike of the same seed.

    In the planted mode paths of depth, spread, price and flows are written down: the truth is exact. In the endogenous
    mode they come out of traders on margin, makers with limits and arbitrage: the truth is measured on noise-free
    states. The scenarios of a seed share every random draw, so that hits and false alarms are paired.

    Parameters
    ----------
    seed : int, default 0
        The same seed gives the same market, bit for bit.
    mode : {"planted", "endogenous"}, default "planted"
        What follows are the settings of the planted mode; those of the other: `drainstats.simulate.endogenous.run`.
    scenario : str, default "drain"
        ``drain``, or what a detector must not call: `drainstats.simulate.SCENARIOS`, explained in
        `drainstats.simulate.confounders`.
    family : str, default "gaussian"
        The kind of market on ordinary days, one of `drainstats.simulate.FAMILIES`: ``gaussian``; ``heavy`` tails with
        stochastic volatility; ``persistent`` depth with a memory of hundreds of bars; ``seasonal`` by hour and weekday;
        ``heterogeneous`` loadings, sectors and sizes.
    assets, rows : int, default 10 and 1000
        Their names are ``A0``, ``A1`` …; they lie on the venues ``V1`` and ``V2`` in turn.
    freq : str, default "D"
        Length of a bar: ``"D"``, ``"h"``, ``"15min"``, ``"min"`` … up to a day.
    start : time stamp, default "2018-01-01"
        Label of the first bar; naive ones are read as UTC.
    onset : int, optional
        Row of the first arrival; drawn between six and eight tenths of the rows by default.
    source : str, optional
        Asset in which it begins; drawn by default.
    breadth : float, default 0.8
        Share of the assets that are members, in whole assets, two at least.
    lag : int, default 2
        The others are reached ``lag`` to 2 × ``lag`` bars after the source; with 0 all arrive in one bar.
    rise : int, default 1
        Bars from the arrival of a member to its trough, the first included.
    depth : (float, float), default (0.05, 0.25)
        Share of undisturbed depth left at the trough: of the source, and of the median other member.
    half_life : float or (float, float), default 5.0
        Bars in which a member's loss of log depth halves; a pair is the range of a draw, uniform in logs, for each.
    recovers : float, default 1.0
        Chance that a member comes back at all; the others stay at their trough.
    fall : (float, float), default (0.35, 0.1)
        Share of its price that forced sales take from the source, and from the mean other member; 37 % of the log fall
        stay.
    volatility : float, default 4.0
        Factor, below 100, by which volatility jumps, of members or, with ``common_volatility``, of all assets. Its log
        decays with the half-life.
    flight : {"haven", "suspect", "none"}, default "haven"
        Whether money flees into the stablecoin (supply and a premium), out of it (it loses its peg, most on the second
        venue), or neither; in the drain only.
    commonality : float, optional
        Share of the variance of ordinary log depth that all assets have in common (its mean correlation); by default
        drawn between .15 and .6. Makers' answer to common volatility comes on top.
    gaps : float, default 0.0
        Chance that a bar is missing.
    late : float, default 0.0
        Chance that an asset is listed late, within the first quarter.

    Returns
    -------
    SimulatedMarket
        ``panel`` and ``stablecoin``: what is seen; ``truth``: what happened.

    Raises
    ------
    OptionError
        A number outside its range, an unknown mode, scenario, family, source or setting, an onset too late for the
        members' arrivals.

    References
    ----------
    CFTC and SEC (2010), Findings regarding the market events of May 6, 2010: depth left at the source and elsewhere.
    Brunnermeier and Pedersen (2009), Review of Financial Studies 22(6), 2201-2238: why it spreads.

    Examples
    --------
    >>> import drainstats as ds
    >>> market = ds.simulate.drain(seed=1, onset=700, source="A3", assets=4, breadth=1.0)
    >>> market
    SimulatedMarket: drain, 4 assets × 1000 rows on utc_day
      onset    2019-12-02 00:00
      source   A3
      members  4: A3, A0, A2, A1
      depth    21% left (median member)
      back     4 of 4 members
    >>> calm = ds.simulate.drain(seed=1, onset=700, assets=4, scenario="calm")
    >>> calm.panel["depth"][:700].equals(market.panel["depth"][:700]), calm.truth.drained
    (True, False)
    """
    check_option("mode", mode, MODES)
    check_whole("seed", seed, 0)
    if mode == "planted":
        known = [name for name in inspect.signature(planted).parameters if name != "seed"]
        for name in settings:
            check_option("setting", name, known)
        return planted(seed, **settings)
    from drainstats.simulate.endogenous.run import endogenous

    return endogenous(seed, **settings)


def planted(
    seed: int,
    *,
    scenario: str = "drain",
    family: str = "gaussian",
    assets: int = 10,
    rows: int = 1000,
    freq: str = "D",
    start: Any = "2018-01-01",
    onset: int | None = None,
    source: str | None = None,
    breadth: float = 0.8,
    lag: int = 2,
    rise: int = 1,
    depth: tuple[float, float] = (0.05, 0.25),
    half_life: float | tuple[float, float] = 5.0,
    recovers: float = 1.0,
    fall: tuple[float, float] = (0.35, 0.1),
    volatility: float = 4.0,
    flight: str = "haven",
    commonality: float | None = None,
    gaps: float = 0.0,
    late: float = 0.0,
) -> SimulatedMarket:
    """The planted mode of `drain`, where the settings are explained."""
    settings = dict(locals())
    _check(settings)
    index, names = bar_labels(start, rows, bar_length(freq)), [f"A{k}" for k in range(assets)]
    if source is not None:
        check_option("source", source, names)
    plan = draw_plan(
        seed,
        rows,
        assets,
        onset=onset,
        source=None if source is None else names.index(source),
        members=max(2, round(breadth * assets)),
        lag=lag,
        rise=rise,
        depth=depth,
        half_life=_pair(half_life),
        recovers=recovers,
        fall=fall,
        volatility=volatility,
    )
    if plan.arrival[-1] + rise > rows:
        raise OptionError(
            f"onset={plan.onset} leaves no room: the last member would have its trough after row {rows - 1}, the last; "
            "pass an earlier onset, a smaller lag or more rows."
        )
    market = families.ordinary(family, index, assets, commonality, seed)
    out = planted_drain(plan, market, flight) if scenario == "drain" else CONFOUNDERS[scenario](plan, market, index)
    forced = forced_sales(out.impact, out.log_depth, market, index[1] - index[0])
    states = states_of(market, out, plan, forced, seed)
    fields = observed(states, seed)
    lose(fields, seed, gaps, late, missing=out.missing, blind=out.blind, zero=out.zero)
    settings |= {"commonality": market.commonality, "start": index[0].isoformat()}
    panel = panel_of(fields, index, names, [VENUES[venue_of(k)] for k in range(assets)], settings)
    coin = stablecoin_of(out, market, index, seed)
    return SimulatedMarket(panel, coin, truth_of(plan, out, states, index, names, settings))


def _check(settings: dict[str, Any]) -> None:
    """Raise a sentence for a setting that makes no sense."""
    check_option("scenario", settings["scenario"], SCENARIOS)
    check_option("family", settings["family"], FAMILIES)
    check_option("flight", settings["flight"], PEGS)
    for name, least in (("assets", 2), ("rows", 50), ("lag", 0), ("rise", 1)):
        check_whole(name, settings[name], least)
    if settings["onset"] is not None:
        check_whole("onset", settings["onset"], 1)
    for name in ("depth", "fall"):
        for number in _two(name, settings[name]):
            check_number(name, number, 0.0, 1.0)
    low, high = _two("half_life", _pair(settings["half_life"]))
    check_number("half_life", low, 0.0)
    check_number("half_life", high, 0.0)
    if low > high:
        raise OptionError(f"half_life=({low!r}, {high!r}) must be a range from the smaller number to the larger.")
    check_number("volatility", settings["volatility"], 0.0, _MOST_VOLATILE)
    for name in ("breadth", "recovers", "gaps", "late", "commonality"):
        if name != "commonality" or settings[name] is not None:
            check_between(name, settings[name], 0.0, 1.0)


def _pair(value: Any) -> Any:
    return value if isinstance(value, (tuple, list)) else (value, value)


def _two(name: str, value: Any) -> tuple[Any, Any]:
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise OptionError(f"{name}={value!r} must be a pair of numbers.")
    return value[0], value[1]
