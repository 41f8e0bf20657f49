from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from jsonschema import Draft202012Validator

from covidct.apps.web.jobs import State
from covidct.apps.web.openapi.document import PROBLEMS, to_document
from covidct.apps.web.openapi.schemas import STATES, to_schemas
from covidct.apps.web.settings import Settings
from services.servers import serving

TOKEN = "a-token-for-the-tests"


def test_the_server_does_what_the_document_says(tiny_bundle: Path, tmp_path: Path) -> None:
    """Schemathesis asks what it makes up from the document: right and wrong, alone and in sequences."""
    with serving(tiny_bundle, env={"COVIDCT_TOKEN": TOKEN}) as server:
        command = [
            str(Path(sys.executable).parent / "schemathesis"),
            "run",
            f"{server.url}/openapi.json",
            *("--header", f"Authorization: Bearer {TOKEN}"),
            *("--max-examples", "5", "--seed", "1", "--no-color"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=150, cwd=tmp_path)
        assert done.returncode == 0, done.stdout[-6000:]
        assert "15 selected / 15 total" in done.stdout
        assert " 500 " not in server.log


def test_every_reference_leads_somewhere() -> None:
    document = to_document(Settings(token=TOKEN), ["balanced"])

    def walk(value: object) -> None:
        if isinstance(value, dict):
            if (ref := value.get("$ref")) is not None:
                found: object = document
                for part in ref.removeprefix("#/").split("/"):
                    assert isinstance(found, dict)
                    found = found[part]
            for part in value.values():
                walk(part)
        elif isinstance(value, list):
            for part in value:
                walk(part)

    walk(json.loads(json.dumps(document)))


def test_schemas_are_schemas_and_words_are_those_of_the_program() -> None:
    for schema in to_schemas().values():
        Draft202012Validator.check_schema(schema)
    assert set(STATES) == {state.value for state in State}


def test_the_token_is_asked_for_where_the_guard_asks() -> None:
    document = to_document(Settings(token=TOKEN), ["balanced"])
    for path, item in document["paths"].items():
        for method in {"get", "post", "delete"} & set(item):
            assert ("security" in item[method]) == (path not in ("/health", "/ready"))
    assert "securitySchemes" not in to_document(Settings(), ["balanced"])["components"]


def test_every_operation_names_the_problems_it_can_have() -> None:
    document = to_document(Settings(), ["balanced"])
    for item in document["paths"].values():
        for method in {"get", "post", "delete"} & set(item):
            codes = set(item[method]["responses"])
            assert "421" in codes
            assert {code for code in codes if code >= "400"} <= {str(status) for status in PROBLEMS}
