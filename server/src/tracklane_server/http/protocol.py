"""uvicorn's fast HTTP parser, made safe for clients that offer HTTP/2.

Java's HttpClient sends `Upgrade: h2c` with its first request. llhttp then takes the request for one without a body and
stops, so that uvicorn would serve a POST as empty. The offer may be ignored (RFC 9110, 7.8): the rest of the request is
read by a second parser that never saw it.

What is no HTTP at all is refused like every other request, by the one envelope of failures.
"""

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tracklane_server.http.failures import ProtocolError, envelope

_FRAMING = (b"content-length", b"transfer-encoding")


class UpgradeSafeProtocol(HttpToolsProtocol):
    """Serves a request that offers an upgrade as if it did not; the server must run with `ws="none"`."""

    _resuming = False

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._resume(data[offer.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")

    def _resume(self, rest: bytes) -> None:
        framing = [name + b": " + value for name, value in self.headers if name in _FRAMING]
        self.parser = httptools.HttpRequestParser(self)
        self._resuming = True
        self.parser.feed_data(b"\r\n".join([b"POST / HTTP/1.1", *framing, b"", b""]))
        if rest:
            self.data_received(rest)

    def send_400_response(self, msg: str) -> None:
        _, headers, body = envelope(ProtocolError(400, "BAD_REQUEST", msg))
        length = (b"content-length", str(len(body)).encode())
        lines = [name + b": " + value for name, value in [*headers, length, (b"connection", b"close")]]
        self.transport.write(b"\r\n".join([b"HTTP/1.1 400 Bad Request", *lines, b"", body]))
        self.transport.close()

    def on_message_begin(self) -> None:
        if not self._resuming:
            super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self._resuming:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._resuming:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._resuming:
            self._resuming = False
        else:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        # With an offer this comes before the body; the second parser says when the body is complete.
        if not self.parser.should_upgrade():
            super().on_message_complete()
