"""Every store answers the same random history of requests alike: status and body, down to the sign of zero.

`LOCKSTEP_EXAMPLES=500` makes the search longer; a failure prints the shortest history that shows the difference.
"""

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import lockstep_data as data
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    multiple,
    rule,
    run_state_machine_as_test,
)
from lockstep_bad import bad_requests
from lockstep_servers import API, PROXY, Answer, Lockstep
from servers import STORES, running_server

EXAMPLES = int(os.environ.get("LOCKSTEP_EXAMPLES", "40"))
STEPS = 40
TOKEN = ("T", lambda raw: raw.get("next_page_token", ""))
NAMES = st.sampled_from(["one", "two", "Two", "O'Brien", "ünï/x"])

experiments: Bundle[str] = Bundle("experiments")
runs: Bundle[str] = Bundle("runs")
searches: Bundle[tuple[str, dict[str, Any]]] = Bundle("searches")
histories: Bundle[dict[str, Any]] = Bundle("histories")


class SameHistory(RuleBasedStateMachine):
    """One random history, sent to all stores; experiments of other histories are kept out of sight by a prefix."""

    histories_so_far = 0

    def __init__(self, servers: Lockstep) -> None:
        super().__init__()
        SameHistory.histories_so_far += 1
        self.all = servers
        self.prefix = f"h{SameHistory.histories_so_far}-"
        self.start_times: set[int] = set()
        self.experiment_of: dict[str, str] = {}
        self.known_keys: set[tuple[str, str]] = set()

    @initialize(target=experiments)
    def begin_experiments(self) -> Any:
        return multiple(*(self._create_experiment(name, []) for name in ("one", "two")))

    @initialize(target=runs, name=NAMES, batches=st.lists(data.batches, min_size=4, max_size=4))
    def begin_runs(self, name: str, batches: list[dict[str, Any]]) -> Any:
        experiments = [self._create_experiment(name, []) for name in ("three", "four")]
        begun = [self._create_run(experiments[n % 2], name, n, {}) for n in range(4)]
        for run, batch in zip(begun, batches, strict=True):
            self.log_batch(run, batch)
        return multiple(*begun)

    # ---- experiments

    @rule(target=experiments, name=NAMES, tags=data.pairs(data.any_keys, data.long_texts, repeated=True))
    def create_experiment(self, name: str, tags: list[Any]) -> Any:
        return self._create_experiment(name, tags) or multiple()

    @rule(experiment=experiments, name=NAMES)
    def rename_experiment(self, experiment: str, name: str) -> None:
        body = {"experiment_id": experiment, "new_name": self.prefix + name}
        self._moment(self.all.post("experiments/update", body))

    @rule(experiment=experiments, operation=st.sampled_from(["delete", "restore", "restore"]))
    def delete_or_restore_experiment(self, experiment: str, operation: str) -> None:
        self._moment(self.all.post(f"experiments/{operation}", {"experiment_id": experiment}))

    @rule(experiment=experiments, key=data.any_keys, value=data.long_texts)
    def set_experiment_tag(self, experiment: str, key: str, value: str) -> None:
        body = {"experiment_id": experiment, "key": key, "value": value}
        self._moment(self.all.post("experiments/set-experiment-tag", body))

    @rule(experiment=experiments, key=data.any_keys)
    def delete_experiment_tag(self, experiment: str, key: str) -> None:
        self._moment(self.all.post("experiments/delete-experiment-tag", {"experiment_id": experiment, "key": key}))

    @rule(experiment=experiments, name=NAMES)
    def get_experiment(self, experiment: str, name: str) -> None:
        self.all.get("experiments/get", experiment_id=experiment)
        self.all.get("experiments/get-by-name", experiment_name=self.prefix + name)

    @rule(
        target=searches,
        filter=data.experiment_filters,
        order_by=data.experiment_orders,
        view_type=data.views,
        max_results=data.page_sizes,
    )
    def search_experiments(self, filter: str, **asked: Any) -> Any:
        mine = f"name LIKE '{self.prefix}%'"
        return self._search("experiments/search", {"filter": f"{mine} AND ({filter})" if filter else mine, **asked})

    # ---- runs

    @rule(
        target=runs,
        experiment=experiments,
        name=NAMES,
        start_time=data.numbers,
        more=st.fixed_dictionaries({}, optional={"user_id": data.texts, "tags": data.pairs(data.any_keys)}),
    )
    def create_run(self, experiment: str, name: str, start_time: Any, more: dict[str, Any]) -> Any:
        return self._create_run(experiment, name, start_time, more) or multiple()

    @rule(
        run=runs,
        changes=st.fixed_dictionaries(
            {}, optional={"status": data.statuses, "end_time": data.numbers, "run_name": NAMES | st.just("")}
        ),
    )
    def update_run(self, run: str, changes: dict[str, Any]) -> None:
        self.all.post("runs/update", {"run_id": run, **changes})

    @rule(run=runs, operation=st.sampled_from(["delete", "restore", "restore"]))
    def delete_or_restore_run(self, run: str, operation: str) -> None:
        self.all.post(f"runs/{operation}", {"run_id": run})

    @rule(run=runs)
    def get_run(self, run: str) -> None:
        self.all.get("runs/get", run_id=run)

    @rule(run=runs, metric=data.metrics, key=data.any_keys)
    def log_metric(self, run: str, metric: dict[str, Any], key: str) -> None:
        self._remember(run, [{"key": key}])
        self.all.post("runs/log-metric", {"run_id": run, **metric, "key": key})

    @rule(run=runs, key=data.any_keys, value=data.long_texts)
    def log_param(self, run: str, key: str, value: str) -> None:
        self.all.post("runs/log-parameter", {"run_id": run, "key": key, "value": value})

    @rule(run=runs, key=data.any_keys | st.just("mlflow.runName"), value=data.long_texts)
    def set_tag(self, run: str, key: str, value: str) -> None:
        self.all.post("runs/set-tag", {"run_id": run, "key": key, "value": value})

    @rule(run=runs, key=data.any_keys | st.just("mlflow.runName"))
    def delete_tag(self, run: str, key: str) -> None:
        self.all.post("runs/delete-tag", {"run_id": run, "key": key})

    @rule(run=runs, batch=data.batches)
    def log_batch(self, run: str, batch: dict[str, Any]) -> None:
        self._remember(run, batch.get("metrics", []))
        self.all.post("runs/log-batch", {"run_id": run, **batch})

    @rule(run=runs, model=data.model_texts)
    def log_model(self, run: str, model: str) -> None:
        self.all.post("runs/log-model", {"run_id": run, "model_json": model})

    @rule(run=runs, datasets=st.lists(data.datasets, max_size=3), models=st.lists(data.models, max_size=2))
    def log_inputs(self, run: str, datasets: list[Any], models: list[Any]) -> None:
        self.all.post("runs/log-inputs", {"run_id": run, "datasets": datasets, "models": models})

    @rule(run=runs, models=st.lists(data.outputs, max_size=3))
    def log_outputs(self, run: str, models: list[Any]) -> None:
        self.all.post("runs/outputs", {"run_id": run, "models": models})

    @rule(
        target=searches,
        some=st.lists(runs, min_size=1, max_size=4),
        empty=st.lists(experiments, max_size=1),
        filter=data.run_filters,
        order_by=data.run_orders,
        run_view_type=data.views,
        max_results=data.page_sizes,
    )
    def search_runs(self, some: list[str], empty: list[str], **asked: Any) -> Any:
        ids = [self.experiment_of[run] for run in some] + empty
        return self._search("runs/search", {"experiment_ids": ids, **asked})

    @rule(target=searches, some=st.lists(runs, min_size=1, max_size=3), wanted=st.lists(runs, min_size=1, max_size=3))
    def search_runs_by_id(self, some: list[str], wanted: list[str]) -> Any:
        ids = ", ".join(f"'{run}'" for run in wanted)
        experiments = [self.experiment_of[run] for run in some]
        return self._search("runs/search", {"experiment_ids": experiments, "filter": f"run_id IN ({ids})"})

    @rule(target=searches, search=consumes(searches))
    def next_page(self, search: tuple[str, dict[str, Any]]) -> Any:
        return self._search(*search)

    # ---- histories and datasets

    @rule(target=histories, run=runs, key=data.keys, max_results=st.sampled_from([None, 1, 2, 1000]))
    def get_history(self, run: str, key: str, max_results: int | None) -> Any:
        return self._history({"run_id": run, "metric_key": key, "max_results": max_results})

    @rule(target=histories, query=consumes(histories))
    def next_history_page(self, query: dict[str, Any]) -> Any:
        return self._history(query)

    @rule(some=st.lists(runs, min_size=1, max_size=3), key=data.keys)
    def get_histories(self, some: list[str], key: str) -> None:
        self.all.get("metrics/get-history-bulk", run_id=some, metric_key=key)

    @rule(
        some=st.lists(runs, min_size=1, max_size=3),
        key=data.keys,
        most=st.integers(1, 6),
        steps=st.sampled_from(
            [{}, {"start_step": -1, "end_step": 2}, {"start_step": 2, "end_step": 1}, {"end_step": 1}]
        ),
    )
    def sample_histories(self, some: list[str], key: str, most: int, steps: dict[str, int]) -> None:
        self.all.get("metrics/get-history-bulk-interval", run_ids=some, metric_key=key, max_results=most, **steps)

    @rule(some=st.lists(experiments, min_size=1, max_size=3))
    def search_datasets(self, some: list[str]) -> None:
        self.all.post("experiments/search-datasets", {"experiment_ids": some})

    # ---- files

    @rule(run=runs, path=data.files, content=data.contents)
    def put_file(self, run: str, path: str, content: bytes) -> None:
        self.all.send("PUT", f"{PROXY}/{self._artifacts(run)}/{path}", content=content)

    @rule(run=runs, path=data.files, content=data.contents)
    def upload_file(self, run: str, path: str, content: bytes) -> None:
        self.all.send("POST", f"{API}/upload-artifact", query={"run_uuid": run, "path": path}, content=content)

    @rule(run=runs, path=data.files, bytes=data.ranges)
    def get_file(self, run: str, path: str, bytes: str | None) -> None:
        wanted = {"Range": bytes} if bytes else {}
        self.all.send("GET", "/get-artifact", query={"run_id": run, "path": path}, headers=wanted)

    @rule(run=runs, path=data.files, verb=st.sampled_from(["GET", "GET", "HEAD", "DELETE"]))
    def get_or_delete_file(self, run: str, path: str, verb: str) -> None:
        self.all.send(verb, f"{PROXY}/{self._artifacts(run)}/{path}")

    @rule(run=runs, path=data.files | st.just(""))
    def list_files(self, run: str, path: str) -> None:
        self.all.get("artifacts/list", run_id=run, path=path)
        self.all.send("GET", PROXY, query={"path": f"{self._artifacts(run)}/{path}".rstrip("/")})

    def _artifacts(self, run: str) -> str:
        return f"{self.experiment_of[run]}/{run}/artifacts"

    # ---- what is wrong in itself, and what must be equal in the end

    @rule(experiment=experiments, run=runs, bad=bad_requests)
    def bad_request(self, experiment: str, run: str, bad: Callable[[Lockstep, str, str], Answer]) -> None:
        bad(self.all, experiment, run)

    def teardown(self) -> None:
        for run in self.experiment_of:
            self.all.get("runs/get", run_id=run)
        for run, key in sorted(self.known_keys):
            self.all.get("metrics/get-history", run_id=run, metric_key=key)
        mine = f"name LIKE '{self.prefix}%'"
        self.all.post("experiments/search", {"filter": mine, "max_results": 1000, "view_type": "ALL"})

    def _create_experiment(self, name: str, tags: list[Any]) -> str:
        body = {"name": self.prefix + name, "tags": tags}
        new = ("E", lambda raw: raw["experiment_id"])
        return self._moment(self.all.post("experiments/create", body, new)).symbol

    def _create_run(self, experiment: str, name: str, start_time: Any, more: dict[str, Any]) -> str:
        if int(start_time) in self.start_times:  # the next tie-break is the run id, which no two servers share
            start_time = 2000 + len(self.start_times)
        body = {**more, "experiment_id": experiment, "run_name": name, "start_time": start_time}
        answer = self.all.post("runs/create", body, new=("R", lambda raw: raw["run"]["info"]["run_id"]))
        if answer.symbol:
            self.start_times.add(int(start_time))
            self.experiment_of[answer.symbol] = experiment
        return answer.symbol

    def _moment(self, answer: Answer) -> Answer:
        """No two experiments shall change in the same millisecond, else their order by time is up to chance."""
        time.sleep(0.002)
        return answer

    def _remember(self, run: str, metrics: list[Any]) -> None:
        self.known_keys |= {(run, metric["key"]) for metric in metrics}

    def _search(self, operation: str, asked: dict[str, Any]) -> Any:
        answer = self.all.post(operation, asked, new=TOKEN)
        return (operation, {**asked, "page_token": answer.symbol}) if answer.symbol else multiple()

    def _history(self, query: dict[str, Any]) -> Any:
        answer = self.all.get("metrics/get-history", new=TOKEN, **query)
        return {**query, "page_token": answer.symbol} if answer.symbol else multiple()


@pytest.mark.owns_server
def test_stores_answer_the_same_history_alike(tmp_path: Path) -> None:
    with ExitStack() as opened:
        servers = [opened.enter_context(running_server(store, tmp_path / store)) for store in STORES]
        lockstep = Lockstep(servers)
        opened.callback(lockstep.close)
        run_state_machine_as_test(
            lambda: SameHistory(lockstep),
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS,
                derandomize="LOCKSTEP_EXAMPLES" not in os.environ,
                database=None,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
