"""Whether liquidity moves together: market models, monthly R², components, and how sure one can be."""
