"""The contract suites are libraries of tests: their assertions are to be as telling as those of test files."""

import pytest

pytest.register_assert_rewrite("artifact_contract", "store_contract")
