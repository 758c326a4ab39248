"""The command line: what it prints, and where its settings come from."""

import re

import click
import pytest
from click.testing import CliRunner

from tracklane_server.cli import main
from tracklane_server.cli.gc import age_ms
from tracklane_server.store import open_store
from tracklane_server.store.rules import no_experiment


@pytest.fixture
def run():
    def invoke(*arguments, env=None):
        return CliRunner().invoke(main, list(arguments), env=env)

    return invoke


def test_version_names_the_program(run):
    assert re.fullmatch(r"tracklane, version \d+\.\d+\.\d+\n", run("--version").output)


def test_doctor_shows_no_secret(run):
    env = {"MLFLOW_TRACKING_PASSWORD": "hush-hush", "TRACKLANE_PORT": "5055"}
    output = run("doctor", env=env).output
    assert "hush-hush" not in output
    assert "TRACKLANE_PORT: 5055" in output
    assert "5055" not in run("doctor", "--mask-envs", env=env).output


def test_our_variables_win_over_mlflow_ones(run, tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    env = {"TRACKLANE_BACKEND_STORE_URI": str(ours), "MLFLOW_BACKEND_STORE_URI": str(theirs)}
    assert run("gc", "--dry-run", env=env).exit_code == 0
    assert ours.exists()
    assert not theirs.exists()
    assert run("gc", "--dry-run", env={"MLFLOW_BACKEND_STORE_URI": str(theirs)}).exit_code == 0
    assert theirs.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["server", "--static-prefix", "x"], "must start with /"),
        (["server", "--static-prefix", "/x/"], "must start with /"),
        (["server", "--artifacts-only", "--no-serve-artifacts"], "nothing to serve"),
        (["server", "--port", "0"], "--port"),
        (["server", "--backend-store-uri", "oracle://x"], "Backend store URI scheme 'oracle' is not served"),
        (["gc", "--older-than", "tomorrow"], "is no age"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(run, arguments, message):
    result = run(*arguments)
    assert result.exit_code != 0
    assert message in result.output
    assert "Traceback" not in result.output


def test_ages():
    assert age_ms("") == 0
    assert age_ms("1d2h3m4s") == 93_784_000
    assert age_ms("1.5h") == 5_400_000
    with pytest.raises(click.BadParameter):
        age_ms("5")


@pytest.mark.parametrize("store", ["folder", "sqlite"])
def test_gc_removes_what_was_deleted_and_only_that(run, tmp_path, store):
    uri = {"folder": str(tmp_path / "mlruns"), "sqlite": f"sqlite:///{tmp_path / 'x.db'}"}[store]
    artifacts = tmp_path / "mlartifacts"
    options = ["gc", "--backend-store-uri", uri, "--artifacts-destination", str(artifacts)]
    opened = open_store(uri)
    gone = opened.create_experiment("gone", {}, 1, lambda its: f"mlflow-artifacts:/{its}").experiment_id
    kept = opened.create_experiment("kept", {}, 1, lambda its: f"mlflow-artifacts:/{its}").experiment_id
    opened.update_experiment(gone, lambda its: its._replace(lifecycle_stage="deleted", last_update_time=1))
    opened.close()
    for experiment_id in (gone, kept):
        (artifacts / experiment_id).mkdir(parents=True)
        (artifacts / experiment_id / "model.bin").write_bytes(b"12345")

    dry = run(*options, "--dry-run").output
    assert f"Experiment with ID {gone} would be permanently deleted (1 files, 5 bytes)" in dry
    assert kept not in dry
    assert (artifacts / gone / "model.bin").exists()
    assert "exists" in run(*options, "--experiment-ids", "99").output
    assert "not deleted" in run(*options, "--experiment-ids", kept).output

    assert run(*options).output == f"Experiment with ID {gone} has been permanently deleted.\n"
    assert not (artifacts / gone).exists()
    assert (artifacts / kept / "model.bin").exists()
    opened = open_store(uri)
    with pytest.raises(type(no_experiment(gone))):
        opened.get_experiment(gone)
    assert opened.get_experiment(kept).name == "kept"
    opened.close()
