"""What holds for every answer, whatever a vector expects: documented, fitting its schema, and telling no secrets."""

import json
from functools import cache
from typing import Any

import jsonschema_rs
from vector_http import JSON, Answer, Operation, Request, resolve, spec

SECRETS = ("Traceback", "sqlalchemy", "SELECT ", "INSERT ", "UPDATE ", 'File "/')
ERROR_FIELDS = {"error_code", "message"}
CLIENT_ERROR = 400


def problems(request: Request, answer: Answer, folder: str = "") -> list[str]:
    """What is wrong with an answer by the contract alone; `folder` is a path that no answer may show."""
    if answer.status >= CLIENT_ERROR:
        found = _error_problems(request, answer, folder)
    else:
        found = reply_problems(request.operation, answer) if request.operation else []
    if request.operation and answer.status not in request.operation.statuses:
        found.append(f"status {answer.status} is not documented for {request.operation.operation_id}")
    return found


def error_status(code: str) -> int:
    """The HTTP status that belongs to an error code."""
    return int(spec()["components"]["schemas"]["ErrorCode"]["x-http-status"][code])


def _error_problems(request: Request, answer: Answer, folder: str) -> list[str]:
    if request.method == "HEAD":
        return []
    try:
        body = answer.json
    except ValueError:
        return [f"the failure is no JSON: {answer.body[:300]!r}"]
    found = []
    if (
        not isinstance(body, dict)
        or set(body) != ERROR_FIELDS
        or not all(isinstance(its, str) for its in body.values())
    ):
        found.append(f"a failure has error_code and message, texts both, and nothing else: {body}")
    if _media_type(answer) != JSON:
        found.append(f"the failure's Content-Type is {answer.headers.get('content-type')}")
    return found + [f"the failure shows {secret!r}: {body}" for secret in _shown(request, answer.body, folder)]


def _shown(request: Request, body: bytes, folder: str) -> list[str]:
    text = body.decode(errors="replace")
    sent = request.target + (request.body or b"").decode(errors="replace")
    return [secret for secret in (*SECRETS, folder) if secret and secret in text and secret not in sent]


def reply_problems(operation: Operation, answer: Answer) -> list[str]:
    """In what an answer that is no failure is not as its operation documents it."""
    if answer.status not in operation.statuses:
        return []
    content = resolve(operation.declared["responses"][str(answer.status)]).get("content", {})
    if not content:
        return [f"the reply should have no body: {answer.body[:100]!r}"] if answer.body else []
    if _media_type(answer) not in content and JSON in content:
        return [f"the Content-Type is {answer.headers.get('content-type')} instead of {list(content)}"]
    if JSON not in content:
        return []
    error = next(_validator(json.dumps(content[JSON]["schema"])).iter_errors(answer.json), None)
    return [f"the reply does not fit its schema at {list(error.instance_path)}: {error.message[:500]}"] if error else []


def _media_type(answer: Answer) -> str:
    return answer.headers.get("content-type", "").split(";")[0]


@cache
def _validator(schema: str) -> Any:
    return jsonschema_rs.Draft4Validator(unicode_patterns({**json.loads(schema), "components": spec()["components"]}))


def unicode_patterns(schema: Any) -> Any:
    r"""The spec's `\w` stands for Unicode word characters, that of JSON Schema for ASCII ones."""
    if isinstance(schema, list):
        return [unicode_patterns(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: value.replace(r"\w", r"\p{L}\p{N}_")
        if name == "pattern" and isinstance(value, str)
        else unicode_patterns(value)
        for name, value in schema.items()
    }
