"""A share that never comes back: a mixture cure model for durations in whole bars.

    S(t) = c + (1 − c) exp(−(t / τ)^k),      k = 1 for the exponential,

with c the share that never recovers. A member that came back in bar t adds ln(S(t − 1) − S(t)) to the likelihood, one
that was lost sight of after t bars ln S(t). Standard errors are of the sandwich form, clustered by episode
(Boag, 1949; Peng, Taylor and Yu, 2007). A plateau that was not seen cannot be told from slow recovery: with

    N = number of recoveries in (2 t* − t_max, t*],   a = (1 − N / n)^n,

t* the longest duration of a recovery and t_max the longest of all, follow-up was long enough when a < 5 % (Maller and
Zhou, 1996). One late recovery among hundreds undoes that test, so it also was when by the fitted curve at most one in
a hundred of those that recover would do so after t_max.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from drainstats.typing import BoolArray, FloatArray, IntArray

LATENCIES = ("exponential", "weibull")
LEAST_EPISODES = 3
ENOUGH, LATER = 0.05, 0.01
STEP = 1e-4
# Logits beyond this are the ends of the scale: nobody, or everybody, stays away.
EDGE = 9.0


@dataclass(frozen=True, eq=False, repr=False)
class CureModel:
    """A fitted mixture cure model.

    Parameters
    ----------
    latency : {"exponential", "weibull"}
    identified : bool
        False when there are fewer than three episodes, no recovery, or follow-up was too short; ``reason`` says which.
        The estimates are then given all the same, without intervals.
    reason : str
    estimates : DataFrame
        Rows ``never`` (share that never recovers), ``half_life`` (bars, of those that do) and, for the Weibull,
        ``shape``; columns estimate, std_error, ci_low, ci_high; clustered by episode.
    loglikelihood : float
    follow_up_p_value : float
        Of the null that follow-up was too short.
    members, episodes : int
    converged : bool
    """

    latency: str
    identified: bool
    reason: str
    estimates: pd.DataFrame
    loglikelihood: float
    follow_up_p_value: float
    members: int
    episodes: int
    converged: bool

    def survival(self, bars: Any) -> FloatArray:
        """Share that has not come back after so many bars."""
        e = self.estimates["estimate"]
        shape = float(e.get("shape", 1.0))
        t = np.asarray(bars, dtype=np.float64)
        return np.asarray(e["never"] + (1 - e["never"]) * np.exp(-np.log(2) * (t / e["half_life"]) ** shape))

    def __repr__(self) -> str:
        head = f"Mixture cure model, {self.latency} latency: {self.members} members in {self.episodes} episodes"
        lines = [
            head,
            f"  never comes back: {'' if self.identified else 'not identified: ' + self.reason}".rstrip(": "),
        ]
        for name, row in self.estimates.iterrows():
            interval = f" [{row['ci_low']:.3g}, {row['ci_high']:.3g}]" if self.identified else ""
            lines.append(f"  {name:<10}{row['estimate']:.3g} ± {row['std_error']:.2g}{interval}")
        return "\n".join([*lines, f"  follow-up too short: p {self.follow_up_p_value:.3f}"])


def follow_up_p_value(duration: FloatArray, observed: BoolArray) -> float:
    """Maller and Zhou's (1 − N / n)^n: small when the plateau was seen.

    Examples
    --------
    >>> import numpy as np
    >>> follow_up_p_value(np.array([1.0, 2.0, 3.0, 20.0]), np.array([True, True, True, False]))
    0.00390625
    """
    if not observed.any():
        return 1.0
    last, longest = float(duration[observed].max()), float(duration.max())
    late = observed & (duration > 2 * last - longest)
    return float((1 - late.sum() / len(duration)) ** len(duration))


def fit_cure(
    duration: FloatArray, observed: BoolArray, cluster: IntArray, latency: str = "exponential", level: float = 0.95
) -> CureModel:
    """Fit the model by maximum likelihood.

    Parameters
    ----------
    duration : (n,) whole bars, one at least
    observed : (n,)
        Whether the member came back; else it was lost sight of after ``duration`` bars.
    cluster : (n,)
        Episode of each member.
    latency : {"exponential", "weibull"}, default "exponential"
    level : float, default 0.95
        Of the intervals, with Student's t with one degree of freedom less than there are episodes.

    Returns
    -------
    CureModel
    """
    from scipy.optimize import minimize

    _, code = np.unique(cluster, return_inverse=True)
    episodes, size = int(code.max()) + 1, 2 if latency == "exponential" else 3

    def contributions(theta: FloatArray) -> FloatArray:
        return _loglikelihoods(theta, duration, observed)

    middle = np.log(np.median(duration[observed]) if observed.any() else duration.max())
    starts = [np.r_[np.log(c / (1 - c)), middle, np.zeros(size - 2)] for c in (0.02, 0.2, 0.6)]
    bounds = [(-EDGE, EDGE), (-5.0, 20.0), (-2.0, 2.0)][:size]
    fits = [minimize(lambda t: -contributions(t).sum(), s, method="L-BFGS-B", bounds=bounds) for s in starts]
    best = min(fits, key=lambda fit: float(fit.fun))
    theta = np.asarray(best.x)
    covariance = _sandwich(contributions, theta, code, episodes)
    p_value = follow_up_p_value(duration, observed)
    later = float(_latent(theta, duration.max()))
    reason = _reason(episodes, observed, p_value >= ENOUGH and later > LATER, covariance)
    table = _table(theta, covariance, episodes, level, contributions)
    if abs(theta[0]) < EDGE - 0.01 and np.isfinite(covariance[0, 0]):
        held = minimize(
            lambda t: -contributions(np.r_[-EDGE, t]).sum(), theta[1:], method="L-BFGS-B", bounds=bounds[1:]
        )
        if _nobody_stays(float(held.fun - best.fun), contributions, theta, covariance, level):
            table.loc["never", "ci_low"] = 0.0
    if reason:
        table[["ci_low", "ci_high"]] = np.nan
    return CureModel(
        latency, not reason, reason, table, -float(best.fun), p_value, len(duration), episodes, bool(best.success)
    )


def _loglikelihoods(theta: FloatArray, duration: FloatArray, observed: BoolArray) -> FloatArray:
    never, after = 1 / (1 + np.exp(-theta[0])), _latent(theta, duration)
    came = np.log((1 - never) * np.maximum(_latent(theta, duration - 1) - after, 1e-300))
    return np.where(observed, came, np.log(never + (1 - never) * after))


def _latent(theta: FloatArray, bars: Any) -> FloatArray:
    """Share of those that recover that has not after so many bars."""
    shape = np.exp(theta[2]) if len(theta) > 2 else 1.0
    return np.asarray(np.exp(-((np.maximum(bars, 0.0) / np.exp(theta[1])) ** shape)))


def _sandwich(contributions: Any, theta: FloatArray, code: IntArray, episodes: int) -> FloatArray:
    """Clustered covariance of the free parameters; NaN for one episode and where the likelihood is flat."""
    size = len(theta)
    steps = STEP * np.eye(size)
    score = np.stack([(contributions(theta + h) - contributions(theta - h)) / (2 * STEP) for h in steps], axis=1)
    hessian = np.array(
        [
            [
                (
                    contributions(theta + a + b).sum()
                    - contributions(theta + a - b).sum()
                    - contributions(theta - a + b).sum()
                    + contributions(theta - a - b).sum()
                )
                / (4 * STEP**2)
                for b in steps
            ]
            for a in steps
        ]
    )
    free = np.ones(size, dtype=bool)
    free[0] = abs(theta[0]) < EDGE - 0.01
    out = np.full((size, size), np.nan)
    information = -hessian[np.ix_(free, free)]
    if episodes < 2 or np.linalg.eigvalsh(information).min() <= 1e-8 * len(code):
        return out
    sums = np.zeros((episodes, int(free.sum())))
    np.add.at(sums, code, score[:, free])
    inverse = np.linalg.inv(information)
    out[np.ix_(free, free)] = inverse @ (episodes / (episodes - 1) * sums.T @ sums) @ inverse
    return out


def _nobody_stays(fall: float, contributions: Any, theta: FloatArray, covariance: FloatArray, level: float) -> bool:
    """Whether a share of zero fits as well: its fall in likelihood, over how much clustering widens the variance."""
    from scipy.stats import chi2

    alone = _sandwich(contributions, theta, np.arange(len(contributions(theta))), len(contributions(theta)))
    wider = max(float(covariance[0, 0] / alone[0, 0]), 1.0)
    return bool(2 * fall / wider < chi2.ppf(2 * level - 1, 1))


def _reason(episodes: int, observed: BoolArray, short: bool, covariance: FloatArray) -> str:
    if episodes < LEAST_EPISODES:
        return f"{episodes} episode(s) came, {LEAST_EPISODES} or more are needed"
    if not observed.any():
        return "no member came back"
    if short:
        return "members were not followed long enough to see whether the rest comes back"
    return "" if np.isfinite(covariance[1, 1]) else "the likelihood is flat"


def _table(theta: FloatArray, covariance: FloatArray, episodes: int, level: float, contributions: Any) -> pd.DataFrame:
    from scipy.stats import t

    quantile = float(t.ppf((1 + level) / 2, episodes - 1)) if episodes > 1 else float("nan")
    never = 1 / (1 + np.exp(-theta[0]))
    shape = np.exp(theta[2]) if len(theta) > 2 else 1.0
    # ln half-life = ln τ + ln(ln 2) / k
    slope = np.r_[0.0, 1.0, [-np.log(np.log(2)) / shape][: len(theta) - 2]]
    known = np.nan_to_num(covariance)
    log_half = theta[1] + np.log(np.log(2)) / shape
    spread = float(np.sqrt(slope @ known @ slope)) if np.isfinite(covariance[1, 1]) else float("nan")
    logit_se = float(np.sqrt(covariance[0, 0]))
    if abs(theta[0]) >= EDGE - 0.01:
        never, low, high = _edge(theta, contributions, level)
        rows = {"never": (never, float("nan"), low, high)}
    else:
        ends = 1 / (1 + np.exp(-(theta[0] + np.array([-1, 1]) * quantile * logit_se)))
        rows = {"never": (never, never * (1 - never) * logit_se, *ends)}
    rows["half_life"] = _positive(log_half, spread, quantile)
    if len(theta) > 2:
        rows["shape"] = _positive(theta[2], float(np.sqrt(covariance[2, 2])), quantile)
    return pd.DataFrame.from_dict(rows, orient="index", columns=["estimate", "std_error", "ci_low", "ci_high"])


def _positive(log_value: float, log_se: float, quantile: float) -> tuple[float, float, float, float]:
    value = float(np.exp(log_value))
    return value, value * log_se, value * float(np.exp(-quantile * log_se)), value * float(np.exp(quantile * log_se))


def _edge(theta: FloatArray, contributions: Any, level: float) -> tuple[float, float, float]:
    """A share at the end of its scale: the other end of the interval is where the likelihood has fallen by half the
    quantile of chi-square, the other parameters held; it takes members as independent."""
    from scipy.optimize import brentq
    from scipy.stats import chi2

    fall, sign = chi2.ppf(2 * level - 1, 1) / 2, np.sign(theta[0])
    top = contributions(theta).sum()

    def gap(logit: float) -> float:
        return float(top - contributions(np.r_[logit, theta[1:]]).sum() - fall)

    other = brentq(gap, -sign * EDGE, theta[0]) if gap(-sign * EDGE) > 0 else -sign * EDGE
    end = float(1 / (1 + np.exp(-other)))
    return (0.0, 0.0, end) if sign < 0 else (1.0, end, 1.0)
