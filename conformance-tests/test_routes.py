"""The server has the routes of the contract, under every prefix, and no others; whatever else is asked answers as JSON.

Nothing here changes what a server at TARGET holds, but for a file in the folder `route-tests` of its artifact store.
"""

import http.client
import json
import re
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from servers import Server
from vector_checks import ERROR_FIELDS, problems
from vector_http import JSON, METHODS, Answer, Driver, Operation, build, operations, spec

PATHS: dict[str, set[str]] = {
    path: {method.upper() for method in item if method in METHODS} for path, item in spec()["paths"].items()
}
ALIASES: dict[str, str] = spec()["x-prefix-aliases"]
PLAIN_PATHS = [path for path in PATHS if "{" not in path]
NOT_FOUND = "ENDPOINT_NOT_FOUND"

# Families of upstream's server that this one leaves out, or has not yet, and a few that nobody has.
ELSEWHERE = """
    /graphql /ui/ /static-files/index.html /static-files/../../etc/passwd /metrics /swagger.json /api /api/ /api/2.0
    /api/2.0/mlflow /api/2.0/mlflow/ /ajax-api/2.0/mlflow/gateway-proxy /ajax-api/2.0/mlflow/runs/create-promptlab-run
    /api/2.0mlflow/experiments/search-datasets /api/2.0/mlflow/experiments/list /api/2.0/preview/mlflow/experiments/list
    /api/1.2/mlflow/experiments/search /api/3.0/mlflow/experiments/search /api/2.0/mlflow/server-info
    /api/2.0/mlflow/logged-models /api/2.0/mlflow/logged-models/m-1 /api/2.0/mlflow/registered-models/search
    /api/2.0/mlflow/model-versions/get /model-versions/get-artifact /api/2.0/mlflow/traces/link-to-run
    /api/3.0/mlflow/traces /api/3.0/mlflow/traces/search /v1/traces /api/2.0/mlflow/users/get /signup
    /api/2.0/mlflow/gateway/endpoints/list /api/2.0/mlflow/webhooks /api/3.0/mlflow/workspaces /api/3.0/mlflow/jobs
    /api/2.0/mlflow-artifacts /api/2.0/mlflow-artifacts/artifacts/ /api/2.0/mlflow-artifacts/mpu/create
    /api/2.0/mlflow-artifacts/mpu/nonsense/a /Health /HEALTH /health/x /version/ /openapi /.git/config /favicon.png
""".split()


@pytest.fixture(scope="module")
def driver(server: Server) -> Iterator[Driver]:
    connection = Driver(server.url)
    yield connection
    connection.close()


def ask(driver: Driver, method: str, path: str, **more: Any) -> Answer:
    """Send a request as it is; every answer must keep the contract's general rules."""
    request = build({"method": method, "path": path, **more})
    answer = driver.send(request)
    assert problems(request, answer) == []
    assert answer.headers["x-content-type-options"] == "nosniff"
    return answer


def aliased(path: str) -> list[str]:
    """The other paths under which one of the contract answers."""
    return [alias + path.removeprefix(meant) for alias, meant in ALIASES.items() if path.startswith(meant)]


def sample(path: str) -> str:
    return re.sub(r"\{\w+\}", "route-tests/none", path)


def test_the_contract_is_served(driver: Driver) -> None:
    assert ask(driver, "GET", "/openapi.json").json == spec()
    assert yaml.load(ask(driver, "GET", "/openapi.yaml").body, Loader=yaml.CSafeLoader) == spec()


@pytest.mark.parametrize("operation", operations().values(), ids=lambda operation: operation.operation_id)
def test_every_operation_answers_under_every_prefix(driver: Driver, operation: Operation) -> None:
    # An empty request: enough to see who answers, and to few operations a valid one.
    empty = {"headers": {"Content-Type": JSON}, "body_text": "{}"} if operation.body_media == JSON else {}
    answers = [
        ask(driver, operation.method, sample(path), **empty) for path in [operation.path, *aliased(operation.path)]
    ]
    for answer in answers:
        assert answer.status in operation.statuses
        if answer.status >= 400:
            assert answer.json["error_code"] != NOT_FOUND
        assert (answer.status, answer.body) == (answers[0].status, answers[0].body)


