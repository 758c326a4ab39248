"""The unmodified mlflow client, from Python and from its command line, works against every store."""

import json
import re
from pathlib import Path

import pytest
import requests
from mlflow_environment import run_mlflow, run_script
from servers import Server
from storm import SECONDS, create_run

# Fewer checks than these mean that a script has lost some.
CHECKS = {"training.py": 55, "client_calls.py": 65, "asynchronous.py": 5, "models.py": 3, "command_line.py": 30}


@pytest.mark.parametrize("script", CHECKS)
def test_script_of_a_user_works(server: Server, script: str, tmp_path: Path) -> None:
    printed = run_script(script, tmp_path, server.url)
    found = re.search(r"^OK (\d+) checks$", printed, re.MULTILINE)
    assert found, printed
    assert int(found[1]) >= CHECKS[script], printed
    assert not (tmp_path / "mlruns").exists(), "something was logged beside the server"


def test_command_that_the_r_and_java_clients_run_works(server: Server, tmp_path: Path) -> None:
    run_id = create_run(server)
    query = {"run_uuid": run_id, "path": "d/file.txt"}
    requests.post(f"{server.url}/ajax-api/2.0/mlflow/upload-artifact", params=query, data=b"bytes", timeout=SECONDS)
    command = ["-m", "mlflow", "artifacts", "list", "--run-id", run_id, "--artifact-path", "d"]
    listed = json.loads(run_mlflow(command, tmp_path, server.url).stdout)
    assert listed == [{"path": "d/file.txt", "is_dir": False, "file_size": 5}]
