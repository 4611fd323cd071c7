"""Everyday regressions of liquidity on what may move it."""
