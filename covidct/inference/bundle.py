"""The bundle: a model as a directory, read only after every byte of it was verified.

Knows the files and the configuration. Knows nothing of running a graph.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from covidct.errors import BundleError
from covidct.inference.gate import SENTENCES
from covidct.types import GateLimits, OperatingPoint, Precision

FORMAT = 2
SUMS = "SHA256SUMS"
CONFIG, CARD, REFERENCE = "config.json", "README.md", "reference.json"
GRAPHS: dict[Precision, str] = {"float": "model.onnx", "int8": "model.int8.onnx"}
REQUIRED = (*GRAPHS.values(), CONFIG, CARD, REFERENCE)


@dataclass(frozen=True)
class Labels:
    """Names of the two classes; the positive one is COVID-19."""

    positive: str
    negative: str


@dataclass(frozen=True)
class Config:
    """What turns a graph's outputs into answers.

    `window` is (centre, width) in HU of the grey levels that the graph expects. The probability is
    sigmoid((logit - shift) / temperature), and holds where a share `prevalence` of the slices shows
    COVID-19. `operating_points` come with the default first. `training` is what the run recorded of its
    data and versions. `gate` is None for graphs without one, `site` where the calibration is that of
    training, and else what `covidct calibrate` recorded.
    """

    name: str
    version: str
    labels: Labels
    window: tuple[float, float]
    temperature: float
    shift: float
    prevalence: float
    operating_points: tuple[OperatingPoint, ...]
    training: Mapping[str, Any]
    gate: GateLimits | None = None
    site: Mapping[str, Any] | None = None

    @property
    def model(self) -> str:
        """Name and version, as results cite them."""
        return f"{self.name}-{self.version}"

    @property
    def keeps_to_lungs(self) -> bool:
        """Whether evidence lies on the lungs alone, as a `lung_net`'s does."""
        return self._recipe.get("network") == "lung_net"

    @property
    def speaks_for_disease_only(self) -> bool:
        """Whether evidence is never negative, as a `lung_net`'s without context is."""
        return self.keeps_to_lungs and not self._recipe.get("context")

    @property
    def _recipe(self) -> Mapping[str, Any]:
        recipe = self.training.get("recipe")
        return recipe if isinstance(recipe, Mapping) else {}


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

    def graph(self, precision: Precision) -> bytes:
        """The ONNX file of a precision, "float" or "int8"."""
        return self.files[GRAPHS[precision]]


def default_path() -> Path:
    """The bundle that ships with the package."""
    return Path(__file__).parents[1] / "model"


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
        config = Config(
            name=table["name"],
            version=table["version"],
            labels=Labels(**table["labels"]),
            window=(float(table["window"][0]), float(table["window"][1])),
            temperature=float(table["temperature"]),
            shift=float(table["shift"]),
            prevalence=float(table["prevalence"]),
            operating_points=tuple(parse_point(point) for point in table["operating_points"]),
            training=table["training"],
            gate=_parse_gate(table.get("gate")),
            site=_parse_site(table.get("site")),
        )
    except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise BundleError(f"{where}: is no configuration of a bundle: {error!r}") from error
    if fault := _find_fault(config):
        raise BundleError(f"{where}: {fault}; the bundle cannot decide, train it again")
    return config


def _parse_gate(table: Mapping[str, Any] | None) -> GateLimits | None:
    """Limits of the gate. Raises KeyError, TypeError or ValueError for what cannot be."""
    if table is None:
        return None
    classes = tuple(table["classes"])
    limits = GateLimits(classes, float(table["least_chest"]), float(table["least_lung"]))
    if strange := sorted(set(classes[1:]) - set(SENTENCES)):
        raise ValueError(f"the gate has no reason {', '.join(strange)}")
    if len(classes) < 2 or not math.isfinite(limits.min_chest) or not 0 <= limits.min_lung <= 1:
        raise ValueError("the gate needs two classes, a finite least_chest, and least_lung in [0, 1]")
    return limits


def _parse_site(table: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The record of a site's calibration. Raises KeyError and TypeError for what is none."""
    if table is not None and not all(isinstance(table[name], str) for name in ("name", "day")):
        raise TypeError("a site's calibration needs a name and a day")
    return table


def parse_point(table: Mapping[str, Any]) -> OperatingPoint:
    """An operating point from JSON values. Raises KeyError, TypeError and ValueError for other ones."""
    numbers = {name: float(table[name]) for name in ("threshold", "sensitivity", "specificity")}
    pairs = {name: (float(table[name][0]), float(table[name][1])) for name in ("band", "alpha", "coverage")}
    return OperatingPoint(**{**table, **numbers, **pairs})


def _find_fault(config: Config) -> str:
    """What keeps a configuration from deciding, or nothing."""
    points = config.operating_points
    if not 0 < config.temperature < math.inf or not math.isfinite(config.shift):
        return "needs a finite temperature above 0 and a finite shift"
    if not 0 < config.prevalence < 1:
        return f"has a prevalence of {config.prevalence}, which must lie between 0 and 1"
    if not points or len({point.name for point in points}) < len(points):
        return "needs operating points, each with a name of its own"
    for point in points:
        shares = (point.sensitivity, point.specificity, *point.alpha, *point.coverage)
        if not all(0 <= share <= 1 for share in shares):
            return f"operating point {point.name!r} has a share outside 0 to 1"
        # Otherwise a slice could be called what its prediction set rules out.
        if not 0 <= point.band[0] <= point.threshold <= point.band[1] <= 1:
            return f"operating point {point.name!r} needs its threshold within its band, both within 0 to 1"
    return ""


def write_sums(folder: Path, names: Iterable[str] = REQUIRED) -> None:
    """Write `SHA256SUMS` over files of `folder`, in the format of sha256sum."""
    lines = [f"{_digest((folder / name).read_bytes())}  {name}\n" for name in sorted(names)]
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
