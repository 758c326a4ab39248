"""The outermost layer: what is true of every request and every answer, whatever the operation.

Path prefixes become the contract's own, OPTIONS is answered, every failure gets the envelope and every answer the
security headers.
"""

from urllib.parse import unquote_to_bytes

from tracklane_server.contract import PREFIX_ALIASES
from tracklane_server.contract.errors import EndpointNotFound, InvalidParameterValue
from tracklane_server.http.asgi import App, Message, Receive, Scope, Send
from tracklane_server.http.failures import ClientGone, Header, envelope
from tracklane_server.service.backend import PROXY_PREFIX

SECURITY_HEADERS: list[Header] = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"referrer-policy", b"same-origin"),
]


class Edge:
    """ASGI middleware; `static_prefix` is the path that all routes are served below, "" for none."""

    def __init__(self, app: App, static_prefix: str = "") -> None:
        self._app = app
        self._static_prefix = static_prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        started = False

        async def send_secured(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message.get("headers", ()), *SECURITY_HEADERS]
            await send(message)

        try:
            if scope["method"] == "OPTIONS":
                await _answer(send_secured, 204, [], b"")
                return None
            _require_text(scope)
            path = self._contract_path(scope["path"])
            await self._app({**scope, "path": path}, receive, send_secured)
        except ClientGone:
            return None
        except Exception as error:
            if started:
                raise
            await _answer(send_secured, *envelope(error))
        return None

    def _contract_path(self, path: str) -> str:
        """The path as the contract names it.

        Raises:
            EndpointNotFound: it lies outside the static prefix.
        """
        prefix = self._static_prefix
        if prefix and path.startswith(prefix):
            path = path[len(prefix) :] or "/"
        elif prefix and not _contract_path(path).startswith(PROXY_PREFIX):
            raise EndpointNotFound(f"No endpoint answers at '{path[:200]}': everything is served below '{prefix}'")
        return _contract_path(path)


def _require_text(scope: Scope) -> None:
    """Refuse a path that the web server could decode only by losing bytes, and line ends, which no route matches.

    Raises:
        InvalidParameterValue
    """
    path = scope["path"]
    if "\n" in path:
        raise InvalidParameterValue("Invalid path: it may not hold line ends")
    if "\ufffd" in path:
        try:
            unquote_to_bytes(scope["raw_path"]).decode()
        except ValueError:
            raise InvalidParameterValue("Invalid path: it must be percent-encoded UTF-8") from None


def _contract_path(path: str) -> str:
    for alias, meant in PREFIX_ALIASES.items():
        if path.startswith(alias):
            return meant + path[len(alias) :]
    return path


async def _answer(send: Send, status: int, headers: list[Header], body: bytes) -> None:
    length = [(b"content-length", str(len(body)).encode())] if status != 204 else []
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *length]})
    await send({"type": "http.response.body", "body": body})
