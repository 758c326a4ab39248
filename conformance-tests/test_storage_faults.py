"""A store that cannot be written says so, with 507 for a full disk and 503 for a folder that is read-only.

What is stored stays readable meanwhile, and writing goes on as soon as there is room again.
"""

import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from servers import STORES, Server, free_port, running_server
from storm import API, SECONDS, create_run

pytestmark = pytest.mark.owns_server

PROXY = "/api/2.0/mlflow-artifacts/artifacts"
DISK_BYTES = 24 * 2**20
IS_ROOT = os.geteuid() == 0
# Root may write anywhere, whatever the permissions say, unless it gives that power up.
WITHOUT_ROOTS_POWER = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps=-all"]

UNAVAILABLE = (503, "TEMPORARILY_UNAVAILABLE")
FULL = (507, "IO_ERROR")


def post(server: Server, operation: str, body: dict[str, Any]) -> requests.Response:
    return requests.post(f"{server.url}{API}/{operation}", json=body, timeout=SECONDS)


def put(server: Server, name: str, content: bytes) -> requests.Response:
    return requests.put(f"{server.url}{PROXY}/{name}", data=content, timeout=SECONDS)


def writes(server: Server, run_id: str) -> dict[str, Callable[[int], requests.Response]]:
    """Every kind of write, each a function of a number that makes it a new one."""
    big = "x" * 5000
    return {
        "runs/log-batch": lambda n: post(
            server,
            "runs/log-batch",
            {
                "run_id": run_id,
                "metrics": [{"key": "m", "value": n, "step": n, "timestamp": i} for i in range(200)],
                "params": [{"key": f"p{n}/{i}", "value": big} for i in range(20)],
                "tags": [{"key": f"t{n}/{i}", "value": big} for i in range(20)],
            },
        ),
        "runs/log-metric": lambda n: post(
            server, "runs/log-metric", {"run_id": run_id, "key": f"one{n}", "value": 1, "timestamp": 1}
        ),
        "runs/set-tag": lambda n: post(server, "runs/set-tag", {"run_id": run_id, "key": f"big{n}", "value": big}),
        "runs/create": lambda n: post(server, "runs/create", {"experiment_id": "0", "run_name": f"run {n}"}),
        "runs/update": lambda n: post(server, "runs/update", {"run_id": run_id, "run_name": f"name {n}"}),
        "experiments/create": lambda n: post(server, "experiments/create", {"name": f"experiment {n}"}),
        "runs/log-inputs": lambda n: post(
            server,
            "runs/log-inputs",
            {
                "run_id": run_id,
                "datasets": [{"dataset": {"name": f"d{n}", "digest": "g", "source_type": "s", "source": big}}],
            },
        ),
        "upload": lambda n: put(server, f"folder{n}/file.bin", big.encode() * 100),
    }


def read_all(server: Server, run_id: str) -> dict[str, Any]:
    """What is stored, as several kinds of reading tell it; each must succeed."""
    url, run = server.url + API, {"run_id": run_id}
    answers = {
        "run": requests.get(f"{url}/runs/get", params=run, timeout=SECONDS),
        "history": requests.get(f"{url}/metrics/get-history", params={**run, "metric_key": "m"}, timeout=SECONDS),
        "runs": post(server, "runs/search", {"experiment_ids": ["0"], "filter": "metrics.m >= 0", "max_results": 100}),
        "experiments": post(server, "experiments/search", {"max_results": 100}),
        "file": requests.get(f"{server.url}{PROXY}/folder0/file.bin", timeout=SECONDS),
        "files": requests.get(f"{server.url}{PROXY}", params={"path": "folder0"}, timeout=SECONDS),
    }
    for name, answer in answers.items():
        assert answer.status_code == 200, f"{name}: {answer.text}"
    return {name: answer.content if name == "file" else answer.json() for name, answer in answers.items()}


def check_refusal(name: str, answer: requests.Response, *allowed: tuple[int, str]) -> None:
    """The failure is one of those allowed, and says in plain words what is wrong and nothing of the inside."""
    body = answer.json()
    assert (answer.status_code, body["error_code"]) in allowed, f"{name}: {answer.status_code} {answer.text}"
    assert len(body["message"]) > 10, body
    for leak in ("Traceback", "INSERT", "UPDATE ", "sqlite3", "sqlalche.me", "[Errno", "[parameters"):
        assert leak not in body["message"], f"{name}: {body}"


