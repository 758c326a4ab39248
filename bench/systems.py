"""The systems that are compared: how each is started, on which store, and what it lacks."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from client import OK, Client

ROOT = Path(__file__).resolve().parent.parent
TRACKLANE = ROOT / ".venv/bin/tracklane"
MLFLOW = ROOT / ".venvs/mlflow/bin/mlflow"
FASTTRACKML = ROOT / ".venvs/fasttrackml/bin/fml"

START_SECONDS = 180
STOP_SECONDS = 30
POLL_SECONDS = 0.02

ARTIFACT_WORKLOADS = frozenset({"artifact-up", "artifact-down", "small-up", "small-down"})


@dataclass(frozen=True)
class System:
    """One server on one kind of store."""

    key: str
    title: str
    command: Callable[[Path, int], list[str]]
    environment: dict[str, str] = field(default_factory=dict)
    lacks: frozenset[str] = frozenset()  # workloads it does not offer
    in_mlruns: bool = False  # a file store, in `mlruns` in its folder
    index: str = ""  # what to delete, from its folder, to make it start without an index


def _tracklane(store: str, folder: Path, port: int) -> list[str]:
    uri = {"sqlite": f"sqlite:///{folder}/tracking.db", "file": f"{folder}/mlruns"}[store]
    return [str(TRACKLANE), "server", "--backend-store-uri", uri, *_artifacts(folder), *_listen(port)]


def _mlflow(store: str, more: list[str], folder: Path, port: int) -> list[str]:
    uri = {"sqlite": f"sqlite:///{folder}/mlflow.db", "file": f"{folder}/mlruns"}[store]
    return [str(MLFLOW), "server", "--backend-store-uri", uri, *_artifacts(folder), *_listen(port), *more]


def _fasttrackml(folder: Path, port: int) -> list[str]:
    options = ["--database-uri", f"sqlite://{folder}/fml.db", "--default-artifact-root", f"{folder}/artifacts"]
    return [str(FASTTRACKML), "server", "--listen-address", f"127.0.0.1:{port}", *options]


def _artifacts(folder: Path) -> list[str]:
    return ["--artifacts-destination", f"{folder}/mlartifacts"]


def _listen(port: int) -> list[str]:
    return ["--host", "127.0.0.1", "--port", str(port)]


_LEAN = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
_ONE_WORKER = ["--workers", "1"]

SYSTEMS = {
    system.key: system
    for system in (
        System("tracklane", "Tracklane", lambda folder, port: _tracklane("sqlite", folder, port)),
        System(
            "mlflow", "mlflow, one worker", lambda folder, port: _mlflow("sqlite", _ONE_WORKER, folder, port), _LEAN
        ),
        System(
            "fasttrackml",
            "fasttrackml",
            _fasttrackml,
            lacks=ARTIFACT_WORKLOADS | {"bulk-interval"},
        ),
        System("mlflow-shipped", "mlflow as shipped", lambda folder, port: _mlflow("sqlite", [], folder, port)),
        System(
            "tracklane-file",
            "Tracklane, file store",
            lambda folder, port: _tracklane("file", folder, port),
            in_mlruns=True,
            index="mlruns/.tracklane-index*",
        ),
        System(
            "mlflow-file",
            "mlflow, file store",
            lambda folder, port: _mlflow("file", _ONE_WORKER, folder, port),
            {**_LEAN, "MLFLOW_ALLOW_FILE_STORE": "true"},
            in_mlruns=True,
        ),
    )
}


class Server:
    """A running server in a folder of its own; it leads a session, so that nothing of it outlives `stop`."""

    def __init__(self, system: System, folder: Path) -> None:
        self.system = system
        self.folder = folder
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the process and return at its first healthy answer."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                self.system.command(self.folder, self.port),
                cwd=self.folder,
                env={**clean_environment(), **self.system.environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with Client(self.port) as client:
                if client.call("GET", "/health").status == OK:
                    return
            time.sleep(POLL_SECONDS)
        self.stop()
        raise RuntimeError(f"did not start: {self._last_words()}")

    def stop(self) -> None:
        """Ask the process to finish, then end whatever is left of its session."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def drop_index(self) -> None:
        """Delete the index beside the store, as its documents allow while no server runs."""
        for file in self.folder.glob(self.system.index):
            file.unlink()

    def _last_words(self) -> str:
        lines = (self.folder / "server.log").read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it printed nothing"


def clean_environment() -> dict[str, str]:
    """This process' environment without the settings that would change a server."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "TRACKLANE_", "FML_"))}


@cache
def version(system_key: str) -> str:
    """The version that runs: of a package in its environment, with the commit for ours."""
    if not system_key.startswith("tracklane"):
        name = system_key.partition("-")[0]
        return _output(str(ROOT / f".venvs/{name}/bin/python"), "-c", _VERSION.format(name))
    return f"{_output(str(TRACKLANE), '--version').split()[-1]} at {_output('git', 'describe', '--always', '--dirty')}"


_VERSION = "from importlib.metadata import version; print(version('{}'))"


def _output(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
