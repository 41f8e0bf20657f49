"""What a classifier that sees no lung can learn from a data set."""
