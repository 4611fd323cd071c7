"""Trades and quotes of any size: who took, and bars in one pass."""
