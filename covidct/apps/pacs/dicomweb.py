"""A study from a DICOMweb server, and reports back to it: QIDO-RS, WADO-RS, STOW-RS (PS3.18).

Knows the server's resources. Knows nothing of models, or of what is in a report. Who asks is told by
COVIDCT_DICOMWEB_TOKEN (a bearer token), COVIDCT_DICOMWEB_AUTH (user:password), or by ~/.netrc.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import Any

import requests
from dicomweb_client.api import DICOMwebClient
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth
from urllib3 import Retry

from covidct.errors import DicomwebError
from covidct.images.blob import FileBlob
from covidct.images.dicom_deflated import inflate
from covidct.images.limits import LARGE, Allowance
from covidct.series.sources import Candidate
from covidct.series.volumes.read import MAX_VOLUME

AUTH, TOKEN = "COVIDCT_DICOMWEB_AUTH", "COVIDCT_DICOMWEB_TOKEN"
WHOLE = 1 << 31  # bytes sent in one piece: not every server takes chunks
SHOWN = 200  # characters of an answer that is no DICOM JSON
TIMEOUT_S = (10, 60)  # to connect, to answer
MAX_LIST, MAX_OBJECT = LARGE, MAX_VOLUME  # bytes of an answer, unpacked: what is found, an instance
CHUNK = 1 << 16
# Of a server that is busy; one that cannot be reached is told at once.
_BUSY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)
_PATIENCE = Retry(
    4,
    connect=0,
    read=0,
    status_forcelist=_BUSY,
    allowed_methods=None,
    backoff_factor=1,
    raise_on_status=False,
)
# As it is stored: to have it decoded there would cost the server time and the network bytes.
_OBJECT = "multipart/related"
_AS_STORED = f'{_OBJECT}; type="application/dicom"; transfer-syntax=*'
_STUDY, _SERIES, _INSTANCE, _INSTANCES_OF_STUDY = "0020000D", "0020000E", "00080018", "00201208"


class Archive:
    """A DICOMweb server; `url` is what its resources begin with, such as http://localhost:8042/dicom-web."""

    def __init__(self, url: str):
        """Raises DicomwebError for what is no such URL."""
        self.url = url.rstrip("/")
        if not re.fullmatch(r"https?://[^/@\s]+(/\S*)?", self.url):
            raise DicomwebError(
                f"{_without_user(url)}: no URL such as http://localhost:8042/dicom-web; user:password go "
                f"into {AUTH}"
            )
        session = requests.Session()
        session.auth = _find_auth()
        session.hooks["response"].append(self._read_within_bounds)
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=_PATIENCE))
        self._client = DICOMwebClient(self.url, session=session, timeout=TIMEOUT_S, chunk_size=WHOLE)
        self._client.set_http_retry_params(retry=False)  # it would try whatever failed five times

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._client._session.close()

    def find_studies(self) -> list[tuple[str, int]]:
        """The StudyInstanceUID of each study with CT, and how many instances it has. Raises DicomwebError."""
        with self._explained("its studies"):
            search = partial(
                self._client.search_for_studies,
                search_filters={"ModalitiesInStudy": "CT"},
                fields=[_INSTANCES_OF_STUDY],
            )
            return [
                (_value(item, _STUDY), int(_value(item, _INSTANCES_OF_STUDY, "1")))
                for item in _page(search, _STUDY)
            ]

    def find(self, study_uid: str) -> list[tuple[str, str]]:
        """The (SeriesInstanceUID, SOPInstanceUID) of all CT instances of a study. Raises DicomwebError."""
        with self._explained(f"study {study_uid}"):
            search = partial(self._client.search_for_series, study_uid, search_filters={"Modality": "CT"})
            found = []
            for uid in _list(search, _SERIES):
                search = partial(self._client.search_for_instances, study_uid, uid)
                found += [(uid, instance) for instance in _list(search, _INSTANCE)]
        if not found:
            raise DicomwebError(f"{self.url}: has no CT series in study {study_uid}; check its UID")
        return found

    def fetch(
        self, study_uid: str, folder: Path, *, track: Callable[[list[Any]], Iterable[Any]] = iter
    ) -> list[Candidate]:
        """Fetch the CT instances of a study into files in `folder`; their names are their addresses.

        `track` is given what is to be fetched and gives it back, such as to show progress. Raises
        DicomwebError where one cannot be had: a study with holes would be answered wrongly.
        """
        return [
            self._fetch(study_uid, series, instance, folder / f"{number}.dcm")
            for number, (series, instance) in enumerate(track(self.find(study_uid)))
        ]

    def store(self, files: Iterable[bytes]) -> None:
        """Store DICOM files. Raises DicomwebError where the server does not say of each that it has it."""
        datasets = [dcmread(BytesIO(data)) for data in files]
        with self._explained("report"):
            answer = self._post(datasets)
        if failed := _list_items(answer, "FailedSOPSequence"):
            reason = failed[0].get("FailureReason", 0)
            said = f"{reason:04X}" if isinstance(reason, int) else "not said"
            raise DicomwebError(
                f"{self.url}: rejects {len(failed)} of {len(datasets)} objects (reason {said})"
            )
        referenced = _list_items(answer, "ReferencedSOPSequence")
        stored = {str(item.get("ReferencedSOPInstanceUID")) for item in referenced}
        if missing := [one for one in datasets if str(one.SOPInstanceUID) not in stored]:
            raise DicomwebError(
                f"{self.url}: does not confirm {len(missing)} of {len(datasets)} objects; check "
                "whether they are there before you store them again"
            )

    def _post(self, datasets: Sequence[Dataset]) -> Dataset:
        """The server's answer; of a conflict (409), too, where it says what it does not take."""
        try:
            return self._client.store_instances(datasets)
        except requests.HTTPError as error:
            if error.response is None or error.response.status_code != HTTPStatus.CONFLICT:
                raise
            answer = _parse_answer(error.response)
            if _list_items(answer, "FailedSOPSequence"):
                return answer
            said = " ".join(error.response.text[:SHOWN].split()) or "without giving a reason"
            raise DicomwebError(f"{self.url}: answers 409 for report: {said}") from error

    def _fetch(self, study_uid: str, series: str, instance: str, path: Path) -> Candidate:
        address = f"{self.url}/studies/{study_uid}/series/{series}"
        with self._explained(f"instance {instance}"):
            data = self._retrieve(f"{address}/instances/{instance}")
            _check_can_be_parsed(data)
        path.write_bytes(data)
        return Candidate(FileBlob(path, f"{address}/instances/{instance}"), address)

    def _retrieve(self, address: str) -> bytes:
        """The one object at an address, not parsed: the client itself parses without any bound."""
        response = self._client._http_get(address, headers={"Accept": _AS_STORED})
        if response.headers["Content-Type"].startswith("application/dicom"):  # alone, as some servers send it
            return bytes(response.content)
        (part,) = self._client._decode_multipart_message(response, stream=False)
        return bytes(part)

    def _read_within_bounds(self, response: requests.Response, **_: object) -> None:
        """Read an answer before the client does. Raises DicomwebError for one that is far too large."""
        limit = MAX_OBJECT if _OBJECT in response.request.headers.get("Accept", "") else MAX_LIST
        data = bytearray()
        for chunk in response.iter_content(CHUNK):
            data += chunk
            if len(data) > limit:
                response.close()
                raise DicomwebError(
                    f"{self.url}: an answer of more than {limit:,} bytes; have the server give less at a time"
                )
        response._content = bytes(data)

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        """Turn whatever goes wrong on the way into DicomwebError: where, with what, and what to do."""
        try:
            yield
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else 0
            hint = (
                f"give user:password in {AUTH}, or a token in {TOKEN}"
                if status in (401, 403)
                else "check URL and UID"
            )
            raise DicomwebError(f"{self.url}: answers {status} for {what}; {hint}") from error
        except requests.JSONDecodeError as error:  # a RequestException, too, though the server was reached
            raise self._foreign(what, error) from error
        except requests.RequestException as error:
            raise DicomwebError(
                f"{self.url}: cannot be reached for {what} ({type(error).__name__}); check URL and network"
            ) from error
        except DicomwebError:
            raise
        except Exception as error:  # broad: what a server answers that speaks no DICOMweb, or stops half-way
            raise self._foreign(what, error) from error

    def _foreign(self, what: str, error: Exception) -> DicomwebError:
        kind = type(error).__name__
        return DicomwebError(f"{self.url}: gives no DICOM for {what} ({kind}); is it a DICOMweb server?")


