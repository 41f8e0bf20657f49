"""Which slices of a data set are alike."""
