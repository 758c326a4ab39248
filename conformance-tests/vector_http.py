"""Sends a vector's steps over HTTP, byte for byte as they are written: no client library tidies paths or headers."""

import base64
import contextlib
import http.client
import json
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import yaml

SPEC_PATH = Path(__file__).parents[1] / "spec" / "openapi.yaml"
METHODS = ("get", "put", "post", "patch", "delete")
JSON = "application/json"
BINARY = "application/octet-stream"
TIMEOUT = 60


@cache
def spec() -> dict[str, Any]:
    """The contract, as data."""
    document: dict[str, Any] = yaml.load(SPEC_PATH.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return document


@dataclass(frozen=True)
class Operation:
    """An operation as the spec declares it."""

    operation_id: str
    method: str
    path: str
    declared: dict[str, Any] = field(repr=False)

    @property
    def body_media(self) -> str:
        return next(iter(self.declared.get("requestBody", {}).get("content", {})), "")

    @property
    def statuses(self) -> set[int]:
        return {int(status) for status in self.declared["responses"]}

    @property
    def parameters(self) -> list[dict[str, Any]]:
        return [resolve(parameter) for parameter in self.declared.get("parameters", [])]

    @property
    def example(self) -> dict[str, Any]:
        """A request body that fits the spec: the first of its examples."""
        media = self.declared["requestBody"]["content"][JSON]
        example: dict[str, Any] = media.get("example") or next(iter(media["examples"].values()))["value"]
        return example


@cache
def operations() -> dict[str, Operation]:
    return {
        declared["operationId"]: Operation(declared["operationId"], method.upper(), path, declared)
        for path, item in spec()["paths"].items()
        for method, declared in item.items()
        if method in METHODS
    }


def resolve(node: dict[str, Any]) -> dict[str, Any]:
    """What a `$ref` of the spec names, or the node itself."""
    if "$ref" not in node:
        return node
    target = spec()
    for part in node["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return target


@dataclass(frozen=True)
class Request:
    """What goes over the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes | None
    operation: Operation | None

    def __str__(self) -> str:
        body = b"" if self.body is None else self.body
        return f"{self.method} {self.target} {self.headers} {body[:500]!r} ({len(body)} bytes)"


@dataclass(frozen=True)
class Answer:
    """What came back; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def __str__(self) -> str:
        return f"{self.status} {self.headers} {self.body[:1500]!r}"


class Driver:
    """One connection to a server; `api` is the prefix under which it is asked for the contract's `/api/…`."""

    def __init__(self, url: str, api: str = "/api") -> None:
        parts = urlsplit(url)
        self._base = parts.path.rstrip("/")
        self._api = api
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT)

    def close(self) -> None:
        self._connection.close()

    def send(self, request: Request) -> Answer:
        try:
            return self._send(request)
        except (http.client.RemoteDisconnected, ConnectionError):  # an idle connection that the server has closed
            self._connection.close()
            return self._send(request)

    def _send(self, request: Request) -> Answer:
        connection = self._connection
        target = self._base + re.sub("^/api/", f"{self._api}/", request.target)
        connection.putrequest(request.method, target, skip_host="Host" in request.headers, skip_accept_encoding=True)
        for name, value in request.headers.items():
            connection.putheader(name, value)
        if request.body is not None:
            connection.putheader("Content-Length", str(len(request.body)))
        connection.endheaders()
        # One that is refused before it was all sent has its answer there to read.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.send(request.body or b"")
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        answer = Answer(response.status, headers, response.read())
        if answer.status == http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            connection.close()
        return answer


def build(step: dict[str, Any]) -> Request:
    """The request of a step whose variables are filled in."""
    body = _given_body(step)
    if "path" in step:
        return Request(step["method"], step["path"], _headers({}, step), body, None)
    operation = operations()[step["call"]]
    fields = dict(step.get("request", {}))
    target = operation.path
    for parameter in operation.parameters:
        if parameter["in"] == "path":
            target = target.replace(f"{{{parameter['name']}}}", quote(str(fields.pop(parameter["name"])), safe="/"))
    headers = {}
    if operation.body_media == JSON:
        headers = {"Content-Type": JSON}
        body = json.dumps(fields).encode() if body is None else body
    else:
        if operation.body_media:
            headers = {"Content-Type": BINARY}
            body = b"" if body is None else body
        query = urlencode({name: _query(value) for name, value in fields.items()}, doseq=True, quote_via=quote)
        target += f"?{query}" if query else ""
    return Request(operation.method, target, _headers(headers, step), body, operation)


def _given_body(step: dict[str, Any]) -> bytes | None:
    if "body_base64" in step:
        return base64.b64decode(step["body_base64"])
    return step["body_text"].encode() if "body_text" in step else None


def _headers(defaults: dict[str, str], step: dict[str, Any]) -> dict[str, str]:
    given = {**defaults, **step.get("headers", {})}
    return {name: str(value) for name, value in given.items() if value is not None}


def _query(value: Any) -> Any:
    if isinstance(value, list):
        return [_query(item) for item in value]
    return str(value).lower() if isinstance(value, bool) else str(value)
