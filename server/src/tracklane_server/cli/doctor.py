"""`tracklane doctor`: what a report of a problem should say about the installation."""

import os
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution, requires, version

_PACKAGE = "tracklane-server"
_SECRET = ("PASSWORD", "TOKEN", "SECRET", "KEY")


def report(mask_envs: bool) -> Iterator[str]:
    """Lines of `name: value`; variables that may hold a secret show no value."""
    yield f"Tracklane: {version(_PACKAGE)}"
    yield f"Python: {sys.version.split()[0]} ({sys.executable})"
    yield f"System: {platform.platform()}"
    yield f"Installed at: {distribution(_PACKAGE).locate_file('')}"
    yield "Libraries:"
    for name in sorted({_name(requirement) for requirement in requires(_PACKAGE) or ()}):
        yield f"  {name}: {_version(name)}"
    yield "Variables:"
    for name in sorted(os.environ):
        if name.startswith(("TRACKLANE_", "MLFLOW_")):
            hidden = mask_envs or any(part in name for part in _SECRET)
            yield f"  {name}: {'***' if hidden else os.environ[name]}"


def _name(requirement: str) -> str:
    for position, character in enumerate(requirement):
        if not (character.isalnum() or character in "-_."):
            return requirement[:position]
    return requirement


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
