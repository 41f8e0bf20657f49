"""A DICOMweb server that is none: each address has its answer, and no network is asked."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import requests
from requests.adapters import BaseAdapter

from covidct.apps.pacs.dicomweb import Archive

URL = "http://localhost:1/web"
JSON, OBJECTS = "application/dicom+json", 'multipart/related; type="application/dicom"; boundary=line'


class Answering(BaseAdapter):
    """Answers by the last part of an address, and a POST as "stored"."""

    def __init__(self, answers: Mapping[str, bytes]):
        super().__init__()
        self._answers = answers

    def open(self) -> Archive:
        """An archive that asks here."""
        archive = Archive(URL)
        archive._client._session.mount("http://", self)
        return archive

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """The answer, always 200."""
        name = (
            "stored"
            if request.method == "POST"
            else str(request.path_url).partition("?")[0].rpartition("/")[2]
        )
        response = requests.Response()
        response.status_code, response.url, response.request = 200, str(request.url), request
        response.headers["Content-Type"] = (
            OBJECTS if name not in ("studies", "series", "instances", "stored") else JSON
        )
        response.raw = BytesIO(self._answers.get(name, b""))
        return response

    def close(self) -> None:
        """Nothing is open."""
