"""Between the wire's JSON objects and the entities: the only place that knows which fields a reply leaves out.

int64 travel as numbers, NaN and the infinities as strings, what is unset is left out (wire-contract 0.6, 0.7).
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from tracklane_server.contract.entities import (
    Dataset,
    DatasetInput,
    DatasetSummary,
    Experiment,
    FileInfo,
    Metric,
    ModelOutput,
    Run,
    RunInfo,
)
from tracklane_server.contract.errors import no_model
from tracklane_server.contract.spec import OPERATIONS

Json = dict[str, Any]

_INFINITY = float("inf")
_OF_DATASET = ("dataset_name", "dataset_digest")


def decode(operation_id: str, request: Json) -> Json:
    """A valid request as arguments of the service function: defaults filled in, lists of objects as entities."""
    arguments = {**_defaults(operation_id), **request}
    for field, build in _DECODERS.items():
        if field in request:
            arguments[field] = build(request[field])
    return arguments


def encode(operation_id: str, reply: Json) -> Json:
    """A service function's reply as the wire has it: entities as objects, None and optional empty lists left out."""
    wire = {}
    always_given = OPERATIONS[operation_id].always_given
    for field, value in reply.items():
        if value is None:
            continue
        if isinstance(value, list):
            if value or field in always_given:
                wire[field] = _encode_all(value)
        else:
            wire[field] = _encode_one(value)
    return wire


def metric_value(value: float) -> float | str:
    if value - value == 0:
        return value
    if value != value:
        return "NaN"
    return "Infinity" if value == _INFINITY else "-Infinity"


def encode_metrics(points: Sequence[Metric]) -> list[Json]:
    """Points as objects; written out plainly because a reply may hold 100,000 of them."""
    wire: list[Json] = [
        {
            "key": key,
            "value": value if value - value == 0 else metric_value(value),
            "timestamp": timestamp,
            "step": step,
        }
        for key, value, timestamp, step, _, _ in points
    ]
    if any(name is not None or digest is not None for _, _, _, _, name, digest in points):
        for point, its in zip(wire, points, strict=True):
            point |= {name: getattr(its, name) for name in _OF_DATASET if getattr(its, name) is not None}
    return wire


@cache
def _defaults(operation_id: str) -> Json:
    properties = OPERATIONS[operation_id].request.get("properties", {})
    return {name: its["default"] for name, its in properties.items() if "default" in its}


def _decode_metrics(points: list[Json]) -> tuple[Metric, ...]:
    for point in points:
        if point.get("model_id"):
            raise no_model(point["model_id"])
    return tuple(
        Metric(
            point["key"],
            float(point["value"]) + 0.0,  # -0.0 becomes 0.0, its equal: not every store can keep the sign
            point["timestamp"],
            point.get("step", 0),
            point.get("dataset_name"),
            point.get("dataset_digest"),
        )
        for point in points
    )


def _decode_pairs(pairs: list[Json]) -> tuple[tuple[str, str], ...]:
    return tuple((pair["key"], pair.get("value", "")) for pair in pairs)


def _decode_inputs(inputs: list[Json]) -> tuple[DatasetInput, ...]:
    return tuple(
        DatasetInput(
            Dataset(**{name: its["dataset"].get(name) for name in Dataset._fields}),
            dict(_decode_pairs(its.get("tags", []))),
        )
        for its in inputs
    )


def _decode_models(models: list[Json]) -> tuple[ModelOutput, ...]:
    return tuple(ModelOutput(model["model_id"], model.get("step", 0)) for model in models)


_DECODERS: dict[str, Callable[[list[Json]], Any]] = {
    "metrics": _decode_metrics,
    "params": _decode_pairs,
    "tags": _decode_pairs,
    "datasets": _decode_inputs,
    "models": _decode_models,
}


def _encode_all(values: list[Any]) -> list[Any]:
    """A list of one kind of thing; one that is on the wire's side already, as long histories are, is not touched."""
    encoder = _ENCODERS.get(type(values[0])) if values else None
    return [encoder(value) for value in values] if encoder else values


def _encode_one(value: Any) -> Any:
    encoder = _ENCODERS.get(type(value))
    return encoder(value) if encoder else value


def _pairs(mapping: dict[str, str]) -> list[Json]:
    return [{"key": key, "value": value} for key, value in mapping.items()]


def _experiment(experiment: Experiment) -> Json:
    wire: Json = {
        "experiment_id": experiment.experiment_id,
        "name": experiment.name,
        "artifact_location": experiment.artifact_location,
        "lifecycle_stage": experiment.lifecycle_stage,
        "workspace": "default",
    }
    if experiment.creation_time:
        wire["creation_time"] = experiment.creation_time
    if experiment.last_update_time:
        wire["last_update_time"] = experiment.last_update_time
    if experiment.tags:
        wire["tags"] = _pairs(experiment.tags)
    return wire


def _run_info(info: RunInfo) -> Json:
    wire: Json = {
        "run_id": info.run_id,
        "run_uuid": info.run_id,
        "experiment_id": info.experiment_id,
        "run_name": info.run_name,
        "user_id": info.user_id,
        "status": info.status,
        "start_time": info.start_time,
        "artifact_uri": info.artifact_uri,
        "lifecycle_stage": info.lifecycle_stage,
    }
    if info.end_time:
        wire["end_time"] = info.end_time
    return wire


def _run(run: Run) -> Json:
    data: Json = {}
    if run.metrics:
        data["metrics"] = encode_metrics(run.metrics)
    if run.params:
        data["params"] = _pairs(run.params)
    if run.tags:
        data["tags"] = _pairs(run.tags)
    inputs: Json = {}
    if run.dataset_inputs:
        inputs["dataset_inputs"] = [_dataset_input(its) for its in run.dataset_inputs]
    if run.model_inputs:
        inputs["model_inputs"] = [{"model_id": model_id} for model_id in run.model_inputs]
    outputs: Json = {}
    if run.model_outputs:
        outputs["model_outputs"] = [its._asdict() for its in run.model_outputs]
    return {"info": _run_info(run.info), "data": data, "inputs": inputs, "outputs": outputs}


def _dataset_input(its: DatasetInput) -> Json:
    wire: Json = {"dataset": _present(its.dataset)}
    if its.tags:
        wire["tags"] = _pairs(its.tags)
    return wire


def _file_info(info: FileInfo) -> Json:
    wire: Json = {"path": info.path, "is_dir": info.is_dir}
    if info.file_size:  # the wire leaves out a size of zero
        wire["file_size"] = info.file_size
    return wire


def _present(entity: Any) -> Json:
    return {name: value for name, value in entity._asdict().items() if value is not None}


_ENCODERS: dict[type, Callable[[Any], Json]] = {
    Experiment: _experiment,
    RunInfo: _run_info,
    Run: _run,
    FileInfo: _file_info,
    DatasetSummary: _present,
    Metric: lambda point: encode_metrics([point])[0],
}
