"""Artifact bytes in and out, of any size in constant memory.

A small file costs one hop to a worker thread; a large one a hop for each piece.
"""

import asyncio
import email.utils
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import quote

from connexion.middleware.abstract import ROUTING_CONTEXT
from werkzeug.http import parse_range_header, unquote_etag
from werkzeug.sansio.http import is_resource_modified

from tracklane_server.artifacts import ArtifactFile, ArtifactUpload
from tracklane_server.contract import LIMITS, OPERATIONS
from tracklane_server.dispatch import call
from tracklane_server.http.asgi import App, Receive, Scope, Send, body_chunks, header
from tracklane_server.http.failures import Header, ProtocolError
from tracklane_server.http.operations import read_query
from tracklane_server.service.backend import Backend

T = TypeVar("T")

# Bytes moved in one hop to a thread: large enough for the hop not to count, small enough for many clients at once.
PIECE = 1 << 20

_UPLOAD_LIMITS = {"uploadProxyArtifact": None, "uploadArtifact": LIMITS["UPLOAD_ARTIFACT_BYTES"]}
_DOWNLOADS = frozenset(["downloadProxyArtifact", "getArtifact"])
# Whatever a browser makes of these bytes, it may run nothing in our origin.
_DOWNLOAD_HEADERS: list[Header] = [
    (b"content-type", b"application/octet-stream"),
    (b"content-security-policy", b"sandbox; default-src 'none'"),
    (b"cache-control", b"no-cache"),
    (b"accept-ranges", b"bytes"),
]


class Streams:
    """ASGI middleware that serves uploads and downloads and passes every other operation on."""

    def __init__(self, app: App, backend: Backend, threads: ThreadPoolExecutor) -> None:
        self._app = app
        self._backend = backend
        self._threads = threads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        operation_id = scope["extensions"][ROUTING_CONTEXT]["operation_id"]
        if operation_id in _UPLOAD_LIMITS:
            return await self._upload(operation_id, scope, receive, send)
        if operation_id in _DOWNLOADS:
            return await self._download(operation_id, scope, send)
        return await self._app(scope, receive, send)

    async def _run(self, work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    def _call(self, operation_id: str, scope: Scope) -> Any:
        return call(self._backend, operation_id, read_query(OPERATIONS[operation_id], scope))[0]

    async def _upload(self, operation_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        chunks = body_chunks(scope, receive, _UPLOAD_LIMITS[operation_id])
        waiting: list[bytes] = []
        held = 0
        upload: ArtifactUpload | None = None
        try:
            async for chunk in chunks:
                waiting.append(chunk)
                held += len(chunk)
                if held >= PIECE:
                    if upload is None:
                        upload = await self._run(self._call, operation_id, scope)
                    await self._run(_write, upload, waiting)
                    waiting, held = [], 0
            await self._run(self._finish, operation_id, scope, upload, waiting)
        except BaseException:
            if upload is not None:
                await self._run(upload.abort)
            raise
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    def _finish(self, operation_id: str, scope: Scope, upload: ArtifactUpload | None, rest: list[bytes]) -> None:
        begun = upload is not None
        if upload is None:
            upload = self._call(operation_id, scope)
        try:
            _write(upload, rest)
            upload.finish()
        except BaseException:
            if not begun:
                upload.abort()
            raise

    async def _download(self, operation_id: str, scope: Scope, send: Send) -> None:
        file, first = await self._run(self._open, operation_id, scope)
        try:
            status, headers, start, length = _plan(file, scope)
            await send({"type": "http.response.start", "status": status, "headers": headers})
            if scope["method"] == "HEAD" or length == 0:
                await send({"type": "http.response.body", "body": b""})
                return
            await self._send(file, first, start, length, send)
        finally:
            file.source.close()

    def _open(self, operation_id: str, scope: Scope) -> tuple[ArtifactFile, bytes]:
        file: ArtifactFile = self._call(operation_id, scope)
        return file, file.source.read(PIECE)

    async def _send(self, file: ArtifactFile, first: bytes, start: int, length: int, send: Send) -> None:
        piece = first[start : start + length]
        if not piece or start >= len(first):
            piece = await self._run(_read_at, file, start, min(length, PIECE))
        position = start
        while length > 0:
            if not piece:  # the file became shorter: breaking off tells the client that bytes are missing
                raise ConnectionAbortedError("artifact changed while it was sent")
            position, length = position + len(piece), length - len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": length > 0})
            if length > 0:
                piece = await self._run(_read_at, file, position, min(length, PIECE))


def _write(upload: ArtifactUpload, chunks: list[bytes]) -> None:
    for chunk in chunks:
        upload.write(chunk)


def _read_at(file: ArtifactFile, position: int, length: int) -> bytes:
    file.source.seek(position)
    return file.source.read(length)


def _plan(file: ArtifactFile, scope: Scope) -> tuple[int, list[Header], int, int]:
    """Status, headers, first byte and number of bytes of the answer to a conditional or ranged request."""
    name = _asked_name(scope)
    modified = email.utils.formatdate(file.modified, usegmt=True).encode()
    etag = f'"{unquote_etag(file.etag)[0] or file.etag}"'
    headers = [*_DOWNLOAD_HEADERS, (b"etag", etag.encode()), (b"last-modified", modified), _disposition(name)]
    if not _modified(file, etag, scope):
        return 304, headers, 0, 0
    start, stop = 0, file.size
    status = 200
    wanted = parse_range_header(_text(header(scope, b"range")))
    if (
        wanted is not None
        and wanted.units == "bytes"
        and len(wanted.ranges) == 1
        and _range_applies(etag, modified, scope)
    ):
        span = wanted.range_for_length(file.size)
        if span is None:
            raise ProtocolError(
                416,
                "INVALID_PARAMETER_VALUE",
                f"Invalid Range: the file has {file.size} bytes",
                [(b"content-range", f"bytes */{file.size}".encode())],
            )
        start, stop = span
        status = 206
        headers.append((b"content-range", f"bytes {start}-{stop - 1}/{file.size}".encode()))
    headers.append((b"content-length", str(stop - start).encode()))
    return status, headers, start, stop - start


def _modified(file: ArtifactFile, etag: str, scope: Scope) -> bool:
    return is_resource_modified(
        http_if_modified_since=_text(header(scope, b"if-modified-since")),
        http_if_none_match=_text(header(scope, b"if-none-match")),
        etag=etag,
        last_modified=email.utils.formatdate(file.modified, usegmt=True),
    )


def _range_applies(etag: str, modified: bytes, scope: Scope) -> bool:
    condition = header(scope, b"if-range")
    return condition is None or condition in (etag.encode(), modified)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")


def _asked_name(scope: Scope) -> str:
    path = scope.get("path_params", {}).get("artifact_path")
    if path is None:
        path = read_query(OPERATIONS["getArtifact"], scope)["path"]
    return str(path).rsplit("/", 1)[-1]


def _disposition(name: str) -> Header:
    plain = name.encode("ascii", "replace").decode().replace("\\", "_").replace('"', "_")
    text = f'attachment; filename="{plain}"'
    if plain != name:
        text += f"; filename*=UTF-8''{quote(name, safe='')}"
    return b"content-disposition", text.encode("ascii")
