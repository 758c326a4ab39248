"""Experiments: create, find, change, and their tags."""

from collections.abc import Callable

from tracklane_server.artifacts.locations import checked_location
from tracklane_server.contract.entities import ACTIVE, DELETED, DatasetSummary, Experiment
from tracklane_server.contract.errors import InvalidParameterValue, ResourceDoesNotExist
from tracklane_server.search.grammar import parse_experiment_filter, parse_experiment_order
from tracklane_server.service.backend import Backend, Handlers, Reply, experiment_location
from tracklane_server.service.distinct import distinct
from tracklane_server.service.searching import paged

MOST_DATASETS = 1000


def create_experiment(
    backend: Backend, name: str, artifact_location: str | None = None, tags: tuple[tuple[str, str], ...] = ()
) -> Reply:
    """Spec: createExperiment"""
    settings = backend.settings
    if artifact_location:
        location = checked_location(
            artifact_location,
            settings.allowed_hosted_schemes,
            settings.local_roots,
            own_locations=(settings.default_artifact_root,) if settings.default_artifact_root else (),
        )
    else:
        location = None
    experiment = backend.store.create_experiment(
        name, distinct(tags), backend.clock(), lambda its_id: location or experiment_location(settings, its_id)
    )
    return {"experiment_id": experiment.experiment_id}


def get_experiment(backend: Backend, experiment_id: str) -> Reply:
    """Spec: getExperiment"""
    return {"experiment": backend.store.get_experiment(experiment_id)}


def get_experiment_by_name(backend: Backend, experiment_name: str) -> Reply:
    """Spec: getExperimentByName"""
    return {"experiment": backend.store.get_experiment_by_name(experiment_name)}


def search_experiments(
    backend: Backend,
    max_results: int,
    filter: str = "",
    order_by: list[str] | None = None,
    view_type: str = "ACTIVE_ONLY",
    page_token: str | None = None,
) -> Reply:
    """Spec: searchExperiments, searchExperimentsByQuery"""
    return paged(
        "experiments",
        backend.store.search_experiments,
        scope=None,
        filter=parse_experiment_filter(filter),
        order=parse_experiment_order(order_by or []),
        view=view_type,
        max_results=max_results,
        page_token=page_token,
    )


def delete_experiment(backend: Backend, experiment_id: str) -> Reply:
    """Spec: deleteExperiment"""
    return _change_stage(backend, experiment_id, ACTIVE, DELETED)


def restore_experiment(backend: Backend, experiment_id: str) -> Reply:
    """Spec: restoreExperiment"""
    return _change_stage(backend, experiment_id, DELETED, ACTIVE)


def _change_stage(backend: Backend, experiment_id: str, before: str, after: str) -> Reply:
    def edit(experiment: Experiment) -> Experiment:
        if experiment.lifecycle_stage != before:
            raise ResourceDoesNotExist(f"No {before} experiment with id '{experiment_id}' exists: it is {after}")
        return experiment._replace(lifecycle_stage=after, last_update_time=backend.clock())

    backend.store.update_experiment(experiment_id, edit)
    return {}


def update_experiment(backend: Backend, experiment_id: str, new_name: str) -> Reply:
    """Spec: updateExperiment"""
    return _edit_active(backend, experiment_id, lambda experiment: experiment._replace(name=new_name))


def set_experiment_tag(backend: Backend, experiment_id: str, key: str, value: str = "") -> Reply:
    """Spec: setExperimentTag"""
    return _edit_active(backend, experiment_id, lambda its: its._replace(tags={**its.tags, key: value}))


def delete_experiment_tag(backend: Backend, experiment_id: str, key: str) -> Reply:
    """Spec: deleteExperimentTag"""

    def edit(experiment: Experiment) -> Experiment:
        if key not in experiment.tags:
            raise ResourceDoesNotExist(f"Experiment '{experiment_id}' has no tag '{key}'")
        return experiment._replace(tags={name: value for name, value in experiment.tags.items() if name != key})

    return _edit_active(backend, experiment_id, edit)


def _edit_active(backend: Backend, experiment_id: str, change: Callable[[Experiment], Experiment]) -> Reply:
    def edit(experiment: Experiment) -> Experiment:
        if experiment.lifecycle_stage != ACTIVE:
            raise InvalidParameterValue(f"Experiment '{experiment_id}' must be active for this; restore it first")
        return change(experiment)._replace(last_update_time=backend.clock())

    backend.store.update_experiment(experiment_id, edit)
    return {}


def search_datasets(backend: Backend, experiment_ids: list[str]) -> Reply:
    """Spec: searchDatasets"""
    summaries: list[DatasetSummary] = backend.store.search_datasets(experiment_ids, MOST_DATASETS)
    return {"dataset_summaries": summaries}


HANDLERS: Handlers = {
    "createExperiment": create_experiment,
    "getExperiment": get_experiment,
    "getExperimentByName": get_experiment_by_name,
    "searchExperiments": search_experiments,
    "searchExperimentsByQuery": search_experiments,
    "deleteExperiment": delete_experiment,
    "restoreExperiment": restore_experiment,
    "updateExperiment": update_experiment,
    "setExperimentTag": set_experiment_tag,
    "deleteExperimentTag": delete_experiment_tag,
    "searchDatasets": search_datasets,
}
