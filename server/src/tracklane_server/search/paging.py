"""Opaque page tokens: where the next page starts, bound to the query it belongs to.

A token is base64 of JSON: a fingerprint of the query and the sort key of the last row. It holds no secret and grants
nothing; a token that was altered or belongs to another query is refused.
"""

import base64
import binascii
import hashlib
import json
from typing import Any

from tracklane_server.contract.errors import InvalidParameterValue

# JSON has no NaN or infinities: they travel as the strings of this table, marked by the key.
_SPECIALS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


def fingerprint(*parts: object) -> str:
    """A short digest of what a token must agree with; `parts` have a stable `repr`."""
    return hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()


def encode_token(cursor: tuple[Any, ...] | None, query: str) -> str | None:
    if cursor is None:
        return None
    body = json.dumps([query, [_dump(value) for value in cursor]], separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(body.encode()).decode()


def decode_token(token: str | None, query: str) -> tuple[Any, ...] | None:
    """The cursor in `token`; None for no or an empty token.

    Raises:
        InvalidParameterValue: not a token of ours, or one of another query.
    """
    if not token:
        return None
    try:
        its_query, values = json.loads(base64.b64decode(token, altchars=b"-_", validate=True))
        cursor = tuple(_load(value) for value in values)
    except (binascii.Error, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise InvalidParameterValue(
            f"Invalid value '{token[:100]}' for parameter 'page_token' supplied: "
            "send back the next_page_token of the page before, unchanged"
        ) from None
    if its_query != query:
        raise InvalidParameterValue(
            "Invalid page_token: it belongs to a search with another filter, order or scope; start again without it"
        )
    return cursor


def _dump(value: Any) -> Any:
    if isinstance(value, float) and value - value != 0:
        return {"float": "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"}
    return value


def _load(value: Any) -> Any:
    if isinstance(value, dict):
        return _SPECIALS[value["float"]]
    if not isinstance(value, (int, float, str, bool, type(None))):
        raise TypeError
    return value
