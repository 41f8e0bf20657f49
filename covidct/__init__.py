"""covidct: a light chest-CT classifier for COVID-19 that knows its limits.

Research use only; not a medical device.

    from covidct import Classifier
    Classifier.load().predict("slice.png")

The names below are loaded when they are first used, so that `import covidct` costs nothing.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

# ONNX Runtime's wheels report each process and session to their maker, and keep an id of the machine in the
# home folder, unless they are told not to before they are first imported. Nothing here calls home.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from covidct.errors import CovidctError
    from covidct.inference.classifier import Classifier
    from covidct.types import Decision, OperatingPoint, Reason, Result, Slice, Status

__all__ = [
    "Classifier",
    "CovidctError",
    "Decision",
    "OperatingPoint",
    "Reason",
    "Result",
    "Slice",
    "Status",
    "__version__",
]
__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    match name:
        case "Classifier":
            module = "covidct.inference.classifier"
        case "CovidctError":
            module = "covidct.errors"
        case _ if name in __all__:
            module = "covidct.types"
        case _:
            raise AttributeError(f"module 'covidct' has no attribute {name!r}")
    return getattr(import_module(module), name)
