"""Drain episodes: what one is, how it is found, and tests of what happened in it."""
