"""What the spec says, usable from Python: knows `openapi.json`, generated from `spec/openapi.yaml`, and nothing else.

`OPERATIONS` lists every operation by its operationId; `LIMITS` the limits that JSON Schema cannot say; `STATUS` the
HTTP status of each error code; `PREFIX_ALIASES` the path prefixes that stand for others.
"""

from tracklane_server.contract.spec import LIMITS, OPERATIONS, PREFIX_ALIASES, SPEC, STATUS, Operation

__all__ = ["LIMITS", "OPERATIONS", "PREFIX_ALIASES", "SPEC", "STATUS", "Operation"]
