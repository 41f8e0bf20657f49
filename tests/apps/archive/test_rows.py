from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from covidct.apps.archive.keys import to_key
from covidct.apps.archive.places import is_address, is_web, open_place
from covidct.apps.archive.rows import SCHEMA, to_row, to_table
from covidct.inference.classifier import Classifier
from covidct.results.formats import csv_header
from covidct.types import ModelChoice


def test_columns_are_those_of_the_csv_form(tiny_bundle: Path) -> None:
    columns = next(csv.reader(io.StringIO(csv_header())))
    assert SCHEMA.names == [*columns, "group"]
    result = Classifier.choose(ModelChoice(tiny_bundle, threads=1)).predict(np.zeros((64, 64), np.uint8))
    (row,) = to_table([to_row(result, "g1")]).to_pylist()
    assert (row["kind"], row["status"], row["group"], row["telling"]) == ("slice", "refused", "g1", None)


def test_keys_tell_words_and_their_bounds_apart() -> None:
    assert to_key("ab", "c") != to_key("a", "bc")
    assert to_key("a") == to_key(b"a") != to_key("b")
    assert 0 < to_key("\udcff", 3) < 2**64


def test_addresses_are_no_paths(tmp_path: Path) -> None:
    assert is_address("s3://bucket/x")
    assert is_web("https://pacs/web")
    assert not is_address(r"C:\scans")
    assert not is_address("folder/file.dcm")
    place = open_place(f"file://{tmp_path}/x")
    assert (place.to_address(f"{tmp_path}/x/y"), place.path) == (f"file://{tmp_path}/x/y", f"{tmp_path}/x")
    place.write(b"data", "a", "b")
    assert place.list_files("a") == ["b"]
    assert (place.read("a", "b"), place.list_files("none")) == (b"data", [])
