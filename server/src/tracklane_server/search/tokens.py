"""Cuts a filter or an order item into tokens; knows spelling only, not which names or operators exist."""

import re
from enum import StrEnum
from typing import NamedTuple


class TokenKind(StrEnum):
    NAME = "name"
    TEXT = "text"
    NUMBER = "number"
    OPERATOR = "operator"
    MARK = "mark"
    OTHER = "other"
    END = "end"


class Token(NamedTuple):
    """`position` counts characters from 1. A name is `entity.key`; `key` is None when it has no dot.

    OTHER is what belongs nowhere in the language; no rule of the grammar takes it, so it is reported where it stands.
    """

    kind: TokenKind
    text: str
    position: int
    entity: str = ""
    key: str | None = None

    @property
    def word(self) -> str:
        """The token as a keyword, upper-case; empty for what cannot be one."""
        is_word = self.kind is TokenKind.NAME and self.key is None and not self.text.startswith("`")
        return self.text.upper() if is_word else ""


# A quote that is doubled, or that follows a backslash, belongs to the text, and both characters stay. The backslash is
# ordinary when the text would not end otherwise ('C:\dir\'): that is what trying it alone, last, brings about.
_SINGLE = r"'(?:[^'\\]++|''|\\'|\\)*'"
_DOUBLE = r'"(?:[^"\\]++|""|\\"|\\)*"'
_BACKTICK = r"`(?:[^`]++|``)*+`"

# Possessive quantifiers keep every rule linear on hostile input.
_TOKEN = re.compile(
    rf"""
    (?P<name>(?P<entity>[^\W\d]\w*+|{_BACKTICK})(?:\.(?P<key>{_BACKTICK}|{_SINGLE}|{_DOUBLE}|[\w.]*+))?)
    |(?P<text>{_SINGLE}|{_DOUBLE})
    |(?P<number>-?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?(?![\w.]))
    |(?P<operator>[=<>!~]++)
    |(?P<mark>[(),])
    |(?P<other>['"`].*|[-+]?[\w.]++|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_BLANKS = re.compile(r"\s*")


def tokenize(text: str) -> list[Token]:
    """The tokens of `text` up to the first that belongs nowhere, an END last."""
    tokens = []
    position = _end_of_blanks(text, 0)
    while match := _TOKEN.match(text, position):
        kind = TokenKind(_outer_group(match))
        entity, key = match["entity"] or "", match["key"]
        tokens.append(Token(kind, match[0], position + 1, unquote(entity), unquote(key) if key is not None else None))
        if kind is TokenKind.OTHER:
            break
        position = _end_of_blanks(text, match.end())
    tokens.append(Token(TokenKind.END, "", len(text) + 1))
    return tokens


def unquote(text: str) -> str:
    """What stands between the outer quotes, literally; text without quotes as it is."""
    return text[1:-1] if text[:1] in ("'", '"', "`") else text


def _outer_group(match: re.Match[str]) -> str:
    return match.lastgroup if match.lastgroup not in (None, "entity", "key") else "name"


def _end_of_blanks(text: str, position: int) -> int:
    match = _BLANKS.match(text, position)
    return match.end() if match else position
