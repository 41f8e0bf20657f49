"""One harness a reader: what it starts from, how that is damaged, and how it is read.

A harness reads a file from a folder of its own and tells whether there was an answer. Errors of covidct are
answers, too; whatever else is raised is a find.
"""

from __future__ import annotations

import asyncio
import os
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import dicom_seeds
import other_seeds
import seeds
import study_seeds
from bundles import write_tiny_bundle
from byte_mutations import Mutation
from covidct.errors import CovidctError
from covidct.images.read import parse_slice
from covidct.series.slices import read_instance
from covidct.series.study import read_study
from mutations import FILES
from structures import ARCHIVES, COMPRESSED, DICOM, GRAPHS, PICTURES, VOLUMES
from text_mutations import TEXT

INSTANCES = 5  # of a study that are read, too


@dataclass(frozen=True)
class Reader:
    """`seeds` are sound files by name, `beside` what lies in the folder of each; `read` takes its path."""

    seeds: Mapping[str, bytes]
    mutations: tuple[Mutation, ...]
    read: Callable[[Path], bool]
    beside: Mapping[str, bytes] = field(default_factory=dict)


def make_readers(scratch: Path) -> dict[str, Reader]:
    """All harnesses by name; `scratch` is an empty folder for what they need."""
    bundle = write_tiny_bundle(scratch / "bundle")
    whole = {path.name: path.read_bytes() for path in bundle.iterdir()}
    media = dict.fromkeys(("IM0", "IM1", "IM2", "UP.DCM"), dicom_seeds.make_raw()["slice.dcm"])
    return {
        "pictures": Reader(seeds.make_pictures(), PICTURES, read_slice_alone),
        "dicom": Reader(dicom_seeds.make_raw(), DICOM, read_any),
        "compressed": Reader(dicom_seeds.make_compressed(), COMPRESSED, read_slice_alone),
        "enhanced": Reader(dicom_seeds.make_enhanced(), COMPRESSED, read_any),
        "archives": Reader(seeds.make_archives(), ARCHIVES, read_any),
        "nifti": Reader(seeds.make_nifti(), VOLUMES, read_any),
        "metaimage": Reader(seeds.make_metaimage(), (*TEXT, *VOLUMES), read_any),
        "nrrd": Reader(seeds.make_nrrd(), (*TEXT, *VOLUMES), read_any),
        "numpy": Reader(seeds.make_numpy(), (*TEXT, *VOLUMES), read_any),
        "dicomdir": Reader(other_seeds.make_media(), (*DICOM, *TEXT), read_medium, media),
        "instance": Reader(dicom_seeds.make_instances(), DICOM, read_received),
        "study": Reader(study_seeds.make_studies(), study_seeds.STUDIES, read_folder),
        "mixed": Reader(seeds.make_seeds(), FILES, read_any),
        "manifest": Reader(other_seeds.make_tables(), TEXT, read_table),
        "recipe": Reader(other_seeds.make_recipes(), TEXT, read_training_recipe),
        "list": Reader(other_seeds.make_lists(), TEXT, read_names),
        "bundle": Reader(other_seeds.make_bundle_texts(bundle), TEXT, read_bundle, whole),
        "graph": Reader(other_seeds.make_graphs(), GRAPHS, read_graph),
        "upload": Reader(other_seeds.make_uploads(), (*TEXT, *VOLUMES), read_request),
        "dicomweb": Reader(other_seeds.make_answers(), (*TEXT, *DICOM), read_answer),
    }


def read_slice_alone(path: Path) -> bool:
    """A file that is one slice."""
    return bool(parse_slice(path.read_bytes(), name=path.name).pixels.size)


def read_any(path: Path) -> bool:
    """A file in both ways there are: alone, and as part of a study."""
    read = 0
    with suppress(CovidctError):
        read += read_slice_alone(path)
    study = read_study([(path.name, path.read_bytes())], all_series=True)
    instances = [*study.loose, *(instance for series in study.series for instance in series.instances)]
    for instance in instances[:INSTANCES]:
        with suppress(CovidctError):
            read += bool(read_instance(instance).pixels.size)
    return read > 0


def read_medium(path: Path) -> bool:
    """A DICOMDIR, which leads to files in its own folder alone."""
    from covidct.series.dicomdir import read_dicomdir

    listed = read_dicomdir(path, name=path.name)
    places = [Path(os.path.normpath(file)) for file, _ in listed]
    assert all(place.is_relative_to(path.parent) for place in places), listed
    return any(bool(read_instance(one).pixels.size) for one in read_study([path]).loose[:INSTANCES])


