"""Standard errors of smooth functions of window means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from drainstats.errors import OptionError
from drainstats.typing import FloatArray


def smooth_error(
    moments: Sequence[FloatArray], gradients: Sequence[Any], width: int, lags: int | None = None
) -> FloatArray:
    """Standard errors of a smooth function of K window means, by the delta method with Bartlett weights.

    Parameters
    ----------
    moments : K arrays (T, N)
        What is averaged. A row that lacks one of them does not count.
    gradients : K arrays (T, N) or numbers
        Derivatives of the function at the means of the window that ends in the row.
    width : int
        Rows of a window.
    lags : int, optional
        Rows of serial dependence; by default floor(4 (width / 100)^(2/9)) (Newey and West, 1994), at least 1: what
        neighbouring rows share must not be lost.

    Returns
    -------
    (T, N) array
        NaN where the window has no more complete rows than the weights sum to (three with two lags).
    """
    from drainstats.kernels import windows

    lags = default_lags(width) if lags is None else lags
    if not isinstance(lags, (int, np.integer)) or isinstance(lags, bool) or lags < 0:
        raise OptionError(f"hac_lags={lags!r} must be a whole number of rows, at least 0.")
    shape = moments[0].shape
    slopes = np.stack([np.broadcast_to(np.asarray(g, dtype=np.float64), shape) for g in gradients])
    out = np.empty(shape)
    windows.smooth_error(np.stack(moments), slopes, int(width), int(lags), out)
    return out


def default_lags(width: int) -> int:
    """Rows of serial dependence that a window of ``width`` rows can bear: the rule of Newey and West (1994)."""
    return max(1, int(4 * (width / 100) ** (2 / 9)))


def hac_method(width: int, lags: int | None) -> str:
    """How these errors are described in an `Estimate`."""
    used = default_lags(width) if lags is None else lags
    return f"delta method, Newey-West over {used} rows"
