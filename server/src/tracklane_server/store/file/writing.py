"""What one batch changes in a run's folder; the caller holds the run's lock."""

from collections.abc import Callable

from tracklane_server.contract.entities import RUN_NAME_TAG, RunBatch, RunInfo
from tracklane_server.store.file.change import Change, Content
from tracklane_server.store.file.inputs import plan_inputs
from tracklane_server.store.file.layout import PARAMS, TAGS
from tracklane_server.store.file.metric_files import plan_metrics
from tracklane_server.store.file.values import plan_values, read_value
from tracklane_server.store.rules import changed_params


def plan_batch(
    folder: str, info: RunInfo, batch: RunBatch, plan_info: Callable[[str, RunInfo], list[Content]]
) -> Change:
    """The change that logs a batch.

    Raises:
        InvalidParameterValue: a param has another value already.
    """
    contents: list[Content] = []
    if batch.params:
        found = {key: value for key, _ in batch.params if (value := read_value(folder, PARAMS, key)) is not None}
        contents += plan_values(folder, PARAMS, dict(changed_params(found, batch.params)))
    if batch.tags:
        tags = {key: value for key, value in batch.tags if value or key != RUN_NAME_TAG}
        contents += plan_values(folder, TAGS, tags)
        name = tags.get(RUN_NAME_TAG)
        if name is not None and name != info.run_name:
            contents += plan_info(folder, info._replace(run_name=name))
    if batch.dataset_inputs or batch.model_inputs or batch.model_outputs:
        contents += plan_inputs(folder, batch)
    return Change(plan_metrics(folder, batch.metrics), contents)
