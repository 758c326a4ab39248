"""`tracklane`: the command line. Each option may be set by `TRACKLANE_<NAME>` or, as for mlflow, `MLFLOW_<NAME>`."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from tracklane_server.contract.errors import TrackingError

Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULT_STORE = "./mlruns"


def _variables(name: str) -> list[str]:
    return [f"TRACKLANE_{name}", f"MLFLOW_{name}"]


def _option(*flags: str, variable: str, **settings: Any) -> Callable[[Command], Command]:
    return click.option(*flags, envvar=_variables(variable), show_envvar=True, show_default=True, **settings)


def _static_prefix(_: click.Context, __: click.Parameter, value: str) -> str:
    if value and (not value.startswith("/") or value.endswith("/")):
        raise click.BadParameter("must start with / and not end with it, as in /tracking")
    return value


class _Commands(click.Group):
    """Shows what the service refuses as one line, not as a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except TrackingError as error:
            raise click.ClickException(error.message) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["--help"]})
@click.version_option(package_name="tracklane-server", prog_name="tracklane")
def main() -> None:
    """Track experiments: serve them, look after their stores."""


_SERVER_OPTIONS = [
    _option(
        "--backend-store-uri",
        variable="BACKEND_STORE_URI",
        default=DEFAULT_STORE,
        help="Where experiments and runs are kept: a folder, file:/path or sqlite:///path.",
    ),
    _option(
        "--default-artifact-root",
        variable="DEFAULT_ARTIFACT_ROOT",
        help="Where new experiments keep their artifacts; by default behind this server's proxy.",
    ),
    _option(
        "--serve-artifacts/--no-serve-artifacts",
        variable="SERVE_ARTIFACTS",
        default=True,
        help="Whether clients move artifacts through this server.",
    ),
    _option(
        "--artifacts-only",
        variable="ARTIFACTS_ONLY",
        is_flag=True,
        help="Serve artifacts and nothing else.",
    ),
    _option(
        "--artifacts-destination",
        variable="ARTIFACTS_DESTINATION",
        default="./mlartifacts",
        help="Where the proxy keeps artifacts: a folder or file:/path.",
    ),
    _option("--host", "-h", variable="HOST", default="127.0.0.1", help="Address to listen on."),
    _option("--port", "-p", variable="PORT", default=5000, type=click.IntRange(1, 65535), help="Port to listen on."),
    _option("--workers", "-w", variable="WORKERS", default=1, type=click.IntRange(1), help="Server processes."),
    _option(
        "--static-prefix",
        variable="STATIC_PREFIX",
        default="",
        callback=_static_prefix,
        help="Path that everything is served below.",
    ),
]


def _server_options(command: Any) -> Any:
    for option in reversed(_SERVER_OPTIONS):
        command = option(command)
    return command


def _serve(**chosen: Any) -> None:
    try:
        from tracklane_server.http.serve import Options, serve
    except ImportError as error:
        raise click.ClickException(
            f"The server needs more than the base install ({error.name} is missing): "
            "pip install 'tracklane-server[server]'"
        ) from error
    if chosen["artifacts_only"] and not chosen["serve_artifacts"]:
        raise click.UsageError("--artifacts-only and --no-serve-artifacts leave nothing to serve")
    root = chosen["default_artifact_root"]
    options = Options(
        **{**chosen, "default_artifact_root": _absolute(root) if root else None},
        truncate_long_values=_flag("TRUNCATE_LONG_VALUES", True),
        allowed_hosted_schemes=tuple(
            scheme.strip() for scheme in _variable("ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES", "").split(",") if scheme
        ),
    )
    prefix = options.static_prefix
    click.echo(f"Tracklane on http://{options.host}:{options.port}{prefix} (API at {prefix}/docs)", err=True)
    serve(options)


@main.command()
@_server_options
def server(**chosen: Any) -> None:
    """Serve the API. Stops on SIGTERM or SIGINT after finishing what it is answering."""
    _serve(**chosen)


@main.command()
@_server_options
def ui(**chosen: Any) -> None:
    """The same as `server`."""
    _serve(**chosen)


@main.group()
def db() -> None:
    """Look after a database."""


@db.command()
@click.argument("uri")
def upgrade(uri: str) -> None:
    """Bring the database at URI to the schema of this version."""
    from tracklane_server.store.sql.migrate import upgrade_database

    upgrade_database(uri)
    click.echo(f"{uri} has the schema of this version.")


@main.command()
@_option("--backend-store-uri", variable="BACKEND_STORE_URI", default=DEFAULT_STORE, help="The store to clean.")
@_option(
    "--artifacts-destination",
    variable="ARTIFACTS_DESTINATION",
    default="./mlartifacts",
    help="Where the proxy keeps artifacts.",
)
@click.option("--older-than", default="", help="Only what was deleted this long ago, as in 1d2h3m4s.")
@click.option("--run-ids", default="", help="Only these runs, separated by commas.")
@click.option("--experiment-ids", default="", help="Only these experiments, separated by commas.")
@click.option("--dry-run", is_flag=True, help="Say what would go, with its size, and remove nothing.")
def gc(**chosen: Any) -> None:
    """Remove deleted runs and experiments for good, with their artifacts."""
    from tracklane_server.cli.gc import collect

    collect(**chosen)


@main.command()
@click.option("--mask-envs", is_flag=True, help="Show the names of variables only.")
def doctor(mask_envs: bool) -> None:
    """Describe this installation, for a report."""
    from tracklane_server.cli.doctor import report

    for line in report(mask_envs):
        click.echo(line)


def _variable(name: str, default: str) -> str:
    return next((os.environ[variable] for variable in _variables(name) if variable in os.environ), default)


def _flag(name: str, default: bool) -> bool:
    return _variable(name, str(default)).strip().lower() in ("1", "true", "yes")


def _absolute(root: str) -> str:
    return root if ":" in root else str(Path(root).absolute())
