"""Every failure in one envelope: `{"error_code", "message"}` as JSON, whoever raised it."""

import logging
from typing import Any

import orjson
from connexion.exceptions import ProblemException
from starlette.exceptions import HTTPException
from werkzeug.exceptions import HTTPException as WerkzeugException

from tracklane_server.contract import STATUS
from tracklane_server.contract.errors import TrackingError

logger = logging.getLogger(__name__)

Header = tuple[bytes, bytes]
JSON_HEADER: Header = (b"content-type", b"application/json")

_CODES = {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "ENDPOINT_NOT_FOUND", 405: "ENDPOINT_NOT_FOUND"}


class ProtocolError(Exception):
    """A request that HTTP itself refuses: its status does not follow from an error code."""

    def __init__(self, status: int, code: str, message: str, headers: list[Header] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.headers = status, code, headers or []


class ClientGone(Exception):
    """The client closed the connection before its request was complete; nobody waits for an answer."""


def envelope(error: Exception) -> tuple[int, list[Header], bytes]:
    """Status, headers and body of the answer to a request that failed with `error`."""
    status, code, message, headers = _describe(error)
    body = orjson.dumps({"error_code": code, "message": message})
    return status, [JSON_HEADER, *headers], body


def _describe(error: Exception) -> tuple[int, str, str, list[Header]]:
    if isinstance(error, TrackingError):
        return STATUS[error.code], error.code, error.message, []
    if isinstance(error, ProtocolError):
        return error.status, error.code, str(error), error.headers
    status = _foreign_status(error)
    if status is None or status >= 500:
        logger.error("request failed", exc_info=error)
        return 500, "INTERNAL_ERROR", "An internal error occurred; the server's log has the details", []
    return status, _CODES.get(status, "INVALID_PARAMETER_VALUE"), str(getattr(error, "detail", "") or error), []


def _foreign_status(error: Any) -> int | None:
    if isinstance(error, (HTTPException, ProblemException)):
        return int(error.status_code)
    if isinstance(error, WerkzeugException):
        return error.code
    return None
