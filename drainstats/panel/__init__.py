"""From tidy tables to one time × asset panel on one clock."""
