"""What holds for every test of the server."""

import pytest
from hypothesis import HealthCheck, settings

# The contract suites are libraries of tests: their assertions are to be as telling as those of test files.
pytest.register_assert_rewrite("artifact_contract", "store_contract")

# A contract suite's properties are run by several classes on purpose; and no test of ours asserts a time.
settings.register_profile("contracts", suppress_health_check=[HealthCheck.differing_executors], deadline=None)
settings.load_profile("contracts")
