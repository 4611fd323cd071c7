"""Which asset drained first: shares over all observed assets, calibrated on simulated markets.

With x_it the log illiquidity of asset i above its baseline (at least zero), z_it the same in robust standard
deviations, t* the bar of the alarm, and rows from ``lead`` bars before the onset on,

    head start   h_i = Σ_{t < t*} min(x_it, 1) 1{z_it > 2}     what it had lost before the market did
    size         m_i = max_{t ≤ t*} min(x_it, 3)               how much it has lost by then
    share        s_i = exp(a h_i + b m_i) / Σ_j exp(a h_j + b m_j).

The caps keep one bad reading from naming a source. Both are first increments: rows after the alarm do not enter. The
coefficients a and b are the maximum-likelihood estimates of a conditional logit (McFadden, 1974) on one family of
simulated markets; ``docs/make_source_table.py`` estimates them and scores the shares on the other families. Measures
of transmission and of triggering are to join as further terms of the same sum: `features` holds a column a term.
"""

from __future__ import annotations

import numpy as np

from drainstats.typing import FloatArray, IntArray

BASIS = "simulator-calibrated"
FEATURES = ("head start", "size")
# Estimated by docs/make_source_table.py on its family of calibration.
COEFFICIENTS = (1.32, 2.12)
# Stress at which a bar counts for the head start.
STRESSED = 2.0
CAPS = (1.0, 3.0)
# The smallest share, and the bars by which it leads all others, at which an asset is named: neighbouring bars are too
# close to order by.
NAMED = 0.6
LEAD = 2


def features(excess: FloatArray, z: FloatArray) -> FloatArray:
    """(N, 2) head start and size of each asset.

    Parameters
    ----------
    excess, z : (T, N)
        From ``lead`` bars before the onset to the alarm. Missing ones count as no stress.
    """
    x = np.maximum(np.nan_to_num(excess), 0.0)
    head = np.where(np.nan_to_num(z[:-1]) > STRESSED, np.minimum(x[:-1], CAPS[0]), 0.0).sum(axis=0)
    return np.column_stack([head, np.minimum(x, CAPS[1]).max(axis=0)])


def softmax(values: FloatArray, coefficients: tuple[float, ...] = COEFFICIENTS) -> FloatArray:
    """Shares that sum to one from an (N, K) array of features."""
    score = values @ np.asarray(coefficients)
    weight = np.exp(score - score.max())
    shares: FloatArray = weight / weight.sum()
    return shares


def source_shares(excess: FloatArray, z: FloatArray, arrivals: IntArray) -> tuple[FloatArray, bool]:
    """Shares of the assets, and whether the data name one.

    Parameters
    ----------
    excess, z : (T, N)
        As for `features`.
    arrivals : (N,)
        Row of arrival; a large number for an asset that had not arrived by the alarm.

    Returns
    -------
    shares, identified
        One is named when it arrived ``LEAD`` bars before all others and its share is ``NAMED`` or more.
    """
    shares = softmax(features(excess, z))
    top = int(np.argmax(shares))
    alone = np.count_nonzero(arrivals < arrivals[top] + LEAD) == 1
    return shares, bool(alone and shares[top] >= NAMED)
