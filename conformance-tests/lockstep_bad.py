"""Requests that hardly any server should accept, each a function of the servers, an experiment and a run they know."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from lockstep_servers import API, PROXY, Answer, Lockstep

Bad = Callable[[Lockstep, str, str], Answer]

JSON = {"Content-Type": "application/json"}
WRONG_VALUES = [5, 1.5, True, [], {}, ["a"], {"a": 1}, "\x00", "x" * 20_001]
WRONG_NUMBERS = ["abc", "", 1.5, 2**63, -(2**63) - 1, "9223372036854775808", [], {}, "1e400", "0x10", "١"]

# Operation, a good body, and which of its fields take a text or a number.
BODIES: list[tuple[str, dict[str, Any], list[str], list[str]]] = [
    ("experiments/create", {"name": "never"}, ["name"], []),
    ("experiments/update", {"experiment_id": "E", "new_name": "never"}, ["experiment_id", "new_name"], []),
    ("experiments/set-experiment-tag", {"experiment_id": "E", "key": "k", "value": "v"}, ["key", "value"], []),
    ("experiments/search", {"max_results": 10}, ["filter"], ["max_results"]),
    ("runs/create", {"experiment_id": "E"}, ["experiment_id", "user_id", "run_name"], ["start_time"]),
    ("runs/update", {"run_id": "R"}, ["run_id", "status", "run_name"], ["end_time"]),
    ("runs/delete", {"run_id": "R"}, ["run_id"], []),
    (
        "runs/log-metric",
        {"run_id": "R", "key": "k", "value": 1, "timestamp": 1},
        ["run_id", "key"],
        ["timestamp", "step"],
    ),
    ("runs/log-parameter", {"run_id": "R", "key": "k", "value": "v"}, ["run_id", "key"], []),
    ("runs/search", {"experiment_ids": ["E"]}, ["filter", "page_token"], ["max_results"]),
    ("runs/log-inputs", {"run_id": "R"}, ["run_id", "datasets"], []),
    ("runs/outputs", {"run_id": "R", "models": []}, ["run_id"], []),
]
UNKNOWN: list[tuple[str, dict[str, Any]]] = [
    ("experiments/delete", {"experiment_id": "123456789"}),
    ("experiments/restore", {"experiment_id": "abc"}),
    ("experiments/update", {"experiment_id": "no-such", "new_name": "never"}),
    ("runs/create", {"experiment_id": "123456789"}),
    ("runs/update", {"run_id": "0" * 32}),
    ("runs/restore", {"run_id": "none"}),
    ("runs/delete", {"run_id": "..%2f"}),
    ("runs/log-metric", {"run_id": "0" * 32, "key": "k", "value": 1, "timestamp": 1}),
    ("runs/log-batch", {"run_id": "meta"}),
    ("runs/delete-tag", {"run_id": "0" * 32, "key": "k"}),
    ("runs/log-inputs", {"run_id": "0" * 32}),
]
QUERIES: list[tuple[str, dict[str, Any]]] = [
    ("runs/get", {}),
    ("runs/get", {"run_id": "../x"}),
    ("runs/get", {"run_id": "0" * 32}),
    ("experiments/get", {"experiment_id": "123456789"}),
    ("experiments/get", {"experiment_id": "models"}),
    ("experiments/get-by-name", {"experiment_name": "no such"}),
    ("metrics/get-history", {"run_id": "0" * 32, "metric_key": "k"}),
    ("metrics/get-history", {"run_id": "R", "metric_key": "../meta.yaml"}),
    ("metrics/get-history", {"run_id": "R", "metric_key": "k", "max_results": "0"}),
    ("metrics/get-history", {"run_id": "R", "metric_key": "k", "page_token": "bogus"}),
    ("metrics/get-history-bulk", {"run_id": "R"}),
    ("metrics/get-history-bulk", {"run_id": ["R"] * 101, "metric_key": "k"}),
    ("metrics/get-history-bulk-interval", {"run_ids": "R", "metric_key": "k", "max_results": 2501}),
    ("artifacts/list", {"run_id": "R", "path": "../.."}),
    ("artifacts/list", {"run_id": "0" * 32}),
]
TEXTS = [b"", b"{", b"[]", b"5", b"null", b'"{"', b"\xff", b'{"run_id": "a"', b'{"run_id": 1e999}', b"[" * 5000]
BATCHES: list[dict[str, Any]] = [
    {"metrics": [{"key": "k", "value": "abc", "timestamp": 1}]},
    {"metrics": [{"key": "k", "value": 1}]},
    {"metrics": [{"key": "k", "value": 1, "timestamp": -1}]},
    {"metrics": [{"key": "k", "value": 1, "timestamp": 1}] * 1001},
    {"metrics": "k", "params": []},
    {"params": [{"key": "p", "value": "1"}, {"key": "p", "value": "1"}]},
    {"params": [{"key": "p", "value": 5}]},
    {"params": [{"key": f"p{n}"} for n in range(101)]},
    {"metrics": [{"key": "k", "value": 1, "timestamp": 1}] * 950, "tags": [{"key": f"t{n}"} for n in range(51)]},
    {"tags": [{"value": "v"}]},
    {"tags": [{"key": "a" * 251}]},
    {"tags": {}},
]


def _filled(value: Any, experiment: str, run: str) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, experiment, run) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, experiment, run) for item in value]
    return {"E": experiment, "R": run}.get(value, value) if isinstance(value, str) else value


def _post(operation: str, body: dict[str, Any]) -> Bad:
    return lambda servers, experiment, run: servers.post(operation, _filled(body, experiment, run))


def _get(operation: str, query: dict[str, Any]) -> Bad:
    return lambda servers, experiment, run: servers.get(operation, **_filled(query, experiment, run))


def _send(verb: str, path: str, **rest: Any) -> Bad:
    return lambda servers, experiment, run: servers.send(verb, path, **rest)


@st.composite
def _spoiled(draw: st.DrawFn) -> Bad:
    operation, body, texts, numbers = draw(st.sampled_from(BODIES))
    wrong = dict.fromkeys(texts, WRONG_VALUES) | dict.fromkeys(numbers, WRONG_NUMBERS)
    name = draw(st.sampled_from(sorted(wrong)))
    return _post(operation, {**body, name: draw(st.sampled_from(wrong[name]))})


@st.composite
def _lacking(draw: st.DrawFn) -> Bad:
    operation, body, _, _ = draw(st.sampled_from([each for each in BODIES if each[0] != "runs/search"]))
    needed = next(iter(body))
    return _post(operation, {name: value for name, value in body.items() if name != needed})


bad_requests: st.SearchStrategy[Bad] = st.one_of(
    _spoiled(),
    _lacking(),
    st.sampled_from(UNKNOWN).map(lambda each: _post(*each)),
    st.sampled_from(QUERIES).map(lambda each: _get(*each)),
    st.sampled_from(BATCHES).map(lambda batch: _post("runs/log-batch", {"run_id": "R", **batch})),
    st.sampled_from(TEXTS).map(lambda text: _send("POST", f"{API}/runs/log-batch", content=text, headers=JSON)),
    st.sampled_from(
        [
            _send("POST", f"{API}/runs/update", content=b"{}", headers={"Content-Type": "text/plain"}),
            _send("GET", f"{API}/runs/create"),
            _send("DELETE", f"{API}/runs/get"),
            _send("PUT", "/health", content=b""),
            _send("GET", "/api/2.0/mlflow/nothing"),
            _send("GET", f"{API}/runs/get/"),
            _send("GET", f"{PROXY}/no/such/file"),
            _send("PUT", f"{PROXY}/a/../../b", content=b"x"),
            _send("POST", "/api/2.0/mlflow-artifacts/mpu/create/a", body={"path": "f", "num_parts": 2}),
            _send("GET", "/api/2.0/mlflow-artifacts/presigned/a"),
        ]
    ),
)
