"""Artifact locations: what a client may name, where runs below it go, and what the server opens for them."""

import os
from pathlib import Path
from urllib.parse import quote

import pytest
from artifact_contract import get, put
from hypothesis import given
from hypothesis import strategies as st

from tracklane_server.artifacts import ArtifactStore
from tracklane_server.artifacts.local import LocalArtifactStore
from tracklane_server.artifacts.locations import (
    HOSTED_SCHEMES,
    checked_location,
    location_below,
    proxied_path,
    resolve,
    run_artifact_uri,
)
from tracklane_server.artifacts.path import ArtifactPath
from tracklane_server.contract.errors import InvalidParameterValue, NotImplementedByStore, ResourceDoesNotExist

RUN = "0123456789abcdef0123456789abcdef"
REFUSED = r"^Invalid value '.*' for parameter 'artifact_location' supplied: "


@pytest.fixture
def proxy(tmp_path: Path) -> ArtifactStore:
    return LocalArtifactStore(str(tmp_path / "proxy"))


@pytest.mark.parametrize(
    "location",
    [
        "/srv/mlruns/1",
        "/srv/with blank/é",
        "/srv/a:b/..c/d..",
        "/",
        "file:/srv/x",
        "file:///srv/x",
        "FILE:///srv/a%20b",
        "s3://bucket/path",
        "s3://bucket/path?versions=1",
        "gs://bucket",
        "wasbs://container@account.blob.core.windows.net/path",
        "dbfs:/x",
        "models:/m/1",
        "unknown:anything",
        "mlflow-artifacts:/",
        "mlflow-artifacts:/3",
        "mlflow-artifacts:/a/b/",
        "mlflow-artifacts:///a",
    ],
)
def test_location_is_stored_as_given(location: str) -> None:
    assert checked_location(location) == location


def test_relative_location_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a b").mkdir()
    monkeypatch.chdir(tmp_path / "a b")
    assert checked_location("x/y") == checked_location("./x//y/") == f"{tmp_path}/a b/x/y"
    assert checked_location("file:x") == f"file://{quote(str(tmp_path))}/a%20b/x"


TRAVERSALS = [
    "/a/../etc",
    "..",
    "../x",
    "a/..",
    "/a/%2e%2e/etc",
    "/a/%2E%2e/etc",
    "/a/%252e%252e/etc",
    "/a/..%2fetc",
    "/a%2f..%2fetc",
    "/a%5c..%5cetc",
    "file:///a/%2e%2e/etc",
    "file:/a/../etc",
    "file:../x",
    "s3://bucket/a/../b",
    "s3://bucket/a/%2e%2e/b",
    "s3://bucket/a?x=../b",
    "s3://bucket/a?x=%2e%2e/b",
    "s3://bucket/a?x=%252e%252e/b",
    "unknown:/a/../b",
    "mlflow-artifacts:/../x",
    "mlflow-artifacts:/a/%2e%2e/x",
    "/a/" + "%" + "25" * 200 + "2e%2e/x",
]


