"""One server for each store and test session; `server` runs a test against every one of them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import STORES, Server, running_server

TARGET = os.environ.get("TARGET", "").rstrip("/")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "owns_server: starts, kills or inspects servers itself, so not run with TARGET")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if TARGET:
        items[:] = [item for item in items if item.get_closest_marker("owns_server") is None]


@pytest.fixture(scope="session", params=["target"] if TARGET else STORES)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that answers: of each store in turn, or the one at TARGET."""
    if TARGET:
        yield Server(TARGET, "target", Path(), 0)
        return
    with running_server(request.param, tmp_path_factory.mktemp(f"server-{request.param}")) as started:
        yield started
