"""Models: a frozen spec, a fit, a frozen result."""
