"""Panels too large for a matrix a day: one correlation for all or for groups, and likelihoods of pairs."""