class _Bearer(AuthBase):
    """Shows a bearer token (RFC 6750)."""

    def __init__(self, token: str):
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _find_auth() -> AuthBase | None:
    """Who asks, as the environment says; None leaves it to ~/.netrc."""
    if token := os.environ.get(TOKEN):
        return _Bearer(token)
    if user := os.environ.get(AUTH):
        name, _, password = user.partition(":")
        return HTTPBasicAuth(name, password)
    return None


def _list(search: Callable[..., list[dict[str, Any]]], tag: str) -> list[str]:
    """All values of a tag, of all pages."""
    return [_value(item, tag) for item in _page(search, tag)]


def _page(search: Callable[..., list[dict[str, Any]]], tag: str) -> list[dict[str, Any]]:
    """All that a search finds, once for each value of a tag.

    Page by page, until one brings nothing new: some servers know no pages.
    """
    found: dict[str, dict[str, Any]] = {}
    while True:
        page = {_value(item, tag): item for item in search(**({"offset": len(found)} if found else {}))}
        if not set(page) - set(found):
            return list(found.values())
        found |= page


def _check_can_be_parsed(data: bytes) -> None:
    """Raise ReadError, or what pydicom does, for what is no DICOM object, damaged or far too deep."""
    plain = inflate(data, name="instance")
    dcmread(Allowance("instance").bind(BytesIO(plain)))


def _parse_answer(response: requests.Response) -> Dataset:
    """The DICOM JSON of an answer; empty where it is none."""
    try:
        return Dataset.from_json(response.json())
    except Exception:  # broad: a server may answer with anything
        return Dataset()


def _list_items(answer: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence; none where a server gives anything else under its name."""
    value = answer.get(keyword)
    return list(value) if isinstance(value, Items) else []


def _value(item: dict[str, Any], tag: str, default: str | None = None) -> str:
    """The first value of a tag; `default` where it is not there, KeyError without one."""
    if default is not None and not item.get(tag, {}).get("Value"):
        return default
    return str(item[tag]["Value"][0])


def _without_user(url: str) -> str:
    """A URL for messages: a password in it is nobody's business."""
    return re.sub(r"//[^/@]*@", "//...@", url)
