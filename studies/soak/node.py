"""What a soak does to the node: series of all sizes, corrections, aborts, damaged and mutated instances.

Beside it, a peer that takes the reports. Every acknowledged instance is noted, and looked for in the spool at
the end. What the images show does not matter here: they are phantoms.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread, uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_file_meta_info
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.events import Event

from covidct.images.phantoms.slice import Phantom, draw_phantom
from mutations import mutate
from seeds import make_seeds

SLICES = 4
LARGE, LARGE_SIDE = 240, 512  # slices, and pixels a side, of a large series
PICTURES = 8  # of a large series that differ: to draw one takes longer than to answer for it
ROOT = "1.2.826.0.1.3680043.8.498.23"
POISON = "POISON"
# Numbers of series that are not sent as the others are.
DAMAGED, MUTATED, BIG = 10_000_000, 20_000_000, 50_000_000
SYNTAXES = (  # those of fuzz/
    uid.ExplicitVRLittleEndian,
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.JPEG2000Lossless,
    uid.RLELossless,
    uid.JPEGLSLossless,
    uid.JPEGBaseline8Bit,
    uid.JPEGExtended12Bit,
)


def to_dataset(
    series: int, number: int, *, patient: str | None = None, size: int = 128, seed: int | None = None
) -> Dataset:
    """Slice `number` of a phantom's series, `size` pixels a side, another than all others but for a `seed`.

    PatientID names the series; that of every twentieth is POISON.
    """
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = uid.CTImageStorage, f"{ROOT}.{series}.1.{number}"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"{ROOT}.{series}", f"{ROOT}.{series}.1"
    dataset.PatientID = patient or (POISON if series % 20 == 0 else f"P{series}")
    dataset.Modality, dataset.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [0, 0, 5 * number], [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing, dataset.SliceThickness = [0.7, 0.7], 5
    units = draw(series % 2, series * 10 + number if seed is None else seed, size)
    dataset.Rows, dataset.Columns = units.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation, dataset.RescaleIntercept, dataset.RescaleSlope = 1, 0, 1
    dataset.PixelData = units.tobytes()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    return dataset


@lru_cache(maxsize=2 * PICTURES)
def draw(has_lesions: int, seed: int, size: int) -> NDArray[np.int16]:
    """The Hounsfield units of a phantom (size, size)."""
    kind = (Phantom.NORMAL, Phantom.LESIONS)[has_lesions]
    return np.asarray(draw_phantom(kind, seed=seed, size=size), dtype=np.int16)


def to_bytes(dataset: Dataset) -> bytes:
    """A DICOM file."""
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def to_large_slice(series: int, number: int) -> Dataset:
    """Slice `number` of a large series."""
    return to_dataset(BIG + series, number, size=LARGE_SIDE, seed=number % PICTURES)


def find_seeds() -> list[bytes]:
    """The files of fuzz/ that hold a CT image in one of SYNTAXES."""
    found = []
    for _, data in sorted(make_seeds().items()):
        if data[128:132] == b"DICM":
            meta = dcmread(BytesIO(data), specific_tags=[]).file_meta
            is_ct = meta.MediaStorageSOPClassUID == uid.CTImageStorage
            found += [data] if is_ct and meta.TransferSyntaxUID in SYNTAXES else []
    return found


def to_seed(data: bytes, series: int, number: int) -> Dataset:
    """A DICOM object of fuzz/ as slice `number` of a series."""
    dataset = dcmread(BytesIO(data))
    dataset.SOPInstanceUID = uid.UID(f"{ROOT}.{series}.1.{number}")
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"{ROOT}.{series}", f"{ROOT}.{series}.1"
    dataset.PatientID = f"P{series}"
    return dataset


def to_mutated(dataset: Dataset, draw: random.Random) -> bytes:
    """A DICOM file with sound file meta information before a mutated data set."""
    data = to_bytes(dataset)
    start = 144 + int.from_bytes(data[140:144], "little")  # PS3.10 7.1: FileMetaInformationGroupLength
    return data[:start] + mutate(data[start:], draw)


def send(association: Association, item: Dataset | Path) -> int | None:
    """The status that C-STORE answers with; None where there is none, or no association any more."""
    return association.send_c_store(item).get("Status") if association.is_established else None


class Peer:
    """An archive that counts the reports of each patient, and never takes POISON's."""

    def __init__(self) -> None:
        self.reports: Counter[str] = Counter()
        self.poisoned = 0
        entity = AE("PACS")
        for storage in (uid.ComprehensiveSRStorage, uid.SecondaryCaptureImageStorage):
            entity.add_supported_context(storage, uid.ExplicitVRLittleEndian)
        server = entity.start_server(
            ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, self._store)]
        )
        assert server is not None  # (None is for block=True)
        self.server = server
        self.port = int(self.server.server_address[1])

    def _store(self, event: Event) -> int:
        patient = str(event.dataset.PatientID)
        if patient == POISON:
            self.poisoned += 1
            return 0xA700
        self.reports[patient] += event.dataset.Modality == "SR"
        return 0


