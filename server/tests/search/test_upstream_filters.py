"""Every filter that upstream accepts means the same here. Source: wire-contract 3.5."""

import pytest

from tracklane_server.search.grammar import parse_run_filter

ACCEPTED = {
    "dgba": ["", "   ", "metrics.acc > -1", "tags.nope IS NULL", "artifact_uri LIKE 'mlflow-artifacts:%'"],
    "gba": [
        "metrics.acc > 0.4",
        "metric.acc > 0.4",
        "metrics.acc >= 0.5",
        *("metrics.acc > 1e-3", "metrics.acc > 1E-3", "metrics.acc > .4"),
        "metrics.loss != 5",
        *("metrics.`acc` > 0.4", 'metrics."acc" > 0.4', "metrics.'acc' > 0.4", "`metrics`.`acc` > 0.4"),
        "tags.team LIKE '%'",
        *("metrics.acc > 0.4 AND", "AND metrics.acc > 0.4", "AND AND metrics.acc > 0.4 AND AND"),
    ],
    "a": [
        "metrics.acc = 0.9",
        *("metrics.`cpu usage` = 5", 'metrics."cpu usage" = 5', "metrics.`a/b` = 1"),
        *("params.lr = '0.01'", "param.lr = '0.01'", 'parameter.lr = "0.01"', "parameters.lr = '0.01'"),
        *("params.opt LIKE 'A%'", "params.opt like 'A%'", "params.opt ILIKE 'a%'"),
        *("params.layer.size = '5'", "params.`layer.size` = '5'"),
        *("params.\"my param\" = 'x'", "params.`my param` = 'x'"),
        *("tags.team = 'Red'", "tag.team = 'Red'", "tags.team ILIKE 'red'"),
        *("tags.mlflow.source.type = 'JOB'", "tags.`mlflow.source.type` = 'JOB'"),
        *("tags.\"mlflow.source.type\" = 'JOB'", "tags.'mlflow.source.type' = 'JOB'"),
        'tags.`we:ird` = "O\'Brien"',
        "tags.`dash-tag` = 'd'",
        *("run_name = 'alpha'", "attributes.run_name = 'alpha'", "attribute.run_name = 'alpha'"),
        *("attr.run_name = 'alpha'", "run.run_name = 'alpha'", "attributes.`run name` = 'alpha'"),
        *("`run name` = 'alpha'", "\"run name\" = 'alpha'", "attributes.`Run name` = 'alpha'"),
        *("attributes.'Run Name' = 'alpha'", "tags.mlflow.runName = 'alpha'"),
        *("dataset.name = 'ds1'", "datasets.name = 'ds1'", "dataset.context = 'train'"),
        "dataset.context IN ('train')",
        "dataset.name = 'ds1' AND dataset.context = 'train'",
    ],
    "b": [
        "params.opt LIKE 'sg_'",
        "tags.pct LIKE '50%'",
        *("user_id = 'u2'", "start_time = 200", "dataset.digest = 'dig2'", "dataset.name NOT IN ('ds1')"),
        *("metrics.acc > 0.4 AND params.lr = '0.1'", "metrics.acc > 0.4 and params.lr = '0.1'"),
        *("metrics.acc>0.4 AND params.lr='0.1'", "metrics.acc > 0.4\nAND\nparams.lr = '0.1'"),
        "  metrics.acc > 0.4 AND params.lr = '0.1' ",
        "metrics.acc > 0 AND metrics.acc < 0.6 AND tags.team = 'blue'",
        *("metrics.acc > 0.4 params.lr = '0.1'", "params.lr='0.1'metrics.acc>0.4", "params.lr='0.1'AND metrics.acc>0"),
        "metrics.acc > 0.4 AND AND params.lr = '0.1'",
    ],
    "g": [
        *("metrics.acc > 1.", "metrics.acc > 1e308", "tags.team = ''", "attributes.run_name LIKE 'Gamma%'"),
        "metrics.acc = 1e400",
    ],
    "d": ["metrics.acc <= 0", "tags.team IS NULL"],
    "dgb": [
        *("metrics.acc != 0.9", "start_time > 100", "created > 100", "attributes.Created > 100"),
        *("start_time > 1e2", "start_time > 100.5"),
    ],
    "dba": ["metrics.acc < 1"],
    "ga": ["metrics.loss < 5"],
    "gb": ["params.lr != '0.01'", "tags.team != 'Red'"],
    "ba": [
        *("params.opt LIKE '%d%'", "params.opt IS NOT NULL"),
        *("run_id IN ('a','b')", 'run_id in ("a","b")', "run_id IN('a' , 'b',)"),
        *("attributes.status = 'FINISHED'", "status LIKE 'F%'", "status != 'RUNNING'", "end_time > 0"),
        *("dataset.name LIKE 'ds%'", "datasets.name ILIKE 'DS%'", "dataset.name IN ('ds1','ds2')"),
    ],
    "dg": ["params.opt IS NULL", "params.opt is null", "run_id NOT IN ('a','b')"],
    "": [
        *("metrics.loss = 0", "metrics.nope > 0", "params.opt LIKE 'a%'", "tags.team = 'red'"),
        *("tags.`we:ird` = 'O''Brien'", "attributes.status = 'finished'"),
        "dataset.name = 'ds1' AND dataset.context = 'eval'",
        *("metrics. > 0.4", "metrics.`` > 0.4", "params. = 'x'", "metrics.loss.min > 0", "metrics.acc. > 0"),
    ],
}


