"""The bundle: a model as a directory; nothing of it is used before every byte is verified.

Knows the files. Knows nothing of running a graph.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from covidct.errors import BundleError
from covidct.inference.config import CONFIG, Config, parse_config
from covidct.types import Precision

SUMS = "SHA256SUMS"
MAX_BYTES = 2**30  # of all files: what is verified is read into memory first
MAX_TEXT = 2**24  # of a file of text, which is a hundred times as large once it is parsed
CARD, REFERENCE = "README.md", "reference.json"
GRAPHS: dict[Precision, str] = {"float": "model.onnx", "int8": "model.int8.onnx"}
REQUIRED = (*GRAPHS.values(), CONFIG, CARD, REFERENCE)


@dataclass(frozen=True)
class Bundle:
    """A verified model directory: its configuration and the bytes of its files.

    `digest` is the SHA-256 of `SHA256SUMS`, and so identifies them all; release notes quote it.
    """

    path: Path
    config: Config
    files: Mapping[str, bytes]
    digest: str = ""

    @property
    def card(self) -> str:
        """The model card, as Markdown."""
        return self.files[CARD].decode("utf-8")

    @property
    def headlines(self) -> list[str]:
        """The card's sentences on what the model was measured at: at home, and on external sources."""
        return [line.strip("*") for line in self.card.splitlines() if line.startswith("**AUC")]

    def graph(self, precision: Precision) -> bytes:
        """The ONNX file of a precision, "float" or "int8"."""
        return self.files[GRAPHS[precision]]


def default_path() -> Path:
    """The bundle that ships with the package."""
    return Path(__file__).parents[1] / "model"


def load_bundle(path: Path | str | None = None) -> Bundle:
    """Load and verify a bundle; the shipped one by default.

    Raises BundleError when the directory is missing or incomplete, when a file is not what
    `SHA256SUMS` says, too large or no text, or when the configuration is of another format.
    """
    folder = Path(path) if path is not None else default_path()
    if not folder.is_dir():
        raise BundleError(f"{folder}: no such model directory; a bundle is a folder with {SUMS} in it")
    listed = _read(folder / SUMS, MAX_TEXT)
    sums = _parse_sums(listed, folder)
    files: dict[str, bytes] = {}
    for name, digests in sums.items():
        files[name] = _read_verified(folder / name, digests, left=MAX_BYTES - sum(map(len, files.values())))
    _check_text(files[CARD], folder / CARD)
    config = parse_config(files[CONFIG], where=str(folder / CONFIG))
    return Bundle(folder, config, files, _digest(listed))


def write_sums(folder: Path, names: Iterable[str] = REQUIRED) -> None:
    """Write `SHA256SUMS` over files of `folder`, in the format of sha256sum.

    A file that is listed twice may be as either line says, for as long as another takes its place.
    """
    lines = [f"{_digest((folder / name).read_bytes())}  {name}\n" for name in sorted(names)]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def _parse_sums(listed: bytes, folder: Path) -> dict[str, list[str]]:
    """The digests of each file."""
    try:
        # By bytes: reading text, or splitlines, would take other line ends for the one that was written.
        lines = listed.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise BundleError(f"{folder / SUMS}: is not text; copy the bundle again") from error
    sums: dict[str, list[str]] = {}
    for digest, _, name in (line.partition("  ") for line in lines if line):
        sums.setdefault(name, []).append(digest)
    if missing := sorted(set(REQUIRED) - set(sums)):
        raise BundleError(f"{folder / SUMS}: does not list {', '.join(missing)}; copy the bundle again")
    if foreign := sorted(name for name in sums if Path(name).name != name or "\0" in name):
        raise BundleError(f"{folder / SUMS}: lists {foreign[0]!r}, which is outside the bundle")
    return sums


def _read_verified(path: Path, digests: Collection[str], *, left: int) -> bytes:
    data = _read(path, left if path.suffix == ".onnx" else min(MAX_TEXT, left))
    if _digest(data) not in digests:
        raise BundleError(f"{path}: is not what {SUMS} says it is; copy the bundle again")
    return data


def _read(path: Path, most: int) -> bytes:
    """A regular file of at most so many bytes: a pipe waits, and a device has no end."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise BundleError(f"{path}: is not a regular file; copy the bundle again")
        if status.st_size > most:
            raise BundleError(
                f"{path}: has {status.st_size} bytes, but at most {most} are read; no bundle is that large"
            )
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror}); copy the bundle again") from error


def _check_text(data: bytes, path: Path) -> None:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BundleError(f"{path}: is not UTF-8 text ({error.reason}); copy the bundle again") from error


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
