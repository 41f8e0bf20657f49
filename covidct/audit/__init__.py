"""Is this data set fit to learn from? Knows manifests and files; nothing of torch. Needs extra `audit`."""