@pytest.mark.parametrize(("filter", "ids"), [(text, ids) for ids, texts in ACCEPTED.items() for text in texts])
def test_upstream_filter_matches_the_same_runs(filter, ids, search):
    assert "".join(sorted(search(filter))) == "".join(sorted(ids))


# Source: wire-contract 3.6, less what the language has gained (test_beyond_upstream.py).
REJECTED = [
    *("metrics.acc > '0.4'", 'metrics.acc > "0.4"', "metrics.acc = NaN", "metrics.acc > abc", "metrics.acc > 0x10"),
    *("metrics.acc > +0.1", "metrics.acc > 1_000", "metrics.acc = Infinity", "metrics.acc > 1.5.2", "metrics.acc > 1e"),
    *("metrics.acc LIKE '0%'", "metrics.acc IN ('1')"),
    *("metrics.acc == 0.9", "metrics.acc <> 0.9", "metrics.acc <=> 0.9", "metrics.acc !> 0.9", "metrics.acc ~ 0.9"),
    *("tags.team RLIKE 'R.*'", "tags.team IS TRUE", "tags.team ISNULL"),
    *("metrics.acc > 0.4 AND OR params.lr = '1'", "metrics.acc > 0.4, params.lr = '0.1'"),
    *(
        "metrics.acc > 0.4;",
        "metrics.acc > 0.4; params.lr = '0.1'",
        "params.opt = 'Adam' -- c",
        "/* c */ start_time > 1",
    ),
    *("0.4 < metrics.acc", "metrics.acc", "metrics.acc >", "> 0.4", "1 = 1", "'", "hello world", "SELECT * FROM runs"),
    *("metrics.acc > 1 + 1", "metrics.acc > metrics.loss"),
    *("acc > 0.4", "m.acc > 0.4", "Metrics.acc > 0.4", "METRICS.acc > 0.4", "parms.lr = '1'", "foo.bar = 'x'"),
    *("params.lr = lr", "params.lr = `0.01`", "params.lr = '0.01", "params.lr = 0.01'", "params.lr = ''0.01''"),
    *("tags.team = Red", "tags.mlflow.source.type = JOB", "params.lr > '0.01'", "params.lr < '1'", "tags.team > 'Red'"),
    *("params.my param = 'x'", "metrics.a/b = 1", "tags.dash-tag = 'd'", "metrics.5 > 1", "tags.`team = 'Red'"),
    *("metrics.val.1 > 1", "'metrics.acc' > 0.4", "`metrics.acc` > 0.4", "metrics . acc > 0.4", "metrics.acc>0.4AND"),
    *("attributes.foo = 'x'", "attributes.experiment_id = '1'", "experiment_id = '1'", "lifecycle_stage = 'active'"),
    *("attributes.lifecycle_stage = 'active'", "attributes.status > 'A'", "attributes.status = FINISHED"),
    *("attributes.status = 1", "start_time = '100'", "start_time LIKE '1%'", "start_time IN ('100')"),
    *("attributes.run_id IN ()", "attributes.run_id IN (1)", "attributes.run_id IN ('a', 1)"),
    *("attributes.run_id IN ('a'", "run_id IN (a)", "run_id = ('a')", "run_id IN ('a' 'b')", "STATUS = 'x'"),
    *("dataset.name > 'ds1'", "dataset.foo = 'x'", "dataset.name = ds1", "dataset.name = 1", "dataset.source = 's'"),
    *("dataset.name IN (1)", "tags.team ! = 'Red'", "metrics.acc > = 1", "metrics.acc > - 1", "metrics.a.`b` > 1"),
]


@pytest.mark.parametrize("filter", REJECTED)
def test_what_has_no_meaning_is_refused(filter, search):
    with pytest.raises(ValueError, match=r"^Invalid filter '.*': at position \d+: expected .+, but found ."):
        search(filter)


TEXTS = {
    r"tags.t = 'C:\dir\'": "C:\\dir\\",
    r"tags.t = 'it\'s'": "it\\'s",
    "tags.t = ''''": "''",
    'tags.t = "a""b"': 'a""b',
    "tags.t = 'a;b -- c /* d */ `e` \"f\"\n'": 'a;b -- c /* d */ `e` "f"\n',
}


@pytest.mark.parametrize(("filter", "text"), TEXTS.items())
def test_text_between_the_quotes_is_literal(filter, text):
    assert parse_run_filter(filter).values == (text,)
