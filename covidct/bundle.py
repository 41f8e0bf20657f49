"""The bundle: a model as a directory, read only after every byte of it was verified.

Knows the files and the configuration. Knows nothing of running a graph.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from covidct.errors import BundleError
from covidct.gate import SENTENCES
from covidct.types import GateLimits, OperatingPoint

FORMAT = 1
SUMS = "SHA256SUMS"
CONFIG, CARD, REFERENCE = "config.json", "README.md", "reference.json"
GRAPHS = {"float": "model.onnx", "int8": "model.int8.onnx"}
REQUIRED = (*GRAPHS.values(), CONFIG, CARD, REFERENCE)


@dataclass(frozen=True)
class Labels:
    """Names of the two classes; the positive one is COVID-19."""

    positive: str
    negative: str


@dataclass(frozen=True)
class Config:
    """What turns a graph's outputs into answers.

    `window` is (centre, width) in HU of the grey levels that the graph expects; `temperature`
    divides the logit; `operating_points` come with the default first. `training` is what the
    run recorded of its data and versions. `gate` is None for graphs without one.
    """

    name: str
    version: str
    labels: Labels
    window: tuple[float, float]
    temperature: float
    operating_points: tuple[OperatingPoint, ...]
    training: Mapping[str, Any]
    gate: GateLimits | None = None

    @property
    def model(self) -> str:
        """Name and version, as results cite them."""
        return f"{self.name}-{self.version}"


@dataclass(frozen=True)
class Bundle:
    """A verified model directory: its configuration and the bytes of its files."""

    path: Path
    config: Config
    files: Mapping[str, bytes]

    @property
    def card(self) -> str:
        """The model card, as Markdown."""
        return self.files[CARD].decode("utf-8")

    def graph(self, precision: str) -> bytes:
        """The ONNX file of a precision, "float" or "int8"."""
        return self.files[GRAPHS[precision]]


def default_path() -> Path:
    """The bundle that ships with the package."""
    return Path(__file__).parent / "model"


def load_bundle(path: Path | str | None = None) -> Bundle:
    """Load and verify a bundle; the shipped one by default.

    Raises BundleError when the directory is missing or incomplete, when a file is not what
    `SHA256SUMS` says, or when the configuration is of another format.
    """
    folder = Path(path) if path is not None else default_path()
    if not folder.is_dir():
        raise BundleError(f"{folder}: no such model directory; a bundle is a folder with {SUMS} in it")
    sums = _read_sums(folder)
    files = {name: _read_verified(folder / name, digest) for name, digest in sums.items()}
    return Bundle(folder, parse_config(files[CONFIG], where=str(folder / CONFIG)), files)


def parse_config(data: bytes, *, where: str = CONFIG) -> Config:
    """Configuration from JSON. Raises BundleError."""
    try:
        table = json.loads(data)
        if table["format"] != FORMAT:
            raise BundleError(
                f"{where}: is of format {table['format']}, this covidct reads {FORMAT}; "
                "install the covidct it was made with"
            )
        points = tuple(
            OperatingPoint(**{**point, "band": (point["band"][0], point["band"][1])})
            for point in table["operating_points"]
        )
        config = Config(
            name=table["name"],
            version=table["version"],
            labels=Labels(**table["labels"]),
            window=(float(table["window"][0]), float(table["window"][1])),
            temperature=float(table["temperature"]),
            operating_points=points,
            training=table["training"],
            gate=_parse_gate(table.get("gate")),
        )
    except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise BundleError(f"{where}: is no configuration of a bundle: {error!r}") from error
    if not config.operating_points or not 0 < config.temperature < math.inf:
        raise BundleError(f"{where}: needs an operating point and a temperature above 0")
    return config


def _parse_gate(table: Mapping[str, Any] | None) -> GateLimits | None:
    """Limits of the gate. Raises KeyError, TypeError or ValueError for what cannot be."""
    if table is None:
        return None
    classes = tuple(table["classes"])
    limits = GateLimits(classes, float(table["least_chest"]), float(table["least_lung"]))
    if strange := sorted(set(classes[1:]) - set(SENTENCES)):
        raise ValueError(f"the gate has no reason {', '.join(strange)}")
    if len(classes) < 2 or not math.isfinite(limits.least_chest) or not 0 <= limits.least_lung <= 1:
        raise ValueError("the gate needs two classes, a finite least_chest, and least_lung in [0, 1]")
    return limits


def write_sums(folder: Path) -> None:
    """Write `SHA256SUMS` over the required files of `folder`, in the format of sha256sum."""
    lines = [f"{_digest((folder / name).read_bytes())}  {name}\n" for name in sorted(REQUIRED)]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def _read_sums(folder: Path) -> dict[str, str]:
    try:
        # By bytes: reading text, or splitlines, would take other line ends for the one that was written.
        lines = (folder / SUMS).read_bytes().decode("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(
            f"{folder}: has no readable {SUMS}; it is no bundle, or was copied in part"
        ) from error
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines if line)}
    if missing := sorted(set(REQUIRED) - set(sums)):
        raise BundleError(f"{folder / SUMS}: does not list {', '.join(missing)}; copy the bundle again")
    if foreign := sorted(name for name in sums if Path(name).name != name or "\0" in name):
        raise BundleError(f"{folder / SUMS}: lists {foreign[0]!r}, which lies outside the bundle")
    return sums


def _read_verified(path: Path, digest: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror}); copy the bundle again") from error
    if _digest(data) != digest:
        raise BundleError(f"{path}: is not what {SUMS} says it is; copy the bundle again")
    return data


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
