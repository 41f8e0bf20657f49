"""The API in the words of OpenAPI 3.1: what may be asked, and what is answered.

Knows addresses, media types and statuses; the shapes of JSON are in `schemas`. Knows nothing of how an
answer is made; a test holds the server to this document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import covidct
from covidct.apps.web import problem
from covidct.apps.web.guard import PRIVATE
from covidct.apps.web.openapi.schemas import JOB_ID, TEXT, Json, array_of, named, to_schemas
from covidct.apps.web.settings import MIB, Settings
from covidct.images.hounsfield import WINDOWS
from covidct.types import DISCLAIMER

PROBLEMS = {
    400: "The upload is not valid multipart/form-data.",
    401: "The token is missing or wrong.",
    403: "The request comes from a page of another site.",
    404: "Not found, or no longer there.",
    408: "The upload came to a halt.",
    413: "Too many bytes, or too many files.",
    415: "Not multipart/form-data, or a compressed body.",
    421: "The server does not go by the name in the Host header.",
    422: "No files, no slices in them or too many; an invalid value, or an unknown name.",
    429: "Many wrong tokens came from this address; Retry-After says when to try again.",
    500: "Something failed in the server.",
    503: "No room at the moment, or the server is being stopped; Retry-After says when to try again.",
}
UPLOADING = (400, 403, 408, 413, 415, 422, 500, 503)


def to_document(settings: Settings, points: Sequence[str]) -> Json:
    """The document for a server with these settings, whose model has operating points of these names."""
    document: Json = {
        "openapi": "3.1.0",
        "info": {
            "title": "covidct",
            "version": covidct.__version__,
            "summary": "Axial chest-CT slices in, answers for COVID-19 pneumonia out.",
            "description": DISCLAIMER,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "./"}],
        "paths": _to_uploads(_to_upload(settings, points)) | _to_jobs() | _to_others(),
        "components": {"schemas": to_schemas(), "responses": _to_problems()},
    }
    return document if settings.token is None else _with_token(document)


def _to_uploads(upload: Json) -> Json:
    """Where files go."""
    started = _json("The job, now running.", named("Job"))
    started["headers"] = {"Location": {"schema": TEXT, "description": "Where to ask for the job."}}
    started["links"] = _to_links()
    return {
        "/api/predict": {
            "post": _ask("predict", "Answer for files", {200: _results()}, UPLOADING)
            | {"requestBody": upload},
        },
        "/api/jobs": {
            "post": _ask("startJob", "Start a job", {202: started}, UPLOADING) | {"requestBody": upload},
        },
    }


def _to_jobs() -> Json:
    """What is asked of a job."""
    job = [_parameter("id", JOB_ID)]
    nth = [*job, _parameter("number", {"type": "integer", "minimum": 0, "maximum": 1_000_000})]
    shown = _json("The job.", named("Job"))
    evidence = _json("The map.", named("Evidence"))
    about = _json("One for each result so far.", array_of(named("About")))
    picture = {"description": "8-bit grey levels.", "content": {"image/png": {"schema": {}}}}
    show = _ask("showSlice", "The slice of a result, in a window", {200: picture}, (404, 422))
    units = {"description": "int16, little endian.", "content": {"application/octet-stream": {"schema": {}}}}
    geometry = _json("What the header says.", named("Geometry"))
    gone = {"description": "Forgotten."}
    return {
        "/api/jobs/{id}": {
            "parameters": job,
            "get": _ask("showJob", "How far a job is", {200: shown}, (404,)),
            "delete": _ask("dropJob", "Cancel and forget a job", {204: gone}, (403, 404)),
        },
        "/api/jobs/{id}/cancel": {
            "parameters": job,
            "post": _ask("cancelJob", "Stop a job, but keep its results so far", {200: shown}, (403, 404)),
        },
        "/api/jobs/{id}/results": {
            "parameters": job,
            "get": _ask("showResults", "The results of a job so far", {200: _results()}, (404,)),
        },
        "/api/jobs/{id}/about": {
            "parameters": job,
            "get": _ask("showAbout", "What a page shows beside the results", {200: about}, (404,)),
        },
        "/api/jobs/{id}/evidence/{number}": {
            "parameters": nth,
            "get": _ask("showEvidence", "The evidence map of a result", {200: evidence}, (404,)),
        },
        "/api/jobs/{id}/geometry/{number}": {
            "parameters": nth,
            "get": _ask("showGeometry", "Size and orientation of a slice", {200: geometry}, (404,)),
        },
        "/api/jobs/{id}/hounsfield/{number}": {
            "parameters": nth,
            "get": _ask(
                "showHounsfield", "The Hounsfield units of a slice, row by row", {200: units}, (404,)
            ),
        },
        "/api/jobs/{id}/slices/{number}": {
            "parameters": nth,
            "get": show | {"parameters": [_to_window()]},
        },
    }


def _to_window() -> Json:
    """How a slice is to be shown."""
    return {
        "name": "window",
        "in": "query",
        "schema": {"type": "string", "enum": list(WINDOWS)},
        "description": "Takes Hounsfield units (404 where there are none, as in pictures). "
        "Without it, the slice as the model sees it: the lung window, or the grey levels as they are stored.",
    }


def _to_others() -> Json:
    """What is known of the model and the server."""
    status = _json("It does.", named("Status"))
    model = _json("The model.", named("Model"))
    text = {"description": "In the text format.", "content": {"text/plain": {"schema": TEXT}}}
    return {
        "/api/model": {"get": _ask("showModel", "The model and its figures", {200: model})},
        "/metrics": {"get": _ask("showCounters", "Counters for Prometheus", {200: text})},
        "/health": {"get": _ask("showHealth", "The process runs", {200: status})},
        "/ready": {"get": _ask("showReady", "It accepts work", {200: status}, (503,))},
    }


def _to_upload(settings: Settings, points: Sequence[str]) -> Json:
    """The body of a request that brings files."""
    files = {
        "type": "array",
        "minItems": 1,
        "items": {"type": "string", "format": "binary"},
        "description": "DICOM, volumes (NIfTI, MetaImage, NRRD, NumPy), pictures (PNG, JPEG, BMP, "
        "TIFF, WEBP, GIF), ZIP archives of these. "
        f"At most {settings.files}, unpacked too.",
    }
    point = {
        "type": "string",
        "enum": list(points),
        "description": "By default the one the server was started with. Also read from the query.",
    }
    prevalence = {
        "type": "number",
        "exclusiveMinimum": 0,
        "exclusiveMaximum": 1,
        "description": "The share of slices with COVID-19 where the answers will be used. "
        "Also read from the query.",
    }
    schema = {
        "type": "object",
        "required": ["files"],
        "properties": {"files": files, "operating_point": point, "prevalence": prevalence},
        "additionalProperties": False,
    }
    return {
        "required": True,
        "description": f"At most {settings.body_bytes / MIB:g} MiB.",
        "content": {"multipart/form-data": {"schema": schema}},
    }


def _ask(name: str, summary: str, answers: Mapping[int, Json], problems: Sequence[int] = ()) -> Json:
    """One operation; every one may be called by a wrong name."""
    responses = {str(status): answer for status, answer in answers.items()}
    responses |= {str(status): _problem(status) for status in sorted((*problems, 421))}
    return {"operationId": name, "summary": summary, "responses": responses}


def _with_token(document: Json) -> Json:
    """The same, where the API asks for a token."""
    document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for path, item in document["paths"].items():
        for method in {"get", "post", "delete"} & set(item):
            if path.startswith(PRIVATE):
                item[method]["security"] = [{"token": []}]
                item[method]["responses"] |= {str(status): _problem(status) for status in (401, 429)}
    return document


def _to_problems() -> Json:
    content = {problem.MEDIA_TYPE: {"schema": named("Problem")}}
    retry = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds."}}
    responses: Json = {
        str(status): {"description": text, "content": content} for status, text in PROBLEMS.items()
    }
    responses["503"]["headers"] = retry
    return responses


def _to_links() -> Json:
    """What can be asked of a job once it was started."""
    parameters = {"id": "$response.body#/id"}
    names = ("showJob", "showResults", "dropJob")
    return {name: {"operationId": name, "parameters": parameters} for name in names}


def _results() -> Json:
    return _json(
        "The results: loose slices in the order of the files, then each series after its slices.",
        array_of(named("Result")),
    )


def _json(description: str, schema: Json) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _parameter(name: str, schema: Json) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _problem(status: int) -> Json:
    return {"$ref": f"#/components/responses/{status}"}