@pytest.mark.parametrize("location", TRAVERSALS)
def test_climbing_is_refused_in_every_encoding(location: str) -> None:
    with pytest.raises(InvalidParameterValue, match=REFUSED + r"'\.\.' is not allowed"):
        checked_location(location)


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("s3://bucket/a#b", "fragment"),
        ("/srv/a#b", "fragment"),
        ("#", "fragment"),
        ("mlflow-artifacts:/a#/../b", "fragment"),
        ("s3://bucket/a;x=1", "parameters"),
        ("/srv/a;b/c", "parameters"),
        ("runs:/0123/x", "runs:/"),
        ("RUNS:/0123/x", "runs:/"),
        ("C:/x", "drive letters"),
        ("C:\\x", "backslashes"),
        ("\\\\host\\x", "backslashes"),
        ("http://host\\@other/x", "backslashes"),
        ("/srv\n/x", "control"),
        ("\tfile:/etc", "control"),
        (" file:/etc", "blanks"),
        ("/srv ", "blanks"),
        ("fi\nle:/etc", "control"),
        ("/srv/\ud800", "control"),
        ("/srv\0", "control"),
        ("file://host/srv", "file:///path"),
        ("file://localhost/srv", "file:///path"),
        ("//host/srv", "file:///path"),
        ("/srv?x=1", "query"),
        ("file:///srv?x=1", "query"),
        ("file:", "path"),
        ("mlflow-artifacts:/a?x=1", "query"),
        ("mlflow-artifacts:/a%2fb/%2e", "Invalid path|\\.\\."),
        ("mlflow-artifacts:/a//b", "Invalid path"),
        ("mlflow-artifacts:/./a", "Invalid path"),
        ("mlflow-artifacts:/" + "x" * 300, "255"),
    ],
)
def test_bad_location_is_refused_with_the_reason(location: str, reason: str) -> None:
    with pytest.raises(InvalidParameterValue, match=REFUSED + f".*{reason}") as caught:
        checked_location(location)
    caught.value.message.encode()


@pytest.mark.parametrize("scheme", sorted(HOSTED_SCHEMES | {"mlflow-artifacts"}))
def test_host_is_named_only_with_leave(scheme: str) -> None:
    for uri in (f"{scheme}://host:80/x", f"{scheme.upper()}://user@host/x"):
        with pytest.raises(InvalidParameterValue, match=REFUSED + ".*MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES"):
            checked_location(uri, frozenset({"other"}))
        assert checked_location(uri, frozenset({scheme.upper()})) == uri


def test_hosts_of_the_operators_own_locations_may_be_named() -> None:
    own = ("hdfs://namenode:8020/mlflow", "abfss://fs@account.example/x")
    for uri in ("hdfs://NameNode:8020/elsewhere", "abfss://other@account.example/y"):
        assert checked_location(uri, own_locations=own) == uri
    for uri in ("hdfs://namenode:9000/x", "ftp://namenode:8020/x", "hdfs:/x", "hdfs:///x", "abfss://account@evil/x"):
        with pytest.raises(InvalidParameterValue, match=REFUSED):
            checked_location(uri, own_locations=own)


@pytest.mark.parametrize(
    ("location", "uri"),
    [
        ("/srv/1", f"/srv/1/{RUN}/artifacts"),
        ("/srv/1/", f"/srv/1/{RUN}/artifacts"),
        ("/", f"/{RUN}/artifacts"),
        ("/srv/a#b", f"/srv/a#b/{RUN}/artifacts"),
        ("file:/x", f"file:///x/{RUN}/artifacts"),
        ("file:///x", f"file:///x/{RUN}/artifacts"),
        ("file:x", f"file:x/{RUN}/artifacts"),
        ("s3://b/p?x=1", f"s3://b/p/{RUN}/artifacts?x=1"),
        ("s3://b", f"s3://b/{RUN}/artifacts"),
        ("s3://b?x=1", f"s3://b/{RUN}/artifacts?x=1"),
        ("S3://b/", f"S3://b/{RUN}/artifacts"),
        ("dbfs:/x", f"dbfs:/x/{RUN}/artifacts"),
        ("mlflow-artifacts:/3", f"mlflow-artifacts:/3/{RUN}/artifacts"),
        ("mlflow-artifacts:/", f"mlflow-artifacts:/{RUN}/artifacts"),
        ("mlflow-artifacts:", f"mlflow-artifacts:/{RUN}/artifacts"),
        ("mlflow-artifacts://h:5000/3", f"mlflow-artifacts://h:5000/3/{RUN}/artifacts"),
    ],
)
def test_run_goes_below_the_location(location: str, uri: str) -> None:
    assert run_artifact_uri(location, RUN) == uri


