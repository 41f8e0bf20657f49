"""Data sets: manifests, splits, masks and the recipe that names them. Free of torch."""
