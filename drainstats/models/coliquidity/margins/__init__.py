"""What goes in: logarithms of illiquidity, margins of mean and variance, or margins that are given."""
