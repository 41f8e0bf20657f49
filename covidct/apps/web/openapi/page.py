"""The OpenAPI document as one page for people: no script, no other site, readable without a mouse.

Knows the document and HTML. Knows nothing of the server behind it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

Json = Mapping[str, Any]
METHODS = ("get", "post", "delete")
STYLE = """\
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { margin-bottom: 0; }
h2 { margin-top: 2.5rem; border-top: 1px solid GrayText; padding-top: 1rem; font-size: 1.2rem; }
h3 { font-size: 1rem; margin-bottom: 0; }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; }
pre { overflow-x: auto; padding: .75rem; border: 1px solid GrayText; border-radius: .25rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; overflow-wrap: anywhere; }
th { font-weight: 600; }
td:first-child, th:first-child { white-space: nowrap; }
nav ul { list-style: none; padding: 0; }
"""


def to_page(document: Json) -> str:
    """The whole page."""
    info = document["info"]
    title = f"{escape(info['title'])} {escape(info['version'])}: API"
    return "\n".join(
        (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<title>{title}</title>\n<link rel="stylesheet" href="docs/style.css">\n</head>\n<body>',
            f"<header><h1>{title}</h1>\n<p>{escape(info['summary'])} {escape(info['description'])}</p>",
            '<p>For programs: <a href="openapi.json">openapi.json</a> (OpenAPI 3.1).</p></header>',
            f'<nav aria-label="Contents">\n<ul>\n{_to_contents(document)}\n</ul>\n</nav>\n<main>',
            *_to_token(document),
            *(_to_section(*operation, document) for operation in _operations(document)),
            '<section aria-labelledby="schemas">\n<h2 id="schemas">Schemas</h2>',
            *(_to_schema(name, schema) for name, schema in document["components"]["schemas"].items()),
            "</section>\n</main>\n</body>\n</html>\n",
        )
    )


def _operations(document: Json) -> Iterator[tuple[str, str, Json, list[Json]]]:
    """Method, address, operation and parameters of each."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), path, item[method], item.get("parameters", [])


def _to_contents(document: Json) -> str:
    return "\n".join(
        f'<li><a href="#{operation["operationId"]}"><code>{method} {escape(path)}</code></a> '
        f"{escape(operation['summary'])}</li>"
        for method, path, operation, _ in _operations(document)
    )


def _to_token(document: Json) -> Iterator[str]:
    if "securitySchemes" in document["components"]:
        yield (
            "<p>A token is needed for all under <code>/api</code> and for <code>/metrics</code>: "
            "<code>Authorization: Bearer TOKEN</code>.</p>"
        )


def _to_section(method: str, path: str, operation: Json, parameters: list[Json], document: Json) -> str:
    name = operation["operationId"]
    parts = [
        f'<section aria-labelledby="{name}">\n<h2 id="{name}"><code>{method} {escape(path)}</code></h2>',
        f"<p>{escape(operation['summary'])}.</p>",
    ]
    if parameters := [*parameters, *operation.get("parameters", [])]:
        rows = ((entry["name"], _to_parameter(entry)) for entry in parameters)
        parts.append(_to_table("Parameters", ("Name", "What"), rows))
    if body := operation.get("requestBody"):
        parts.append(_to_body(body, path))
    answers = (
        (code, *_to_answer(answer, document)) for code, answer in sorted(operation["responses"].items())
    )
    parts.append(_to_table("Answers", ("Status", "Type", "What"), answers))
    return "\n".join([*parts, "</section>"])


def _to_parameter(entry: Json) -> str:
    return ". ".join(filter(None, (_to_type(entry["schema"]), entry.get("description"))))


def _to_body(body: Json, path: str) -> str:
    kind, content = next(iter(body["content"].items()))
    fields = content["schema"]["properties"].items()
    rows = ((name, f"{_to_type(schema)}. {schema['description']}") for name, schema in fields)
    command = f"curl -F files=@slice.png -F files=@other.dcm http://127.0.0.1:8000{path}"
    return "\n".join(
        (
            f"<p>Body: <code>{escape(kind)}</code>. {escape(body['description'])}</p>",
            _to_table("Fields", ("Name", "What"), rows),
            f"<pre><code>{escape(command)}</code></pre>",
        )
    )


def _to_answer(answer: Json, document: Json) -> tuple[str, str]:
    """Media type and description."""
    if "$ref" in answer:
        answer = document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    kinds = [
        f"{kind} {_to_type(content['schema'])}".strip() for kind, content in answer.get("content", {}).items()
    ]
    return ", ".join(kinds), answer["description"]


def _to_schema(name: str, schema: Json) -> str:
    rows = (
        (field, " ".join(filter(None, (_to_type(part), part.get("description", "")))))
        for field, part in schema["properties"].items()
    )
    return _to_table(name, ("Field", "What"), rows, anchor=f"schema-{name}")


def _to_table(title: str, heads: tuple[str, ...], rows: Any, *, anchor: str = "") -> str:
    name = f' id="{anchor}"' if anchor else ""
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return (
        f"<h3{name}>{escape(title)}</h3>\n<table>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table>"
    )


def _to_type(schema: Json) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "enum" in schema:
        return "one of " + ", ".join("null" if value is None else str(value) for value in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if schema.get("format") == "binary":
        return "file"
    kinds = schema.get("type", "")
    kind = " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
    return f"{kind} of {_to_type(schema['items'])}" if "items" in schema else kind
