"""The contract, the service and the server name the same operations, and errors the same codes."""

import re

from tracklane_server.contract import OPERATIONS, SPEC, STATUS, errors
from tracklane_server.dispatch import HANDLERS
from tracklane_server.http.app import make_app
from tracklane_server.http.pages import PAGES
from tracklane_server.http.routing import EXACT, TEMPLATES
from tracklane_server.service.backend import Backend
from tracklane_server.store import open_store


def test_each_operation_is_served_once_and_nothing_else_is():
    assert not HANDLERS.keys() & PAGES.keys()
    assert HANDLERS.keys() | PAGES.keys() == OPERATIONS.keys()


def test_routes_are_those_of_the_contract():
    exact = {(method, path) for path, methods in EXACT.items() for method in methods}
    templates = {(method, start) for start, (_, methods) in TEMPLATES.items() for method in methods}
    declared = {(method.upper(), path) for path, item in SPEC["paths"].items() for method in item}
    assert exact | templates == {(method, path.split("{")[0] if "{" in path else path) for method, path in declared}


def test_flask_has_no_route_of_its_own(tmp_path):
    app = make_app(Backend(open_store(f"sqlite:///{tmp_path}/x.db")))
    app.middleware._build_middleware_stack()
    routes = {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule) for rule in app.app.url_map.iter_rules()}
    assert routes == {operation.path for operation in OPERATIONS.values()}


def test_every_error_has_a_status():
    def below(kind: type) -> set[type]:
        return {kind}.union(*(below(child) for child in kind.__subclasses__()))

    assert {kind.code for kind in below(errors.TrackingError)} <= STATUS.keys()


def test_extensions_are_complete():
    for item in SPEC["paths"].values():
        for declared in item.values():
            for name in ("x-required-permission", "x-resource", "x-idempotent", "x-read-only"):
                assert name in declared, declared["operationId"]


def test_every_pattern_has_words():
    def patterns(schema):
        if isinstance(schema, dict):
            yield from [schema["pattern"]] if isinstance(schema.get("pattern"), str) else []
            schema = list(schema.values())
        if isinstance(schema, list):
            for item in schema:
                yield from patterns(item)

    used = {pattern for operation in OPERATIONS.values() for pattern in patterns(operation.request)}
    assert used == SPEC["x-pattern-words"].keys()
