"""From bytes to tidy tables: file readers, and where bundled datasets live."""
