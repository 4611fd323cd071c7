"""Curves of what has not come back: Kaplan-Meier with errors clustered by episode, and a log-rank test.

With d_j recoveries among n_j members at risk at t_j and h_j = d_j / n_j,

    S(t) = Π_{t_j ≤ t} (1 − h_j),     Greenwood: Var ln S = Σ_j d_j / (n_j (n_j − d_j)).

Members of one episode come back together, so they are no independent draws. With N and Y the counting and the at-risk
process of member i, its influence on ln S(t) is

    ψ_i(t) = Σ_{t_j ≤ t} (dN_ij − Y_ij h_j) / (n_j (1 − h_j)),

and the clustered variance is G / (G − 1) Σ_g (Σ_{i in g} ψ_i)² over G episodes (Ying and Wei, 1994; Williams, 1995).
With a member an episode and without the factor it is Greenwood's. The log-rank test takes the same sums of

    u_i = Σ_j (1{i in group} − n_groupj / n_j) (dN_ij − Y_ij h_j).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from drainstats.typing import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Curve:
    """At K times of recovery: time, at_risk, events, survival, log_se (clustered), log_se_greenwood, each (K,)."""

    time: FloatArray
    at_risk: FloatArray
    events: FloatArray
    survival: FloatArray
    log_se: FloatArray
    log_se_greenwood: FloatArray


class LogRank(NamedTuple):
    """statistic : F; dof : (groups − 1, episodes − groups); naive_ : as if members were independent."""

    statistic: float
    dof: tuple[int, int]
    p_value: float
    naive_statistic: float
    naive_p_value: float


def kaplan_meier(duration: FloatArray, observed: BoolArray, cluster: IntArray) -> Curve:
    """The curve of members with durations; where not ``observed`` they are censored there.

    Examples
    --------
    >>> import numpy as np
    >>> kaplan_meier(np.array([1.0, 2.0, 3.0]), np.array([True, False, True]), np.arange(3)).survival.round(3).tolist()
    [0.667, 0.0]
    """
    time = np.unique(duration[observed])
    at_risk = (duration[:, None] >= time).sum(axis=0).astype(np.float64)
    events = ((duration[:, None] == time) & observed[:, None]).sum(axis=0).astype(np.float64)
    hazard = events / at_risk
    with np.errstate(divide="ignore", invalid="ignore"):
        greenwood = np.cumsum(events / (at_risk * (at_risk - events)))
        influence = np.cumsum(_residuals(duration, observed, time, hazard) / (at_risk * (1 - hazard)), axis=1)
        sums = _by_cluster(influence, cluster)
        groups = len(sums)
        clustered = groups / (groups - 1) * (sums**2).sum(axis=0) if groups > 1 else np.full(len(time), np.nan)
    return Curve(time, at_risk, events, np.cumprod(1 - hazard), np.sqrt(clustered), np.sqrt(greenwood))


def band(curve: Curve, log_se: FloatArray, quantile: float) -> tuple[FloatArray, FloatArray]:
    """Pointwise limits on the scale ln(−ln S); zero where the curve is."""
    with np.errstate(divide="ignore", invalid="ignore"):
        log_survival = np.log(curve.survival)
        width = np.exp(quantile * log_se / -log_survival)
        low, high = np.exp(log_survival * width), np.exp(log_survival / width)
    return np.where(curve.survival == 0, 0.0, low), np.where(curve.survival == 0, 0.0, high)


def quantile_time(time: FloatArray, survival: FloatArray, share: float = 0.5) -> float:
    """Time at which a curve falls to ``share``; infinite when it stays above.

    Durations are counted in whole bars, so the fall lies in the bar before the time it is seen at; it is taken as
    straight within that bar.

    Examples
    --------
    >>> import numpy as np
    >>> quantile_time(np.array([2.0, 5.0]), np.array([0.7, 0.3]))
    4.5
    """
    reached = np.flatnonzero(survival <= share + 1e-12)
    if not len(reached):
        return float("inf")
    k = int(reached[0])
    before = survival[k - 1] if k else 1.0
    width = min(1.0, time[k] - time[k - 1]) if k else min(1.0, time[0])
    return float(time[k] - width * (share - survival[k]) / (before - survival[k]))


def log_rank(duration: FloatArray, observed: BoolArray, cluster: IntArray, group: IntArray) -> LogRank:
    """Whether groups (0 … K − 1) come back at the same pace; ``cluster`` numbers the episodes."""
    from scipy.stats import chi2, f

    time = np.unique(duration[observed])
    at_risk = (duration[:, None] >= time).sum(axis=0)
    events = ((duration[:, None] == time) & observed[:, None]).sum(axis=0)
    residual = _residuals(duration, observed, time, events / at_risk)
    groups, episodes = int(group.max()) + 1, len(np.unique(cluster))
    member = group[:, None] == np.arange(groups - 1)
    share = np.stack([(member[:, [k]] & (duration[:, None] >= time)).sum(axis=0) / at_risk for k in range(groups - 1)])
    u = np.stack([((member[:, [k]] - share[k]) * residual).sum(axis=1) for k in range(groups - 1)], axis=1)
    total, sums = u.sum(axis=0), _by_cluster(u, cluster)
    robust = episodes / (episodes - 1) * sums.T @ sums
    left = np.maximum(at_risk - 1, 1)
    weight = events * (at_risk - events) / left
    hyper = (share * weight) @ -share.T + np.diag((share * weight).sum(axis=1))
    dof = (groups - 1, episodes - groups)
    statistic, naive = _wald(total, robust) / dof[0], _wald(total, hyper)
    return LogRank(statistic, dof, float(f.sf(statistic, *dof)), naive, float(chi2.sf(naive, dof[0])))


def _wald(total: FloatArray, covariance: FloatArray) -> float:
    """total' covariance⁻¹ total; NaN where the groups do not differ in anything."""
    try:
        return float(total @ np.linalg.solve(covariance, total))
    except np.linalg.LinAlgError:
        return float("nan")


def _residuals(duration: FloatArray, observed: BoolArray, time: FloatArray, hazard: FloatArray) -> FloatArray:
    """dN_ij − Y_ij h_j, (members, times)."""
    at_risk = duration[:, None] >= time
    own = (duration[:, None] == time) & observed[:, None]
    return own - at_risk * hazard


def _by_cluster(values: FloatArray, cluster: IntArray) -> FloatArray:
    """Sums over the members of each cluster, (G, K)."""
    _, code = np.unique(cluster, return_inverse=True)
    sums = np.zeros((int(code.max()) + 1 if len(code) else 0, values.shape[1]))
    np.add.at(sums, code, values)
    return sums
