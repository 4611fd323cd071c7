"""Covariances modelled directly: BEKK and GARCH factors."""
