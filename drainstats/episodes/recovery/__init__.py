"""How fast liquidity comes back: the decay of one episode, and curves and cure models over many."""
