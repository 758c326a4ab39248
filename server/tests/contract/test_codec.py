"""What goes out on the wire: exact numbers, named specials, nothing that is unset."""

import math

import orjson
from hypothesis import given
from hypothesis import strategies as st

from tracklane_server.contract.codec import decode, encode, encode_metrics
from tracklane_server.contract.entities import Experiment, FileInfo, Metric, Run, RunInfo

INFO = RunInfo("r", "1", "name", "", "RUNNING", 0, None, "mlflow-artifacts:/1/r/artifacts")


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_metric_values_survive_the_wire(value):
    wire = orjson.loads(orjson.dumps(encode_metrics([Metric("k", value, 1, 2)])))[0]
    back = float(wire["value"])
    assert (math.isnan(value) and wire["value"] == "NaN") or math.copysign(1, back) == math.copysign(1, value)
    assert math.isnan(value) or back == value


@given(st.integers(-(2**63), 2**63 - 1))
def test_int64_are_exact_numbers(step):
    assert orjson.loads(orjson.dumps(encode_metrics([Metric("k", 0.0, 1, step)])))[0]["step"] == step


def test_unset_fields_are_left_out():
    wire = encode("getRun", {"run": Run(INFO)})
    assert wire["run"] == {"info": wire["run"]["info"], "data": {}, "inputs": {}, "outputs": {}}
    assert "end_time" not in wire["run"]["info"]
    assert wire["run"]["info"]["run_uuid"] == "r"
    assert encode("searchRuns", {"runs": [], "next_page_token": None}) == {}
    assert encode("getMetricHistoryBulk", {"metrics": []}) == {"metrics": []}
    assert encode("listArtifacts", {"root_uri": "x", "files": [FileInfo("a", False, 0)]})["files"] == [
        {"path": "a", "is_dir": False}
    ]
    assert "tags" not in encode("getExperiment", {"experiment": Experiment("1", "e", "x")})["experiment"]


def test_defaults_come_from_the_contract():
    assert decode("searchRuns", {})["max_results"] == 1000
    assert decode("searchRuns", {})["run_view_type"] == "ACTIVE_ONLY"
    assert decode("logBatch", {"metrics": [{"key": "k", "value": "NaN", "timestamp": 1}]})["metrics"][0].step == 0
