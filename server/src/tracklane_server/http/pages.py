"""What Flask serves: the contract itself, its documentation for people, and the signs of life."""

import re
from functools import cache
from importlib.metadata import version
from typing import Any

import flask
import orjson
import yaml
from markupsafe import Markup, escape

from tracklane_server.contract import OPERATIONS, SPEC, STATUS
from tracklane_server.contract.spec import METHODS, resolve
from tracklane_server.contract.validate import allowed

# Pages run no script and load nothing: all they are is in their text.
_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_CODE = re.compile(r"`([^`]+)`")
_STRONG = re.compile(r"\*\*([^*]+)\*\*")


def get_health() -> flask.Response:
    return _text("OK")


def get_version() -> flask.Response:
    return _text(version("tracklane-server"))


def get_openapi_json() -> flask.Response:
    return flask.Response(orjson.dumps(SPEC), content_type="application/json")


def get_openapi_yaml() -> flask.Response:
    return flask.Response(_yaml(), content_type="text/yaml")


def get_docs() -> flask.Response:
    return flask.Response(
        _docs(), content_type="text/html; charset=utf-8", headers={"Content-Security-Policy": _PAGE_POLICY}
    )


def get_index() -> flask.Response:
    # Relative, so that it holds below any prefix.
    return flask.Response(status=302, headers={"Location": "docs"})


PAGES = {
    "getHealth": get_health,
    "getVersion": get_version,
    "getOpenapiJson": get_openapi_json,
    "getOpenapiYaml": get_openapi_yaml,
    "getDocs": get_docs,
    "getIndex": get_index,
}


def _text(text: str) -> flask.Response:
    return flask.Response(text, content_type="text/plain; charset=utf-8")


@cache
def _yaml() -> str:
    return yaml.dump(SPEC, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=120)


@cache
def _docs() -> str:
    groups = [
        (tag, [_described(name) for name, its in OPERATIONS.items() if tag["name"] in its.tags]) for tag in SPEC["tags"]
    ]
    return flask.render_template("docs.html", spec=SPEC, groups=groups, statuses=STATUS, prose=_prose)


def _prose(text: str) -> Markup:
    """The little Markdown that the contract's descriptions use: paragraphs, `code` and **strong**."""
    paragraphs = [str(escape(paragraph)) for paragraph in text.split("\n\n")]
    marked = [_STRONG.sub(r"<strong>\1</strong>", _CODE.sub(r"<code>\1</code>", each)) for each in paragraphs]
    return Markup("".join(f"<p>{each}</p>" for each in marked))  # noqa: S704 - escaped above


def _described(operation_id: str) -> dict[str, Any]:
    operation = OPERATIONS[operation_id]
    item = SPEC["paths"][operation.path]
    declared = resolve(item[next(method for method in METHODS if method.upper() == operation.method)])
    required = operation.request.get("required", ())
    fields = [
        {
            "name": name,
            "required": name in required,
            "allowed": allowed(schema),
            "default": schema.get("default"),
            "description": schema.get("description", ""),
        }
        for name, schema in operation.request.get("properties", {}).items()
    ]
    return {
        "operation": operation,
        "declared": declared,
        "fields": fields,
        "request": _example(declared.get("requestBody", {})),
        "reply": _example(declared["responses"].get("200", {})),
        "failures": {status: its for status, its in declared["responses"].items() if status[0] in "45"},
    }


def _example(described: dict[str, Any]) -> str:
    media = described.get("content", {}).get("application/json", {})
    examples = (
        [media["example"]] if "example" in media else [its["value"] for its in media.get("examples", {}).values()]
    )
    return orjson.dumps(examples[0], option=orjson.OPT_INDENT_2).decode() if examples else ""
