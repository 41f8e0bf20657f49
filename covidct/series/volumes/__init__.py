"""Volume files: NIfTI, MetaImage, NRRD and NumPy arrays."""
