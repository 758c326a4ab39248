"""The examples in spec/filter.md are filters, and its error is the parser's."""

import re
from pathlib import Path

import pytest

from tracklane_server.contract.errors import InvalidParameterValue
from tracklane_server.search.grammar import parse_run_filter, parse_run_order

DOCUMENT = (Path(__file__).parents[3] / "spec" / "filter.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```filter\n(.*?)```", DOCUMENT, re.DOTALL)[0].splitlines()


@pytest.mark.parametrize("filter", EXAMPLES)
def test_example_is_a_filter(filter):
    assert parse_run_filter(filter)


@pytest.mark.parametrize(
    ("parse", "argument"),
    [(parse_run_filter, "metrics.acc > '0.4'"), (parse_run_order, ["start_time", "tags.t DOWN"])],
)
def test_error_reads_as_documented(parse, argument):
    with pytest.raises(InvalidParameterValue) as error:
        parse(argument)
    assert f"    {error.value.message}\n" in DOCUMENT
