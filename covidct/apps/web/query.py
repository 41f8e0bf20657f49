"""What is asked beside files and addresses: operating point, prevalence, window. Fields and queries are text.

Knows the three names. Knows nothing of HTTP but how to say that a value is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from http import HTTPStatus

from covidct.apps.web.problem import Problem
from covidct.images.hounsfield import WINDOWS
from covidct.inference.bundle import Bundle
from covidct.inference.prevalence import check_prevalence


@dataclass(frozen=True)
class Asking:
    """An operating point by name, None for the model's first; a prevalence in (0, 1), None for none."""

    operating_point: str | None = None
    prevalence: float | None = None


def parse_asking(fields: Mapping[str, str], bundle: Bundle) -> Asking:
    """What the fields ask. Empty ones ask nothing. Raises Problem (422), for other names too."""
    check_names(fields, ("operating_point", "prevalence"))
    return Asking(
        _parse_point(fields.get("operating_point"), bundle), _parse_prevalence(fields.get("prevalence"))
    )


def check_names(names: Iterable[str], known: Sequence[str]) -> None:
    """Raise Problem (422) for a name that is not known: a slip that is skipped changes the answer."""
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, 1)
            meant = f"{near[0]} may be meant" if near else f"there are {', '.join(known)}"
            raise _invalid(f"{name[:40]!r} is not a field or parameter here; {meant}.")


def parse_window(text: str | None) -> str | None:
    """The name of a window, None where none is asked for. Raises Problem (422)."""
    if text is None or text in WINDOWS:
        return text
    raise _invalid(f"window must be one of {', '.join(WINDOWS)}.")


def _parse_point(text: str | None, bundle: Bundle) -> str | None:
    names = [point.name for point in bundle.config.operating_points]
    if not text:
        return None
    if text not in names:
        raise _invalid(f"operating_point must be one of {', '.join(names)}.")
    return text


def _parse_prevalence(text: str | None) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
        check_prevalence(value)
    except ValueError as error:
        raise _invalid("prevalence must be a number between 0 and 1, exclusive.") from error
    return value


def _invalid(detail: str) -> Problem:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
