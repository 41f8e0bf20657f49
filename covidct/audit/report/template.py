"""What the report pages of an audit and of a training share: templates, style, and pictures inside the file.

The style is `style.css`: light, dark, narrow and printed. Knows nothing of what a page says.
"""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from PIL import Image

QUALITY = 90


def open_templates(package: str) -> Environment:
    """The templates of `package` and `style.css`; values are escaped, and a missing one is an error."""
    return Environment(
        loader=ChoiceLoader([PackageLoader(package, ""), PackageLoader("covidct.audit.report", "")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def to_data_uri(image: Image.Image) -> str:
    """A picture as the JPEG in a data: URI."""
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{b64encode(buffer.getvalue()).decode('ascii')}"
