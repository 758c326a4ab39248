"""The vector language: how cases are read, filled in and compared. README.md describes it; nothing here knows HTTP."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).with_name("vectors")
CASE_KEYS = {"name", "given", "rule", "reference", "differs", "except", "steps"}
CALL_KEYS = {"call", "request"}
RAW_KEYS = {"method", "path"}
STEP_KEYS = {*CALL_KEYS, *RAW_KEYS, "given", "headers", "body_text", "body_base64", "expect", "save", "each", "wait_ms"}
EXPECT_KEYS = {
    "status",
    "error",
    "message_contains",
    "body",
    "unordered",
    "values",
    "absent",
    "headers",
    "text",
    "base64",
}
MATCHERS = {"$any", "$matches", "$length", "$at_most", "$contains"}

_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_REPEATED = re.compile(r"(\d+)\*(.+)", re.DOTALL)
_PATH_PART = re.compile(r"\.([\w-]+)|\[(\*|-?\d+|[\w.-]+=[^\]]*)\]")
Json = Any


@dataclass(frozen=True)
class Case:
    """One case of one file. `operation_id` is the file's, or the one that a shared case is run for."""

    operation_id: str
    name: str
    given: tuple[str, ...]
    rules: tuple[str, ...]
    reference: str
    differs: str
    steps: tuple[dict[str, Any], ...]

    @property
    def id(self) -> str:
        return f"{self.operation_id}-{re.sub(r'[^0-9a-zA-Z]+', '-', self.name).strip('-')}"


def read_cases(path: Path, operation_id: str = "") -> list[Case]:
    """The cases of a file, checked for words that the language does not have."""
    cases = []
    for raw in _load(path):
        _require_known(raw, CASE_KEYS, f"{path.name}: {raw.get('name')}")
        if operation_id in raw.get("except", ()):
            continue
        where = f"{path.name}: {raw['name']}"
        for step in raw["steps"]:
            _check_step(step, where)
        cases.append(
            Case(
                operation_id or path.stem,
                raw["name"],
                _tuple(raw.get("given")),
                _tuple(raw.get("rule")),
                raw.get("reference", ""),
                raw.get("differs", ""),
                tuple(raw["steps"]),
            )
        )
    return cases


def read_givens() -> dict[str, list[dict[str, Any]]]:
    """The named beginnings of `_given.yaml`."""
    givens: dict[str, list[dict[str, Any]]] = _load(FOLDER / "_given.yaml")
    for name, steps in givens.items():
        for step in steps:
            _check_step(step, f"_given.yaml: {name}")
    return givens


def _load(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)  # a safe loader, in C


def _tuple(value: Any) -> tuple[str, ...]:
    return tuple(value) if isinstance(value, list) else (value,) if value else ()


def _check_step(step: dict[str, Any], where: str) -> None:
    _require_known(step, STEP_KEYS, where)
    if "given" in step or "wait_ms" in step:
        return
    _require_known(step.get("expect", {}), EXPECT_KEYS, where)
    if ("call" in step) == ("path" in step):
        raise ValueError(f"{where}: a step has either `call` or `method` and `path`")


def _require_known(given: dict[str, Any], known: set[str], where: str) -> None:
    if unknown := set(given) - known:
        raise ValueError(f"{where}: unknown {sorted(unknown)}; known are {sorted(known)}")


