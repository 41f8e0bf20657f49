"""covidct: a light chest-CT classifier for COVID-19 that knows its limits.

Research use only; not a medical device.

    from covidct import Classifier, read_study
    classifier = Classifier.load()
    classifier.predict("slice.png").probability
    for answer in classifier.predict_study(read_study(["folder"])):
        print(answer.result.path, answer.result.decision)

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
    from covidct.errors import BundleError, CovidctError, ReadError
    from covidct.inference.classifier import Classifier
    from covidct.series.study import read_study
    from covidct.series.types import Series, SeriesAnswer
    from covidct.types import Decision, OperatingPoint, Reason, Result, Slice, Source, Status

__all__ = [
    "BundleError",
    "Classifier",
    "CovidctError",
    "Decision",
    "OperatingPoint",
    "ReadError",
    "Reason",
    "Result",
    "Series",
    "SeriesAnswer",
    "Slice",
    "Source",
    "Status",
    "__version__",
    "read_study",
]
__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'covidct' has no attribute {name!r}")
    match name:
        case "Classifier":
            module = "inference.classifier"
        case "read_study":
            module = "series.study"
        case "Series" | "SeriesAnswer":
            module = "series.types"
        case _ if name.endswith("Error"):
            module = "errors"
        case _:
            module = "types"
    return getattr(import_module(f"covidct.{module}"), name)
