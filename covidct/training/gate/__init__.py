"""The gate: fitted on chest slices and on pictures of all that is none."""
