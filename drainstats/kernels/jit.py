"""The one way in which kernels are compiled."""

from __future__ import annotations

import functools

import numba

# No fastmath and no threads: the answer must not depend on the engine. Division by zero follows IEEE as in NumPy.
kernel = functools.partial(numba.njit, cache=True, nogil=True, error_model="numpy")

# For a step that only other kernels call: compiled within them, which costs less than by itself.
inlined = functools.partial(kernel, inline="always")
