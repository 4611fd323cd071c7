"""DCC behind margins of any law: normal and t copulas whose correlations move."""
