"""Did the assets of a market move abnormally on a date: expected values, tests, tables."""
