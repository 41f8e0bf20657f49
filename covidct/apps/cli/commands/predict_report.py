"""`covidct predict --report`: answers for series -> one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from covidct.images.files import write_beside
from covidct.inference.bundle import Bundle
from covidct.results.montage import show_overview, show_telling
from covidct.results.page import Sheet, to_page
from covidct.series.types import SeriesAnswer


def write_report(path: Path, answers: Sequence[SeriesAnswer], bundle: Bundle, *, identify: bool) -> None:
    """Write the page, under another name, then renamed. Raises ReadError where a slice is gone, OSError."""
    page = render_report(answers, bundle, identify=identify)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_beside(path, lambda partial: partial.write_text(page, encoding="utf-8"))


def render_report(answers: Sequence[SeriesAnswer], bundle: Bundle, *, identify: bool = False) -> str:
    """The page as text; slices to show are read again. Raises ReadError."""
    sheets = [Sheet(answer, show_telling(answer), show_overview(answer)) for answer in answers]
    headlines = [line.replace("`", "") for line in bundle.headlines]
    return to_page(sheets, headlines=headlines, identify=identify)
