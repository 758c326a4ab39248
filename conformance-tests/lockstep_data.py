"""What the random history is made of: few enough names that they collide, and all the values that are hard to keep."""

from typing import Any

from hypothesis import strategies as st

INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)

GOOD_KEYS = [
    *["loss", "LOSS", "val/loss", "d", "d/x", "a b"],
    *["acc", "val", "d/x/y", "ünï", "a.b", "x:y", "-k", "5", ".hidden"],
    *["k" * 250, "é" * 100, "a/.../b", "a..b", " ", "a ", "日本", "_", "meta.yaml"],
]
BAD_KEYS = ["", "/a", "a/", "a//b", "a/../b", "..", ".", "./a", "a\n", "a'b", 'a"b', "a%b", "a\\b", "k" * 251, "a\x00b"]
LONG_KEYS = ["é" * 250, "a/" + "日" * 200]


def often(usual: list[Any], seldom: list[Any]) -> st.SearchStrategy[Any]:
    """Mostly one of the usual values, one time in eight one of the others."""
    return st.integers(0, 7).flatmap(lambda n: st.sampled_from(usual if n else seldom))


keys = often(GOOD_KEYS[:6], GOOD_KEYS[6:] + LONG_KEYS)
any_keys = st.integers(0, 11).flatmap(lambda n: keys if n else st.sampled_from(BAD_KEYS))
texts = st.one_of(
    st.sampled_from(
        ["", "a", "A", "b", "0.1", "0.10", "1", "-1", "1e3", "nan", " a ", "a\nb", "a\r\nb", "O'Brien", '"q"']
    ),
    st.sampled_from(["ünï", "日本", "😀", "%", "_", "50%_x", "a\tb", "\u2028", "\ufeff", "\x01", "x" * 500, "a\n"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
long_texts = st.one_of(texts, texts, texts, st.sampled_from([6000, 6001, 8001, 20001]).map(lambda count: "é" * count))

values = st.one_of(
    st.sampled_from([0, 0.0, 1, 1.0, -1, 0.5, 0.1, 2**53 + 1, 10**22, 0.30000000000000004, "0.5", "1e+05", True]),
    st.sampled_from(["NaN", "Infinity", "-Infinity", "nan", "inf", 5e-324, -5e-324, 1.7976931348623157e308, -0.0]),
    st.floats(allow_nan=False, allow_infinity=False),
)
steps = st.sampled_from([0, 0, 1, 1, 2, 3, -1, 1.0, "2", "1e+05", INT64_MAX, INT64_MIN, 2**53 + 1])
timestamps = st.sampled_from([0, 1, 1, 2, 3, 1000, "5", 1700000000000, INT64_MAX, 2**53 + 1])
numbers = st.sampled_from([0, 1, -5, 1000, "1700000000000", INT64_MAX, INT64_MIN, 2**53 + 1])
statuses = st.sampled_from(["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED", 3, "4"])
views = st.sampled_from(["ACTIVE_ONLY", "DELETED_ONLY", "ALL", 3])
page_sizes = st.sampled_from([1, 1, 2, 3, 1000])


def pairs(
    key: st.SearchStrategy[str] = keys, value: st.SearchStrategy[str] = texts, repeated: bool = False
) -> st.SearchStrategy[list[Any]]:
    """Tags or params; when `repeated`, keys may be equal."""
    pair = st.fixed_dictionaries({"key": key}, optional={"value": value})
    return st.lists(pair, max_size=3, unique_by=None if repeated else lambda its: its["key"])


metrics = st.fixed_dictionaries(
    {"key": keys, "value": values, "timestamp": timestamps},
    optional={"step": steps, "dataset_name": st.sampled_from(["ds", "d s"]), "dataset_digest": st.just("g")},
)

datasets = st.fixed_dictionaries(
    {
        "dataset": st.fixed_dictionaries(
            {
                "name": st.sampled_from(["ds", "Ds", "d s/ü"]),
                "digest": st.sampled_from(["a1", "b2"]),
                "source_type": st.sampled_from(["local", "s3"]),
                "source": texts,
            },
            optional={"schema": texts, "profile": texts},
        )
    },
    optional={
        "tags": st.lists(
            st.fixed_dictionaries({"key": st.sampled_from(["mlflow.data.context", "a/b c", "k"]), "value": texts}),
            max_size=2,
            unique_by=lambda tag: tag["key"],
        )
    },
)
models = st.fixed_dictionaries({"model_id": often(["m-1", "m-2"], ["m/3", "..", "", "ü"])})
outputs = st.fixed_dictionaries({"model_id": often(["m-1", "m-2"], ["m/3", ".."])}, optional={"step": steps})
model_texts = often(
    [f'{{"artifact_path":"{name}","flavors":{{}},"utc_time_created":"t","run_id":"r"}}' for name in ("m", "ü")],
    ["{}", "[", "5"],
)

batches = st.fixed_dictionaries(
    {},
    optional={
        "metrics": st.lists(metrics, max_size=8),
        "params": pairs(keys, long_texts),
        "tags": pairs(any_keys, long_texts, repeated=True),
    },
)

# ---- the search languages


def quoted(text: str) -> str:
    return f'"{text}"' if "'" in text else f"'{text}'"


_texts = st.sampled_from(
    ["a", "A", "b", "0.1", "1", "O'Brien", "ünï", "50%_x", "", "FINISHED", "one", "two", "ds", "a1"]
)
_patterns = st.sampled_from(["%", "a%", "A%", "%e", "_", "%ü%", "Ü%", "%\\%%", "o_e", "50%", "%'%", "%日%"])
_numbers = st.sampled_from(
    ["0", "1", "-1", "0.5", "1e3", "1e400", "-0.0", "0.1", "9007199254740993", "9223372036854775807"]
)
_texty = st.one_of(
    st.builds(lambda op, text: f"{op} {quoted(text)}", st.sampled_from(["=", "!="]), _texts),
    st.builds(
        lambda op, text: f"{op} {quoted(text)}", st.sampled_from(["LIKE", "ILIKE", "NOT LIKE", "not ilike"]), _patterns
    ),
    st.builds(
        lambda op, texts: f"{op} ({', '.join(map(quoted, texts))})",
        st.sampled_from(["IN", "NOT IN"]),
        st.lists(_texts, min_size=1, max_size=3),
    ),
    st.builds(lambda a, b: f"BETWEEN {quoted(a)} AND {quoted(b)}", _texts, _texts),
    st.sampled_from(["IS NULL", "IS NOT NULL"]),
)
_numeric = st.one_of(
    st.builds(lambda op, number: f"{op} {number}", st.sampled_from(["=", "!=", ">", ">=", "<", "<="]), _numbers),
    st.builds(lambda a, b: f"NOT BETWEEN {a} AND {b}", _numbers, _numbers),
    st.builds(lambda op, a, b: f"{op} ({a}, {b})", st.sampled_from(["IN", "NOT IN"]), _numbers, _numbers),
    st.sampled_from(["IS NULL", "IS NOT NULL"]),
)
_key = keys.map(lambda key: f"`{key}`")
_comparisons = st.one_of(
    st.builds(lambda key, rest: f"metrics.{key} {rest}", _key, _numeric),
    st.builds(
        lambda word, key, rest: f"{word}(metrics.{key}) {rest}",
        st.sampled_from(["min", "max", "first", "last"]),
        _key,
        _numeric,
    ),
    st.builds(lambda key, rest: f"params.{key} {rest}", _key, st.one_of(_texty, _numeric)),
    st.builds(lambda key, rest: f"tags.{key} {rest}", _key, st.one_of(_texty, _numeric)),
    st.builds(
        lambda name, rest: f"{name} {rest}",
        st.sampled_from(["run_name", "attributes.status", "user_id", "tags.mlflow.runName", "dataset.name"])
        | st.sampled_from(["dataset.digest", "datasets.context"]),
        _texty,
    ),
    st.builds(lambda name, rest: f"{name} {rest}", st.sampled_from(["start_time", "end_time", "duration"]), _numeric),
    st.sampled_from(["artifact_uri LIKE 'mlflow-artifacts:%'", "run_id != 'a'"]),
)


def _combined(comparisons: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.recursive(
        comparisons,
        lambda inner: st.one_of(
            st.builds(lambda a, b: f"{a} AND {b}", inner, inner),
            st.builds(lambda a, b: f"({a} OR {b})", inner, inner),
            inner.map(lambda a: f"NOT ({a})"),
        ),
        max_leaves=4,
    )


_broken = st.sampled_from(
    ["metrics.a >", "acc > 1", "params.a = b", "run_id IN (a)", "tags.a == 'x'", "NOT", "(", "'", "1 = 1"]
)
run_filters = st.integers(0, 9).flatmap(lambda n: [st.just(""), _broken][n] if n < 2 else _combined(_comparisons))
run_orders = st.lists(
    st.builds(
        lambda key, direction: f"{key} {direction}".strip(),
        st.one_of(
            st.builds(lambda entity, key: f"{entity}.{key}", st.sampled_from(["metrics", "params", "tags"]), _key),
            st.builds(lambda word, key: f"{word}(metrics.{key})", st.sampled_from(["min", "max", "first"]), _key),
            st.sampled_from(
                ["start_time", "end_time", "duration", "status", "user_id", "run_name", "Created", "nothing"]
            ),
        ),
        st.sampled_from(["", "ASC", "DESC", "desc"]),
    ),
    max_size=3,
)
_experiment_comparisons = st.one_of(
    st.builds(lambda rest: f"name {rest}", _texty),
    st.builds(lambda key, rest: f"tags.{key} {rest}", _key, _texty),
    st.builds(lambda name, op: f"attribute.{name} {op} 1000", st.sampled_from(["creation_time", "last_update_time"]),
              st.sampled_from(["<", ">=", "!="])),
)  # fmt: skip
experiment_filters = st.integers(0, 9).flatmap(
    lambda n: [st.just(""), _broken][n] if n < 2 else _combined(_experiment_comparisons)
)
experiment_orders = st.lists(
    st.builds(
        lambda key, direction: f"{key} {direction}".strip(),
        often(["name", "creation_time", "attribute.last_update_time"], ["nothing"]),
        st.sampled_from(["", "ASC", "DESC"]),
    ),
    max_size=2,
)

# ---- files

FILES = ["a.txt", "b", "d/a.txt", "d", "d/e/ü ñ.bin"]
ODD_FILES = ["x/y", "a+b&c=d.txt", "~", "日本/語", "100%", "../a", "d/../../a", "/etc/passwd", "d//a", "a\\b", "C:/x"]
ODD_FILES += ["a%2fb", "a%2e%2e/b", "a#b", "a?b", "a\x01b", "./a", ""]
files = often(FILES, ODD_FILES)
contents = st.sampled_from([b"", b"a", b"hello\n", b"\x00\xff" * 50, b"{}"])
ranges = st.sampled_from(
    [None, None, "bytes=0-1", "bytes=-2", "bytes=3-", "bytes=90-", "bytes=500-600", "pages=1-2", "bytes=x"]
)
