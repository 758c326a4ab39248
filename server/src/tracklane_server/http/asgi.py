"""The ASGI types, and reading a request's body within a bound."""

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from tracklane_server.http.failures import ClientGone, ProtocolError

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of this lower-case name."""
    for its_name, value in scope["headers"]:
        if its_name == name:
            return bytes(value)
    return None


async def body_chunks(scope: Scope, receive: Receive, limit: int | None) -> AsyncIterator[bytes]:
    """The body as it arrives.

    Raises:
        ProtocolError: 413, the body is over `limit` bytes.
        ClientGone: the client went before the body was complete.
    """
    declared = header(scope, b"content-length")
    if limit is not None and declared is not None and declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    seen = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        more = message.get("more_body", False)
        seen += len(chunk)
        if limit is not None and seen > limit:
            raise _too_large(limit)
        if chunk:
            yield chunk


async def whole_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The body in one piece; errors as `body_chunks`."""
    return b"".join([chunk async for chunk in body_chunks(scope, receive, limit)])


def _too_large(limit: int) -> ProtocolError:
    return ProtocolError(
        413, "RESOURCE_LIMIT_EXCEEDED", f"The request body is too large: at most {limit} bytes are taken"
    )
