"""Every tracking command of mlflow's own command line, one by one in one process, for each takes long to load."""

import json
import tempfile
import uuid
from pathlib import Path

from checks import check, done, equal
from click.testing import CliRunner
from mlflow.cli import cli


def mlflow(*arguments: str | Path) -> str:
    """What a command prints to its standard output; it must succeed."""
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments], catch_exceptions=False)
    equal(result.exit_code, 0, f"{arguments}: {result.output}")
    return result.stdout


work = Path(tempfile.mkdtemp())
content = "größer\n".encode() * 1000
(work / "folder" / "deep").mkdir(parents=True)
(work / "folder" / "deep" / "a b.txt").write_bytes(content)
(work / "folder" / "empty").write_bytes(b"")

created = mlflow("experiments", "create", "-n", f"typed {uuid.uuid4().hex}")
experiment_id = created.split()[-1]
created = mlflow("runs", "create", "--experiment-id", experiment_id, "--run-name", "typed", "-t", "k=v")
run_id = json.loads(created[created.index("{") :])["run_id"]  # two lines of links stand before it

mlflow("artifacts", "log-artifact", "--local-file", work / "folder" / "empty", "--run-id", run_id)
mlflow("artifacts", "log-artifacts", "--local-dir", work / "folder", "--run-id", run_id, "--artifact-path", "x/y")
listed = json.loads(mlflow("artifacts", "list", "--run-id", run_id, "--artifact-path", "x/y"))
equal([(file["path"], file["is_dir"]) for file in listed], [("x/y/deep", True), ("x/y/empty", False)], "a folder")
listed = json.loads(mlflow("artifacts", "list", "--run-id", run_id))
equal([file["path"] for file in listed], ["empty", "x"], "the root")
fetched = mlflow("artifacts", "download", "--run-id", run_id, "--artifact-path", "x")
equal((Path(fetched.strip().splitlines()[-1]) / "y" / "deep" / "a b.txt").read_bytes(), content, "a fetched folder")
uri = f"runs:/{run_id}/x/y/deep/a b.txt"
fetched = mlflow("artifacts", "download", "--artifact-uri", uri, "--dst-path", work / "here")
equal(Path(fetched.strip().splitlines()[-1]).read_bytes(), content, "a fetched file")

check(experiment_id in mlflow("experiments", "search", "--view", "active_only"), "experiments search")
check(run_id in mlflow("runs", "list", "--experiment-id", experiment_id), "runs list")
described = json.loads(mlflow("runs", "describe", "--run-id", run_id))
equal(described["info"]["run_name"], "typed", "runs describe: the name")
equal(described["data"]["tags"]["k"], "v", "runs describe: a tag")
mlflow("runs", "delete", "--run-id", run_id)
check(run_id not in mlflow("runs", "list", "--experiment-id", experiment_id), "runs list without a deleted run")
mlflow("runs", "restore", "--run-id", run_id)
mlflow("experiments", "csv", "--experiment-id", experiment_id, "--filename", work / "runs.csv")
check(run_id in (work / "runs.csv").read_text(), "experiments csv")
mlflow("experiments", "rename", "--experiment-id", experiment_id, "--new-name", f"renamed {run_id}")
got = json.loads(mlflow("experiments", "get", "--experiment-id", experiment_id, "--output", "json"))
equal(got["name"], f"renamed {run_id}", "experiments rename")
mlflow("experiments", "delete", "--experiment-id", experiment_id)
check(experiment_id in mlflow("experiments", "search", "--view", "deleted_only"), "experiments delete")
mlflow("experiments", "restore", "--experiment-id", experiment_id)
done()
