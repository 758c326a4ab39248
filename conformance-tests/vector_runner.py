"""Runs a case: its givens, then its steps, each compared with what it expects."""

import base64
import time
import uuid
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from vector_checks import error_status, problems
from vector_http import Answer, Driver, Request, build
from vector_language import ABSENT, Case, at, differences, fill, read_givens, rows

CLIENT_ERROR = 400


class VectorFailure(AssertionError):
    """A step was answered otherwise than its case expects."""


@dataclass
class Runner:
    """Runs cases on one server.

    `strict` also checks every answer against the contract, which another server than Tracklane need not satisfy.
    """

    driver: Driver
    folder: str = ""
    strict: bool = True
    variables: dict[str, Any] = field(default_factory=dict)

    def run(self, case: Case, **variables: Any) -> None:
        """Run one case.

        Raises:
            VectorFailure: the first step that went wrong; of a step with `each`, all rows that did.
        """
        self.variables = {"unique": f"case-{uuid.uuid4().hex[:12]}", **variables}
        for name in case.given:
            self._run_given(name)
        for step in case.steps:
            self._run_step(step)

    def _run_given(self, name: str) -> None:
        for step in _givens()[name]:
            self._run_step(step)

    def _run_step(self, step: dict[str, Any]) -> None:
        if "given" in step:
            self._run_given(step["given"])
            return
        if "wait_ms" in step:
            time.sleep(step["wait_ms"] / 1000)
            return
        failures = []
        for row in rows(step):
            variables = {**self.variables, **fill(row, self.variables)}
            body = {name: value for name, value in step.items() if name not in ("each", "save")}
            filled = fill(body, variables)
            request = build(filled)
            answer = self.driver.send(request)
            found = self._judge(filled.get("expect", {}), request, answer)
            failures += [f"{problem}\n  row: {row}\n  sent: {request}\n  got: {answer}" for problem in found]
            if not found:
                for name, path in step.get("save", {}).items():
                    self.variables[name] = self._saved(fill(path, variables), answer)
        if failures:
            raise VectorFailure("\n".join(failures))

    def _saved(self, path: str, answer: Answer) -> Any:
        if path.startswith("header:"):
            return answer.headers[path.removeprefix("header:").lower()]
        value = at(path, answer.json)
        if value is ABSENT:
            raise VectorFailure(f"nothing to save at {path}: {answer}")
        return value

    def _judge(self, expect: dict[str, Any], request: Request, answer: Answer) -> list[str]:
        found = problems(request, answer, self.folder) if self.strict else []
        code = expect.get("error")
        status = expect.get("status") or (error_status(code) if code else 200)
        if answer.status != status:
            return [*found, f"status {answer.status} instead of {status}"]
        found += _header_differences(expect, answer) + _byte_differences(expect, answer)
        if {"error", "message_contains", "body", "values", "absent"} & set(expect):
            try:
                found += _json_differences(expect, answer.json)
            except ValueError:
                found.append("the body is no JSON")
        return found


def _json_differences(expect: dict[str, Any], body: Any) -> list[str]:
    unordered = expect.get("unordered", False)
    found = differences(expect.get("body", {}), body, unordered)
    if expect.get("body") == {} and body != {}:
        found.append(f"$: {body!r:.600} instead of an empty object")
    for path, wanted in expect.get("values", {}).items():
        found += differences(wanted, at(path, body), unordered, path)
    found += [
        f"{path}: {at(path, body)!r:.300} should be absent"
        for path in expect.get("absent", [])
        if at(path, body) is not ABSENT
    ]
    if "error" in expect:
        found += differences(expect["error"], body.get("error_code"), where="$.error_code")
    wanted = expect.get("message_contains", [])
    for text in [wanted] if isinstance(wanted, str) else wanted:
        if text not in body.get("message", ""):
            found.append(f"the message lacks {text!r}: {body.get('message')!r:.600}")
    return found


def _header_differences(expect: dict[str, Any], answer: Answer) -> list[str]:
    found = []
    for name, wanted in expect.get("headers", {}).items():
        actual = answer.headers.get(name.lower(), ABSENT)
        if wanted is None:
            found += [f"the header {name} should be absent: {actual}"] if actual is not ABSENT else []
        else:
            found += differences(wanted, actual, where=f"header {name}")
    return found


def _byte_differences(expect: dict[str, Any], answer: Answer) -> list[str]:
    wanted = base64.b64decode(expect["base64"]) if "base64" in expect else None
    if "text" in expect:
        wanted = expect["text"].encode()
    if wanted is None or wanted == answer.body:
        return []
    return [f"the body is {answer.body[:300]!r} ({len(answer.body)} bytes) instead of {wanted[:300]!r} ({len(wanted)})"]


@cache
def _givens() -> dict[str, list[dict[str, Any]]]:
    return read_givens()