@pytest.mark.parametrize("path", PATHS)
def test_other_methods_are_not_allowed(driver: Driver, path: str) -> None:
    for wrong in {"GET", "PUT", "POST", "PATCH", "DELETE", "TRACE", "PROPFIND"} - PATHS[path]:
        for each in [path, *aliased(path)]:
            answer = ask(driver, wrong, sample(each))
            assert (answer.status, answer.json["error_code"]) == (405, NOT_FOUND), wrong
            allowed = set(re.split(r",\s*", answer.headers["allow"]))
            assert allowed - {"HEAD", "OPTIONS"} == PATHS[path]


@pytest.mark.parametrize("path", PATHS)
def test_options_is_answered_with_nothing(driver: Driver, path: str) -> None:
    for each in [path, *aliased(path)]:
        answer = ask(driver, "OPTIONS", sample(each))
        assert (answer.status, answer.body) == (204, b"")


@pytest.mark.parametrize("path", [path for path, methods in PATHS.items() if "GET" in methods])
def test_head_is_get_without_the_body(driver: Driver, path: str) -> None:
    head, get = (ask(driver, method, sample(path)) for method in ("HEAD", "GET"))
    assert (head.status, head.body) == (get.status, b"")
    assert head.headers.get("content-type") == get.headers.get("content-type")


@pytest.mark.parametrize("path", [path for path in PLAIN_PATHS if path != "/"])
def test_neighbours_of_routes_do_not_exist(driver: Driver, path: str) -> None:
    neighbours = [
        f"{path}/",
        f"{path}/x",
        f"{path}x",
        f"/{path}",
        path.upper(),
        path.rsplit("/", 1)[0] + "/./" + path[-3:],
    ]
    for each in neighbours:
        if _is_templated(each):
            continue
        answer = ask(driver, next(iter(PATHS[path])), each)
        assert (answer.status, answer.json["error_code"]) == (404, NOT_FOUND), each


@pytest.mark.parametrize("path", ELSEWHERE)
def test_routes_of_others_do_not_exist(driver: Driver, path: str) -> None:
    for method in ("GET", "POST", "HEAD"):
        answer = ask(driver, method, path)
        assert answer.status == 404
        assert method == "HEAD" or answer.json["error_code"] == NOT_FOUND


def test_the_docs_need_no_network_and_show_every_operation(driver: Driver) -> None:
    page = ask(driver, "GET", "/docs").body.decode()
    assert re.findall(r"""(?:src|srcset|href|action|data|poster)\s*=\s*["']?(?:https?:)?//[^"'\s>]*""", page) == []
    assert (
        re.findall(r"url\([^)]*//[^)]*\)|@import[^;]*|\bimport\s*\(|\bfetch\s*\(|XMLHttpRequest|sendBeacon", page) == []
    )
    assert [operation_id for operation_id in operations() if operation_id not in page] == []
    # What it refers to on this server is there.
    for link in set(re.findall(r"""(?:src|href)\s*=\s*["']([^#"'][^"']*)["']""", page)):
        assert ask(driver, "GET", link if link.startswith("/") else f"/{link}").status == 200, link


def test_a_body_that_nobody_asked_for_is_ignored(driver: Driver) -> None:
    assert ask(driver, "GET", "/health", body_text="nonsense").body == b"OK"


@pytest.mark.parametrize(
    "sent",
    [
        b"BREW /health HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /he alth HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /api/2.0/mlflow/runs/search HTTP/1.1\r\nHost: x\r\nContent-Length: five\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_is_no_http_is_refused_as_json(server: Server, sent: bytes) -> None:
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port or 80), timeout=10) as connection:
        connection.sendall(sent)
        response = http.client.HTTPResponse(connection)
        response.begin()
        assert (response.status, response.getheader("Content-Type")) == (400, JSON)
        assert set(json.loads(response.read())) == ERROR_FIELDS


def _is_templated(path: str) -> bool:
    return any("{" in each and path.startswith(each.split("{")[0]) and path != each.split("{")[0] for each in PATHS)
