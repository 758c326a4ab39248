"""Schemathesis over the whole contract on each store: examples, coverage, fuzzing and stateful phases.

What is checked, and what of Schemathesis is replaced and why, is said in schemathesis.toml and schema_hooks.py.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from schema_tolerance import Unfit, require_fit
from servers import Server, running_server
from vector_http import JSON, METHODS, SPEC_PATH, operations, spec

HERE = Path(__file__).parent
# Shapes are judged before any store is asked: one gets the whole of what schemathesis.toml says, the file store less.
FEWER = ("--max-examples", "5")
ST = Path(sys.executable).with_name("st")
COMMAND = (str(ST), "--config-file", str(HERE / "schemathesis.toml"), "run", str(SPEC_PATH))
TIMEOUT = 600


@pytest.fixture(scope="module")
def fresh_server(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that nobody else writes to, so that a run can be repeated; the one at TARGET is taken as it is."""
    if server.process is None:
        yield server
        return
    with running_server(server.store, tmp_path_factory.mktemp(f"schema-{server.store}")) as started:
        yield started


@pytest.mark.timeout(TIMEOUT + 60)
def test_schemathesis_finds_nothing(fresh_server: Server, tmp_path: Path) -> None:
    report = HERE.parent / ".build" / f"schemathesis-{fresh_server.store}.xml"
    report.parent.mkdir(exist_ok=True)
    arguments = ["--url", fresh_server.url, "--no-color", *(FEWER if fresh_server.store == "file" else ())]
    finished = subprocess.run(
        [*COMMAND, *arguments, "--report", "junit", "--report-junit-path", str(report)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(HERE), "SCHEMATHESIS_HOOKS": "schema_hooks"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    print(finished.stdout[-20_000:], finished.stderr[-5_000:])
    assert finished.returncode == 0
    assert f"Tested: {len(operations())}" in finished.stdout
    # Every phase ran, and the server lives.
    assert [
        phase for phase in ("Examples", "Coverage", "Fuzzing", "Stateful") if f"✅ {phase}" not in finished.stdout
    ] == []
    cases = re.search(r"(\d+) generated, \1 passed", finished.stdout)
    assert cases
    assert int(cases[1]) > 20 * len(operations())


def test_the_oracle_takes_the_examples_of_the_contract() -> None:
    for operation in operations().values():
        if operation.body_media == JSON:
            require_fit(
                operation, "http://x" + operation.path.split("{")[0] + "a", JSON, json.dumps(operation.example).encode()
            )


@pytest.mark.parametrize(
    ("operation_id", "body"),
    [
        ("logMetric", b'{"run_id": "a", "key": "k", "value": 1}'),
        ("logMetric", b'{"run_id": "a", "key": "k", "value": "x", "timestamp": 1}'),
        ("logMetric", b'{"run_id": "a", "key": "k", "value": 1e999, "timestamp": 1}'),
        ("logMetric", b'{"run_id": "a", "key": "k", "value": 1, "timestamp": 1.5}'),
        ("logMetric", b'{"run_id": "a", "key": "k", "value": 1, "timestamp": 9223372036854775808}'),
        ("logMetric", b'{"run_id": "a", "runId": "a", "key": "k", "value": 1, "timestamp": 1}'),
        ("logMetric", b'{"run_id": "../a", "key": "k", "value": 1, "timestamp": 1}'),
        ("logBatch", b'{"run_id": "a", "params": [{"key": "a//b"}]}'),
        ("searchRuns", b'{"run_view_type": "BOGUS"}'),
        ("searchRuns", b'{"experiment_ids": "1"}'),
        ("searchRuns", b"[]"),
    ],
)
def test_the_oracle_refuses(operation_id: str, body: bytes) -> None:
    with pytest.raises(Unfit):
        require_fit(operations()[operation_id], "http://x", JSON, body)


def test_every_operation_can_be_reached_through_links() -> None:
    """The stateful phase visits only what a link leads to; what starts by itself, and what has no state, needs none."""
    linked = {
        link["operationId"]
        for item in spec()["paths"].values()
        for method in METHODS
        for response in item.get(method, {}).get("responses", {}).values()
        for link in response.get("links", {}).values()
    }
    assert {
        "getRun",
        "logBatch",
        "searchRuns",
        "getMetricHistory",
        "deleteExperiment",
        "downloadProxyArtifact",
    } <= linked