def read_folder(path: Path) -> bool:
    """A study in folders, and in a folder that leads into itself: each slice is answered once, or why not."""
    from covidct.inference.study_answers import count_answers

    with tempfile.TemporaryDirectory() as place:
        with suppress(tarfile.TarError, OSError), tarfile.open(path) as archive:
            archive.extractall(place, [one for one in archive if one.isreg()], filter="data")
        Path(place, "again").symlink_to(place)
        os.mkfifo(Path(place, "pipe.dcm"))
        for all_series in (False, True):
            study = read_study([place], all_series=all_series)
            answers = list(_load_tiny().predict_study(study))
            assert len(answers) == count_answers(study) + sum(answer.more for answer in answers)
    return any(answer.result.probability is not None for answer in answers)


@cache
def _load_tiny() -> Any:
    from covidct.inference.classifier import Classifier

    with tempfile.TemporaryDirectory() as place:
        return Classifier.load(write_tiny_bundle(Path(place, "tiny")), threads=1)


def read_received(path: Path) -> bool:
    """What a node is sent: whether it is kept, and what is in it once it was."""
    from covidct.apps.pacs.content import digest_instance
    from covidct.apps.pacs.receive import parse_identity

    parse_identity(path.read_bytes(), sop_instance_uid=path.name)
    return bool(digest_instance(path).image)


def read_table(path: Path) -> bool:
    """A manifest."""
    from covidct.data.manifest import read_manifest

    return bool(read_manifest(path).rows)


def read_training_recipe(path: Path) -> bool:
    """A recipe."""
    from covidct.data.recipe import read_recipe

    return bool(read_recipe(path))


def read_names(path: Path) -> bool:
    """A list of names."""
    from covidct.images.files import parse_list

    return bool(parse_list(path.read_bytes()))


def read_bundle(path: Path) -> bool:
    """A text of a bundle, with sums that hold unless it is the sums; where it is taken, it answers."""
    from covidct.inference.bundle import SUMS, write_sums
    from covidct.inference.classifier import Classifier

    if path.name != SUMS:
        write_sums(path.parent)
    classifier = Classifier.load(path.parent, threads=1)
    result = classifier.predict(np.tile(np.arange(64, dtype=np.uint8) * 3, (64, 1)))
    assert result.probability is None or 0 <= result.probability <= 1, result
    return True


def read_graph(path: Path) -> bool:
    """A graph: looked at, loaded, and run on a slice."""
    from covidct.inference.session import Session

    session = Session(path.read_bytes(), threads=1)
    return bool(np.isfinite(session.run(np.zeros((1, 32, 32), np.uint8)).logit).all())


def read_request(path: Path) -> bool:
    """An upload and the fields beside it."""
    from starlette.requests import ClientDisconnect, Request

    from covidct.apps.web.memory import Memory
    from covidct.apps.web.problem import Problem
    from covidct.apps.web.query import parse_asking
    from covidct.apps.web.settings import Settings
    from covidct.apps.web.uploads import read_upload

    head, _, body = path.read_bytes().partition(b"\r\n\r\n")
    fields = [line.partition(b":") for line in head.split(b"\r\n")]
    headers = [(name.strip().lower(), value.strip()) for name, _, value in fields]
    left = [body[at : at + 100] for at in range(0, len(body), 100)][:2000]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": left.pop(0) if left else b"", "more_body": bool(left)}

    scope = {"type": "http", "method": "POST", "path": "/", "headers": headers, "query_string": b""}
    memory = Memory(10**9)
    try:
        upload = asyncio.run(read_upload(Request(scope, receive), Settings(), memory))
        memory.give_back(upload.size)
        return bool(parse_asking(upload.fields, _load_shipped()))
    except (Problem, ClientDisconnect):
        return False
    finally:
        assert memory.held == 0, "memory that is not given back"


@cache
def _load_shipped() -> Any:
    from covidct.inference.bundle import load_bundle

    return load_bundle()


def read_answer(path: Path) -> bool:
    """What a DICOMweb server answers at one address, while it answers soundly at all others."""
    from answering import Answering

    sound = dicom_seeds.make_instances()[dicom_seeds.INSTANCE]
    with Answering(other_seeds.make_answers() | {path.name: path.read_bytes()}).open() as archive:
        archive.find_studies()
        fetched = archive.fetch(other_seeds.STUDY, path.parent)
        archive.store([sound])
    return bool(fetched)
