"""One set of weights for all pairs: DCC, its asymmetric and consistent variants, panels with holes."""
