"""Co-liquidity: do liquidities dry up together, more than they used to?"""
