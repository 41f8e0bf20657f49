"""Synthetic slices, drawn by code: for examples, tests and the reference outputs of a bundle."""
