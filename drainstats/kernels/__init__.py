"""Numerical kernels: plain arrays in, plain arrays out, compiled at their first call and cached on disk."""
