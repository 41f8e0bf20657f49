"""Faults at every stage of every command that writes: `python -m faults` (see __main__)."""
