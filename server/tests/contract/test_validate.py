"""Requests as real clients send them, brought into the contract's form or refused by name."""

import pytest

from tracklane_server.contract import OPERATIONS
from tracklane_server.contract.errors import InvalidParameterValue
from tracklane_server.contract.validate import validated

METRIC = {"run_id": "r1", "key": "loss", "value": 0.5, "timestamp": 1}


def check(operation_id: str, request: dict, cut: bool = True) -> dict:
    return validated(OPERATIONS[operation_id], request, cut)[0]


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ({"timestamp": "123"}, {"timestamp": 123}),
        ({"timestamp": "1e+05"}, {"timestamp": 100000}),
        ({"timestamp": 1e3}, {"timestamp": 1000}),
        ({"timestamp": "9223372036854775807"}, {"timestamp": 2**63 - 1}),
        ({"step": "-3"}, {"step": -3}),
        ({"value": "0.30000000000000004"}, {"value": 0.1 + 0.2}),
        ({"value": " 1"}, {"value": 1.0}),
        ({"value": "nan"}, {"value": "NaN"}),
        ({"value": "-inf"}, {"value": "-Infinity"}),
        ({"value": True}, {"value": 1.0}),
        ({"step": None}, {}),
        ({"unknown": {"deep": [1]}}, {}),
    ],
)
def test_what_clients_may_send_is_brought_into_form(sent, meant):
    assert check("logMetric", {**METRIC, **sent}) == {**METRIC, **meant}


def test_aliases_and_camel_case_name_the_same_field():
    assert (
        check("logMetric", {"run_uuid": "r9", **{k: v for k, v in METRIC.items() if k != "run_id"}})["run_id"] == "r9"
    )
    assert check("logMetric", {**METRIC, "run_uuid": "r9"})["run_id"] == "r1"
    assert check("createExperiment", {"name": "e", "artifactLocation": "/x"}) == {
        "name": "e",
        "artifact_location": "/x",
    }
    with pytest.raises(InvalidParameterValue, match="'artifact_location' and 'artifactLocation'"):
        check("createExperiment", {"name": "e", "artifactLocation": "/x", "artifact_location": "/y"})


def test_enumerations_may_come_as_numbers():
    assert check("updateRun", {"run_id": "r", "status": 3})["status"] == "FINISHED"
    assert check("updateRun", {"run_id": "r", "status": "3"})["status"] == "FINISHED"
    for wrong in (99, "finished", "BOGUS"):
        with pytest.raises(InvalidParameterValue, match=r"parameter 'status'.*one of RUNNING"):
            check("updateRun", {"run_id": "r", "status": wrong})


@pytest.mark.parametrize(
    ("operation_id", "request_", "message"),
    [
        ("logMetric", {**METRIC, "key": ""}, "Missing value for required parameter 'key'"),
        ("logMetric", {"run_id": "r1"}, "Missing value for required parameter 'key'"),
        ("logBatch", {"run_id": "r", "metrics": [{"key": "a"}]}, r"required parameter 'metrics\[0\]\.\w+'"),
        (
            "logMetric",
            {**METRIC, "timestamp": 1.5},
            r"Invalid value 1\.5 for parameter 'timestamp'.*from 0 to",
        ),
        ("logMetric", {**METRIC, "timestamp": 2**63}, "parameter 'timestamp'"),
        ("logMetric", {**METRIC, "timestamp": -1}, "parameter 'timestamp'"),
        ("logMetric", {**METRIC, "timestamp": True}, "parameter 'timestamp'"),
        ("logMetric", {**METRIC, "value": "abc"}, "Invalid value \"abc\" for parameter 'value'"),
        ("logMetric", {**METRIC, "value": "1e400"}, "parameter 'value'"),
        ("logMetric", {**METRIC, "timestamp": "1e99"}, "parameter 'timestamp'"),
        ("createExperiment", {"name": 5}, "Invalid value 5 for parameter 'name'"),
        ("createExperiment", {"name": "x" * 501}, "501 long.*1 to 500 characters"),
        ("createExperiment", {"name": "a\x00b"}, "parameter 'name'"),
        ("createExperiment", {"name": "\ud800"}, "Malformed|Invalid"),
        ("searchRuns", {"experiment_ids": "1"}, "parameter 'experiment_ids'.*a list"),
        ("searchRuns", {"experiment_ids": [1]}, r"parameter 'experiment_ids\[0\]'"),
        ("searchRuns", {"max_results": 0}, "parameter 'max_results'"),
    ],
)
def test_refusals_name_the_field_what_came_and_what_is_allowed(operation_id, request_, message):
    with pytest.raises(InvalidParameterValue, match=message):
        check(operation_id, request_)


@pytest.mark.parametrize(
    "key", ["a/b c:d", "é", "日本", " ", "  x", "x ", ".a", "a.", "a:b", "x/y/z", "a/...b", "x" * 250]
)
def test_keys_that_are_allowed(key):
    assert check("logMetric", {**METRIC, "key": key})["key"] == key


@pytest.mark.parametrize(
    "key",
    [".", "..", "...", "a/", "a//b", "a/./b", "a/../b", "/abs", "a\\b", "\t", "a\n", "x" * 251, *",\"'@%#?*+=()[]~$!"],
)
def test_keys_that_are_refused(key):
    with pytest.raises(InvalidParameterValue):
        check("logMetric", {**METRIC, "key": key})


def test_long_values_are_cut_and_told_or_refused():
    request = {"run_id": "r", "params": [{"key": "p", "value": "x" * 9000}]}
    checked, warnings = validated(OPERATIONS["logBatch"], request, cut_long_values=True)
    assert len(checked["params"][0]["value"]) == 6000
    assert warnings == ["params[0].value was cut from 9000 to 6000 characters"]
    with pytest.raises(InvalidParameterValue, match=r"params\[0\]\.value"):
        validated(OPERATIONS["logBatch"], request, cut_long_values=False)


def test_every_operation_compiles():
    for operation in OPERATIONS.values():
        assert operation.request["type"] == "object"
        try:
            validated(operation, {}, cut_long_values=True)
        except InvalidParameterValue as error:
            assert "Missing value for required parameter" in str(error)  # noqa: PT017
