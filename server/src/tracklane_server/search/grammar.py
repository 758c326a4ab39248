"""The filter and order language: text in, AST out. `spec/filter.md` is its grammar and says what each form means.

Reads each token once; it must not know stores or how a comparison is decided.
"""

from collections.abc import Callable, Sequence
from typing import NoReturn

from tracklane_server.contract.errors import InvalidParameterValue
from tracklane_server.search.ast import (
    Aggregate,
    And,
    Comparison,
    Entity,
    Filter,
    Key,
    Literal,
    Not,
    Operator,
    Or,
    OrderTerm,
)
from tracklane_server.search.dialect import (
    DATASET_FIELDS,
    EXPERIMENT_DEFAULT_ORDER,
    EXPERIMENT_FILTER,
    EXPERIMENT_ORDER,
    EXPERIMENT_TIE_BREAK,
    LIST_OPERATORS,
    NULL_OPERATORS,
    OPERATORS,
    ORDER_OPERATORS,
    RANGE_OPERATORS,
    RUN_FILTER,
    RUN_ORDER,
    RUN_TIE_BREAK,
    TEXT_OPERATORS,
    Dialect,
    ValueType,
    value_type,
)
from tracklane_server.search.tokens import Token, TokenKind, tokenize, unquote

# Far above what people write, and low enough that no store's own limits on one statement are met.
MAX_DEPTH = 50
MAX_COMPARISONS = 200
MAX_LITERALS = 10_000

_SHOWN_TEXT = 200
_SHOWN_TOKEN = 40
_INT64 = range(-(2**63), 2**63)
_AGGREGATES = {word.value.upper(): word for word in Aggregate} | {"LAST": Aggregate.LATEST}
_LITERALS = {
    ValueType.NUMBER: {TokenKind.NUMBER},
    ValueType.TEXT: {TokenKind.TEXT},
    ValueType.EITHER: {TokenKind.NUMBER, TokenKind.TEXT},
}
_OPERATOR_WORDS = {Operator.LIKE, Operator.ILIKE, Operator.IN, Operator.BETWEEN}


def parse_run_filter(text: str | None) -> Filter | None:
    """The filter that `text` spells; None when it is empty or blank.

    Raises:
        InvalidParameterValue: not in the language; the message has the position (from 1) and what was expected.
    Spec: filter.md
    """
    return _Parser(text or "", RUN_FILTER, "filter").filter()


def parse_experiment_filter(text: str | None) -> Filter | None:
    """As `parse_run_filter`, with the names of experiments."""
    return _Parser(text or "", EXPERIMENT_FILTER, "filter").filter()


def parse_run_order(items: Sequence[str]) -> tuple[OrderTerm, ...]:
    """The items' terms, then start_time DESC and run_id ASC; of a key given twice only the first counts.

    Raises:
        InvalidParameterValue: an item is not `key [ASC|DESC]` of something runs can be ordered by.
    Spec: filter.md
    """
    return _distinct((*_order_terms(items, RUN_ORDER), *RUN_TIE_BREAK))


def parse_experiment_order(items: Sequence[str]) -> tuple[OrderTerm, ...]:
    """The items' terms, then experiment_id DESC; without items creation_time DESC, experiment_id ASC."""
    terms = _order_terms(items, EXPERIMENT_ORDER)
    return _distinct((*terms, *EXPERIMENT_TIE_BREAK)) if terms else EXPERIMENT_DEFAULT_ORDER


def _order_terms(items: Sequence[str], dialect: Dialect) -> list[OrderTerm]:
    return [_Parser(item, dialect, f"order_by[{i}]").order_term() for i, item in enumerate(items)]


def _distinct(terms: Sequence[OrderTerm]) -> tuple[OrderTerm, ...]:
    first_of_key: dict[Key, OrderTerm] = {}
    for term in terms:
        first_of_key.setdefault(term.key, term)
    return tuple(first_of_key.values())


