"""Flash crashes within one price path: drift bursts, jumps, drawdowns, V shapes."""
