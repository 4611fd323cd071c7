"""`EventSample`: one event as every test of it sees it, whatever the expected-value model was."""

from __future__ import annotations

from dataclasses import dataclass

from drainstats.typing import BoolArray, FloatArray


@dataclass(frozen=True, slots=True)
class EventSample:
    """Abnormal values of one date; arrays may carry leading axes (replications), written "...".

    estimation : (..., L, n) residuals of the estimation window; NaN where missing.
    event : (..., m, n) abnormal values, a row of the event window each; NaN where missing.
    sigma : (..., n) residual standard deviation, divisor: rows less coefficients.
    error : (..., m, n) standard error of each abnormal value, the forecast error of the model included.
    total_error : (..., n) standard error of their sum over the m rows.
    freedom : (..., n) rows less coefficients.
    usable : (..., n) asset takes part.
    correlation : (...) mean correlation of the residuals of two assets in calendar time.
    """

    estimation: FloatArray
    event: FloatArray
    sigma: FloatArray
    error: FloatArray
    total_error: FloatArray
    freedom: FloatArray
    usable: BoolArray
    correlation: FloatArray
