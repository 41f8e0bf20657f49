"""Probabilities and thresholds fitted to labelled slices: at home, or for one hospital."""
