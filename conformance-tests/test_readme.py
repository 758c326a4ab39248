"""What the README shows to copy and paste does what it says, on every store."""

import re
import subprocess
from pathlib import Path

import pytest
import requests
from mlflow_environment import run_mlflow

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def block(language: str, holding: str) -> str:
    """The first code block in this language that holds this text."""
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return next(code for code in blocks if holding in code)


@pytest.fixture
def shown(server):
    def at_this_server(language: str, holding: str) -> str:
        return block(language, holding).replace("http://127.0.0.1:5000", server.url)

    return at_this_server


def test_python_example(shown, server, tmp_path):
    script = tmp_path / "example.py"
    script.write_text(shown("python", "import mlflow"), encoding="utf-8")
    assert "1 rows" in run_mlflow([script], tmp_path, server.url).stdout
    found = requests.get(
        f"{server.url}/api/2.0/mlflow/experiments/get-by-name", params={"experiment_name": "iris"}, timeout=30
    )
    assert found.status_code == 200


def test_curl_example(shown, tmp_path):
    done = subprocess.run(
        ["bash", "-euc", shown("sh", "curl")], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "experiment_id" in done.stdout
    assert "error_code" not in done.stdout
