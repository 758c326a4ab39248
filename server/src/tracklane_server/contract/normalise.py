"""Brings what real clients send into the spec's own form; judging it is left to `validate`.

Known clients send int64 as decimal or exponent text, every leaf as text (R), enum values as numbers, camelCase names,
`run_uuid` for `run_id`, null for absent and fields of later versions (wire-contract 0.4 to 0.6). What cannot be
converted exactly stays as it came, so that the validator can name it.
"""

import math
import re
from typing import Any

from tracklane_server.contract.errors import InvalidParameterValue

Schema = dict[str, Any]

# "1e+05" is how R writes 100000. The exponent is bounded, else a few characters could ask for gigabytes of digits.
_INTEGER = re.compile(r"\s*([+-]?\d{1,40})(?:\.0*)?(?:[eE]\+?(\d{1,2}))?", re.ASCII)
_NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NAMED_NUMBERS = {
    **dict.fromkeys(["nan"], "NaN"),
    **dict.fromkeys(["inf", "+inf", "infinity", "+infinity"], "Infinity"),
    **dict.fromkeys(["-inf", "-infinity"], "-Infinity"),
}
_BOOLEANS = {"true": True, "false": False}
_UPPER = re.compile(r"(?<=[a-z0-9])([A-Z])")


def normalise(schema: Schema, value: Any, path: str, warnings: list[str] | None) -> Any:
    """`value` in the form that `schema` describes, as far as it can be converted without loss.

    `warnings` collects a sentence for each text that was cut to its `maxLength` because the schema says `x-truncate`;
    None forbids cutting.
    """
    if "oneOf" in schema:
        return _number(value)
    kind = schema.get("type")
    if kind == "object":
        return _object(schema, value, path, warnings) if isinstance(value, dict) else value
    if kind == "array":
        if not isinstance(value, list):
            return value
        return [normalise(schema["items"], item, f"{path}[{i}]", warnings) for i, item in enumerate(value)]
    if kind == "string":
        return _text(schema, value, path, warnings)
    convert = _SCALARS.get(str(kind))
    return convert(value) if convert else value


def _object(schema: Schema, given: dict[str, Any], path: str, warnings: list[str] | None) -> dict[str, Any]:
    known: dict[str, Schema] = schema.get("properties", {})
    found: dict[str, Any] = {}
    for name, value in given.items():
        field = name if name in known else _UPPER.sub(r"_\1", name).lower()
        if value is None or field not in known:
            continue
        if field != name and given.get(field) is not None:
            raise InvalidParameterValue(f"'{field}' and '{name}' are the same parameter; send only one of them")
        found[field] = value
    for field, its in known.items():
        for alias in its.get("x-aliases", ()):
            if field not in found and given.get(alias) is not None:
                found[field] = given[alias]
    return {
        field: normalise(known[field], value, f"{path}.{field}" if path else field, warnings)
        for field, value in found.items()
    }


def _text(schema: Schema, value: Any, path: str, warnings: list[str] | None) -> Any:
    if "x-enum-values" in schema:
        return _enum(schema, value)
    if not isinstance(value, str) or warnings is None or not schema.get("x-truncate"):
        return value
    most = schema["maxLength"]
    if len(value) > most:
        warnings.append(f"{path} was cut from {len(value)} to {most} characters")
        return value[:most]
    return value


def _enum(schema: Schema, value: Any) -> Any:
    number = _integer(value)
    if isinstance(number, int) and not isinstance(number, bool):
        return next((name for name, its in schema["x-enum-values"].items() if its == number), value)
    return value


def _integer(value: Any) -> Any:
    # From 2**63 on a float may be another integer that was rounded on the way.
    if isinstance(value, float) and value.is_integer() and abs(value) < 2.0**63:
        return int(value)
    if isinstance(value, str) and (match := _INTEGER.fullmatch(value)):
        return int(match[1]) * 10 ** int(match[2] or 0)
    return value


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        return float(value)
    if not isinstance(value, str):
        return value
    if value.strip().lower() in _NAMED_NUMBERS:
        return _NAMED_NUMBERS[value.strip().lower()]
    if _NUMBER.fullmatch(value):
        number = float(value)
        return number if math.isfinite(number) else value
    return value


def _boolean(value: Any) -> Any:
    return _BOOLEANS.get(value.lower(), value) if isinstance(value, str) else value


_SCALARS = {"integer": _integer, "number": _number, "boolean": _boolean}