def test_experiment_goes_below_a_root_with_a_query() -> None:
    assert location_below("s3://b/p?x=1", "7") == "s3://b/p/7?x=1"


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("mlflow-artifacts:/3/r/artifacts", "3/r/artifacts"),
        ("mlflow-artifacts:///3//r/", "3/r"),
        ("mlflow-artifacts://host:5000/3/r", "3/r"),
        ("MLFLOW-ARTIFACTS:/3", "3"),
        ("http://host/api/2.0/mlflow-artifacts/artifacts/3/a%20b", "3/a b"),
        ("https://host/prefix/api/2.0/mlflow-artifacts/artifacts/3", "3"),
        ("http://host/3", None),
        ("/mlflow-artifacts:/3", None),
        ("file:///3", None),
        ("s3://mlflow-artifacts/3", None),
    ],
)
def test_proxied_uris_lead_to_a_path(uri: str, path: str | None) -> None:
    assert proxied_path(uri) == (ArtifactPath.parse(path) if path else None)


@pytest.mark.parametrize(
    "uri",
    [
        "mlflow-artifacts:/",
        "mlflow-artifacts://host",
        "mlflow-artifacts:/a/../../x",
        "mlflow-artifacts:/%2e%2e/x",
        "mlflow-artifacts:/a#b",
        "mlflow-artifacts:/a?b",
        "http://host/api/2.0/mlflow-artifacts/artifacts/%2e%2e/x",
        "http://host/api/2.0/mlflow-artifacts/artifacts/%252e%252e/x",
        "http://host/api/2.0/mlflow-artifacts/artifacts/..%2fx",
        "http://host/api/2.0/mlflow-artifacts/artifacts/%ff",
    ],
)
def test_proxied_uris_lead_nowhere_else(uri: str) -> None:
    with pytest.raises(InvalidParameterValue):
        proxied_path(uri)


def test_resolve_leads_proxied_runs_to_the_proxy(proxy: ArtifactStore) -> None:
    assert resolve(f"mlflow-artifacts:/3/{RUN}", proxy) == (proxy, ArtifactPath(("3", RUN)))
    with pytest.raises(NotImplementedByStore, match="--no-serve-artifacts"):
        resolve(f"mlflow-artifacts:/3/{RUN}", None)


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_resolve_opens_local_runs(tmp_path: Path, form: str) -> None:
    uri = run_artifact_uri(form.format(tmp_path / "any"), RUN)
    store, folder = resolve(uri, None)
    assert folder is None
    put(store, "f", b"x")
    assert (tmp_path / "any" / RUN / "artifacts" / "f").read_bytes() == b"x"
    rooted, folder = resolve(uri, None, (str(tmp_path / "other"), f"file://{tmp_path}/any/"))
    assert folder == ArtifactPath((RUN, "artifacts"))
    assert get(rooted, f"{folder}/f") == b"x"


@pytest.mark.parametrize("uri", ["s3://bucket/x", "http://host/x", "C:/x", "models:/m/1"])
def test_resolve_refuses_schemes_nobody_serves(proxy: ArtifactStore, uri: str) -> None:
    for roots in (None, ("/srv",)):
        with pytest.raises(InvalidParameterValue, match="is not served"):
            resolve(uri, proxy, roots)


