"""Drift-burst statistics by exponential filters that run along the prices once."""

from __future__ import annotations

import numpy as np

from drainstats.kernels.jit import kernel
from drainstats.typing import FloatArray

# Places in the state, and how many products of lagged returns the lag rule may look at.
LAST, LAST_PRICE, FIRST, COUNT, MASS, DRIFT, GAP = 0, 1, 2, 3, 4, 5, 6
CHOICES = 26


@kernel
def _parzen(x: float) -> float:
    near, far = 1.0 - 6.0 * x * x * (1.0 - x), 2.0 * (1.0 - x) * (1.0 - x) * (1.0 - x)
    return near if x <= 0.5 else max(far, 0.0)


@kernel
def _chosen(n: float, products: FloatArray, count: int, as_sums: bool, cap: int) -> int:
    # Newey and West (1994) for the Parzen kernel, n observations, products[j] the sum of r_i r_{i-j}, j < count.
    width = min(int(np.rint(4.0 * (n / 100.0) ** 0.16)), count - 2)
    level, bend, later, summed = 0.0, 0.0, 0.0, 0.0
    for i in range(width, -1, -1):
        later += products[i + 1]
        summed += later
        twice = (summed if as_sums else products[i]) * (1.0 if i == 0 else 2.0)
        level += twice
        bend += twice * i * i
    ratio = bend / level if level != 0.0 else np.inf
    return int(min(np.rint(2.6614 * (ratio * ratio * n) ** 0.2), cap)) if ratio == ratio else cap


@kernel
def burst(
    seconds: FloatArray, price: FloatArray, tests: FloatArray, options: FloatArray, head: FloatArray, rings: FloatArray,
    out: FloatArray,
) -> None:  # fmt: skip
    """Run along one series and write mean, variance, lag, prices seen and age of the filter at each test time.

    seconds, price (n,), finite, seconds not falling. tests (m,) not falling. options: mean bandwidth, variance
    bandwidth, prices to average, largest lag, fixed lag or -1 (summed) or -2 (plain), longest gap. head (7,) and rings
    (4, L): the state, changed in place; rings hold returns, averaged returns with their decay, products of the latter,
    products of returns. out (m, 5): sums, not yet scaled; rows before 2k prices stay as they are.
    """
    wide, narrow, k, cap, fixed, reset = (
        options[0], options[1], int(options[2]), int(options[3]), int(options[4]), options[5],
    )  # fmt: skip
    returns, ring, products, lagged = rings[0], rings[1], rings[2], rings[3]
    depth, choices = cap + 2 * (k - 1), min(CHOICES, returns.shape[0] - 1)
    length = max(2 * k - 1, choices)
    now, n = 0, seconds.shape[0]
    for m in range(tests.shape[0] + 1):
        stop = tests[m] if m < tests.shape[0] else np.inf
        while now < n and seconds[now] <= stop:
            t, y = seconds[now], price[now]
            now += 1
            gap = t - head[LAST]
            if head[COUNT] == 0.0 or gap > reset:
                for i in range(head.shape[0]):
                    head[i] = 0.0
                for j in range(returns.shape[0]):
                    returns[j] = ring[j] = products[j] = lagged[j] = 0.0
                head[FIRST], head[GAP] = t, np.inf
            else:
                r = y - head[LAST_PRICE]
                # Weights are those of a return's first price: the age is the time between the two before.
                a, b = np.exp(-head[GAP] / wide), np.exp(-head[GAP] / narrow)
                for j in range(length, 0, -1):
                    returns[j] = returns[j - 1]
                returns[0] = r
                for j in range(choices):
                    lagged[j] += r * returns[j]
                z, count = 0.0, head[COUNT]
                if count >= 2 * k - 1:
                    for j in range(2 * k - 1):
                        z += min(j + 1, 2 * k - 1 - j) * returns[j]
                    z /= k * k
                head[MASS] = head[MASS] * a + 1.0
                head[DRIFT] = head[DRIFT] * a + z
                for j in range(depth, 0, -1):
                    ring[j] = ring[j - 1] * b
                    products[j] = products[j] * b * b + z * ring[j]
                ring[0] = z
                products[0] = products[0] * b * b + z * z
                head[GAP] = gap
            head[LAST], head[LAST_PRICE] = t, y
            head[COUNT] += 1.0
        if m == tests.shape[0]:
            break
        if head[COUNT] >= 2 * k:
            age = head[GAP] + stop - head[LAST]
            a, b = np.exp(-age / wide), np.exp(-age / narrow)
            lag = fixed if fixed >= 0 else _chosen(head[MASS] * a, lagged, choices, fixed == -1, cap)
            lag += 2 * (k - 1)
            total = products[0]
            for j in range(1, lag):
                total += 2.0 * _parzen(j / lag) * products[j]
            out[m, 0], out[m, 1] = head[DRIFT] * a, (total if total > 1e-12 * products[0] else 0.0) * b * b
            out[m, 2], out[m, 3], out[m, 4] = lag, head[COUNT], stop - head[FIRST]
