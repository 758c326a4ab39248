"""Finding and removing for good what was deleted: runs and experiments, with the artifacts within reach."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tracklane_server.artifacts.locations import resolve
from tracklane_server.contract.entities import DELETED, Experiment, RunInfo
from tracklane_server.contract.errors import InvalidParameterValue, NotImplementedByStore
from tracklane_server.search.grammar import parse_experiment_order, parse_run_order
from tracklane_server.service.backend import Backend
from tracklane_server.store import Search

_PAGE = 1000
_EVERY_STAGE = frozenset(["active", "deleted"])


class Garbage(NamedTuple):
    """Something deleted; `files` and `size` (bytes) of its artifacts, None where they lie out of the server's reach."""

    kind: str
    id: str
    artifact_uri: str
    files: int | None
    size: int | None


def find_garbage(
    backend: Backend, older_than: int = 0, run_ids: Sequence[str] = (), experiment_ids: Sequence[str] = ()
) -> Iterator[Garbage]:
    """Deleted runs, then deleted experiments; with ids, only those.

    Args:
        older_than: ms since the deletion that must have passed.

    Raises:
        InvalidParameterValue: an id names something that is not deleted.
        ResourceDoesNotExist: an id names nothing.
    """
    before = backend.clock() - older_than
    everything = not run_ids and not experiment_ids
    for info in _deleted_runs(backend) if everything else (_deleted_run(backend, id) for id in run_ids):
        if (info.deleted_time or 0) <= before:
            yield _weighed(backend, "Run", info.run_id, info.artifact_uri)
    named = (_deleted_experiment(backend, id) for id in experiment_ids)
    for experiment in _deleted_experiments(backend) if everything else named:
        if (experiment.last_update_time or 0) <= before:
            yield _weighed(backend, "Experiment", experiment.experiment_id, experiment.artifact_location)


def remove(backend: Backend, garbage: Garbage) -> None:
    """Remove it and its artifacts; artifacts go first, so that a failure leaves something to find again."""
    if garbage.files is not None:
        store, folder = resolve(garbage.artifact_uri, backend.artifacts, None)
        if folder is not None:
            store.delete(folder)
    if garbage.kind == "Run":
        backend.store.purge_run(garbage.id)
    else:
        backend.store.purge_experiment(garbage.id)


def _weighed(backend: Backend, kind: str, id: str, uri: str) -> Garbage:
    try:
        store, folder = resolve(uri, backend.artifacts, None)
        sizes = [entry.file_size or 0 for entry in store.walk(folder)]
    except (NotImplementedByStore, InvalidParameterValue):
        return Garbage(kind, id, uri, None, None)
    return Garbage(kind, id, uri, len(sizes), sum(sizes))


def _deleted_run(backend: Backend, run_id: str) -> RunInfo:
    info = backend.store.get_run_info(run_id)
    if info.lifecycle_stage != DELETED:
        raise InvalidParameterValue(f"Run '{run_id}' is not deleted; only deleted runs can be removed for good")
    return info


def _deleted_experiment(backend: Backend, experiment_id: str) -> Experiment:
    experiment = backend.store.get_experiment(experiment_id)
    if experiment.lifecycle_stage != DELETED:
        raise InvalidParameterValue(f"Experiment '{experiment_id}' is not deleted; only deleted ones can be removed")
    return experiment


def _deleted_experiments(backend: Backend) -> list[Experiment]:
    return [its for its in _all_experiments(backend) if its.lifecycle_stage == DELETED]


def _all_experiments(backend: Backend) -> list[Experiment]:
    found: list[Experiment] = []
    search = Search(None, parse_experiment_order([]), _EVERY_STAGE, _PAGE)
    while True:
        page = backend.store.search_experiments(search)
        found += page.items
        if page.next is None:
            return found
        search = search._replace(after=page.next)


def _deleted_runs(backend: Backend) -> list[RunInfo]:
    ids = [experiment.experiment_id for experiment in _all_experiments(backend)]
    found: list[RunInfo] = []
    search = Search(None, parse_run_order([]), frozenset([DELETED]), _PAGE)
    while True:
        page = backend.store.search_runs(ids, search)
        found += [run.info for run in page.items]
        if page.next is None:
            return found
        search = search._replace(after=page.next)
