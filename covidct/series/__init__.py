"""Folders, archives, DICOMDIRs and volumes -> a Study of Series."""
