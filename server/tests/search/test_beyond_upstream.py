"""What the language can say beyond upstream's, and what each form means in its corners. Spec: filter.md"""

import pytest

MATCHES = {
    # Structure: NOT before AND before OR, the AND between two comparisons may be left out.
    "metrics.acc > 0.6 OR metrics.acc < 0.1": "dga",
    "(metrics.acc > 0.4)": "gba",
    "( metrics.acc > 0.4 AND params.lr = '0.1' )": "b",
    "NOT metrics.acc > 0.4": "d",
    "params.lr = '1' or params.lr = '0.1' and status = 'RUNNING'": "g",
    "(params.lr = '1' OR params.lr = '0.1') status = 'FINISHED'": "b",
    "status = 'RUNNING' NOT params.lr = '1'": "d",
    "NOT status = 'RUNNING' AND user_id = 'u1'": "a",
    "NOT (status = 'RUNNING' OR user_id = 'u1')": "b",
    "not not user_id = 'u1'": "a",
    # NOT is the plain complement, the negated operators ask for a value.
    "NOT params.opt LIKE 'A%'": "dgb",
    "params.opt NOT LIKE 'A%'": "b",
    "tags.team NOT ILIKE 'RED'": "gb",
    "params.opt NOT IN ('Adam')": "b",
    "NOT params.opt IN ('Adam')": "dgb",
    "metrics.acc NOT BETWEEN 0.1 AND 0.8": "dga",
    "metrics.nope NOT BETWEEN 0 AND 1": "",
    # NaN is there, and satisfies the negated operators only.
    "metrics.loss IS NOT NULL": "gba",
    "metrics.loss IS NULL": "d",
    "metrics.loss NOT IN (5)": "gba",
    "metrics.loss NOT BETWEEN -2 AND 0.5": "b",
    "NOT metrics.loss < 5": "db",
    "metrics.loss = 1e400 OR metrics.loss > -1e400 AND metrics.loss < 0": "g",
    # Lists, ranges and IS NULL for everything.
    "metrics.acc IN (0, 0.9)": "da",
    "metrics.acc BETWEEN 0 AND 0.5": "db",
    "metrics.acc between 0.5 and 1 and user_id = 'u1'": "a",
    "params.lr IN ('1', '0.1',)": "gb",
    "params.opt BETWEEN 'A' AND 'a'": "a",
    "params.`nope` IS NULL AND tags.team IN ('Red', '')": "ga",
    "status IN ('FINISHED')": "ba",
    "run_name IN ('alpha', 'beta')": "ba",
    "status NOT IN ('FINISHED')": "dg",
    "start_time IN (100, 200.0)": "ba",
    "start_time BETWEEN 150 AND 300": "dgb",
    "end_time IS NULL": "dg",
    "attributes.end_time IS NOT NULL": "ba",
    "run_id IS NULL": "",
    "user_id IS NOT NULL": "dgba",
    "dataset.name IS NULL": "dg",
    "datasets.context IS NOT NULL": "ba",
    "dataset.name BETWEEN 'ds0' AND 'ds1'": "a",
    "dataset.name != 'ds1'": "b",
    "dataset.name NOT LIKE 'ds1'": "b",
    "NOT dataset.name = 'ds1'": "dgb",
    "params.lr IS  NOT\nNULL": "gba",
    # Params and tags as numbers.
    "params.lr > 0.01": "gb",
    "params.lr = 0.1": "b",
    "params.lr = 1e-2": "a",
    "params.lr != 1": "ba",
    "params.opt != 1": "",
    "params.lr BETWEEN 0.05 AND 1": "gb",
    "params.lr IN (1, 0.1)": "gb",
    "params.lr NOT IN (1, 0.1)": "a",
    "params.layer.size = 5.0": "a",
    "tags.team = 5": "",
    # Aggregates; `loss.min` is a key of its own.
    "min(metrics.acc) < 0.3": "da",
    "MAX(metrics.acc) > 0.9": "ga",
    "first( metrics.acc ) = 0.2": "a",
    "last(metrics.acc) = 0.9 AND latest(metrics.`acc`) = 0.9": "a",
    "max(metrics.loss) = 0.7": "a",
    "min(metrics.loss) != 0": "gba",
    "min(metrics.loss) IS NULL": "d",
    "metrics.loss.min IS NULL": "dgba",
    # Duration in ms.
    "duration = 400": "ba",
    "attributes.duration IS NULL": "dg",
    # Numbers.
    "metrics.acc < 1e+3": "dba",
}


@pytest.mark.parametrize(("filter", "ids"), MATCHES.items())
def test_filter_matches(filter, ids, search):
    assert search(filter, "run_id DESC") == "".join(sorted(ids, reverse=True))


REJECTED = [
    *("(metrics.acc > 0.4", "metrics.acc > 0.4)", "()", "(AND metrics.acc > 1)", "(metrics.acc > 1 AND)", "NOT", "OR"),
    *("metrics.acc > 1 OR", "OR metrics.acc > 1", "NOT AND metrics.acc > 1", "NOT OR metrics.acc > 1"),
    *(
        "metrics.acc BETWEEN 1",
        "metrics.acc BETWEEN 1 AND",
        "metrics.acc BETWEEN 1, 2",
        "metrics.acc BETWEEN (1 AND 2)",
    ),
    *("metrics.acc BETWEEN 1 AND AND 2", "params.lr BETWEEN 1 AND '2'", "params.lr IN (1, '2')", "params.lr IN ()"),
    *("params.lr IN (,)", "params.lr IN 1", "params.lr IN ('1'", "params.lr IN ('1',, '2')", "run_id IN (('a'))"),
    *(
        "metrics.acc NOT > 1",
        "metrics.acc NOT",
        "metrics.acc IS",
        "metrics.acc IS NOT",
        "NOT NULL",
        "metrics.acc NOT LIKE '1'",
    ),
    *("params.lr LIKE 1", "params.lr NOT ILIKE 1", "params.lr > 'a'", "tags.t <= 'a'", "dataset.name BETWEEN 1 AND 2"),
    *("min(params.lr) < 1", "min(start_time) < 1", "avg(metrics.loss) < 1", "min(min(metrics.loss)) < 1"),
    *(
        "min(metrics.loss < 1",
        "min() < 1",
        "min < 1",
        "metrics.min(loss) < 1",
        "status BETWEEN 1 AND 2",
        "duration = '1'",
    ),
]


@pytest.mark.parametrize("filter", REJECTED)
def test_senseless_filter_is_refused(filter, search):
    with pytest.raises(ValueError, match=r"^Invalid filter '.*': at position \d+: expected .+, but found ."):
        search(filter)
