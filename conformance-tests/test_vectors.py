"""Every vector on every store, and every documented error and rule of every operation in some vector."""

import json
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
from servers import Server
from vector_checks import error_status
from vector_http import JSON, Driver, Operation, operations, resolve
from vector_language import FOLDER, Case, fill, read_cases, rows
from vector_runner import Runner

DIFFERENCES = FOLDER.parents[1] / "docs" / "differences.md"
# UPSTREAM=database or file, with TARGET at a server of mlflow on such a store: are the marks true?
UPSTREAM = os.environ.get("UPSTREAM", "")
REFERENCE = re.compile(r"mlflow 3\.17\.2( \((database|file) store\))?")

EXERCISED = {400, 404, 413, 501}
# Errors that no server here gives: those of an object store (the local one answers NOT_IMPLEMENTED before), and:
NOT_HERE = {
    ("uploadProxyArtifact", 413),  # no limit of its own
    *((operation_id, 501) for operation_id in ("listArtifacts", "getArtifact", "uploadArtifact")),  # proxied, no proxy
    ("completeMultipartUpload", 404),
    ("abortMultipartUpload", 404),
    ("getPresignedProxyDownload", 404),
}
# Rules about how a server is started, about what it may but need not do, and one that test_crash.py and its like try.
NOT_TESTABLE = {
    "503 when the server does not serve artifacts.",
    "the experiment `0` may be refused with 400.",
    "The file appears whole or not at all.",
    "Filter and order keys: spec/filter.md.",
    "Grammar: spec/filter.md.",
}


def _all_cases() -> list[Case]:
    cases = [case for operation_id in operations() for case in read_cases(FOLDER / f"{operation_id}.yaml")]
    for operation in operations().values():
        if operation.body_media == JSON:
            cases += read_cases(FOLDER / "_json.yaml", operation.operation_id)
    return cases


CASES = _all_cases()
RUN = [
    case for case in CASES if not UPSTREAM or case.reference in ("mlflow 3.17.2", f"mlflow 3.17.2 ({UPSTREAM} store)")
]


@pytest.fixture(scope="module")
def driver(server: Server) -> Iterator[Driver]:
    connection = Driver(server.url, "/ajax-api" if UPSTREAM else "/api")
    yield connection
    connection.close()


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in RUN])
def test_vector(server: Server, driver: Driver, case: Case) -> None:
    operation = operations()[case.operation_id]
    runner = Runner(driver, str(server.folder) if server.port else "", strict=not UPSTREAM)
    example = json.dumps(operation.example) if operation.body_media == JSON else ""
    runner.run(case, operation=case.operation_id, in_path=_fields_in_path(operation), example=example)


@pytest.mark.parametrize("operation", operations().values(), ids=lambda operation: operation.operation_id)
def test_every_error_and_rule_has_a_vector(operation: Operation) -> None:
    cases = [case for case in CASES if case.operation_id == operation.operation_id]
    documented = {code for code in operation.statuses & EXERCISED if (operation.operation_id, code) not in NOT_HERE}
    assert documented <= {status for case in cases for status in _expected_statuses(case, operation)}
    rules = [_one_line(rule) for case in cases for rule in case.rules]
    sentences = "\n".join(_descriptions(operation.declared))
    assert [rule for rule in rules if rule not in sentences] == []
    clauses = re.split(r"(?<=[.;])\s+", _one_line(operation.declared["description"]))
    untried = [each for each in clauses if not any(rule in each or each.rstrip(".;") in rule for rule in rules)]
    assert set(untried) <= NOT_TESTABLE


def test_marks_are_true_to_their_kind() -> None:
    known = set(re.findall(r"^\| `([a-z-]+)` \|", DIFFERENCES.read_text(encoding="utf-8"), re.MULTILINE))
    assert {case.differs for case in CASES if case.differs} <= known
    assert [case.id for case in CASES if case.reference and not REFERENCE.fullmatch(case.reference)] == []


def test_names_are_unique() -> None:
    ids = [case.id for case in CASES]
    assert sorted(ids) == sorted(set(ids))


def _fields_in_path(operation: Operation) -> dict[str, str]:
    return {each["name"]: "vectors/x" for each in operation.parameters if each["in"] == "path"}


def _expected_statuses(case: Case, operation: Operation) -> Iterator[int]:
    for step in case.steps:
        for row in rows(step):
            if _is_of(operation, step, {**row, "operation": case.operation_id}):
                expect = step.get("expect", {})
                yield expect.get("status") or (error_status(expect["error"]) if "error" in expect else 200)


def _is_of(operation: Operation, step: dict[str, Any], variables: dict[str, Any]) -> bool:
    if "call" in step:
        return bool(fill(step["call"], variables) == operation.operation_id)
    if "path" not in step:
        return False
    path = step["path"].replace("/ajax-api/", "/api/").split("?")[0]
    start, templated, _ = operation.path.partition("{")
    return step["method"] == operation.method and (path.startswith(start) if templated else path == start)


def _descriptions(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _descriptions(item)
    elif isinstance(node, dict):
        for name, value in resolve(node).items():
            if name == "description" and isinstance(value, str):
                yield _one_line(value)
            elif name != "links":
                yield from _descriptions(value)


def _one_line(text: str) -> str:
    return " ".join(text.split())