def filled(server: Server) -> tuple[str, dict[str, Callable[[int], requests.Response]], dict[str, Any]]:
    """A run with something of each kind: its id, the writes that made it, and what is read of it."""
    run_id = create_run(server)
    kinds = writes(server, run_id)
    for name, write in kinds.items():
        assert write(0).status_code == 200, name
    return run_id, kinds, read_all(server, run_id)


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A file system of its own, of a few megabytes, at `folder`."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tracklane-test", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """A file that takes all the room that is left, to the last byte."""
    ballast = folder / "ballast"
    with ballast.open("ab", buffering=0) as file:
        for size in (2**20, 4096, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue
    return ballast


@pytest.mark.skipif(not IS_ROOT, reason="only root can mount a small disk; the limit on file sizes is tested instead")
@pytest.mark.parametrize("store", STORES)
def test_full_disk_is_507_until_there_is_room_again(store: str, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk), running_server(store, disk) as server:
        run_id, kinds, before = filled(server)
        ballast = fill(disk)
        for _ in range(3):  # a store may have some room of its own left at first
            answers = {name: [write(n) for n in range(100, 120)] for name, write in kinds.items()}
        for name, tries in answers.items():
            for answer in tries:
                if answer.status_code != 200:
                    check_refusal(name, answer, FULL)
        refused = {name for name, tries in answers.items() if tries[-1].status_code == 507}
        print(f"{store}: refused on a full disk: {sorted(refused)}")
        assert {"runs/log-batch", "upload"} <= refused
        assert read_all(server, run_id)["file"] == before["file"]
        files = requests.get(f"{server.url}{PROXY}", timeout=SECONDS).json()["files"]
        ballast.unlink()
        for name, write in kinds.items():
            assert write(200).status_code == 200, f"{name}: {write(200).text}"
        after = read_all(server, run_id)
        check_nothing_is_half_there(after, files)
        server.stop()
        server.start()
        assert read_all(server, run_id) == after


def check_nothing_is_half_there(after: dict[str, Any], files: list[dict[str, Any]]) -> None:
    """Of each batch either all metrics, params and tags are stored or none; no part of an upload is seen."""
    data = after["run"]["run"]["data"]
    params = [param["key"].split("/")[0] for param in data["params"]]
    tags = [tag["key"].split("/")[0] for tag in data["tags"] if "/" in tag["key"]]
    steps = [point["step"] for point in after["history"]["metrics"]]
    for n in set(steps) | {int(key[1:]) for key in params + tags}:
        assert (steps.count(n), params.count(f"p{n}"), tags.count(f"t{n}")) == (200, 20, 20), f"batch {n}"
    assert {file["path"] for file in files if not file["is_dir"]} <= {"ballast"}


@pytest.mark.parametrize("store", STORES)
def test_limit_on_file_sizes_is_reported_and_passes(store: str, tmp_path: Path) -> None:
    with running_server(store, tmp_path) as server:
        run_id, kinds, before = filled(server)
        assert server.process is not None
        usual = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (0, usual[1]))
        for name, write in kinds.items():
            check_refusal(name, write(100), FULL, UNAVAILABLE)
        assert read_all(server, run_id) == before
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, usual)
        for name, write in kinds.items():
            assert (again := write(100)).status_code == 200, f"{name}: {again.text}"


def protect(folder: Path, writable: bool) -> None:
    """Allow or forbid writing to a folder and to all that it holds, but for the server's log."""
    subprocess.run(["chmod", "-R", "u+w" if writable else "a-w", str(folder)], check=True)
    (folder / "server.log").chmod(0o644)


@contextmanager
def protected_server(store: str, folder: Path) -> Iterator[Server]:
    """A server that obeys permissions, root's too, not yet started."""
    folder.mkdir()
    wrapper = WITHOUT_ROOTS_POWER if IS_ROOT else []
    port = free_port()
    server = Server(f"http://127.0.0.1:{port}", store, folder, port, wrapper=wrapper)
    try:
        yield server
    finally:
        protect(folder, writable=True)
        server.stop()


@pytest.mark.parametrize("store", STORES)
def test_folder_that_becomes_read_only_is_503_and_stays_readable(store: str, tmp_path: Path) -> None:
    with protected_server(store, tmp_path / "store") as server:
        server.start()
        run_id, kinds, before = filled(server)
        protect(server.folder, writable=False)
        assert read_all(server, run_id) == before
        for name, write in kinds.items():
            if (answer := write(100)).status_code != 200:  # a database goes on with files that it has open
                check_refusal(name, answer, UNAVAILABLE)
        check_refusal("upload", put(server, "new.bin", b"x"), UNAVAILABLE)
        assert read_all(server, run_id)["file"] == before["file"]
        protect(server.folder, writable=True)
        for name, write in kinds.items():
            assert (again := write(200)).status_code == 200, f"{name}: {again.text}"


@pytest.mark.parametrize("store", STORES)
def test_server_on_a_read_only_folder_only_reads_or_says_why_it_cannot(store: str, tmp_path: Path) -> None:
    with protected_server(store, tmp_path / "store") as server:
        server.start()
        run_id, kinds, before = filled(server)
        server.stop()
        protect(server.folder, writable=False)
        if store == "sqlite":  # even readers of its journal have to write
            with pytest.raises(RuntimeError, match="read-only"):
                server.start()
        else:
            server.start()
            assert read_all(server, run_id) == before
            for name, write in kinds.items():
                check_refusal(name, write(100), UNAVAILABLE)
            assert read_all(server, run_id) == before
            server.stop()
        protect(server.folder, writable=True)
        server.start()
        assert read_all(server, run_id) == before