def rows(step: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The variables of each repetition of a step; once without any if it has no `each`."""
    yield from step.get("each", [{}])


def fill(value: Json, variables: dict[str, Any]) -> Json:
    """`value` with its variables filled in; one that is a whole string keeps its type."""
    if isinstance(value, str):
        whole = _VARIABLE.fullmatch(value)
        return _lookup(whole[1], variables) if whole else _VARIABLE.sub(lambda m: str(_lookup(m[1], variables)), value)
    if isinstance(value, list):
        return [filled for item in value for filled in _fill_item(item, variables)]
    if isinstance(value, dict):
        return {fill(name, variables): fill(item, variables) for name, item in value.items()}
    return value


def _fill_item(item: Json, variables: dict[str, Any]) -> Iterator[Json]:
    if isinstance(item, dict) and "$times" in item:
        for i in range(item["$times"]):
            yield fill(item["$item"], {**variables, "i": i})
    else:
        yield fill(item, variables)


def _lookup(name: str, variables: dict[str, Any]) -> Any:
    if repeated := _REPEATED.fullmatch(name):
        return repeated[2] * int(repeated[1])
    if name not in variables:
        raise KeyError(f"no variable ${{{name}}}; known are {sorted(variables)}")
    return variables[name]


class Absent:
    """What a path leads to when there is nothing."""

    def __repr__(self) -> str:
        return "(nothing)"


ABSENT = Absent()


def at(path: str, value: Json) -> Json:
    """What `path` leads to: a list for a path with `[*]`, `ABSENT` if there is nothing."""
    if not path.startswith("$"):
        raise ValueError(f"a path begins with $: {path}")
    parts = list(_PATH_PART.finditer(path, 1))
    if 1 + sum(len(part[0]) for part in parts) != len(path):
        raise ValueError(f"not a path: {path}")
    return _walk([part[1] or part[2] for part in parts], value)


def _walk(parts: list[str], value: Json) -> Json:
    for position, part in enumerate(parts):
        if part == "*":
            items = value if isinstance(value, list) else []
            return [_walk(parts[position + 1 :], item) for item in items]
        value = _enter(part, value)
    return value


def _enter(part: str, value: Json) -> Json:
    if isinstance(value, dict):
        return value.get(part, ABSENT)
    if not isinstance(value, list):
        return ABSENT
    if "=" in part:
        field, wanted = part.split("=", 1)
        return next((item for item in value if str(item.get(field, "")) == wanted), ABSENT)
    return value[int(part)] if -len(value) <= int(part) < len(value) else ABSENT


def differences(expected: Json, actual: Json, unordered: bool = False, where: str = "$") -> list[str]:
    """In what `actual` fails `expected`: objects may hold more, lists and scalars must be equal."""
    if isinstance(expected, dict):
        if len(expected) == 1 and (matcher := next(iter(expected))) in MATCHERS:
            return _special(matcher, expected[matcher], actual, where)
        if not isinstance(actual, dict):
            return [f"{where}: {actual!r:.300} is no object"]
        return [
            problem
            for name, its in expected.items()
            for problem in differences(its, actual.get(name, ABSENT), unordered, f"{where}.{name}")
        ]
    if isinstance(expected, list):
        return _list_differences(expected, actual, unordered, where)
    if type(expected) is bool or type(actual) is bool or type(actual) is str or type(expected) is str:
        same = type(expected) is type(actual) and expected == actual
    else:
        same = expected == actual
    return [] if same else [f"{where}: {actual!r:.300} instead of {expected!r:.300}"]


def _list_differences(expected: list[Json], actual: Json, unordered: bool, where: str) -> list[str]:
    if not isinstance(actual, list):
        return [f"{where}: {actual!r:.300} is no list"]
    if len(actual) != len(expected):
        return [f"{where}: {len(actual)} items instead of {len(expected)}: {actual!r:.600}"]
    if not unordered:
        return [
            problem
            for i, (its, item) in enumerate(zip(expected, actual, strict=True))
            for problem in differences(its, item, unordered, f"{where}[{i}]")
        ]
    return _missing(expected, actual, where)


def _missing(expected: list[Json], actual: list[Json], where: str) -> list[str]:
    left = list(actual)
    problems = []
    for its in expected:
        found = next((item for item in left if not differences(its, item, True)), ABSENT)
        if found is ABSENT:
            problems.append(f"{where}: nothing like {its!r:.300} among {left!r:.600}")
        else:
            left.remove(found)
    return problems


def _special(matcher: str, wanted: Json, actual: Json, where: str) -> list[str]:
    if actual is ABSENT:
        return [f"{where}: missing"]
    if matcher == "$any":
        return []
    if matcher == "$matches":
        fits = isinstance(actual, str) and re.fullmatch(wanted, actual, re.DOTALL)
        return [] if fits else [f"{where}: {actual!r:.300} does not match {wanted}"]
    if not isinstance(actual, list):
        return [f"{where}: {actual!r:.300} is no list"]
    if matcher == "$length":
        return [] if len(actual) == wanted else [f"{where}: {len(actual)} items instead of {wanted}"]
    if matcher == "$at_most":
        return [] if len(actual) <= wanted else [f"{where}: {len(actual)} items, over {wanted}"]
    return _missing(wanted, actual, where)
