"""Is this data set fit to train on? Knows manifests and files; nothing of torch. Needs extra `audit`."""
