"""Reactions that differ by asset or group, rotated ones, and what drives them."""
