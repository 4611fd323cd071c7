"""What was to be expected of an outcome, and the error of that forecast."""
