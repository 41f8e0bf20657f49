"""The most telling slices of an answer as a DICOM Secondary Capture: a montage for any viewer (PS3.3 A.8.1).

Knows which slices are shown and what is written under them. No patient data are burnt in: they are in the
header, as for every image. If the slices have burnt-in text, the picture says so. Knows nothing of files or
networks.
"""

from __future__ import annotations

from highdicom import UID
from highdicom.sc import SCImage
from pydicom.dataset import Dataset

from covidct.inference.series_result import say_measured
from covidct.results.contact_sheet import Tile, draw_contact_sheet
from covidct.results.dicom.patient_study import PatientStudy, put_patient_study
from covidct.results.dicom.sr import SERIES_NUMBER, to_equipment
from covidct.results.finding_words import CAPTIONS
from covidct.results.formats import name_model
from covidct.results.sentences import to_conclusion, without_paths
from covidct.series.slices import read_given
from covidct.series.types import SeriesAnswer
from covidct.types import DISCLAIMER, WHOLE, Result

SHOWN = 6
BURNT_IN = "Text burnt into these slices may name the patient: look before you pass the picture on."


def to_sc(answer: SeriesAnswer, patient_study: PatientStudy) -> Dataset | None:
    """Make the picture, in a series of its own in the same study; None where no slice was answered.

    Raises ReadError where a slice that was answered can no longer be read.
    """
    tiles = _to_tiles(answer)
    if not tiles:
        return None
    notes = [note.text for note in answer.result.series.notes] if answer.result.series else []
    model, measured = name_model(answer.result.model), say_measured(answer.result.series)
    title = (
        to_conclusion(answer.result),
        f"{model}, series {patient_study.series_number}; {measured}",
        *((BURNT_IN,) if patient_study.may_name else ()),
        *without_paths(answer, notes)[:3],
    )
    picture = SCImage(
        pixel_array=draw_contact_sheet(tiles, title=title, footer=DISCLAIMER),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "P"),  # slices are shown as usual, see `orientation`
        study_instance_uid=patient_study.study_uid,
        series_instance_uid=UID(),
        series_number=SERIES_NUMBER + 1000 + patient_study.series_number,
        sop_instance_uid=UID(),
        instance_number=1,
        **to_equipment(patient_study),
    )
    if not patient_study.is_oriented:
        picture.PatientOrientation = []
    picture.Laterality = ""  # lungs are a pair, and both are shown
    picture.BurnedInAnnotation = "YES" if patient_study.may_name else "NO"
    picture.ImageComments = f"{DISCLAIMER} {BURNT_IN}" if patient_study.may_name else DISCLAIMER
    put_patient_study(picture, patient_study)
    return picture


def _to_tiles(answer: SeriesAnswer) -> list[Tile]:
    """The most telling slices, in the order of the series: from feet to head."""
    summary = answer.result.series
    tiles = []
    for at in sorted(summary.telling[:SHOWN] if summary else ()):
        result, shown = answer.slices[at], read_given(answer.series.instances[at])
        caption = _to_caption(answer, at, result)
        evidence, box = (made.evidence, made.box) if (made := result.prediction) else (None, WHOLE)
        tiles.append(Tile(shown.pixels, caption, evidence, box, shown.turn))
    return tiles


def _to_caption(answer: SeriesAnswer, at: int, result: Result) -> str:
    place = f"slice {at + 1} of {len(answer.series.instances)}"
    position = answer.series.instances[at].position_mm
    where = place if position is None else f"{place}, {position:.0f} mm"
    if result.decision is None:
        return where
    shown = f"\n{CAPTIONS[result.finding]}" if result.finding else ""
    return f"{where}: {result.decision}, {result.probability:.2f}{shown}"