class NodeWork:
    """What is sent to a node at `port`, and what it said; `reports` are those that came of it so far."""

    def __init__(self, port: int, done: Counter[str], reports: Mapping[str, int]):
        _config.STORE_SEND_CHUNKED_DATASET = True  # files are sent as they are, damage and all
        self.port, self.done, self._reports = port, done, reports
        self.patients: set[str] = set()  # each of whom must get a report
        self.acknowledged: set[str] = set()
        self._series = self._mutated = self._large = 0
        self._seeds = find_seeds()
        self._draw = random.Random(26)
        self._lock = Lock()

    def send_series(self) -> None:
        """A series, every third aborted after its first slice and sent again; every fifth one by one."""
        self._series += 1
        slices = [to_dataset(self._series, number) for number in range(SLICES)]
        if self._series % 3 == 0:
            self._store(slices[:1], aborts=True)
        parts = [[one] for one in slices] if self._series % 5 == 0 else [slices]
        taken = all(self._store(part) == [0] * len(part) for part in parts)
        self.done["series sent" if taken else "series not taken"] += 1
        if taken and slices[0].PatientID != POISON:
            self.patients.add(str(slices[0].PatientID))

    def send_large_series(self) -> None:
        """As many slices as a real series has, of the usual size."""
        self._large += 1
        slices = [to_large_slice(self._large, number) for number in range(LARGE)]
        taken = self._store(slices) == [0] * LARGE
        self.done["large series sent" if taken else "large series not taken"] += 1
        if taken and slices[0].PatientID != POISON:
            self.patients.add(str(slices[0].PatientID))

    def correct_series(self) -> None:
        """A reported series once more, under the same UIDs, with its patient corrected.

        (One that waits for its answer would get a single report, for the corrected patient.)
        """
        series = self._series - 20
        if f"P{series}" not in self._reports:
            return
        slices = [to_dataset(series, number, patient=f"Q{series}") for number in range(SLICES)]
        if self._store(slices) == [0] * SLICES:
            self.done["series sent again, their patient corrected"] += 1
            self.patients.add(f"Q{series}")

    def send_damaged(self) -> None:
        """An instance without half of its pixels must be refused."""
        dataset = to_dataset(DAMAGED + self.done["damaged instances"], 1)
        dataset.PixelData = dataset.PixelData[:1000]
        self.done["damaged instances"] += 1
        self.done["damaged instances taken"] += self._store([dataset]) == [0]

    def send_mutated(self) -> None:
        """Three sound slices of a series, three mutated ones, and three objects of fuzz/, mutated."""
        self._mutated += 1
        series = MUTATED + 2 * self._mutated + 1
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for number in range(9):
                seed = self._draw.choice(self._seeds)
                dataset = to_dataset(series, number) if number < 6 else to_seed(seed, series, number)
                paths.append(Path(folder) / f"{number}.dcm")
                data = to_mutated(dataset, self._draw) if number > 2 else to_bytes(dataset)
                paths[-1].write_bytes(data)
            statuses = self._store(paths)
        self.done["mutated instances sent"] += 6
        self.done["mutated instances acknowledged"] += statuses[3:].count(0)
        self.done["mutated instances without an answer"] += statuses[3:].count(None)

    def find_lost(self, spool: Path) -> set[str]:
        """The acknowledged instances that are neither in a report's record nor set aside."""
        found = {path.stem for path in (spool / "failed").rglob("*.dcm")}
        for path in (spool / "done").glob("*.json"):
            found |= set(json.loads(path.read_bytes())["instances"])
        return self.acknowledged - found

    def _store(self, items: Sequence[Dataset | Path], *, aborts: bool = False) -> list[int | None]:
        """The status of each; None where there was none."""
        entity = AE("SCANNER")
        for syntax in SYNTAXES:
            entity.add_requested_context(uid.CTImageStorage, syntax)
        association = entity.associate("127.0.0.1", self.port, ae_title="COVIDCT")
        if not association.is_established:
            self.done["associations not established"] += 1
            return [None] * len(items)
        statuses: list[int | None] = []
        for item in items:
            statuses.append(send(association, item))
            if statuses[-1] == 0:
                self._note(item)
        association.abort() if aborts else association.release()
        return statuses

    def _note(self, item: Dataset | Path) -> None:
        if isinstance(item, Path):
            name = read_file_meta_info(item).MediaStorageSOPInstanceUID
        else:
            name = item.SOPInstanceUID
        with self._lock:
            self.acknowledged.add(str(name))
            self.done["instances acknowledged"] += 1
