"""Does a request satisfy the spec? One compiled validator for each operation, the only check of shapes there is.

A request that fits the spec to the letter, as most do, costs one pass in native code. Only one that does not is first
brought into the spec's form (`normalise`: what known clients are free to send) and then judged again.
"""

import re
from functools import cache
from typing import Any

import jsonschema_rs
import orjson

from tracklane_server.contract.errors import InvalidParameterValue
from tracklane_server.contract.normalise import normalise
from tracklane_server.contract.spec import OPERATIONS, SPEC, Operation, Schema

_KEPT = frozenset(
    "type properties required items enum oneOf pattern minimum maximum minLength maxLength minItems maxItems".split()
)
_SHOWN = 200


def validated(operation: Operation, request: dict[str, Any], cut_long_values: bool) -> tuple[dict[str, Any], list[str]]:
    """The request in the spec's own form, and a warning for each value that was cut to its greatest length.

    Raises:
        InvalidParameterValue: naming the field, what came and what is allowed.
    """
    validator = _validator(operation.operation_id)
    try:
        if validator.is_valid(request):
            return request, []
    except ValueError as error:  # lone surrogates, too deep
        raise InvalidParameterValue(f"Malformed request: {error}"[:_SHOWN]) from None
    warnings: list[str] = []
    request = normalise(operation.request, request, "", warnings if cut_long_values else None)
    try:
        first = next(validator.iter_errors(request), None)
    except ValueError as error:
        raise InvalidParameterValue(f"Malformed request: {error}"[:_SHOWN]) from None
    if first is not None:
        raise InvalidParameterValue(_complaint(operation.request, request, first))
    return request, warnings


def compile_all() -> None:
    """Compile every operation's validator now rather than at its first request."""
    for operation_id in OPERATIONS:
        _validator(operation_id)


@cache
def _validator(operation_id: str) -> Any:
    # Draft 4, because there 5.0 is no integer: what passes needs no conversion.
    return jsonschema_rs.Draft4Validator(_strict(OPERATIONS[operation_id].request))


def _strict(schema: Schema) -> Schema:
    """The schema as Draft 4, closed: an unknown or camelCase field sends a request through `normalise`."""
    strict: Schema = {}
    for name, value in schema.items():
        if name not in _KEPT:
            continue
        if name == "properties":
            value = {field: _strict(its) for field, its in value.items()}
        elif name == "items":
            value = _strict(value)
        elif name == "oneOf":
            value = [_strict(choice) for choice in value]
        elif name == "pattern":
            value = unicode_pattern(value)
        elif name == "required" and not value:
            continue
        strict[name] = value
    if strict.get("type") == "object":
        strict["additionalProperties"] = False
    return strict


def unicode_pattern(pattern: str) -> str:
    r"""`\w` of the spec means a Unicode word character; in a JSON Schema it would be an ASCII one."""
    return pattern.replace(r"\w", r"\p{L}\p{N}_")


def _complaint(schema: Schema, request: dict[str, Any], error: Any) -> str:
    path = list(error.instance_path)
    if "Required" in type(error.kind).__name__:
        missing = re.match(r'"(.*?)" is a required', error.message)
        return f"Missing value for required parameter '{field_name([*path, missing[1] if missing else '?'])}'"
    value: Any = request
    for part in path:
        value = value[part]
        schema = schema["items"] if isinstance(part, int) else schema["properties"][part]
    if value == "" and schema.get("minLength"):
        return f"Missing value for required parameter '{field_name(path)}': it must not be empty"
    return f"Invalid value {_show(value)} for parameter '{field_name(path)}' supplied: it must be {allowed(schema)}"


def field_name(path: list[str | int]) -> str:
    """`["metrics", 0, "value"]` as the caller knows it: `metrics[0].value`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".") or "request"


def _show(value: Any) -> str:
    if isinstance(value, (list, dict)) and len(value) > 10:
        return f"(a {'list' if isinstance(value, list) else 'object'} of {len(value)})"
    try:
        text = orjson.dumps(value).decode()
    except (TypeError, ValueError):
        text = repr(value)
    if len(text) > _SHOWN:
        return f"{text[:_SHOWN]}… ({len(value) if hasattr(value, '__len__') else len(text)} long)"
    return text


def allowed(schema: Schema) -> str:
    """What a schema permits, in words."""
    if "oneOf" in schema:
        return " or ".join(allowed(choice) for choice in schema["oneOf"])
    if "enum" in schema:
        return "one of " + ", ".join(str(value) for value in schema["enum"])
    kind = schema.get("type")
    if kind == "string":
        return _allowed_text(schema)
    if kind == "array":
        least = schema.get("minItems", 0)
        return f"a list of {least} to {schema['maxItems']} items" if "maxItems" in schema else "a list"
    if kind in ("integer", "number") and ("minimum" in schema or "maximum" in schema):
        bounds = f"from {schema.get('minimum', '-∞')} to {schema.get('maximum', '∞')}"
        return f"{'an integer' if kind == 'integer' else 'a number'} {bounds}"
    return {"integer": "an integer", "object": "an object"}.get(str(kind), f"a {kind}")


def _allowed_text(schema: Schema) -> str:
    text = f"text of {schema.get('minLength', 0)} to {schema['maxLength']} characters"
    pattern = schema.get("pattern")
    return f"{text} {SPEC['x-pattern-words'][pattern]}" if pattern else text
