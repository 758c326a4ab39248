"""Puts the layers together: edge, routing, Connexion's security, JSON operations, streams, and Flask for pages."""

import gc
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import connexion
from connexion.middleware.context import ContextMiddleware
from connexion.middleware.security import SecurityMiddleware
from connexion.resolver import Resolver

from tracklane_server.contract import SPEC
from tracklane_server.contract.validate import compile_all
from tracklane_server.http.edge import Edge
from tracklane_server.http.operations import Operations
from tracklane_server.http.pages import PAGES
from tracklane_server.http.routing import ContractRouting
from tracklane_server.http.streams import Streams
from tracklane_server.service.backend import Backend

# Enough to keep two cores busy while some threads wait for a disk; more only adds switching.
THREADS = 16
# A reply of 100,000 points makes as many objects that all live until it is sent: looking for garbage among them after
# every 700 new ones, as Python does by default, takes a third of the time.
COLLECT_AFTER = (20_000, 20, 20)


def make_app(backend: Backend, static_prefix: str = "") -> Any:
    """The ASGI application that serves `backend`."""
    compile_all()
    gc.set_threshold(*COLLECT_AFTER)
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix="serve")
    app = connexion.FlaskApp(
        "tracklane_server.http",
        resolver=Resolver(_page),
        server_args={"static_folder": None},
        middlewares=[
            partial(Edge, static_prefix=static_prefix),
            ContractRouting,
            SecurityMiddleware,
            partial(Operations, backend=backend, threads=threads),
            partial(Streams, backend=backend, threads=threads),
            ContextMiddleware,
        ],
    )
    app.add_api(SPEC, base_path="")
    gc.freeze()  # what exists now lives as long as the server
    return app


def _page(operation_id: str) -> Any:
    """The Flask view of an operation; the ones that never get as far as Flask have none."""
    return PAGES.get(operation_id) or partial(_served_above, operation_id)


def _served_above(operation_id: str) -> None:
    raise AssertionError(f"{operation_id} is served above Flask")
