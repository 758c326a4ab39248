"""What Schemathesis checks of ours beside its own, and real ids for it, so that it gets past `No run with id …`.

The command line loads this module (schemathesis.toml); test_schema.py starts it.
"""

import re
import uuid
from functools import cache
from pathlib import Path
from tempfile import gettempdir
from typing import Any
from urllib.parse import urlsplit

import requests
import schemathesis
from schema_tolerance import Unfit, require_fit
from vector_checks import ERROR_FIELDS, SECRETS, reply_problems
from vector_http import JSON, Answer, Operation, operations

FAILED = 400
INVALID_SHAPE = re.compile(
    r"Missing value for required parameter|Invalid value .* for parameter '[^']*' supplied: it must be ", re.DOTALL
)
ID = re.compile(r"[a-zA-Z0-9][\w-]{0,63}", re.ASCII)
# Ids as links give them: what the server answered; all others are made up.
REAL_RUN = re.compile(r"[0-9a-f]{32}")
EXAMPLE_RUN = "9a0c3f1e5b7d4c2f8e6a1b3d5f7a9c0e"
# After these the ids that are lent below may be of deleted things.
DELETING = {"deleteRun", "deleteExperiment"}


@schemathesis.check
def failures_have_one_form(ctx: Any, response: Any, case: Any) -> None:
    """Every failure is JSON with error_code and message, and nothing else."""
    if response.status_code < FAILED or response.request.method == "HEAD":
        return
    assert response.headers["content-type"] == [JSON], response.headers["content-type"]
    body = response.json()
    assert set(body) == ERROR_FIELDS, f"a failure has the fields {sorted(body)}"
    assert all(isinstance(text, str) and text for text in body.values()), (
        f"a failure has a field that says nothing: {body}"
    )


@schemathesis.check
def replies_fit_their_schemas(ctx: Any, response: Any, case: Any) -> None:
    """What is answered has the documented body."""
    if response.status_code < FAILED and response.request.method == case.operation.method.upper():
        headers = {name.lower(): values[0] for name, values in response.headers.items()}
        problems = reply_problems(_operation(case), Answer(response.status_code, headers, response.content))
        assert not problems, problems[0]


# What begins the paths of this machine that a server under test has to do with: its own code, and its store.
FOLDERS = (f"{gettempdir()}/", f"{Path(__file__).resolve().parents[1]}/")


@schemathesis.check
def nothing_is_told_of_the_inside(ctx: Any, response: Any, case: Any) -> None:
    """No answer shows SQL, a traceback or a path of the machine, unless the request held it."""
    if response.status_code < FAILED:
        return
    sent = f"{response.request.url} {_body(response)!r}"
    shown = [secret for secret in (*SECRETS, *FOLDERS) if secret in response.text and secret not in sent]
    assert not shown, f"the failure shows {shown}"


@schemathesis.check
def nothing_else_is_accepted(ctx: Any, response: Any, case: Any) -> None:
    """What is answered as done fits the contract, allowances included."""
    if response.status_code >= FAILED or response.request.method != case.operation.method.upper():
        return
    try:
        _require_fit(response, _operation(case))
    except Unfit as reason:
        raise AssertionError(f"accepted, though {reason}") from None


@schemathesis.check
def shapes_are_not_refused(ctx: Any, response: Any, case: Any) -> None:
    """What fits the contract is never refused for its shape."""
    if response.status_code != FAILED or response.request.method != case.operation.method.upper():
        return
    message = response.json().get("message", "")
    if INVALID_SHAPE.match(message):
        try:
            _require_fit(response, _operation(case))
        except Unfit:
            return
        raise AssertionError(f"it fits the contract, but was refused: {message[:300]}")


@schemathesis.hook
def before_call(context: Any, case: Any, **kwargs: Any) -> None:
    """Put a real experiment and a real run where the id was made up, in three of four requests."""
    for part in (case.body, case.query):
        if not isinstance(part, dict):
            continue
        for name, value in part.items():
            if isinstance(value, str) and len(value) % 4 and _made_up(name, value):
                part[name] = lent(_origin(case))[name]
            elif name in ("experiment_ids", "run_ids", "run_id") and isinstance(value, list) and len(value) == 1:
                part[name] = [lent(_origin(case))[name.removesuffix("s")]]


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    if _operation(case).operation_id in DELETING and response.status_code < FAILED:
        lent.cache_clear()


@cache
def lent(origin: str) -> dict[str, str]:
    """The ids of an active experiment and of an active run in it."""
    api = f"{origin}/api/2.0/mlflow"
    named = {"name": f"lent {uuid.uuid4().hex}"}
    created = requests.post(f"{api}/experiments/create", json=named, timeout=60).json()
    run = requests.post(f"{api}/runs/create", json=created, timeout=60).json()["run"]["info"]["run_id"]
    return {"experiment_id": created["experiment_id"], "run_id": run, "run_uuid": run}


def _made_up(name: str, value: str) -> bool:
    if name in ("run_id", "run_uuid"):
        return bool(ID.fullmatch(value)) and (value == EXAMPLE_RUN or not REAL_RUN.fullmatch(value))
    return name == "experiment_id" and bool(ID.fullmatch(value)) and (not value.isdigit() or value == "1")


def _origin(case: Any) -> str:
    parts = urlsplit(case.operation.schema.get_base_url())
    return f"{parts.scheme}://{parts.netloc}"


def _operation(case: Any) -> Operation:
    return operations()[case.operation.definition.raw["operationId"]]


def _require_fit(response: Any, operation: Operation) -> None:
    content_type = response.request.headers.get("Content-Type", "")
    if isinstance(content_type, bytes):
        content_type = content_type.decode("latin-1")
    require_fit(operation, response.request.url, content_type, _body(response))


def _body(response: Any) -> bytes:
    body = response.request.body or b""
    return body.encode() if isinstance(body, str) else bytes(body)
