"""An audit -> files: the page for readers and the JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from covidct.audit.report.document import to_document
from covidct.audit.report.page import to_page
from covidct.audit.verdict import Audit
from covidct.data.manifest import Manifest
from covidct.data.slice_store import Read
from covidct.images.files import write_beside
from covidct.images.read import read_slice
from covidct.types import Pixels


def write_reports(
    audit: Audit, manifest: Manifest, *, html: Path | None, document: Path | None, read: Read = read_slice
) -> None:
    """Write the page and the JSON to the paths given, each whole or not at all. Raises OSError.

    `read` gives the pictures of the page.
    """
    if document:
        text = json.dumps(to_document(audit), indent=2, allow_nan=False) + "\n"
        write_beside(document, lambda partial: partial.write_text(text, encoding="utf-8"))
    if html:
        page = to_page(audit, read_picture=_to_reader(manifest, read))
        write_beside(html, lambda partial: partial.write_text(page, encoding="utf-8", errors="replace"))


def _to_reader(manifest: Manifest, read: Read) -> Callable[[str], Pixels]:
    paths = {manifest.name(row): row.path for row in manifest.rows}
    return lambda name: read(paths[name]).pixels
