"""Reads the generated `openapi.json` once and turns it into the operation table."""

from importlib.resources import files
from typing import Any, NamedTuple

import orjson

METHODS = ("get", "put", "post", "patch", "delete")
JSON = "application/json"
Schema = dict[str, Any]


class Operation(NamedTuple):
    """One operation. `request` is the schema of everything a caller sends but raw bytes, as one object.

    `takes` says where that object comes from: "json" (the body), "query" (path and query), or "bytes" (path and query,
    beside a raw body). `gives` is "json", "bytes", "text" or "nothing"; `always_given` are the fields that a JSON reply
    has even when they are empty.
    """

    operation_id: str
    method: str
    path: str
    request: Schema
    takes: str
    gives: str
    always_given: frozenset[str]
    read_only: bool
    tags: tuple[str, ...]


SPEC: Schema = orjson.loads(files(__package__).joinpath("openapi.json").read_bytes())


def resolve(schema: Any) -> Any:
    """The schema with every `$ref` replaced by what it names; the contract has no recursive schemas."""
    if isinstance(schema, list):
        return [resolve(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        target: Any = SPEC
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return resolve(target)
    return {name: resolve(value) for name, value in schema.items()}


def _parameters_schema(parameters: list[Schema]) -> Schema:
    properties = {}
    for parameter in parameters:
        extensions = {name: value for name, value in parameter.items() if name.startswith("x-")}
        properties[parameter["name"]] = {**parameter["schema"], **extensions}
    required = [p["name"] for p in parameters if p.get("required")]
    return {"type": "object", "properties": properties, "required": required}


def _gives(content: Schema) -> str:
    if not content:
        return "nothing"
    if JSON in content:
        return "json"
    return "text" if any(media.startswith("text/") or "yaml" in media for media in content) else "bytes"


def _operation(path: str, method: str, item: Schema, declared: Schema) -> Operation:
    parameters = resolve(item.get("parameters", []) + declared.get("parameters", []))
    content = resolve(declared.get("requestBody", {})).get("content", {})
    if JSON in content:
        takes, request = "json", content[JSON]["schema"]
        if parameters:
            from_path = _parameters_schema(parameters)
            request = {
                "type": "object",
                "properties": {**request.get("properties", {}), **from_path["properties"]},
                "required": [*request.get("required", []), *from_path["required"]],
            }
    else:
        takes, request = "bytes" if content else "query", _parameters_schema(parameters)
    given = resolve(declared["responses"].get("200", {})).get("content", {})
    return Operation(
        operation_id=declared["operationId"],
        method=method.upper(),
        path=path,
        request=request,
        takes=takes,
        gives=_gives(given),
        always_given=frozenset(given.get(JSON, {}).get("schema", {}).get("required", ())),
        read_only=declared["x-read-only"],
        tags=tuple(declared.get("tags", ())),
    )


OPERATIONS: dict[str, Operation] = {
    operation.operation_id: operation
    for operation in (
        _operation(path, method, item, item[method])
        for path, item in SPEC["paths"].items()
        for method in METHODS
        if method in item
    )
}
STATUS: dict[str, int] = SPEC["components"]["schemas"]["ErrorCode"]["x-http-status"]
LIMITS: dict[str, int] = SPEC["x-limits"]
PREFIX_ALIASES: dict[str, str] = SPEC["x-prefix-aliases"]
