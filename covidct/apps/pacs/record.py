"""What the last report of a series was made of, as a value and as JSON.

Knows digests and UIDs as text. Knows nothing of DICOM or of where records lie (`spool`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Content:
    """What an instance holds: `stamp` tells one file from another, `patient_study` and `image` are digests.

    A file that came again has another stamp; where both digests are as before, it says nothing new.
    """

    stamp: str
    patient_study: str
    image: str


@dataclass(frozen=True)
class Record:
    """What a report was made of, by SOPInstanceUID, by which model and graph; its own UIDs by keyword.

    `replaces` are those of the report that it replaces, none where it is the first.
    """

    instances: Mapping[str, Content]
    model: str
    report: Mapping[str, str]
    replaces: Mapping[str, str] = field(default_factory=dict)


def to_stamp(path: Path) -> str:
    """What tells a file from one that takes its place, without reading it. Raises OSError."""
    status = path.stat()
    return f"{status.st_mtime_ns}-{status.st_ino}-{status.st_size}"


def to_json(record: Record) -> bytes:
    """The record as JSON."""
    return json.dumps(asdict(record), indent=1).encode()


def read_record(path: Path) -> Record | None:
    """None where there is none, or none that can be read: the series is then answered again."""
    try:
        values = json.loads(path.read_bytes())
        instances = {uid: Content(**content) for uid, content in values["instances"].items()}
        return Record(instances, values["model"], values["report"], values.get("replaces", {}))
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return None
