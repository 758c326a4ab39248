"""Starts real Tracklane servers on free ports in temporary folders, and stops them; black box, by the command line.

A server under test is its base URL and the store behind it. `TARGET=http://…` replaces them all by one that runs
already; then whatever needs to start, kill or inspect a server is left out.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import requests

STORES = ("file", "sqlite")
COMMAND = (sys.executable, "-m", "tracklane_server.cli")
START_SECONDS = 60
STOP_SECONDS = 30


def backend_store_uri(store: str, folder: Path) -> str:
    """The backend store URI of a fresh store of this kind in `folder`."""
    return {"file": str(folder / "mlruns"), "sqlite": f"sqlite:///{folder / 'tracking.db'}"}[store]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """One server: where it answers, what it stores in, and its process; `wrapper` is a command that runs the server."""

    url: str
    store: str
    folder: Path
    port: int
    arguments: Sequence[str] = ()
    environment: dict[str, str] = field(default_factory=dict)
    wrapper: Sequence[str] = ()
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process and wait until it is healthy."""
        log = (self.folder / "server.log").open("ab")
        options = {
            "--host": "127.0.0.1",
            "--port": str(self.port),
            "--backend-store-uri": backend_store_uri(self.store, self.folder),
            "--artifacts-destination": str(self.folder / "mlartifacts"),
        }
        self.process = subprocess.Popen(
            [*self.wrapper, *COMMAND, "server", *chain.from_iterable(options.items()), *self.arguments],
            cwd=self.folder,
            env={**os.environ, **self.environment},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                if requests.get(f"{self.url}/health", timeout=2).text == "OK":
                    return
            except requests.RequestException:
                time.sleep(0.05)
        raise RuntimeError(f"the server did not start:\n{self.log()}")

    def stop(self) -> None:
        """Ask the process to finish, as an operator would; kill it only if it does not."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self.process = None

    def kill(self) -> None:
        """End the process at once, as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def log(self) -> str:
        """What the server printed so far."""
        return (self.folder / "server.log").read_text(errors="replace")[-20_000:]


@contextmanager
def running_server(
    store: str, folder: Path, arguments: Sequence[str] = (), environment: dict[str, str] | None = None
) -> Iterator[Server]:
    """A healthy server on a fresh store of this kind; stopped at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    server = Server(f"http://127.0.0.1:{port}", store, folder, port, arguments, environment or {})
    server.start()
    try:
        yield server
    finally:
        server.stop()
