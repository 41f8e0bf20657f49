"""Every error that covidct raises on purpose.

    CovidctError
    ├── ReadError            a file or array cannot be read as a slice
    │   ├── UnsupportedImage     it is an image, but none that can be read right (animated, huge ...)
    │   └── UnsupportedDicom     it is DICOM, but no single CT slice (no pixels, several frames ...)
    │       └── ForeignDicom         its header says that it is something else (MR, coronal ...)
    ├── BundleError          a model directory is missing, damaged or of another version
    ├── ManifestError        a manifest cannot be used (columns, labels, splits, missing files)
    ├── AuditError           a data set is not fit to train on, and nobody said why to go on
    ├── RecipeError          a recipe has unknown keys or impossible values
    ├── TrainingError        a run cannot go on (its loss diverged, its checkpoint is damaged ...)
    ├── PretrainedError      pretrained weights are missing or not what they should be
    ├── ServeError           a server that would not be safe, or cannot listen
    ├── ParityError          an exported graph does not do what the network did
    ├── ReportError          no DICOM report can be made of an answer (no patient module, mixed patients ...)
    │   └── SegmentationError    no segmentation can be laid over its images (no FrameOfReferenceUID ...)
    ├── NodeError            the DICOM node cannot start (spool in use, port taken, no such certificate ...)
    ├── DicomwebError        a DICOMweb server cannot be reached, or does not give or take what it should
    ├── ArchiveError         an archive cannot be gone through (another's table, no cluster ...)
    │   └── SourceDropped        a file of it cannot be had now, as the network or its server is down
    └── VendorError          libraries of the page are missing or were changed

Messages say what is wrong, where, and what to do.
"""

from __future__ import annotations

import logging


class CovidctError(Exception):
    """Base of all errors raised on purpose."""


class ReadError(CovidctError):
    """A file or array cannot be read as a slice."""


class UnsupportedImage(ReadError):
    """An image, but not one that can be read as a slice."""


class UnsupportedDicom(ReadError):
    """A DICOM object, but no single CT slice."""


class ForeignDicom(UnsupportedDicom):
    """A DICOM object whose header says that it is not an axial CT slice; `reason` says what it is."""

    def __init__(self, message: str, reason: str):
        super().__init__(message)
        self.reason = reason


class BundleError(CovidctError):
    """A model directory is missing, damaged or of another version."""


class ManifestError(CovidctError):
    """A manifest cannot be used."""


class AuditError(CovidctError):
    """A data set is not fit to train on."""


class RecipeError(CovidctError):
    """A recipe has unknown keys or impossible values."""


class TrainingError(CovidctError):
    """A training run cannot go on."""


class PretrainedError(CovidctError):
    """Pretrained weights are missing or not what they should be."""


class ServeError(CovidctError):
    """A server that would not be safe, or cannot listen."""


class ParityError(CovidctError):
    """An exported graph does not do what the network did."""


class ReportError(CovidctError):
    """No DICOM report can be made of an answer."""


class SegmentationError(ReportError):
    """No DICOM segmentation can be laid over the images of an answer."""


class NodeError(CovidctError):
    """The DICOM node cannot start."""


class DicomwebError(CovidctError):
    """A DICOMweb server cannot be reached, or does not give or take what it should."""


class ArchiveError(CovidctError):
    """An archive cannot be gone through."""


class SourceDropped(ArchiveError):
    """A file of an archive cannot be had now."""


class VendorError(CovidctError):
    """Libraries of the page are missing or were changed."""


def log_traceback(error: BaseException) -> None:
    """Log the traceback of an unforeseen error; shown only with --debug, as it may quote headers."""
    logging.getLogger("covidct").debug("unforeseen", exc_info=error)
