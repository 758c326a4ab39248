"""Page tokens carry a cursor unchanged and are refused anywhere but where they came from."""

import base64
import json
import math

import pytest

from tracklane_server.contract.errors import InvalidParameterValue
from tracklane_server.search.paging import decode_token, encode_token, fingerprint


def test_cursor_returns_exactly():
    cursor = (0, "é'\"\n😀", 0, 2**63 - 1, 0, 0.1, 1, None, 0, math.inf, 0, -math.inf, 2, None)
    token = encode_token(cursor, "query")
    decoded = decode_token(token, "query")
    assert repr(decoded) == repr(cursor)
    assert token.isascii()
    assert not set(token) & set("+/ ")


def test_nan_returns():
    assert math.isnan(decode_token(encode_token((math.nan,), "q"), "q")[0])


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_token_is_the_first_page(nothing):
    assert decode_token(nothing, "q") is None
    assert encode_token(None, "q") is None


def _token(body: str) -> str:
    return base64.urlsafe_b64encode(body.encode()).decode()


@pytest.mark.parametrize(
    "token",
    [
        *("x", "%%%", "é", "a" * 5, _token("nope"), _token("[]"), _token("1"), _token("null"), _token('["q"]')),
        *(_token('["q",1]'), _token('["q",[[]]]'), _token('["q",[{"float":"x"}]]'), _token('["q",[{}]]')),
        *(_token('["q",' + "[" * 20_000 + "]" * 20_000 + "]"), _token('["q",[{"float":[]}]]'), _token("[" * 100_000)),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    ],
)
def test_altered_token_is_refused(token):
    with pytest.raises(InvalidParameterValue, match="page_token"):
        decode_token(token, "q")


def test_token_of_another_query_is_refused():
    token = encode_token((0, 1), fingerprint("a", ["x"]))
    with pytest.raises(InvalidParameterValue, match="another filter, order or scope"):
        decode_token(token, fingerprint("a", ["y"]))


def test_fingerprint_tells_queries_apart():
    assert fingerprint("a", "b") == fingerprint("a", "b")
    assert len({fingerprint("ab"), fingerprint("a", "b"), fingerprint(("a", "b")), fingerprint()}) == 4


def test_token_holds_nothing_but_the_query_and_the_cursor():
    body = json.loads(base64.urlsafe_b64decode(encode_token((0, "x"), "q")))
    assert body == ["q", [0, "x"]]
