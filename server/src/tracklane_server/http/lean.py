"""Imports Connexion without what it needs only for its tests, for remote specs and for checking tokens elsewhere.

Starlette's test client and two HTTP clients make up half of the time and a quarter of the memory that a server takes to
start, and a server uses none of them. While Connexion is imported, empty modules stand in for those not loaded yet.
"""

import importlib
import sys
from types import ModuleType

_UNUSED = ("httpx", "requests", "starlette.testclient")


def import_connexion() -> None:
    """Import Connexion; the modules left out can be imported by others afterwards."""
    absent = [name for name in _UNUSED if name not in sys.modules]
    for name in absent:
        stand_in = ModuleType(name)
        stand_in.TestClient = object  # type: ignore[attr-defined]
        sys.modules[name] = stand_in
    try:
        importlib.import_module("connexion")
    finally:
        for name in absent:
            del sys.modules[name]
