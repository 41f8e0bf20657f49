"""Faults planted into sets of phantoms: `python -m planted` (see __main__)."""
