"""A small keep-alive HTTP client: enough of HTTP/1.1 to drive a server hard and cost little itself.

It knows nothing of what is measured. Failures are counted, not raised: a workload goes on as a patient client would.
"""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

API = "/api/2.0/mlflow/"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts/"
HOST = "127.0.0.1"
TIMEOUT_SECONDS = 300
BLOCK = 1 << 18
OK = 200


@dataclass(frozen=True)
class Reply:
    """What came back; status 0 if nothing usable did."""

    status: int
    body: bytes = b""

    def json(self) -> Any:
        """The body of a good answer; an empty object for any other."""
        return json.loads(self.body) if self.status == OK and self.body else {}


class Client:
    """One connection to one server, opened when needed; `failures` has a line for every call not answered 200."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.failures: list[str] = []
        self._socket: socket.socket | None = None
        self._reader: BufferedReader | None = None

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        for end in (self._reader, self._socket):
            if end is not None:
                end.close()
        self._socket = self._reader = None

    def post(self, method: str, request: dict[str, Any]) -> Reply:
        """Call one of the `/api/2.0/mlflow/` methods that take a JSON body."""
        return self.call("POST", API + method, json.dumps(request).encode())

    def get(self, method: str, **parameters: Any) -> Reply:
        """Call one of the `/api/2.0/mlflow/` methods that take query parameters."""
        return self.call("GET", f"{API}{method}?{urlencode(parameters)}")

    def call(self, verb: str, path: str, body: bytes = b"") -> Reply:
        """One exchange, the body in memory on both sides."""
        return self._exchange(verb, path, [body], len(body), discard=False)

    def upload(self, path: str, size: int) -> Reply:
        """PUT an artifact of `size` bytes, sent in blocks."""
        block = bytes(range(256)) * (BLOCK // 256)
        blocks = (block[: min(BLOCK, size - sent)] for sent in range(0, size, BLOCK))
        return self._exchange("PUT", ARTIFACTS + path, blocks, size, discard=False)

    def download(self, path: str) -> Reply:
        """GET an artifact and drop its bytes as they come."""
        return self._exchange("GET", ARTIFACTS + path, [b""], 0, discard=True)

    def _exchange(self, verb: str, path: str, blocks: Any, size: int, discard: bool) -> Reply:
        try:
            self._send(verb, path, blocks, size)
            reply = self._receive(discard)
        except (OSError, ValueError) as error:
            self.close()
            reply = Reply(0, repr(error).encode())
        if reply.status != OK:
            self.failures.append(f"{verb} {path[:80]}: {reply.status} {reply.body[:200].decode(errors='replace')}")
        return reply

    def _send(self, verb: str, path: str, blocks: Any, size: int) -> None:
        head = f"{verb} {path} HTTP/1.1\r\nHost: {HOST}:{self.port}\r\nContent-Length: {size}\r\n"
        if verb == "POST":
            head += "Content-Type: application/json\r\n"
        waiting = head.encode() + b"\r\n"
        connection = self._connection()
        for block in blocks:
            connection.sendall(waiting + block)
            waiting = b""

    def _connection(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.create_connection((HOST, self.port), TIMEOUT_SECONDS)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._reader = self._socket.makefile("rb", buffering=BLOCK)
        return self._socket

    def _receive(self, discard: bool) -> Reply:
        reader = self._reader
        assert reader is not None
        line = reader.readline()
        if not line:
            raise ConnectionError("the server closed the connection")
        status = int(line.split(None, 2)[1])
        headers = dict(_headers(reader))
        kept = [block for block in _body(reader, headers) if not discard or status != OK]
        if headers.get(b"connection", b"").lower() == b"close":
            self.close()
        return Reply(status, b"".join(kept))


def _headers(reader: BufferedReader) -> Iterator[tuple[bytes, bytes]]:
    while line := reader.readline().rstrip(b"\r\n"):
        name, _, value = line.partition(b":")
        yield name.strip().lower(), value.strip()


def _body(reader: BufferedReader, headers: dict[bytes, bytes]) -> Iterator[bytes]:
    if headers.get(b"transfer-encoding", b"").lower() == b"chunked":
        while size := int(reader.readline().split(b";")[0], 16):
            yield from _blocks(reader, size)
            reader.readline()
        reader.readline()
    else:
        yield from _blocks(reader, int(headers.get(b"content-length", b"0")))


def _blocks(reader: BufferedReader, size: int) -> Iterator[bytes]:
    while size:
        block = reader.read(min(size, BLOCK))
        if not block:
            raise ConnectionError("the answer ended too soon")
        size -= len(block)
        yield block
