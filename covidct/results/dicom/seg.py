"""The region of the evidence as a DICOM Segmentation for any viewer (PS3.3 A.51).

One binary segment: the pixels whose evidence for COVID-19 has at least half of the full colour of an overlay.
Binary, as the two kinds of fractions that DICOM has are probability and occupancy, and evidence is neither.
It refers to the pixels as stored. Knows the geometry of images. Knows nothing of files or networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from highdicom import UID, AlgorithmIdentificationSequence, PlanePositionSequence
from highdicom.color import CIELabColor
from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentationTypeValues, SegmentDescription
from highdicom.sr import CodedConcept
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

import covidct
from covidct.errors import ReadError, SegmentationError
from covidct.images.blob import Blob
from covidct.images.library_errors import damage_as
from covidct.images.limits import Allowance
from covidct.inference.overlay import FULL, lay_strength
from covidct.results.dicom.patient_study import PatientStudy, put_patient_study
from covidct.results.dicom.source_header import read_source_header
from covidct.results.dicom.sr import SCHEME, SERIES_NUMBER, to_equipment, to_evidence
from covidct.series.enhanced import FrameBlob, to_frames
from covidct.series.types import Instance, SeriesAnswer
from covidct.types import DISCLAIMER, Box, Evidence

LEVEL = FULL / 2  # evidence (logit per cell) from which a pixel belongs to the segment
EVIDENCE = CodedConcept("evidence", SCHEME, "Evidence for COVID-19")
ORANGE = CIELabColor(65, 45, 65)
_GEOMETRY = ("FrameOfReferenceUID", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
_ASKED = (
    *_GEOMETRY,
    "PositionReferenceIndicator",
    "Rows",
    "Columns",
    "SliceThickness",
    "LossyImageCompression",
    "LossyImageCompressionRatio",
    "LossyImageCompressionMethod",
)


@dataclass(frozen=True)
class _Plane:
    """A slice in the segmentation: its header, and where the segment lies, (H, W) bool as stored."""

    instance: Instance
    header: Dataset
    mask: NDArray[np.bool_]


def to_seg(answer: SeriesAnswer, patient_study: PatientStudy) -> Dataset | None:
    """Make the segmentation, in a series of its own in the same study; None where no slice was answered.

    It has a frame for each slice with such evidence. Where there is none, it has one, of the most telling
    slice, that is empty. Raises SegmentationError if the images do not give their geometry.
    """
    if answer.result.series is None or not answer.result.series.telling:
        return None
    frames = _read_frames(answer.series.instances)
    planes = _to_planes(answer, frames)
    segmentation = Segmentation(
        source_images=_to_sources(planes, frames, patient_study),
        pixel_array=np.stack([plane.mask for plane in planes]),
        plane_positions=[_to_position(plane) for plane in planes] if frames else None,
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[_describe(answer)],
        series_instance_uid=UID(),
        series_number=SERIES_NUMBER + 2000 + patient_study.series_number,
        sop_instance_uid=UID(),
        instance_number=1,
        device_serial_number="0",
        content_label="EVIDENCE",
        content_description="Where evidence for COVID-19 lies, research use only",
        omit_empty_frames=False,
        **to_equipment(patient_study),
    )
    put_patient_study(segmentation, patient_study)
    return segmentation


def _to_planes(answer: SeriesAnswer, frames: Sequence[Dataset]) -> list[_Plane]:
    """The slices with evidence in the segment; without any, the most telling one."""
    summary = answer.result.series
    assert summary is not None
    planes = {
        at: _to_plane(answer.series.instances[at], made.evidence, made.box, frames)
        for at, result in enumerate(answer.slices)
        if (made := result.prediction) is not None and made.evidence is not None
        # Whether a pixel may reach the level is asked first: it costs no header.
        if made.evidence.max() >= LEVEL / 2 or at == summary.telling[0]
    }
    frames_of_reference = {plane.header.FrameOfReferenceUID for plane in planes.values()}
    if len(frames_of_reference) > 1:
        raise SegmentationError(
            f"{answer.series.path}: its slices have {len(frames_of_reference)} frames of reference, and a "
            "segmentation has one; leave the segmentation out"
        )
    return [plane for plane in planes.values() if plane.mask.any()] or [planes[summary.telling[0]]]


def _to_plane(instance: Instance, evidence: Evidence, box: Box, frames: Sequence[Dataset]) -> _Plane:
    header = frames[instance.frame - 1] if instance.frame is not None else _read_header(instance)
    if missing := [keyword for keyword in _GEOMETRY if not header.get(keyword)]:
        raise SegmentationError(
            f"{instance.path}: lacks {missing[0]}, so it cannot carry a segmentation; "
            "leave the segmentation out, or export the images with their geometry"
        )
    strength = lay_strength(evidence, shape=(int(header.Rows), int(header.Columns)), box=box)
    return _Plane(instance, header, strength >= LEVEL / FULL)


def _read_frames(instances: Sequence[Instance]) -> list[Dataset]:
    """The headers of all frames of an enhanced object; none for other slices."""
    volumes = {instance.sop_instance_uid: instance for instance in instances if instance.frame is not None}
    if not volumes:
        return []
    first = instances[0]
    if len(volumes) > 1 or any(instance.frame is None for instance in instances):
        raise SegmentationError(
            f"{first.path}: the series has more than one enhanced object, and a segmentation lies over "
            "one alone; leave the segmentation out"
        )
    return to_frames(_read_header(first), Allowance(first.path))


def _read_header(instance: Instance) -> Dataset:
    """The header of an object without its pixels; of an enhanced one whole."""
    blob: Blob | None = instance.blob
    asked: list[str] | None = list(_ASKED)
    if isinstance(blob, FrameBlob):
        blob, asked = blob.volume, None
    if blob is None:
        raise SegmentationError(f"{instance.path}: not read from DICOM, so it cannot carry a segmentation")
    unread = SegmentationError(f"{instance.path}: its header cannot be read; copy it again")
    try:
        with damage_as(lambda _: unread):
            return read_source_header(blob, asked, name=instance.path)
    except ReadError as error:  # the report may go without it
        raise SegmentationError(str(error)) from error


def _to_sources(
    planes: list[_Plane], frames: Sequence[Dataset], patient_study: PatientStudy
) -> list[Dataset]:
    """What highdicom must know of the images: one for each plane, or the enhanced object of all of them."""
    sources = [_to_source(plane, planes[0], patient_study) for plane in (planes[:1] if frames else planes)]
    if frames:
        sources[0].NumberOfFrames = len(frames)
        sources[0].SharedFunctionalGroupsSequence = [_to_shared(sources[0])]
        sources[0].PerFrameFunctionalGroupsSequence = [_to_group(frame) for frame in frames]
    return sources


def _to_source(plane: _Plane, first: _Plane, patient_study: PatientStudy) -> Dataset:
    """Geometry is that of the first, for which the series was found even; places are each slice's own."""
    source = to_evidence(plane.instance, patient_study)
    for keyword in _ASKED:
        if keyword in first.header:
            setattr(source, keyword, first.header[keyword].value)
    source.ImagePositionPatient = plane.header.ImagePositionPatient
    source.setdefault("SliceThickness", None)
    source.Modality = "CT"
    return source


