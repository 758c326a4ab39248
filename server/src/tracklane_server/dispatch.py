"""The waist: every operation of the contract passes here, whoever asks — HTTP, or an SDK in the same process.

Dictionaries above, entities below: so NaN, int64, defaults and missing fields cannot behave differently by the way
that a request came.
"""

import logging
from collections.abc import Callable
from typing import Any

from tracklane_server.contract import OPERATIONS
from tracklane_server.contract.codec import decode, encode
from tracklane_server.contract.errors import EndpointNotFound, InternalError, TrackingError
from tracklane_server.contract.validate import validated
from tracklane_server.service import artifacts, experiments, metrics, models, runs, server
from tracklane_server.service.backend import Backend

logger = logging.getLogger(__name__)

HANDLERS: dict[str, Callable[..., Any]] = {
    **experiments.HANDLERS,
    **runs.HANDLERS,
    **metrics.HANDLERS,
    **models.HANDLERS,
    **artifacts.HANDLERS,
    **server.HANDLERS,
}


def dispatch(backend: Backend, operation_id: str, request: dict[str, Any]) -> dict[str, Any]:
    """Validate, decode, serve, encode.

    Raises:
        TrackingError: what the caller may know; any other failure is logged and becomes `InternalError`.
    """
    reply, warnings = call(backend, operation_id, request)
    wire = encode(operation_id, reply)
    if warnings:
        wire["warnings"] = warnings
    return wire


def call(backend: Backend, operation_id: str, request: dict[str, Any]) -> tuple[Any, list[str]]:
    """Like `dispatch`, for replies that are no JSON: what the service function returned, and warnings."""
    operation = OPERATIONS.get(operation_id)
    if operation is None:
        raise EndpointNotFound(f"No operation is called '{operation_id}'")
    try:
        backend.require_served(operation)
        request, warnings = validated(operation, request, backend.settings.truncate_long_values)
        return HANDLERS[operation_id](backend, **decode(operation_id, request)), warnings
    except TrackingError:
        raise
    except Exception as error:
        logger.exception("%s failed", operation_id)
        raise InternalError("An internal error occurred; the server's log has the details") from error
