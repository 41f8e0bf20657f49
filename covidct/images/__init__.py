"""A file, bytes or an array -> one Slice."""