def _to_shared(source: Dataset) -> Dataset:
    shared, orientation, measures = Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = source.ImageOrientationPatient
    measures.PixelSpacing, measures.SliceThickness = source.PixelSpacing, source.SliceThickness
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [orientation], [measures]
    return shared


def _to_group(frame: Dataset) -> Dataset:
    group, position = Dataset(), Dataset()
    position.ImagePositionPatient = frame.ImagePositionPatient
    group.PlanePositionSequence = [position]
    return group


def _to_position(plane: _Plane) -> PlanePositionSequence:
    return PlanePositionSequence("PATIENT", plane.header.ImagePositionPatient)


def _describe(answer: SeriesAnswer) -> SegmentDescription:
    name, _, version = answer.result.model.name.rpartition("-")
    description = SegmentDescription(
        segment_number=1,
        segment_label="Evidence for COVID-19",
        # (No structure and no finding: a region to which an algorithm points.)
        segmented_property_category=codes.SCT.SpatialAndRelationalConcept,
        segmented_property_type=EVIDENCE,
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=AlgorithmIdentificationSequence(
            name=name or answer.result.model.name,
            family=codes.DCM.ArtificialIntelligence,
            version=version,
            source="covidct",
            parameters={
                "covidct": covidct.__version__,
                "graph": answer.result.model.precision,
                "minimum evidence": f"{LEVEL:g}",
            },
        ),
        tracking_uid=UID(),
        tracking_id="evidence for COVID-19",
        display_color=ORANGE,
    )
    description.SegmentDescription = (
        f"Where an algorithm found evidence for COVID-19 of at least {LEVEL:g} (logit per cell). It tells "
        f"the region, not the outline of a lesion. {DISCLAIMER}"
    )
    return description
