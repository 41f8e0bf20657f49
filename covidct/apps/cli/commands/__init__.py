"""What each command does, and parts of `predict`."""
