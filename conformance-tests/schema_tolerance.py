"""Does a request fit the contract, with the allowances that its introduction makes?

Written from the text of spec/openapi.yaml, not from the server, to judge what the server accepts and refuses.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote_to_bytes, urlsplit

from vector_http import JSON, Operation, resolve

Schema = Mapping[str, Any]

_INTEGER = re.compile(r"\s*([+-]?\d+)(?:\.0*)?(?:[eE]\+?(\d{1,3}))?", re.ASCII)
_NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_SPECIALS = {"nan", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"}
# A float beyond this may stand for several integers.
_EXACT = 2.0**63


class Unfit(Exception):
    """The request breaks the contract."""


def require_fit(operation: Operation, url: str, content_type: str, body: bytes) -> None:
    """Raises `Unfit` with the reason if the contract forbids this request."""
    parameters = {each["name"]: each for each in operation.parameters if each["in"] == "query"}
    if operation.body_media == JSON:
        if content_type.split(";")[0].strip().lower() != JSON:
            raise Unfit(f"its Content-Type is {content_type!r}")
        _require(operation.declared["requestBody"]["content"][JSON]["schema"], _parsed(body), "body")
    start, templated, _ = operation.path.partition("{")
    if templated:
        path = _decoded(urlsplit(url).path.removeprefix(start))
        _require(operation.parameters[0]["schema"], path, operation.parameters[0]["name"])
    given: dict[str, list[str]] = parse_qs(urlsplit(url).query, keep_blank_values=True)
    query = {
        name: values if _is_list(parameters.get(name, {})) else values[0] for name, values in given.items() if values
    }
    if parameters:
        _require(_as_object(parameters), query, "query")


def _decoded(path: str) -> str:
    try:
        return unquote_to_bytes(path).decode()
    except ValueError:
        raise Unfit("its path is no UTF-8") from None


def _parsed(body: bytes) -> Any:
    if not body.strip():
        return {}
    try:
        value = _load(body.decode("utf-8-sig"))
        return _load(value) if isinstance(value, str) else value
    except (ValueError, RecursionError) as error:
        raise Unfit(f"its body is no JSON: {error}") from None


def _load(text: str) -> Any:
    return json.loads(text, parse_constant=str, parse_float=_float)


def _float(text: str) -> float:
    if math.isinf(float(text)):
        raise ValueError(f"{text} is beyond what a double holds")
    return float(text)


def _is_list(parameter: Schema) -> bool:
    return bool(parameter) and resolve(parameter["schema"]).get("type") == "array"


def _as_object(parameters: Mapping[str, Schema]) -> Schema:
    return {
        "type": "object",
        "required": [name for name, its in parameters.items() if its.get("required")],
        "properties": {
            name: {**resolve(its["schema"]), **{key: value for key, value in its.items() if key == "x-aliases"}}
            for name, its in parameters.items()
        },
    }


def _require(schema: Schema, value: Any, where: str) -> None:
    schema = resolve(dict(schema))
    if "oneOf" in schema:
        _require_number(value, where)
        return
    kind = schema.get("type")
    if kind == "object":
        _require_object(schema, value, where)
    elif kind == "array":
        _require_list(schema, value, where)
    elif kind == "integer":
        _require_integer(schema, value, where)
    elif kind == "string":
        _require_text(schema, value, where)


def _require_object(schema: Schema, value: Any, where: str) -> None:
    if not isinstance(value, dict):
        raise Unfit(f"{where} is no object")
    fields = schema.get("properties", {})
    found = _fields(fields, value, where)
    for name in schema.get("required", ()):
        if name not in found:
            raise Unfit(f"{where}.{name} is missing")
    for name, its in found.items():
        _require(fields[name], its, f"{where}.{name}")


def _fields(fields: Schema, value: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The fields that are there: null is not, camelCase is one spelling, an alias stands in for what is absent."""
    found: dict[str, Any] = {}
    for given, its in value.items():
        name = given if given in fields else re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", given).lower()
        if its is None or name not in fields:
            continue
        if name in found or (name != given and value.get(name) is not None):
            raise Unfit(f"{where}.{name} is there in two spellings")
        found[name] = its
    for name, schema in fields.items():
        for alias in resolve(dict(schema)).get("x-aliases", ()):
            if name not in found and value.get(alias) is not None:
                found[name] = value[alias]
    return found


def _require_list(schema: Schema, value: Any, where: str) -> None:
    if not isinstance(value, list):
        raise Unfit(f"{where} is no list")
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", math.inf):
        raise Unfit(f"{where} has {len(value)} items")
    for i, item in enumerate(value):
        _require(schema["items"], item, f"{where}[{i}]")


def _require_integer(schema: Schema, value: Any, where: str) -> None:
    number = _integer(value)
    if number is None:
        raise Unfit(f"{where} is no integer")
    if not schema.get("minimum", -math.inf) <= number <= schema.get("maximum", math.inf):
        raise Unfit(f"{where} is out of bounds")


def _integer(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < _EXACT else None
    match = _INTEGER.fullmatch(value) if isinstance(value, str) else None
    return int(match[1]) * 10 ** int(match[2] or 0) if match else None


def _require_number(value: Any, where: str) -> None:
    if isinstance(value, (bool, int, float)):
        if isinstance(value, int) and abs(value) >= 2**1024:
            raise Unfit(f"{where} is beyond what a double holds")
        return
    if not isinstance(value, str):
        raise Unfit(f"{where} is no number")
    if value.strip().lower() in _SPECIALS:
        return
    if not _NUMBER.fullmatch(value) or math.isinf(float(value)):
        raise Unfit(f"{where} spells no number")


def _require_text(schema: Schema, value: Any, where: str) -> None:
    if "x-enum-values" in schema:
        if value not in schema["enum"] and _integer(value) not in schema["x-enum-values"].values():
            raise Unfit(f"{where} is none of {schema['enum']}")
        return
    if not isinstance(value, str):
        raise Unfit(f"{where} is no text")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise Unfit(f"{where} is no Unicode text")
    if schema.get("x-truncate"):
        value = value[: schema["maxLength"]]
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", math.inf):
        raise Unfit(f"{where} has {len(value)} characters")
    if "pattern" in schema and not re.search(re.sub(r"\$$", r"\\Z", schema["pattern"]), value):
        raise Unfit(f"{where} does not match its pattern")
