"""What can go wrong, as types.

    TrackingError                 the service said no; carries `code`
    ├── InvalidParameterValue     also ValueError
    ├── ResourceAlreadyExists
    ├── ResourceDoesNotExist      also LookupError
    ├── ResourceLimitExceeded     the request is too large
    ├── EndpointNotFound
    ├── PermissionDenied
    ├── NotImplementedByStore     the artifact store lacks this
    ├── TemporarilyUnavailable    the store cannot be written or reached now; a retry may succeed
    ├── StorageFull               no space is left
    └── InternalError             a fault of ours; its details go to the log, never to the caller

The codes and their HTTP statuses are the spec's (`ErrorCode`, `x-http-status`); below `http/` nobody knows a status.
"""


class TrackingError(Exception):
    """The service refused or could not do what was asked; `str(error)` may be shown to any caller."""

    code = "INTERNAL_ERROR"

    @property
    def message(self) -> str:
        return str(self.args[0]) if self.args else self.code


class InvalidParameterValue(TrackingError, ValueError):
    code = "INVALID_PARAMETER_VALUE"


class ResourceAlreadyExists(TrackingError):
    code = "RESOURCE_ALREADY_EXISTS"


class ResourceDoesNotExist(TrackingError, LookupError):
    code = "RESOURCE_DOES_NOT_EXIST"


class ResourceLimitExceeded(TrackingError):
    code = "RESOURCE_LIMIT_EXCEEDED"


class EndpointNotFound(TrackingError):
    code = "ENDPOINT_NOT_FOUND"


class PermissionDenied(TrackingError):
    code = "PERMISSION_DENIED"


class NotImplementedByStore(TrackingError):
    code = "NOT_IMPLEMENTED"


class TemporarilyUnavailable(TrackingError):
    code = "TEMPORARILY_UNAVAILABLE"


class StorageFull(TrackingError):
    code = "IO_ERROR"


class InternalError(TrackingError):
    code = "INTERNAL_ERROR"


def no_model(model_id: str) -> ResourceDoesNotExist:
    """This server keeps no logged models, so there is none of any id."""
    return ResourceDoesNotExist(f"No logged model with id '{model_id}' exists")
