"""Training: from a manifest to a bundle. The only home of torch; needs the `train` extra."""
