"""From method and path to an operationId.

Connexion's router tries its routes one after the other, which is most of the cost of a small request; a path without
parameters is found in a table instead. Both are made from the contract.
"""

from connexion.middleware.abstract import ROUTING_CONTEXT
from connexion.middleware.routing import RoutingMiddleware

from tracklane_server.contract import OPERATIONS
from tracklane_server.contract.errors import EndpointNotFound
from tracklane_server.http.asgi import Receive, Scope, Send
from tracklane_server.http.failures import ProtocolError

_EXACT: dict[str, dict[str, str]] = {}
_TEMPLATES: dict[str, set[str]] = {}
for _operation in OPERATIONS.values():
    if "{" in _operation.path:
        _TEMPLATES.setdefault(_operation.path.split("{")[0], set()).add(_operation.method)
    else:
        _EXACT.setdefault(_operation.path, {})[_operation.method] = _operation.operation_id


class ContractRouting(RoutingMiddleware):  # type: ignore[misc]
    """Connexion's routing with a table in front of it, and with our answers to unknown paths and methods."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        asked = "GET" if method == "HEAD" else method
        exact = _EXACT.get(path)
        if exact is not None:
            operation_id = exact.get(asked)
            if operation_id is None:
                raise _wrong_method(method, path, exact)
            scope.setdefault("extensions", {})[ROUTING_CONTEXT] = {"api_base_path": "", "operation_id": operation_id}
            await self.app(scope, receive, send)
            return
        methods = next((its for start, its in _TEMPLATES.items() if path.startswith(start) and path != start), None)
        if methods is None:
            raise EndpointNotFound(f"No endpoint answers at '{path[:200]}'; the contract is served at /openapi.json")
        if asked not in methods:
            raise _wrong_method(method, path, methods)
        await super().__call__(scope, receive, send)


def _wrong_method(method: str, path: str, methods: dict[str, str] | set[str]) -> ProtocolError:
    allow = ", ".join(sorted({*methods, "HEAD"} if "GET" in methods else methods))
    return ProtocolError(
        405,
        "ENDPOINT_NOT_FOUND",
        f"{method} is not served at '{path[:200]}', only {allow}",
        [(b"allow", allow.encode())],
    )
