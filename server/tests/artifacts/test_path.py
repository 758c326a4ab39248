"""`ArtifactPath`: what it accepts stays below its root, whatever anybody decodes or joins later."""

import os.path
import re
from urllib.parse import quote, unquote

import pytest
from artifact_contract import AWKWARD_NAMES
from hypothesis import given
from hypothesis import strategies as st

from tracklane_server.artifacts.path import MAX_DEPTH, ArtifactPath, is_artifact_name
from tracklane_server.contract.errors import InvalidParameterValue

ROOT = "/srv/artifacts/root"

# Each as it reaches the store, after the web server's one decoding.
HOSTILE = [
    "",
    "/",
    "/etc/passwd",
    "//etc/passwd",
    "..",
    "../x",
    "a/..",
    "a/../../x",
    "a/../b",
    ".",
    "./x",
    "a/./b",
    "a/.",
    "a//b",
    "a/",
    "a/b//",
    "..\\x",
    "a\\b",
    "\\\\host\\share",
    "a\0b",
    "\0",
    "a\nb",
    "a\rb",
    "a\tb",
    "a\x1bb",
    "a\x7fb",
    "a\x85b",
    "%2e%2e/x",
    "%2e%2e%2fx",
    "..%2fx",
    "..%5cx",
    "%252e%252e/x",
    "%25252e%25252e%25252fx",
    "a#b",
    "#",
    "a?b",
    "C:",
    "C:/x",
    "c:x",
    "C:\\x",
    "a/C:/x",
    "file:///etc/passwd",
    "file:/etc/passwd",
    "FILE:x",
    "a/file:/etc",
    "a\ud800b",
    "\udcff",
    "x" * 256,
    "é" * 128,
    "/".join(["y" * 254] * 17),
    "/".join(["d"] * (MAX_DEPTH + 1)),
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(InvalidParameterValue, match=r"^Invalid path '") as caught:
        ArtifactPath.parse(text)
    caught.value.message.encode()
    assert len(caught.value.message) < 1500
    assert not re.search(r"[\x00-\x1f\x7f]", caught.value.message)


@pytest.mark.parametrize("encode", [str, quote, lambda t: quote(quote(t)), lambda t: quote(t, safe="").lower()])
@pytest.mark.parametrize("text", ["../x", "a/../../x", "..\\x", "/etc/passwd", "C:/x", "file:///x"])
def test_traversal_is_refused_in_every_encoding_after_one_decoding(text: str, encode) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InvalidParameterValue, match=r"^Invalid path"):
        ArtifactPath.parse(unquote(encode(encode(text))))
    with pytest.raises(InvalidParameterValue, match=r"^Invalid path"):
        ArtifactPath.parse(unquote(encode(text)))


@pytest.mark.parametrize("name", AWKWARD_NAMES)
def test_awkward_names_are_fine(name: str) -> None:
    assert str(ArtifactPath.parse(f"{name}/{name}")) == f"{name}/{name}"
    assert is_artifact_name(name)


@pytest.mark.parametrize("segments", [(), ("a/b",), ("a", "../b"), ("..",), ("",), ("a", ""), ("%2e",), ("/etc", "x")])
def test_there_is_no_way_to_make_a_bad_one(segments: tuple[str, ...]) -> None:
    with pytest.raises(InvalidParameterValue, match=r"^Invalid path"):
        ArtifactPath(segments)


def test_limits_are_reached_exactly() -> None:
    assert ArtifactPath.parse("x" * 255).name == "x" * 255
    longest = "/".join(["y" * 240] * 16 + ["z" * 240])
    assert len(longest) == 4096
    assert str(ArtifactPath.parse(longest)) == longest
    with pytest.raises(InvalidParameterValue, match="4096"):
        ArtifactPath.parse(longest + "z")


def test_paths_join_and_part() -> None:
    run = ArtifactPath.parse("1/run/artifacts")
    assert str(run / "model/MLmodel") == "1/run/artifacts/model/MLmodel"
    assert run / ArtifactPath.parse("x") == ArtifactPath(("1", "run", "artifacts", "x"))
    assert (run.name, str(run.parent), ArtifactPath.parse("a").parent) == ("artifacts", "1/run", None)
    assert ArtifactPath.join(None, run, None) == run
    assert ArtifactPath.join(None) is None
    assert len({run, ArtifactPath.parse("1/run/artifacts")}) == 1
    for hostile in ("../x", "/x", "", "a/../../.."):
        with pytest.raises(InvalidParameterValue, match=r"^Invalid path"):
            run / hostile


def test_it_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        ArtifactPath.parse("a").segments = ("..",)  # type: ignore[misc]


PIECES = st.sampled_from(
    ["..", ".", "/", "\\", "%2e", "%2f", "%252e", "%5c", "%00", "\0", "C:", "file:", "#", "?", "a", "é"]
)
TEXTS = st.one_of(
    st.text(),
    st.lists(PIECES, max_size=12).map("".join),
    st.lists(st.one_of(PIECES, st.text(max_size=3)), max_size=8).map("/".join),
    st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape")),
    st.binary().map(lambda raw: raw.decode("latin-1")),
)


@pytest.mark.parametrize("name", ["k%step%3%timestamp%1795459026080%2f3a.png", "k%00ab", "100%", "a%23b"])
def test_a_percent_sign_that_leads_nowhere_is_part_of_the_name(name: str) -> None:
    assert str(ArtifactPath.parse(f"images/{name}")) == f"images/{name}"


@given(TEXTS)
def test_whatever_is_accepted_stays_below_the_root(text: str) -> None:
    try:
        path = ArtifactPath.parse(text)
    except InvalidParameterValue:
        return
    assert str(path) == text
    assert ArtifactPath(path.segments) == path
    resolved = os.path.normpath(os.path.join(ROOT, *path.segments))
    assert resolved == f"{ROOT}/{text}"
    decoded = text
    for _ in range(10):
        decoded = unquote(decoded).replace("\\", "/")
        assert os.path.normpath(os.path.join(ROOT, decoded)).startswith(f"{ROOT}/")
    assert text.encode().decode() == text
    for start in range(len(path.segments)):
        assert ArtifactPath(path.segments[start:]).segments == path.segments[start:]
    assert all(is_artifact_name(name) for name in path.segments)
