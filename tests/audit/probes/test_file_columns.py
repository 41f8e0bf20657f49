"""Facts of files as numbers and as words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from audits import FACTS
from covidct.audit.file_facts import Facts
from covidct.audit.probes.file_columns import BYTES, FREQUENT, PERSONAL, encode_facts, list_values

SCANNER = {"Manufacturer": "North", "KVP": "120", "PixelSpacing": "[0.7, 0.8]", "PatientAge": "060Y"}
DICOM = replace(FACTS, ending=".dcm", format="DICOM", mode="", tags=SCANNER)
JPEG = replace(FACTS, ending=".png", format="JPEG", jpeg_quality=75.0, exif_tags=3)


def test_every_family_has_a_row_a_file_and_no_nan() -> None:
    for columns in encode_facts([FACTS, JPEG, DICOM]).values():
        assert columns.shape[0] == 3
        assert np.isfinite(columns).all()


def test_numbers_are_numbers_and_missing_ones_are_flagged() -> None:
    families = encode_facts([FACTS, JPEG, DICOM])
    assert families["JPEG quality"].ravel().tolist() == [-1, 75, -1]
    assert families["EXIF"].ravel().tolist() == [0, 3, 0]
    assert families["size"][0].tolist() == [64, 64, 1]
    assert families[BYTES][0] == pytest.approx(2000 / 4096)
    assert families["DICOM tags"][:, :4].tolist() == [[-1] * 4, [-1] * 4, [120, -1, 0.7, -1]]
    assert families["format and ending"][:, -1].tolist() == [0, 1, 0]


def test_a_file_without_pixels_divides_by_nothing() -> None:
    assert np.isfinite(encode_facts([replace(FACTS, width=0, height=0)])["size"]).all()


def test_only_frequent_words_have_a_column_and_their_order_is_no_matter() -> None:
    facts = [replace(FACTS, mode=f"m{number:02}") for number in range(30)] + [replace(FACTS, mode="L")] * 2
    columns = encode_facts(facts)["colour mode"]
    assert columns.shape == (32, FREQUENT)
    assert columns[-1, 0] == 1
    backwards = encode_facts(facts[::-1])["colour mode"]
    assert (backwards[::-1] == columns).all()


def test_what_names_a_patient_is_left_out() -> None:
    other = replace(DICOM, tags=SCANNER | dict.fromkeys(PERSONAL, "x"))
    families = encode_facts([DICOM, other])
    assert all((columns[0] == columns[1]).all() for columns in families.values())
    assert not set(PERSONAL) & set(list_values([DICOM, other]))


def test_values_in_words() -> None:
    values = list_values([FACTS, JPEG, DICOM])
    assert values["size"] == ("64 x 64",) * 3
    assert values["JPEG quality"] == ("absent", "75", "absent")
    assert values["EXIF"] == ("absent", "present", "absent")
    assert values["Manufacturer"] == ("absent", "absent", "North")


def test_who_the_patient_is_tells_nothing_of_the_scanner() -> None:
    tags = dict.fromkeys(PERSONAL, "7")
    known = Facts(".dcm", "DICOM", 64, 64, "", 9000, tags=tags)
    unknown = Facts(".dcm", "DICOM", 64, 64, "", 9000)
    assert set(PERSONAL) >= {"PatientID", "StudyInstanceUID", "SeriesInstanceUID"}
    for columns in encode_facts([known, unknown]).values():
        assert (columns[0] == columns[1]).all()
    assert not set(PERSONAL) & set(list_values([known]))
