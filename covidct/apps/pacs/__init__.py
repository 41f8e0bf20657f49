"""The DICOM node: series in from a PACS, reports back."""
