"""State rules that hold inside a store's transaction, said once for every store."""

from collections.abc import Mapping

from tracklane_server.contract.entities import ACTIVE, Experiment, RunInfo
from tracklane_server.contract.errors import InvalidParameterValue, ResourceAlreadyExists, ResourceDoesNotExist


def no_experiment(experiment_id: str) -> ResourceDoesNotExist:
    return ResourceDoesNotExist(f"No experiment with id '{experiment_id}' exists")


def no_experiment_named(name: str) -> ResourceDoesNotExist:
    return ResourceDoesNotExist(f"No experiment with name '{name}' exists")


def name_taken(name: str, holder: Experiment) -> ResourceAlreadyExists:
    return ResourceAlreadyExists(
        f"An experiment named '{name}' exists already (id {holder.experiment_id}, {holder.lifecycle_stage}); "
        "choose another name, or restore or rename that one"
    )


def no_run(run_id: str) -> ResourceDoesNotExist:
    return ResourceDoesNotExist(f"No run with id '{run_id}' exists")


def run_taken(run_id: str) -> ResourceAlreadyExists:
    return ResourceAlreadyExists(f"A run with id '{run_id}' exists already")


def no_tag(run_id: str, key: str) -> ResourceDoesNotExist:
    return ResourceDoesNotExist(f"Run '{run_id}' has no tag '{key}'")


def require_active_run(run: RunInfo) -> None:
    if run.lifecycle_stage != ACTIVE:
        raise InvalidParameterValue(
            f"Run '{run.run_id}' must be active for this, but it is {run.lifecycle_stage}; restore it first"
        )


def require_unchanged_param(key: str, stored: str, given: str) -> None:
    if stored != given:
        raise InvalidParameterValue(
            f"Param '{key}' is '{stored[:250]}' and cannot be changed to '{given[:250]}': a param keeps its first value"
        )


def changed_params(stored: Mapping[str, str], given: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    """The params of `given` that are new; one that would change a stored value raises."""
    fresh = []
    for key, value in given:
        if key in stored:
            require_unchanged_param(key, stored[key], value)
        else:
            fresh.append((key, value))
    return fresh