class _Parser:
    """Recursive descent over the tokens of one text; each method takes the tokens of the form it is named after."""

    def __init__(self, text: str, dialect: Dialect, field: str) -> None:
        self._text = text
        self._field = field
        self._dialect = dialect
        self._tokens = tokenize(text)
        self._next = 0
        self._depth = 0
        self._comparisons = 0
        self._literals = 0

    # --- tokens ---

    @property
    def _token(self) -> Token:
        return self._tokens[self._next]

    def _at_end(self) -> bool:
        return self._token.kind is TokenKind.END

    def _take(self) -> Token:
        token = self._token
        self._next += 1
        return token

    def _take_word(self, *words: str) -> str:
        """The keyword that comes next when it is one of `words`, else an empty string and nothing is taken."""
        return self._take().word if self._token.word in words else ""

    def _take_mark(self, mark: str) -> bool:
        found = self._token.kind is TokenKind.MARK and self._token.text == mark
        self._next += found
        return found

    def _fail(self, expected: str, token: Token | None = None) -> NoReturn:
        token = token or self._token
        found = _cut(token.text, _SHOWN_TOKEN) if token.text else "the end"
        raise InvalidParameterValue(
            f"Invalid {self._field} '{_cut(self._text, _SHOWN_TEXT)}': "
            f"at position {token.position}: expected {expected}, but found {found}"
        )

    # --- structure ---

    def filter(self) -> Filter | None:
        self._skip_ands()
        if self._at_end():
            return None
        result = self._disjunction()
        if not self._at_end():
            self._fail("AND, OR or the end")
        return result

    def order_term(self) -> OrderTerm:
        key = self._key()
        ascending = self._take_word("ASC", "DESC") != "DESC"
        if not self._at_end():
            self._fail("ASC, DESC or the end")
        return OrderTerm(key, ascending)

    def _disjunction(self) -> Filter:
        terms = [self._conjunction()]
        while self._take_word("OR"):
            terms.append(self._conjunction())
        return terms[0] if len(terms) == 1 else Or(tuple(terms))

    def _conjunction(self) -> Filter:
        terms = [self._term()]
        while True:
            had_and = self._skip_ands()
            if self._starts_term():
                terms.append(self._term())
            elif had_and and not self._at_end():
                self._fail("a comparison, NOT or (")
            else:
                return terms[0] if len(terms) == 1 else And(tuple(terms))

    def _skip_ands(self) -> bool:
        skipped = False
        while self._take_word("AND"):
            skipped = True
        return skipped

    def _starts_term(self) -> bool:
        token = self._token
        return (token.kind is TokenKind.NAME and token.word != "OR") or token.text == "(" or token.text.startswith('"')

    def _term(self) -> Filter:
        if self._take_word("NOT"):
            return Not(self._nested(self._term))
        if self._take_mark("("):
            inner = self._nested(self._disjunction)
            if not self._take_mark(")"):
                self._fail("AND, OR or )")
            return inner
        return self._comparison()

    def _nested(self, form: Callable[[], Filter]) -> Filter:
        if self._depth == MAX_DEPTH:
            self._fail(f"at most {MAX_DEPTH} nested parentheses and NOTs")
        self._depth += 1
        result = form()
        self._depth -= 1
        return result

    # --- comparisons ---

    def _comparison(self) -> Comparison:
        if self._comparisons == MAX_COMPARISONS:
            self._fail(f"at most {MAX_COMPARISONS} comparisons")
        self._comparisons += 1
        key = self._key()
        its_type = value_type(key)
        operator = self._operator(OPERATORS[its_type])
        return Comparison(key, operator, self._values(operator, its_type))

    def _key(self) -> Key:
        aggregate = _AGGREGATES.get(self._token.word)
        if aggregate and self._tokens[self._next + 1].text == "(":
            return self._aggregate(aggregate)
        token = self._token
        name, entity = token.key, self._dialect.entities.get(token.entity)
        if token.kind is TokenKind.TEXT and token.text.startswith('"'):
            name, entity = unquote(token.text), Entity.ATTRIBUTE
        elif token.kind is TokenKind.NAME and token.key is None:
            name, entity = token.entity, Entity.ATTRIBUTE
        if name is None or entity is None:
            self._fail(self._dialect.names)
        self._take()
        return Key(entity, self._checked_name(entity, name, token))

    def _checked_name(self, entity: Entity, name: str, token: Token) -> str:
        if entity is Entity.ATTRIBUTE:
            if name not in self._dialect.attributes:
                self._fail(self._dialect.names if token.key is None else self._dialect.attribute_names, token)
            return self._dialect.attributes[name]
        if entity is Entity.DATASET and name not in DATASET_FIELDS:
            self._fail(" or ".join(f"dataset.{field}" for field in DATASET_FIELDS), token)
        is_bare = not token.text.endswith(("`", "'", '"'))
        if is_bare and any(part.isdecimal() for part in name.split(".")):
            self._fail(f"quotes round a key with a number in it, as in {token.entity}.`{name}`", token)
        return name

    def _aggregate(self, aggregate: Aggregate) -> Key:
        self._next += 2
        token = self._token
        key = self._key()
        if key.entity is not Entity.METRIC or key.aggregate is not Aggregate.LATEST:
            self._fail("metrics.<key>", token)
        if not self._take_mark(")"):
            self._fail(")")
        return key._replace(aggregate=aggregate)

    def _operator(self, allowed: tuple[Operator, ...]) -> Operator:
        first = self._token
        spelling = self._take().text if first.kind is TokenKind.OPERATOR else self._operator_words()
        if spelling not in allowed:
            self._fail("one of " + ", ".join(allowed), first)
        return Operator(spelling)

    def _operator_words(self) -> str:
        if self._take_word("IS"):
            negation = self._take_word("NOT")
            if not self._take_word("NULL"):
                self._fail("NULL" if negation else "NULL or NOT NULL")
            return Operator.IS_NOT_NULL if negation else Operator.IS_NULL
        negation = self._take_word("NOT")
        word = self._take_word(*_OPERATOR_WORDS)
        if negation and not word:
            self._fail("LIKE, ILIKE, IN or BETWEEN")
        return f"{negation} {word}".strip()

    def _values(self, operator: Operator, its_type: ValueType) -> tuple[Literal, ...]:
        if operator in NULL_OPERATORS:
            return ()
        if operator in ORDER_OPERATORS:
            its_type = ValueType.NUMBER
        elif operator in TEXT_OPERATORS:
            its_type = ValueType.TEXT
        if operator in LIST_OPERATORS:
            return self._list(its_type)
        first = self._literal(its_type)
        if operator not in RANGE_OPERATORS:
            return (first,)
        if not self._take_word("AND"):
            self._fail("AND and the upper end of the range")
        return (first, self._literal(_type_of(first)))

    def _list(self, its_type: ValueType) -> tuple[Literal, ...]:
        if not self._take_mark("("):
            self._fail("( and a list of values")
        values = [self._literal(its_type)]
        while not self._take_mark(")"):
            if not self._take_mark(","):
                self._fail("a comma or )")
            if self._take_mark(")"):
                break
            values.append(self._literal(_type_of(values[0])))
        return tuple(values)

    def _literal(self, its_type: ValueType) -> Literal:
        if self._literals == MAX_LITERALS:
            self._fail(f"at most {MAX_LITERALS} values")
        self._literals += 1
        token = self._token
        if token.kind not in _LITERALS[its_type]:
            self._fail(its_type.value)
        self._take()
        return _number(token.text) if token.kind is TokenKind.NUMBER else unquote(token.text)


def _type_of(value: Literal) -> ValueType:
    return ValueType.TEXT if isinstance(value, str) else ValueType.NUMBER


def _number(text: str) -> int | float:
    """Integers in the range of int64 exactly, everything else as the nearest double (1e400 is infinity)."""
    digits = text.lstrip("-").lstrip("0") or "0"
    if digits.isdecimal() and len(digits) <= len(str(_INT64.stop)):
        value = -int(digits) if text.startswith("-") else int(digits)
        if value in _INT64:
            return value
    return float(text)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
