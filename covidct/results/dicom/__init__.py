"""Results as DICOM objects: structured report, secondary capture, segmentation."""
