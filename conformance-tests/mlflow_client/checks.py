"""Counts the checks of a script that runs in mlflow's own environment, and says at the end that all of them held."""

import math
from typing import Any

_held = 0


def check(condition: object, what: str) -> None:
    """Stop the script if the condition does not hold."""
    global _held
    assert condition, what
    _held += 1


def equal(found: Any, expected: Any, what: str) -> None:
    """Stop the script if the two differ; NaN equals itself."""
    both_nan = all(isinstance(each, float) and math.isnan(each) for each in (found, expected))
    check(both_nan or found == expected, f"{what}: found {found!r}, expected {expected!r}")


def done() -> None:
    """Tell the test that started this script how much was checked."""
    print(f"OK {_held} checks")
