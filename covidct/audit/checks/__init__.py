"""What the audit asks of a data set, one check a module."""
