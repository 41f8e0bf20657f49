"""What C libraries decode, in processes of its own: pictures, and compressed frames of DICOM objects."""
