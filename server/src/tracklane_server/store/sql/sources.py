"""The datasets that points name: (dataset_name, dataset_digest) as a small number, 0 for neither."""

from collections.abc import Iterable, Sequence

from sqlalchemy import bindparam, insert, select

from tracklane_server.contract.entities import Metric
from tracklane_server.store.sql.statement import Connection, Listed, Statement
from tracklane_server.store.sql.tables import metric_sources

_FIND = Statement(
    select(metric_sources.c.id).where(
        metric_sources.c.dataset_name.is_not_distinct_from(bindparam("name")),
        metric_sources.c.dataset_digest.is_not_distinct_from(bindparam("digest")),
    )
)
_INSERT = Statement(insert(metric_sources).values(dataset_name=bindparam("name"), dataset_digest=bindparam("digest")))
_BY_ID = Listed(select(metric_sources), metric_sources.c.id)

Source = tuple[str | None, str | None]


def numbers(connection: Connection, points: Sequence[Metric]) -> dict[Source, int]:
    """The number of each source that the points name, made where it is new."""
    found = {}
    for name, digest in {(it.dataset_name, it.dataset_digest) for it in points} - {(None, None)}:
        row = connection.row(_FIND, name=name, digest=digest)
        found[name, digest] = row[0] if row else connection.insert(_INSERT, name=name, digest=digest)
    return found


def named(connection: Connection, used: Iterable[int]) -> dict[int, Source]:
    """The source of each number."""
    found: dict[int, Source] = {0: (None, None)}
    for number, name, digest in _BY_ID.rows(connection, set(used) - {0}):
        found[number] = (name, digest)
    return found
