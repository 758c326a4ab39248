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
    NOT_LIKE = "NOT LIKE"
    ILIKE = "ILIKE"
    NOT_ILIKE = "NOT ILIKE"
    IN = "IN"
    NOT_IN = "NOT IN"
    BETWEEN = "BETWEEN"
    NOT_BETWEEN = "NOT BETWEEN"
    IS_NULL = "IS NULL"
    IS_NOT_NULL = "IS NOT NULL"


class Key(NamedTuple):
    """What is compared or ordered by: `metrics.loss` is `Key(Entity.METRIC, "loss")`; attribute names are canonical."""

    entity: Entity
    name: str
    aggregate: Aggregate = Aggregate.LATEST


Literal: TypeAlias = float | int | str


class Comparison(NamedTuple):
    """`key operator values`: none for IS NULL, two for (NOT) BETWEEN, one or more for (NOT) IN, otherwise one.

    Values are all numbers (int64 or float) or all text. A param or tag compared with numbers is read as a number.
    Every operator but IS NULL asks for a value that is there: `!=` and NOT LIKE, IN, BETWEEN are no complement of their
    plain forms, `Not` is. Over datasets, some input of the run must satisfy the comparison by itself.
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
