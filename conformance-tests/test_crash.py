"""A server that dies, at once or on request, keeps what it said it stored, and stores no batch by half."""

import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from servers import STOP_SECONDS, STORES, Server, running_server
from storm import Storm, check, create_run, storm

pytestmark = pytest.mark.owns_server

ROUNDS = 4
WRITERS = 6
FEW = 30


@pytest.fixture(params=STORES)
def own_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    with running_server(request.param, tmp_path) as server:
        yield server


def test_kill_during_a_storm_loses_nothing_and_tears_nothing(own_server: Server) -> None:
    runs = [create_run(own_server) for _ in range(2)]
    storms: list[Storm] = []
    for attempt in range(ROUNDS):
        with storm(own_server, runs, WRITERS, first=attempt * 10_000) as each:
            each.wait_for(FEW)
            time.sleep(random.uniform(0, 0.3))
            own_server.kill()
        own_server.start()
        storms.append(each)
        kept = check(own_server, storms)
        print(f"{own_server.store}, round {attempt}: {each}; {kept} unanswered batches of all rounds are whole")
        assert not each.refused, each.refused
    assert all(each.unanswered for each in storms), "the server was never killed within a request"


def test_runs_go_on_after_a_kill(own_server: Server) -> None:
    with storm(own_server, [run := create_run(own_server)], WRITERS) as before:
        before.wait_for(FEW)
        own_server.kill()
    own_server.start()
    with storm(own_server, [run], WRITERS, first=10_000, count=5) as after:
        pass
    check(own_server, [before, after])
    assert len(after.acknowledged) == WRITERS * 5, str(after)


def terminate(server: Server) -> None:
    """Ask the server to finish, and wait until it has; it must end by itself and without complaint."""
    process = server.process
    assert process is not None
    process.send_signal(signal.SIGTERM)
    assert process.wait(STOP_SECONDS) == 0, server.log()
    server.process = None


def test_sigterm_during_a_storm_answers_what_it_stored(own_server: Server) -> None:
    runs = [create_run(own_server) for _ in range(2)]
    with storm(own_server, runs, WRITERS) as each:
        each.wait_for(FEW)
        terminate(own_server)
    assert not each.refused, each.refused
    assert "Traceback" not in own_server.log(), own_server.log()
    own_server.start()
    kept = check(own_server, [each])
    print(f"{own_server.store}, SIGTERM: {each}; {kept} unanswered batches are whole")
    assert kept == 0, "requests in flight were cut off, though what they asked for was done"


def test_sigterm_waits_for_an_upload_in_flight(own_server: Server) -> None:
    url = f"{own_server.url}/api/2.0/mlflow-artifacts/artifacts/slow.bin"
    begun, go_on = threading.Event(), threading.Event()

    def content() -> Iterator[bytes]:
        yield b"first half, "
        begun.set()
        assert go_on.wait(STOP_SECONDS)
        yield b"second half"

    answers: list[requests.Response] = []
    upload = threading.Thread(target=lambda: answers.append(requests.put(url, data=content(), timeout=STOP_SECONDS)))
    upload.start()
    assert begun.wait(STOP_SECONDS)
    time.sleep(0.2)  # so that the server has met the request
    assert own_server.process is not None
    own_server.process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    assert own_server.process.poll() is None, "the server did not wait"
    go_on.set()
    upload.join()
    assert [answer.status_code for answer in answers] == [200]
    assert own_server.process.wait(STOP_SECONDS) == 0, own_server.log()
    own_server.start()
    assert requests.get(url, timeout=STOP_SECONDS).content == b"first half, second half"


def test_an_upload_that_breaks_off_leaves_no_file(own_server: Server) -> None:
    url = f"{own_server.url}/api/2.0/mlflow-artifacts/artifacts/folder"

    def content() -> Iterator[bytes]:
        yield b"half" * 1000
        raise ConnectionError("the client is gone")

    with pytest.raises(requests.ConnectionError):
        requests.put(f"{url}/file.bin", data=content(), timeout=STOP_SECONDS)
    assert requests.get(f"{url}/file.bin", timeout=STOP_SECONDS).status_code == 404
    listed = requests.get(
        f"{own_server.url}/api/2.0/mlflow-artifacts/artifacts", params={"path": "folder"}, timeout=STOP_SECONDS
    )
    assert listed.json() == {}
