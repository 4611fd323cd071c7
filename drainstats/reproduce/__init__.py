"""Published results as tests: the printed number, where it was read, ours, and the gap."""
