"""The meaning of a filter and of an order, free of text and of any store.

A filter is a tree of `And`, `Or`, `Not` over `Comparison`; an order is a list of `OrderTerm`. `grammar.py` makes them
from text; `predicate.py` and `store/sql/where.py` give them effect, and `spec/filter.md` pins what they must agree on.
"""

from enum import StrEnum
from typing import NamedTuple, TypeAlias


class Entity(StrEnum):
    ATTRIBUTE = "attribute"
    METRIC = "metric"
    PARAM = "param"
    TAG = "tag"
    DATASET = "dataset"


class Aggregate(StrEnum):
    """Which value of a metric's history is meant.

    LATEST is the point of the highest (step, timestamp, value), FIRST that of the lowest; between equal steps and
    timestamps NaN gives way to any number. MIN and MAX pass over NaN; a history of nothing but NaN has NaN for both.
    """

    LATEST = "latest"
    FIRST = "first"
    MIN = "min"
    MAX = "max"


class Operator(StrEnum):
    EQ = "="
    NE = "!="
    GT = ">"
    GE = ">="
    LT = "<"
    LE = "<="
    LIKE = "LIKE"
    ILIKE = "ILIKE"
    IN = "IN"
    NOT_IN = "NOT IN"
    BETWEEN = "BETWEEN"
    IS_NULL = "IS NULL"
    IS_NOT_NULL = "IS NOT NULL"


class Key(NamedTuple):
    """What is compared or ordered by: `metrics.loss` is `Key(Entity.METRIC, "loss")`; attribute names are canonical."""

    entity: Entity
    name: str
    aggregate: Aggregate = Aggregate.LATEST


Literal: TypeAlias = float | int | str


class Comparison(NamedTuple):
    """`key operator values`: none for IS NULL, two for BETWEEN, any number for IN, otherwise one.

    Number literals are int or float, text literals str; a param or tag compared with a number is read as a number.
    """

    key: Key
    operator: Operator
    values: tuple[Literal, ...] = ()


class And(NamedTuple):
    terms: tuple["Filter", ...]


class Or(NamedTuple):
    terms: tuple["Filter", ...]


class Not(NamedTuple):
    term: "Filter"


Filter: TypeAlias = Comparison | And | Or | Not


class OrderTerm(NamedTuple):
    key: Key
    ascending: bool = True
