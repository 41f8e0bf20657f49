"""An audit as one HTML file for a browser or a printer; its look is in `page.html` and `style.css`.

Everything is inside: style, charts, thumbnails. The page asks for nothing from outside and holds no date.
Knows how much of an audit a reader can take in. Knows nothing of files: pictures are handed to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from jinja2 import Environment
from markupsafe import Markup, escape
from PIL import Image

from covidct import __version__
from covidct.audit.report.charts import draw_bars, draw_curves
from covidct.audit.report.template import open_templates, to_data_uri
from covidct.audit.report.text import elide, to_printable, to_verdict
from covidct.audit.verdict import Audit, Table
from covidct.errors import CovidctError
from covidct.types import DISCLAIMER, Pixels

THUMBNAIL = 160
# The page is for looking at; the JSON document has all.
MAX_FILES, MAX_ROWS, MAX_PAIRS = 200, 200, 12
MAX_PRINTED, MAX_OPEN = 20, 3
NAME, CELL, SHORT = 160, 120, 60
_NUMBER = re.compile(r"[\d\s.,:%()+−–-]*")


def to_page(audit: Audit, *, read_picture: Callable[[str], Pixels]) -> str:
    """The audit as one self-contained HTML document.

    `read_picture` gives the grey levels (H, W) uint8 for a path of the audit's pairs; where it raises a
    CovidctError, OSError or ValueError (as `open` does for some names), a note stands in for the picture.
    """
    shown = (pair for check in audit.checks for pair in check.pairs[:MAX_PAIRS])
    paths = dict.fromkeys(path for pair in shown for path in (pair.first, pair.second))
    return (
        _environment()
        .get_template("page.html")
        .render(
            audit=audit,
            verdict=to_verdict(audit),
            pictures={path: _to_data(path, read_picture) for path in paths},
            draw_curves=draw_curves,
            draw_bars=draw_bars,
            version=__version__,
            disclaimer=DISCLAIMER,
            most={
                "files": MAX_FILES,
                "rows": MAX_ROWS,
                "pairs": MAX_PAIRS,
                "printed": MAX_PRINTED,
                "open": MAX_OPEN,
            },
        )
    )


def _environment() -> Environment:
    environment = open_templates("covidct.audit.report")
    environment.finalize = _finalize
    filters: dict[str, Callable[..., Any]] = {
        "name": lambda text: elide(to_printable(text), NAME),
        "cell": lambda text: elide(to_printable(text), CELL),
        "short": lambda text: elide(to_printable(text), SHORT),
        "count": lambda number: f"{number:,}",
        "place": _to_place,
        "commands": _to_commands,
        "numeric": _numeric_columns,
    }
    environment.filters.update(filters)
    return environment


def _finalize(value: Any) -> Any:
    """What is put out, printable; markup of our own stays as it is."""
    return to_printable(value) if type(value) is str else value


def _to_commands(text: str) -> Markup:
    """The text, escaped, with what stands between backticks set as code."""
    parts = [escape(to_printable(part)) for part in text.split("`")]
    if len(parts) % 2 == 0:  # a backtick too many: a name, not markup
        return escape(to_printable(text))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if at % 2 else part for at, part in enumerate(parts)
    )


def _to_place(value: float) -> str:
    """Where a number in [0, 1] lies on a scale, in percent of its width."""
    return f"{100 * min(max(value, 0.0), 1.0):.2f}%"


def _numeric_columns(table: Table) -> list[bool]:
    """Which columns hold numbers, and are set to the right."""
    return [
        i > 0 and bool(table.rows) and _are_numbers(row[i] for row in table.rows if i < len(row))
        for i in range(len(table.head))
    ]


def _are_numbers(cells: Iterable[str]) -> bool:
    return all(_NUMBER.fullmatch(cell) for cell in cells)


def _to_data(path: str, read_picture: Callable[[str], Pixels]) -> str | None:
    """A thumbnail of at most 160 x 160 as a data: URI, or None where the picture cannot be read."""
    try:
        pixels = read_picture(path)
    except (CovidctError, OSError, ValueError):
        return None
    image = Image.fromarray(pixels)
    image.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    return to_data_uri(image)
