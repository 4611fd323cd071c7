"""When did liquidity leave many markets at once: stress against a trailing baseline, breadth, alarms, the record."""
