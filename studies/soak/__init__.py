"""An hour of mixed work on node and server, with what fuzzing found thrown in: `python -m soak` (see run)."""
