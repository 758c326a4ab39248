"""Runs the unmodified mlflow client in its own environment, which `make test` makes from requirements/mlflow.lock."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = HERE / "mlflow_client"
PYTHON = Path(os.environ.get("MLFLOW_PYTHON", HERE.parent / ".venvs" / "mlflow" / "bin" / "python"))
SECONDS = 300


def run_mlflow(arguments: Sequence[str | Path], folder: Path, tracking_uri: str) -> subprocess.CompletedProcess[str]:
    """Run mlflow's Python in an empty folder, as a user with a new home would.

    Raises:
        AssertionError: the environment is not there, or the program failed; the message has what it printed.
    """
    assert PYTHON.exists(), f"{PYTHON} is missing; make it with `make test`, or name another one in MLFLOW_PYTHON"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "TRACKLANE_"))}
    environment = {
        **inherited,
        "HOME": str(folder),
        "MPLBACKEND": "agg",
        "MPLCONFIGDIR": str(folder / "matplotlib"),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ALLOW_FILE_STORE": "true",
        "MLFLOW_TRACKING_URI": tracking_uri,
    }
    finished = subprocess.run(
        [PYTHON, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    report = f"{arguments} ended with {finished.returncode}\n{finished.stdout[-5000:]}\n{finished.stderr[-10000:]}"
    assert finished.returncode == 0, report
    return finished


def run_script(name: str, folder: Path, tracking_uri: str, *arguments: str | Path) -> str:
    """What a script of `mlflow_client/` printed."""
    return run_mlflow([SCRIPTS / name, *arguments], folder, tracking_uri).stdout
