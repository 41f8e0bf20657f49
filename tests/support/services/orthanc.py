"""Debian's Orthanc for tests, in a network of its own, as it listens on every address there is."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from services.pacs import free_port, needs, own_network, wait_for

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
# Sends a CT series on once nothing more came for it for a while; reports, whose Modality is SR, are not CT.
FORWARD = """
function OnStableSeries(series, tags, metadata)
  if tags['Modality'] == 'CT' then
    RestApiPost('/modalities/covidct/store', DumpJson({Resources = {series}, Synchronous = false}, true))
  end
end
"""


class Orthanc:
    """A running Orthanc; `http` and `dicom` are its ports."""

    def __init__(self, folder: Path, *, node_port: int, forward: bool = True):
        needs("Orthanc")
        self.http, self.dicom = free_port(), free_port()
        (folder / "forward.lua").write_text(FORWARD)
        options = {
            "Name": "covidct tests",
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "HttpPort": self.http,
            "DicomPort": self.dicom,
            "DicomAet": "PACS",
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "StableAge": 1,
            "DicomModalities": {"covidct": ["COVIDCT", "127.0.0.1", node_port]},
            "LuaScripts": [str(folder / "forward.lua")] if forward else [],
            "Plugins": [str(PLUGIN)] if PLUGIN.exists() else [],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        }
        (folder / "orthanc.json").write_text(json.dumps(options))
        program = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin")
        assert program is not None
        self._log = (folder / "orthanc.log").open("w")
        self._process = subprocess.Popen(
            [program, str(folder / "orthanc.json")], stdout=self._log, stderr=subprocess.STDOUT
        )
        wait_for(self._answers, why=(folder / "orthanc.log").read_text())

    @property
    def dicomweb(self) -> str:
        """Where its DICOMweb resources begin."""
        return f"http://127.0.0.1:{self.http}/dicom-web"

    def get(self, path: str) -> Any:
        answer = requests.get(f"http://127.0.0.1:{self.http}/{path}", timeout=20)
        answer.raise_for_status()
        return answer.json()

    def file(self, instance: str) -> bytes:
        """The DICOM file of an instance, by Orthanc's own name for it."""
        answer = requests.get(f"http://127.0.0.1:{self.http}/instances/{instance}/file", timeout=20)
        return answer.content

    def series(self, modality: str) -> list[dict[str, Any]]:
        """All series of one modality."""
        found: list[dict[str, Any]] = self.get("series?expand")
        return [one for one in found if one["MainDicomTags"]["Modality"] == modality]

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)
        self._log.close()

    def _answers(self) -> bool:
        assert self._process.poll() is None, "Orthanc ended"
        try:
            return bool(self.get("system"))
        except requests.RequestException:
            return False


@contextmanager
def running(folder: Path, **options: Any) -> Iterator[Orthanc]:
    """An Orthanc that is stopped at the end, in a network of its own where that is possible."""
    with own_network():
        orthanc = Orthanc(folder, **options)
        try:
            yield orthanc
        finally:
            orthanc.stop()
