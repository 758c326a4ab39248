"""Runs the application under uvicorn, in one process or several.

What the operator chose reaches worker processes, which start afresh, through one environment variable.
"""

import json
import os
import signal
import sys
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import uvicorn

from tracklane_server.artifacts import open_artifact_store
from tracklane_server.http.app import make_app
from tracklane_server.http.protocol import UpgradeSafeProtocol
from tracklane_server.service.backend import UNPROXIED_ROOT, Backend, Settings, experiment_location
from tracklane_server.store import open_store

_OPTIONS_VARIABLE = "TRACKLANE_SERVER_OPTIONS"
_GRACE_SECONDS = 30


@dataclass(frozen=True)
class Options:
    """What `tracklane server` was told; the flags of the same names say what each means."""

    backend_store_uri: str
    artifacts_destination: str
    default_artifact_root: str | None = None
    serve_artifacts: bool = True
    artifacts_only: bool = False
    host: str = "127.0.0.1"
    port: int = 5000
    workers: int = 1
    static_prefix: str = ""
    truncate_long_values: bool = True
    allowed_hosted_schemes: tuple[str, ...] = ()


def serve(options: Options) -> None:
    """Serve until told to stop; requests in flight are finished first."""
    # Opened before anything listens, so that an unusable store is told on the terminal.
    backend = open_backend(options)
    # uvicorn raises the signal again once all is finished; being asked to stop is no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        if options.workers == 1:
            _run(make_app(backend, options.static_prefix), options)
        else:
            os.environ[_OPTIONS_VARIABLE] = json.dumps(asdict(options))
            backend.store.close()
            _run("tracklane_server.http.serve:app_from_environment", options, factory=True, workers=options.workers)
    finally:
        backend.store.close()


def _run(app: Any, options: Options, **more: Any) -> None:
    uvicorn.run(
        app,
        host=options.host,
        port=options.port,
        http=UpgradeSafeProtocol,
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        backlog=2048,
        **more,
    )


def app_from_environment() -> Any:
    """The application of one worker process."""
    chosen = json.loads(os.environ[_OPTIONS_VARIABLE])
    chosen["allowed_hosted_schemes"] = tuple(chosen["allowed_hosted_schemes"])
    options = Options(**chosen)
    return make_app(open_backend(options), options.static_prefix)


def open_backend(options: Options) -> Backend:
    """The stores and settings that a server with these options works on."""
    settings = Settings(
        default_artifact_root=options.default_artifact_root,
        serve_artifacts=options.serve_artifacts,
        artifacts_only=options.artifacts_only,
        truncate_long_values=options.truncate_long_values,
        local_roots=_local_roots(options),
        allowed_hosted_schemes=frozenset(options.allowed_hosted_schemes),
    )
    store = open_store(options.backend_store_uri, partial(experiment_location, settings))
    artifacts = open_artifact_store(options.artifacts_destination) if options.serve_artifacts else None
    return Backend(store, artifacts, settings)


def _local_roots(options: Options) -> tuple[str, ...]:
    """Folders that local artifact locations may lie in: the ones that the operator named, or that follow from it."""
    named = [options.artifacts_destination, options.default_artifact_root, options.backend_store_uri, UNPROXIED_ROOT]
    return tuple(root for root in named if root and ("://" not in root or root.startswith("file:")))
