"""The one type an artifact's path has below `http/`; it knows names, and must not know files, URIs or HTTP.

Every bypass of a path check so far checked one form of a path and used another. So the web server percent-decodes once,
the text is parsed once, and from there on only the parsed value travels: it cannot hold anything that leaves its root.

Names are kept as they were given, not brought into a normal form of Unicode: a client finds a file again under the very
text it uploaded or saw in a listing, and two names that differ in bytes are two files, as on the disk.
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from tracklane_server.contract.errors import InvalidParameterValue

MAX_PATH_BYTES = 4096
MAX_NAME_BYTES = 255
# Deeper trees do not occur; without a bound one short request could make or delete two thousand nested folders.
MAX_DEPTH = 100

# Drive letters and `file:` are refused in every name, not only the first: then any part of a path is a path too.
_NAME = r"(?!\.{1,2}(?:/|\Z))(?![A-Za-z]:)(?![Ff][Ii][Ll][Ee]:)[^/\\#?\x00-\x1f\x7f-\x9f\ud800-\udfff]+"
_NAMES = re.compile(f"{_NAME}(?:/{_NAME})*")
_ONE_NAME = re.compile(_NAME)
# A character takes at most 4 bytes of UTF-8: a shorter text needs no counting.
_SURELY_SHORT = MAX_NAME_BYTES // 4
_SEPARATORS = re.compile(r"[/\\]")
_ROOTED = re.compile(r"[A-Za-z]:|file:", re.IGNORECASE)
# More layers of encoding than this are nobody's file name.
_MOST_DECODINGS = 8


@dataclass(frozen=True, slots=True)
class ArtifactPath:
    """One or more names, checked when made, however it is made; `str()` joins them by `/`.

    Raises:
        InvalidParameterValue: the message begins `Invalid path` and says what is allowed.
    """

    segments: tuple[str, ...]

    def __post_init__(self) -> None:
        text = "/".join(self.segments)
        if not _NAMES.fullmatch(text) or text.count("/") != len(self.segments) - 1:
            raise _invalid(text)
        if "%" in text and _hides_a_climb(text):
            raise _invalid(text)
        if len(text) > _SURELY_SHORT:
            _require_short(text, self.segments)

    @classmethod
    def parse(cls, text: str) -> "ArtifactPath":
        """The path that `text` spells, which has been percent-decoded exactly once, by whoever received it."""
        return cls(tuple(text.split("/")))

    @staticmethod
    def join(*parts: "ArtifactPath | None") -> "ArtifactPath | None":
        """The parts below each other; None stands for the root and adds nothing."""
        segments = tuple(segment for part in parts if part is not None for segment in part.segments)
        return ArtifactPath(segments) if segments else None

    @property
    def name(self) -> str:
        return self.segments[-1]

    @property
    def parent(self) -> "ArtifactPath | None":
        return ArtifactPath(self.segments[:-1]) if len(self.segments) > 1 else None

    def __truediv__(self, below: "ArtifactPath | str") -> "ArtifactPath":
        inner = below if isinstance(below, ArtifactPath) else ArtifactPath.parse(below)
        return ArtifactPath(self.segments + inner.segments)

    def __str__(self) -> str:
        return "/".join(self.segments)


def is_artifact_name(name: str) -> bool:
    """Whether a path may hold this name, for files that came to the disk by other ways."""
    return _ONE_NAME.fullmatch(name) is not None and not ("%" in name and _hides_a_climb(name))


def _hides_a_climb(text: str) -> bool:
    """Whether decoding the text further, as a careless proxy might, could lead out of the root.

    Otherwise `%` is a character like any other: mlflow 2.x names logged images with it.
    """
    for _ in range(_MOST_DECODINGS):
        decoded = unquote(text)
        if decoded == text:
            return False
        text = decoded
        names = _SEPARATORS.split(text)
        if not {"", ".", ".."}.isdisjoint(names) or any(map(_ROOTED.match, names)):
            return True
    return True


def _require_short(text: str, segments: tuple[str, ...]) -> None:
    if len(text.encode()) > MAX_PATH_BYTES:
        raise InvalidParameterValue(f"Invalid path {shown(text)}: at most {MAX_PATH_BYTES} bytes of UTF-8 are allowed")
    if len(segments) > MAX_DEPTH:
        raise InvalidParameterValue(f"Invalid path {shown(text)}: at most {MAX_DEPTH} names are allowed in it")
    if any(len(segment.encode()) > MAX_NAME_BYTES for segment in segments):
        raise InvalidParameterValue(
            f"Invalid path {shown(text)}: at most {MAX_NAME_BYTES} bytes of UTF-8 are allowed for each name in it"
        )


def _invalid(text: str) -> InvalidParameterValue:
    return InvalidParameterValue(
        f"Invalid path {shown(text)}: it must be relative, of names with one '/' between them; names may not be '.' or "
        "'..', hold '\\', '#', '?' or control characters, or begin with a drive letter or 'file:', nor once decoded"
    )


def shown(text: str) -> str:
    """`text` quoted for a message: cut when long, and always something that can be encoded and printed."""
    printable = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text[:200])
    return f"'{printable}{'…' if len(text) > 200 else ''}'"
