"""JSON operations: from routing and Connexion's security straight to `dispatch`, never through WSGI.

Parsing, serving and rendering happen together: in the event loop for what takes less time than waking a thread, else in
one hop to a worker thread.
"""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs

import orjson
from connexion.middleware.abstract import ROUTING_CONTEXT

from tracklane_server.contract import LIMITS, OPERATIONS, Operation
from tracklane_server.contract.errors import InvalidParameterValue
from tracklane_server.dispatch import HANDLERS, dispatch
from tracklane_server.http.asgi import App, Receive, Scope, Send, header, whole_body
from tracklane_server.http.failures import JSON_HEADER
from tracklane_server.service.backend import Backend

_BOM = b"\xef\xbb\xbf"
_JSON_OPERATIONS = {
    name: operation
    for name, operation in OPERATIONS.items()
    if name in HANDLERS and operation.takes != "bytes" and operation.gives == "json"
}
_SHOWN = 200
# A hop to a thread and back costs about as much as one of these writes or reads of a single row.
_QUICK = frozenset("logMetric logParam setTag deleteTag logBatch createRun updateRun getRun getExperiment".split())
_QUICK_BYTES = 16 << 10


class Operations:
    """ASGI middleware that serves the JSON operations and passes every other one on."""

    def __init__(self, app: App, backend: Backend, threads: ThreadPoolExecutor) -> None:
        self._app = app
        self._backend = backend
        self._threads = threads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        operation = _JSON_OPERATIONS.get(scope["extensions"][ROUTING_CONTEXT]["operation_id"])
        if operation is None:
            return await self._app(scope, receive, send)
        body = await whole_body(scope, receive, LIMITS["BODY_BYTES"])
        if operation.operation_id in _QUICK and len(body) <= _QUICK_BYTES:
            answer = self._serve(operation, scope, body)
        else:
            loop = asyncio.get_running_loop()
            answer = await loop.run_in_executor(self._threads, self._serve, operation, scope, body)
        headers = [JSON_HEADER, (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})
        return None

    def _serve(self, operation: Operation, scope: Scope, body: bytes) -> bytes:
        request = read_request(operation, scope, body)
        return orjson.dumps(dispatch(self._backend, operation.operation_id, request))


def read_request(operation: Operation, scope: Scope, body: bytes) -> dict[str, Any]:
    """What the caller asks, as one object, before validation.

    Raises:
        InvalidParameterValue: the body is no JSON object, or is not declared as JSON.
    """
    if operation.takes == "json":
        if operation.method != "DELETE" and operation.method != "PATCH":
            _require_json(scope)
        request = parse_object(body)
        return {**request, **scope["path_params"]} if scope.get("path_params") else request
    if body and not scope["query_string"] and operation.takes == "query":
        return {**parse_object(body), **scope.get("path_params", {})}
    return read_query(operation, scope)


def read_query(operation: Operation, scope: Scope) -> dict[str, Any]:
    """Query and path parameters as one object; a list where the contract has one, else the first value given."""
    properties = operation.request["properties"]
    try:
        given = parse_qs(scope["query_string"].decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError as error:
        raise InvalidParameterValue(f"Malformed query string: {error}"[:_SHOWN]) from None
    request: dict[str, Any] = {
        name: values if properties.get(name, {}).get("type") == "array" else values[0] for name, values in given.items()
    }
    return {**request, **scope.get("path_params", {})}


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`; none at all is an empty one, and a JSON text that holds JSON is read twice.

    Raises:
        InvalidParameterValue: not JSON, or not an object.
    """
    if not body.strip():
        return {}
    value = _parse(body)
    if isinstance(value, str):
        value = _parse(value.encode(errors="surrogatepass"))
    if not isinstance(value, dict):
        raise InvalidParameterValue(
            f"Malformed request: the body must be a JSON object, but it is {type(value).__name__}"
        )
    return value


def _parse(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except ValueError:
        return _parse_leniently(body.removeprefix(_BOM))


def _parse_leniently(body: bytes) -> Any:
    """JSON with a BOM, or as Python writes it with bare NaN and Infinity: they count as the contract's strings."""
    try:
        return json.loads(body.decode(), parse_constant=str, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise InvalidParameterValue(f"Malformed JSON in the request body: {error}"[:_SHOWN]) from None


def _finite(text: str) -> float:
    number = float(text)
    if number - number != 0:
        raise ValueError(f"the number {text[:50]} is beyond what a double holds")
    return number


def _require_json(scope: Scope) -> None:
    declared = (header(scope, b"content-type") or b"").split(b";")[0].strip().lower()
    if declared != b"application/json":
        raise InvalidParameterValue(
            f"Invalid Content-Type '{declared.decode('latin-1')[:100]}': requests with a body must be application/json"
        )
