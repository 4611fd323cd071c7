"""GARCH(1, 1) on daily DM/GBP returns: the benchmark of Fiorentini, Calzolari and Panattoni (1996)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from drainstats.models.coliquidity.margins.garch import GARCH
from drainstats.reproduce.runner import Item
from drainstats.typing import FloatArray

KEY = "bollerslev-ghysels-1996"
PAPER = (
    "Bollerslev and Ghysels (1996), Journal of Business & Economic Statistics 14, 139-151; benchmark values of "
    "Fiorentini, Calzolari and Panattoni (1996), used by McCullough and Renfro (1999) and by Brooks, Burke and Persand "
    "(2001)"
)
BENCHMARK = {
    "mu": -0.00619041,
    "omega": 0.0107613,
    "alpha1": 0.153134,
    "beta1": 0.805974,
    "loglikelihood": -1106.607883,
}
SQUARES = {
    "ARCH-LM(1)": 98.12107516935244,
    "acf of squares, lag 1": 0.22294073831639766,
    "acf of squares, lag 2": 0.17663183540117078,
    "acf of squares, lag 3": 0.14086005904595456,
}


def reproduce(folder: Path) -> list[Item]:
    """Constant mean, squares and variance before the sample equal to the mean squared residual."""
    y = np.loadtxt(folder / "bollerslev_ghysels.txt", skiprows=1)
    res = GARCH(p=1, q=1, mean="constant", start="fcp").fit(y)
    ours = {**res.params.to_dict(), "loglikelihood": res.loglikelihood}
    reason = "the benchmark prints six significant digits; the log-likelihood was read at rounded parameters"
    fitted = [Item(KEY, name, value, "memory", float(ours[name]), 5e-5, reason) for name, value in BENCHMARK.items()]
    return fitted + _squares(y)


def _squares(y: FloatArray) -> list[Item]:
    """Engle's ARCH-LM statistic with one lag, as T times R squared, and autocorrelations of the squared returns."""
    x = y**2
    lagged = np.corrcoef(x[1:], x[:-1])[0, 1]
    d = x - x.mean()
    values = [len(y) * lagged**2] + [float(d[k:] @ d[:-k] / (d @ d)) for k in (1, 2, 3)]
    source, reason = "seen: usage page of ARCHModels.jl", "all printed digits"
    return [
        Item(KEY, name, printed, source, float(value), 1e-6 * printed, reason)
        for (name, printed), value in zip(SQUARES.items(), values, strict=True)
    ]
