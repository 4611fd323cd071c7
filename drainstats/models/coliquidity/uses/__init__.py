"""What a fitted model of co-movement is good for: refits, risk, impulses, contrasts."""
