"""From method and path to an operationId, by two tables made from the contract.

Connexion's own router tries its routes one after the other, which would be most of the cost of a small request. The
layers after it find what they expect of it: the operationId, and the path's parameter.
"""

from connexion.middleware.abstract import ROUTING_CONTEXT

from tracklane_server.contract import OPERATIONS
from tracklane_server.contract.errors import EndpointNotFound
from tracklane_server.http.asgi import App, Receive, Scope, Send
from tracklane_server.http.failures import ProtocolError

Methods = dict[str, str]

# The operationId by path and method; for a path that ends in a parameter, by what comes before it.
EXACT: dict[str, Methods] = {}
TEMPLATES: dict[str, tuple[str, Methods]] = {}
for _operation in OPERATIONS.values():
    _start, _, _parameter = _operation.path.partition("{")
    if _parameter:
        _methods = TEMPLATES.setdefault(_start, (_parameter.rstrip("}"), {}))[1]
    else:
        _methods = EXACT.setdefault(_start, {})
    _methods[_operation.method] = _operation.operation_id


class ContractRouting:
    """ASGI middleware that takes the place of Connexion's routing."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            operation_id, scope["path_params"] = route(scope["method"], scope["path"])
            scope.setdefault("extensions", {})[ROUTING_CONTEXT] = {"api_base_path": "", "operation_id": operation_id}
        await self._app(scope, receive, send)


def route(method: str, path: str) -> tuple[str, dict[str, str]]:
    """The operation that serves a request, and its path parameters; HEAD is served as GET.

    Raises:
        EndpointNotFound: nothing is served at this path.
        ProtocolError: 405, other methods are; `Allow` says which.
    """
    methods, parameters = EXACT.get(path), {}
    if methods is None:
        start = next((its for its in TEMPLATES if path.startswith(its) and path != its), None)
        if start is None:
            raise EndpointNotFound(f"No endpoint answers at '{path[:200]}'; the contract is served at /openapi.json")
        parameter, methods = TEMPLATES[start]
        parameters = {parameter: path[len(start) :]}
    operation_id = methods.get("GET" if method == "HEAD" else method)
    if operation_id is None:
        raise _wrong_method(method, path, methods)
    return operation_id, parameters


def _wrong_method(method: str, path: str, methods: Methods) -> ProtocolError:
    allow = ", ".join(sorted({*methods, "HEAD"} if "GET" in methods else methods))
    return ProtocolError(
        405,
        "ENDPOINT_NOT_FOUND",
        f"{method} is not served at '{path[:200]}', only {allow}",
        [(b"allow", allow.encode())],
    )