class TestLocalRoots:
    @pytest.fixture
    def roots(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
        (tmp_path / "data").mkdir()
        (tmp_path / "alias").symlink_to("data")
        monkeypatch.chdir(tmp_path)
        return ("./mlruns", f"file://{tmp_path}/alias")

    def test_locations_in_a_root_are_allowed(self, tmp_path: Path, roots: tuple[str, ...]) -> None:
        for location in ("mlruns", "mlruns/1", "data/1", "alias/1"):
            stored = checked_location(location, local_roots=roots)
            assert stored == f"{tmp_path}/{location}"
            store, folder = resolve(run_artifact_uri(stored, RUN), None, roots)
            assert folder is not None
            put(store, f"{folder}/f", b"x")
            assert Path(stored, RUN, "artifacts", "f").read_bytes() == b"x"
        assert checked_location(f"file://{tmp_path}/mlruns/x", local_roots=roots) == f"file://{tmp_path}/mlruns/x"
        assert checked_location("s3://bucket/x", local_roots=roots) == "s3://bucket/x"

    @pytest.mark.parametrize("outside", ["/etc", "/", "{}", "{}/mlruns2", "{}/mlrun", "{}/other/mlruns"])
    def test_locations_outside_are_refused_and_roots_not_told(
        self, tmp_path: Path, roots: tuple[str, ...], outside: str
    ) -> None:
        for form in ("{}", "file://{}"):
            uri = form.format(outside.format(tmp_path))
            with pytest.raises(InvalidParameterValue, match=REFUSED + ".*--default-artifact-root") as named:
                checked_location(uri, local_roots=roots)
            with pytest.raises(InvalidParameterValue, match="--default-artifact-root") as opened:
                resolve(uri, None, roots)
            for caught in (named, opened):
                assert str(tmp_path) not in caught.value.message.replace(shown(uri), "")

    def test_without_roots_nothing_local_is_allowed(self) -> None:
        with pytest.raises(InvalidParameterValue, match=REFUSED):
            checked_location("/srv", local_roots=())

    def test_link_in_a_root_does_not_lead_out(self, tmp_path: Path, roots: tuple[str, ...]) -> None:
        outside = tmp_path / "outside"
        (outside / "artifacts").mkdir(parents=True)
        (outside / "artifacts" / "secret").write_bytes(b"secret")
        (tmp_path / "mlruns").mkdir()
        (tmp_path / "mlruns" / "1").symlink_to(outside)
        store, folder = resolve(checked_location("mlruns/1/artifacts", local_roots=roots), None, roots)
        assert folder is not None
        assert store.list(folder) == []
        with pytest.raises(ResourceDoesNotExist):
            store.open(folder / "secret")

    def test_innermost_root_is_the_one(self, tmp_path: Path) -> None:
        """A root that is a link within another root is followed, as its operator means it."""
        (tmp_path / "outer").mkdir()
        (tmp_path / "disk").mkdir()
        (tmp_path / "outer" / "inner").symlink_to(tmp_path / "disk")
        roots = (f"{tmp_path}/outer", f"{tmp_path}/outer/inner")
        store, folder = resolve(f"{tmp_path}/outer/inner/1", None, roots)
        assert folder is not None
        put(store, f"{folder}/f", b"x")
        assert (tmp_path / "disk" / "1" / "f").exists()

    def test_names_no_path_may_hold_are_refused_below_a_root(self, roots: tuple[str, ...]) -> None:
        with pytest.raises(InvalidParameterValue, match=REFUSED + ".*Invalid path"):
            checked_location("mlruns/%43%3a/x", local_roots=roots)


PIECES = st.sampled_from(
    [
        "..",
        ".",
        "/",
        "//",
        "\\",
        "%2e",
        "%2f",
        "%25",
        "%252e",
        "file:",
        "mlruns",
        "a",
        "#",
        "?",
        ";",
        ":",
        " ",
        "\n",
        "~",
    ]
)


@given(st.one_of(st.text(), st.lists(PIECES, max_size=10).map("".join)))
def test_whatever_is_accepted_stays_in_the_roots(text: str) -> None:
    roots = ("mlruns", "/srv/data")
    for location in (text, f"mlruns/{text}", f"file:mlruns/{text}", f"/srv/data/{text}", f"file:///srv/data/{text}"):
        try:
            stored = checked_location(location, local_roots=roots)
            store, folder = resolve(run_artifact_uri(stored, RUN), None, roots)
        except InvalidParameterValue:
            continue
        assert isinstance(store, LocalArtifactStore)
        assert folder is not None
        assert folder.segments[-2:] == (RUN, "artifacts")
        assert store.root in (os.path.abspath("mlruns"), "/srv/data")


def shown(uri: str) -> str:
    return f"'{uri}'"
