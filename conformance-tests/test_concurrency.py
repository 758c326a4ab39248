"""Many clients at once, on one run and on one name: nothing is lost, nobody sees a fault, and one of many wins."""

import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from servers import STORES, Server, running_server
from storm import API, SECONDS, check, create_run, history_of, logged, storm

WRITERS = 32
BATCHES = 4
CREATORS = 8


@pytest.fixture(params=["one process", "two processes"])
def any_server(request: pytest.FixtureRequest, server: Server, tmp_path: Path) -> Iterator[Server]:
    """The shared server of each store, then one of the same store that works in two processes."""
    if request.param == "one process":
        yield server
    elif server.store not in STORES:
        pytest.skip("TARGET is one server, started by somebody else")
    else:
        with running_server(server.store, tmp_path, ["--workers", "2"]) as two:
            yield two


def at_once(tasks: int, ask: Any) -> list[requests.Response]:
    """The answers to `ask(n, session)` for each n, all begun together."""
    together = threading.Barrier(tasks)

    def each(n: int) -> requests.Response:
        with requests.Session() as session:
            together.wait()
            response: requests.Response = ask(n, session)
            return response

    with ThreadPoolExecutor(tasks) as pool:
        return list(pool.map(each, range(tasks)))


def test_batches_of_32_writers_to_one_run_are_all_there(any_server: Server) -> None:
    with storm(any_server, [create_run(any_server)], WRITERS, count=BATCHES) as each:
        pass
    assert not each.refused, each.refused
    assert len(each.acknowledged) == WRITERS * BATCHES, str(each)
    assert check(any_server, [each]) == 0


def test_points_of_32_writers_to_one_metric_are_all_there(any_server: Server) -> None:
    run_id = create_run(any_server)

    def log(n: int, session: requests.Session) -> requests.Response:
        for step in range(n, n + 5 * WRITERS, WRITERS):
            body = {"run_id": run_id, "key": "loss", "value": step / 3, "step": step, "timestamp": 1}
            response = session.post(f"{any_server.url}{API}/runs/log-metric", json=body, timeout=SECONDS)
            assert response.status_code == 200, response.text
        return response

    at_once(WRITERS, log)
    assert [point["step"] for point in history_of(any_server, run_id, "loss")] == list(range(5 * WRITERS))
    assert ("loss", 5 * WRITERS - 1, (5 * WRITERS - 1) / 3) in logged(any_server, run_id).metrics


def test_one_of_many_values_of_a_param_wins(any_server: Server) -> None:
    run_id = create_run(any_server)

    def log(n: int, session: requests.Session) -> requests.Response:
        body = {"run_id": run_id, "key": "lr", "value": str(n)}
        return session.post(f"{any_server.url}{API}/runs/log-parameter", json=body, timeout=SECONDS)

    answers = at_once(CREATORS, log)
    winners = [n for n, answer in enumerate(answers) if answer.status_code == 200]
    assert len(winners) == 1, [answer.text for answer in answers]
    assert {answer.status_code for answer in answers} == {200, 400}
    assert logged(any_server, run_id).params == {("lr", str(winners[0]))}


def test_one_of_many_creators_of_an_experiment_wins(any_server: Server) -> None:
    for _ in range(5):
        name = f"contested {uuid.uuid4().hex}"

        def create(_n: int, session: requests.Session, name: str = name) -> requests.Response:
            return session.post(f"{any_server.url}{API}/experiments/create", json={"name": name}, timeout=SECONDS)

        answers = at_once(CREATORS, create)
        codes = Counter(answer.json().get("error_code", "won") for answer in answers)
        assert codes == {"won": 1, "RESOURCE_ALREADY_EXISTS": CREATORS - 1}, [answer.text for answer in answers]
        [winner] = [answer.json()["experiment_id"] for answer in answers if answer.status_code == 200]
        query = {"experiment_name": name}
        found = requests.get(f"{any_server.url}{API}/experiments/get-by-name", params=query, timeout=SECONDS)
        assert found.json()["experiment"]["experiment_id"] == winner


def test_tags_and_states_of_one_run_stay_whole(any_server: Server) -> None:
    run_id = create_run(any_server)

    def change(n: int, session: requests.Session) -> requests.Response:
        name, body = [
            ("runs/set-tag", {"key": "winner", "value": f"{n}" * 1000}),
            ("runs/update", {"status": "FINISHED", "end_time": n + 1, "run_name": f"run {n}"}),
            ("runs/set-tag", {"key": "mlflow.runName", "value": f"run {n}"}),
            ("runs/set-tag", {"key": f"own {n}", "value": f"{n}"}),
        ][n % 4]
        return session.post(f"{any_server.url}{API}/{name}", json={"run_id": run_id, **body}, timeout=SECONDS)

    answers = at_once(WRITERS, change)
    assert {answer.status_code for answer in answers} == {200}, [answer.text for answer in answers]
    found = requests.get(f"{any_server.url}{API}/runs/get", params={"run_id": run_id}, timeout=SECONDS).json()["run"]
    tags = {tag["key"]: tag["value"] for tag in found["data"]["tags"]}
    assert tags["winner"] in {f"{n}" * 1000 for n in range(0, WRITERS, 4)}
    assert {f"own {n}" for n in range(3, WRITERS, 4)} <= tags.keys()
    assert found["info"]["run_name"] == tags["mlflow.runName"]
    assert found["info"]["status"] == "FINISHED"
