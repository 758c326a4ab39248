"""Where experiments, runs and what is logged to them are kept: one interface, opened by URI.

It knows entities and the search AST; it must not know HTTP, the service or artifacts' bytes.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from tracklane_server.contract.entities import DatasetSummary, Experiment, Metric, Run, RunBatch, RunInfo
from tracklane_server.contract.errors import InvalidParameterValue
from tracklane_server.search.ast import Filter, OrderTerm

T = TypeVar("T")

# The sort key of the last row of a page, as JSON values. Whoever continues after it sees no row twice and misses none
# that was there, whatever is added in between.
Cursor: TypeAlias = tuple[Any, ...]


class Page(NamedTuple, Generic[T]):
    """Some results in order; `next` continues after them, None when there are no more."""

    items: list[T]
    next: Cursor | None = None


class Search(NamedTuple):
    """What a search asks of a store. `order` is total: its last term is an id, so that pages cannot overlap.

    `lifecycle_stages` are the stages wanted. `after` is the `next` of an earlier page of the same search.
    """

    filter: Filter | None
    order: tuple[OrderTerm, ...]
    lifecycle_stages: frozenset[str]
    max_results: int
    after: Cursor | None = None


class TrackingStore(ABC):
    """Every method is atomic, safe to call from any thread and process, and sees only what was committed.

    A write that returned survives the death of the process at any later moment; one that raised left nothing behind.
    Input already satisfies the spec. Only `TrackingError`s leave: `ResourceDoesNotExist` for an unknown id,
    `StorageFull` and `TemporarilyUnavailable` when the disk is full or cannot be written, else as each method says.
    """

    @abstractmethod
    def create_experiment(self, name: str, tags: dict[str, str], now: int, locate: Callable[[str], str]) -> Experiment:
        """Make an active experiment; `locate(experiment_id)` says where its artifacts go.

        Raises:
            ResourceAlreadyExists: an experiment has this name, be it active or deleted.
        """

    @abstractmethod
    def get_experiment(self, experiment_id: str) -> Experiment: ...

    @abstractmethod
    def get_experiment_by_name(self, name: str) -> Experiment: ...

    @abstractmethod
    def update_experiment(self, experiment_id: str, edit: Callable[[Experiment], Experiment]) -> Experiment:
        """Replace the experiment by `edit(experiment)` in one transaction; what `edit` raises goes to the caller.

        When the lifecycle stage changes, every run of the experiment takes the new stage too (with its
        `deleted_time` set to the experiment's new `last_update_time`, or cleared).

        Raises:
            ResourceAlreadyExists: another experiment has the new name, be it active or deleted.
        """

    @abstractmethod
    def search_experiments(self, search: Search) -> Page[Experiment]: ...

    @abstractmethod
    def create_run(self, experiment_id: str, build: Callable[[Experiment], Run]) -> Run:
        """Store `build(experiment)`: its info and tags. What `build` raises goes to the caller.

        Raises:
            ResourceAlreadyExists: a run has this id.
        """

    @abstractmethod
    def get_run(self, run_id: str) -> Run: ...

    @abstractmethod
    def get_run_info(self, run_id: str) -> RunInfo: ...

    @abstractmethod
    def update_run(self, run_id: str, edit: Callable[[RunInfo], RunInfo]) -> RunInfo:
        """Replace the run's info by `edit(info)` in one transaction; what `edit` raises goes to the caller.

        A changed `run_name` changes the tag `mlflow.runName` with it.
        """

    @abstractmethod
    def edit_tag(self, run_id: str, key: str, edit: Callable[[str | None], str | None]) -> None:
        """Replace a tag of an active run by `edit(value)` in one transaction; None stands for no such tag.

        What `edit` raises goes to the caller. The run's name stays when its tag `mlflow.runName` goes.

        Raises:
            InvalidParameterValue: the run is deleted.
        """

    @abstractmethod
    def search_runs(self, experiment_ids: Sequence[str], search: Search) -> Page[Run]:
        """Runs of these experiments; unknown ids match nothing, an id given twice counts once."""

    @abstractmethod
    def log_batch(self, run_id: str, batch: RunBatch) -> None:
        """Add all of `batch` to an active run, or nothing.

        A point equal to a stored one in (key, timestamp, step, value) is stored once. A tag replaces its old value, the
        last of equal keys wins; a non-empty tag `mlflow.runName` renames the run, an empty one is ignored. A dataset
        known in the experiment by (name, digest) keeps its first record; an input the run already has stays as it is.
        A model output the run already has stays as it is.

        Raises:
            InvalidParameterValue: the run is deleted; or a param has another value already.
        """

    @abstractmethod
    def get_metric_history(
        self, run_id: str, key: str, max_results: int | None = None, after: Cursor | None = None
    ) -> Page[Metric]:
        """Points of one metric, ascending (timestamp, step, value; NaN above all); an unknown key has none."""

    @abstractmethod
    def sample_metric_history(
        self, run_id: str, key: str, max_points: int, first_step: int | None = None, last_step: int | None = None
    ) -> list[Metric]:
        """At most `max_points` points of one metric, ascending (step, timestamp, value).

        They are the ones that `store.sampling.sample` would choose of the whole history.
        """

    @abstractmethod
    def search_datasets(self, experiment_ids: Sequence[str], max_results: int) -> list[DatasetSummary]:
        """Distinct (experiment, name, digest, context) of the datasets that runs of these used, in that order."""

    @abstractmethod
    def purge_run(self, run_id: str) -> None:
        """Remove a run and all that was logged to it for good; the caller has checked that it is deleted."""

    @abstractmethod
    def purge_experiment(self, experiment_id: str) -> None:
        """Remove an experiment and its runs for good; the caller has checked that it is deleted."""

    @abstractmethod
    def close(self) -> None:
        """Release files and connections; the store is not used afterwards."""


def open_store(uri: str, locate: Callable[[str], str] | None = None) -> TrackingStore:
    """The store that a backend store URI names: a folder (path or `file:`) or `sqlite:///path`.

    A new store is made ready: it has experiment 0, called `Default`, whose artifacts go to `locate("0")`.

    Raises:
        InvalidParameterValue: nobody serves this scheme.
    """
    scheme = uri.split(":", 1)[0].lower() if ":" in uri else ""
    if scheme in ("", "file"):
        from tracklane_server.store.file.store import FileStore

        return FileStore.open(uri, locate)
    if scheme == "sqlite":
        from tracklane_server.store.sql.store import SqlStore

        return SqlStore.open(uri, locate)
    raise InvalidParameterValue(
        f"Backend store URI scheme '{scheme}' is not served; use a folder, file:/path or sqlite:///path"
    )
