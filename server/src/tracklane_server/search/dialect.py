"""What can be searched by: for runs and for experiments, the names, their types and the operators of each type.

Data for the grammar; how a comparison is decided stands in `predicate.py`.
"""

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from tracklane_server.search.ast import Entity, Key, Operator, OrderTerm


class ValueType(Enum):
    """How a value is compared: the type of its literals. PARAM and tag values are text that may be read as a number."""

    NUMBER = "a number without quotes"
    TEXT = "text in quotes"
    EITHER = "text in quotes or a number without"


class Dialect(NamedTuple):
    """The names of one language: `entities` and `attributes` lead from every accepted spelling to what is meant."""

    entities: Mapping[str, Entity]
    attributes: Mapping[str, str]

    @property
    def names(self) -> str:
        """The names to choose from, in words for an error."""
        keyed = {
            Entity.METRIC: "metrics.<key> (also in min(…), max(…), first(…), last(…))",
            Entity.PARAM: "params.<key>",
            Entity.TAG: "tags.<key>",
            Entity.DATASET: "dataset.<field>",
        }
        words = [word for entity, word in keyed.items() if entity in self.entities.values()]
        return ", ".join([*words, self.attribute_names])

    @property
    def attribute_names(self) -> str:
        return f"an attribute ({', '.join(dict.fromkeys(self.attributes.values()))})"


_NUMERIC_ATTRIBUTES = frozenset({"start_time", "end_time", "duration", "creation_time", "last_update_time"})

DATASET_FIELDS = ("name", "digest", "context")


def value_type(key: Key) -> ValueType:
    """The type of a key's values in comparisons. In an order PARAM and tag values are text."""
    if key.entity in (Entity.PARAM, Entity.TAG):
        return ValueType.EITHER
    if key.entity is Entity.METRIC or (key.entity is Entity.ATTRIBUTE and key.name in _NUMERIC_ATTRIBUTES):
        return ValueType.NUMBER
    return ValueType.TEXT


_EQUALITY = (Operator.EQ, Operator.NE)
ORDER_OPERATORS = (Operator.GT, Operator.GE, Operator.LT, Operator.LE)
TEXT_OPERATORS = (Operator.LIKE, Operator.NOT_LIKE, Operator.ILIKE, Operator.NOT_ILIKE)
LIST_OPERATORS = (Operator.IN, Operator.NOT_IN)
RANGE_OPERATORS = (Operator.BETWEEN, Operator.NOT_BETWEEN)
NULL_OPERATORS = (Operator.IS_NULL, Operator.IS_NOT_NULL)
_ANY = (*LIST_OPERATORS, *RANGE_OPERATORS, *NULL_OPERATORS)

OPERATORS: Mapping[ValueType, tuple[Operator, ...]] = {
    ValueType.NUMBER: (*_EQUALITY, *ORDER_OPERATORS, *_ANY),
    ValueType.TEXT: (*_EQUALITY, *TEXT_OPERATORS, *_ANY),
    ValueType.EITHER: (*_EQUALITY, *ORDER_OPERATORS, *TEXT_OPERATORS, *_ANY),
}


_RUN_ATTRIBUTES = ("run_id", "run_name", "status", "user_id", "artifact_uri", "start_time", "end_time", "duration")
_ORDER_ATTRIBUTES = {name: name for name in _RUN_ATTRIBUTES} | dict.fromkeys(("created", "Created"), "start_time")
_ORDER_ENTITIES = {
    **dict.fromkeys(("metric", "metrics"), Entity.METRIC),
    **dict.fromkeys(("param", "params", "parameter", "parameters"), Entity.PARAM),
    **dict.fromkeys(("tag", "tags"), Entity.TAG),
    **dict.fromkeys(("attribute", "attributes", "attr", "run"), Entity.ATTRIBUTE),
}

RUN_ORDER = Dialect(_ORDER_ENTITIES, _ORDER_ATTRIBUTES)

# A run has many datasets, which gives it no place in an order; `run name` is what the UI once called the attribute in
# its search box, and upstream never ordered by it.
RUN_FILTER = Dialect(
    _ORDER_ENTITIES | dict.fromkeys(("dataset", "datasets"), Entity.DATASET),
    _ORDER_ATTRIBUTES | dict.fromkeys(("run name", "Run name", "Run Name"), "run_name"),
)

_EXPERIMENT_ATTRIBUTES = {name: name for name in ("name", "experiment_id", "creation_time", "last_update_time")}

EXPERIMENT_ORDER = Dialect(dict.fromkeys(("attribute", "attributes"), Entity.ATTRIBUTE), _EXPERIMENT_ATTRIBUTES)

EXPERIMENT_FILTER = Dialect(
    {**EXPERIMENT_ORDER.entities, **dict.fromkeys(("tag", "tags"), Entity.TAG)}, _EXPERIMENT_ATTRIBUTES
)


def _term(name: str, ascending: bool) -> OrderTerm:
    return OrderTerm(Key(Entity.ATTRIBUTE, name), ascending)


# What every order ends with; an id comes last, so that no two rows are equal.
RUN_TIE_BREAK = (_term("start_time", False), _term("run_id", True))
EXPERIMENT_TIE_BREAK = (_term("experiment_id", False),)
EXPERIMENT_DEFAULT_ORDER = (_term("creation_time", False), _term("experiment_id", True))
