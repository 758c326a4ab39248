"""All that a service function may touch."""

import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tracklane_server.artifacts import ArtifactStore
from tracklane_server.artifacts.locations import location_below
from tracklane_server.contract import Operation
from tracklane_server.contract.errors import TemporarilyUnavailable
from tracklane_server.store import TrackingStore

Reply = dict[str, Any]
Handlers = dict[str, Callable[..., Any]]

PROXY_PREFIX = "/api/2.0/mlflow-artifacts/"
ALWAYS_SERVED = "Server"
# Where experiments keep artifacts when neither a root was named nor the proxy is served.
UNPROXIED_ROOT = "./mlruns"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def new_id() -> str:
    return uuid.uuid4().hex


@dataclass(frozen=True)
class Settings:
    """What an operator chose.

    Attributes:
        default_artifact_root: where new experiments keep artifacts; None for the proxy if it is served.
        serve_artifacts: whether the artifact proxy answers.
        artifacts_only: whether nothing but the artifact proxy answers.
        truncate_long_values: cut param and tag values at their greatest length, with a warning, instead of refusing.
        local_roots: folders that local artifact locations must lie in; None for any.
        allowed_hosted_schemes: host-addressed URI schemes that clients may name as artifact locations.
    """

    default_artifact_root: str | None = None
    serve_artifacts: bool = True
    artifacts_only: bool = False
    truncate_long_values: bool = True
    local_roots: tuple[str, ...] | None = None
    allowed_hosted_schemes: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Backend:
    """A backend store, the artifact store behind the proxy, the settings, and the world: time and chance."""

    store: TrackingStore
    artifacts: ArtifactStore | None = None
    settings: Settings = Settings()
    clock: Callable[[], int] = now_ms
    new_id: Callable[[], str] = new_id

    def require_served(self, operation: Operation) -> None:
        """Refuse what this server's mode leaves to another one."""
        proxied = operation.path.startswith(PROXY_PREFIX)
        if proxied and not self.settings.serve_artifacts:
            raise TemporarilyUnavailable(
                "This server does not serve artifacts (--no-serve-artifacts): use the experiment's artifact location"
            )
        if self.settings.artifacts_only and not proxied and ALWAYS_SERVED not in operation.tags:
            raise TemporarilyUnavailable("This server serves artifacts only (--artifacts-only): use a tracking server")


def experiment_location(settings: Settings, experiment_id: str) -> str:
    """Where a new experiment keeps its artifacts when its creator does not say."""
    if settings.default_artifact_root is not None:
        return location_below(settings.default_artifact_root, experiment_id)
    if settings.serve_artifacts:
        return f"mlflow-artifacts:/{experiment_id}"
    return os.path.join(os.path.abspath(UNPROXIED_ROOT), experiment_id)
