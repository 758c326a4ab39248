"""Where experiments and runs keep their artifacts, as URIs: which ones a client may name, and what they lead to.

It knows no runs and opens no files. A location is split here, once, by one expression, and not by `urllib`: that drops
blanks, tabs and line ends, so that what was checked would not be what is used.
"""

import os
import re
from typing import NamedTuple
from urllib.parse import quote, unquote

from tracklane_server.artifacts import ArtifactStore, open_artifact_store
from tracklane_server.artifacts.local import LocalArtifactStore, local_folder
from tracklane_server.artifacts.path import ArtifactPath, shown
from tracklane_server.contract.errors import InvalidParameterValue, NotImplementedByStore

# Who opens such a URI connects to the host in it.
HOSTED_SCHEMES = frozenset({"abfss", "b2", "ftp", "hdfs", "http", "https", "r2", "sftp", "viewfs"})
_PROXY_SCHEME = "mlflow-artifacts"
_PROXY_ROUTE = "/api/2.0/mlflow-artifacts/artifacts/"

_URI = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]*):(?://([^/?#]*))?)?([^?#]*)(\?[^#]*)?(#.*)?", re.DOTALL)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\\]|^\s|\s\Z")
_MOST_DECODINGS = 10
_OUTSIDE = "it lies outside the folders of this server, which --default-artifact-root and --artifacts-destination name"


class _Parts(NamedTuple):
    """A location taken apart; a plain path is all `path`. `scheme` is in small letters."""

    scheme: str
    authority: str | None
    path: str
    query: str
    fragment: str


def checked_location(
    text: str,
    allowed_hosted_schemes: frozenset[str] = frozenset(),
    local_roots: tuple[str, ...] | None = None,
    own_locations: tuple[str, ...] = (),
) -> str:
    """The location to store for a new experiment whose creator named `text`: as given, but absolute.

    Args:
        allowed_hosted_schemes: host-addressed schemes that may name any host.
        local_roots: paths or `file:` URIs that a local location must lie in; None for anywhere.
        own_locations: the operator's own locations, whose hosts may be named.
    Raises:
        InvalidParameterValue: names artifact_location, what came and what is allowed.
    Source: wire-contract 2.5
    """
    if _UNPRINTABLE.search(text):
        raise _refused(text, "backslashes, control characters and blanks at its ends are not allowed")
    parts = _split(text)
    if "#" in text or ";" in parts.path:
        raise _refused(text, "it may not have a fragment (#) or parameters (;)")
    if _climbs(parts):
        raise _refused(text, "'..' is not allowed in its path or query, encoded or not")
    if parts.scheme in ("", "file"):
        return _checked_local(text, parts, local_roots)
    if parts.scheme == "runs" or len(parts.scheme) == 1:
        raise _refused(text, "runs:/ URIs and drive letters are not allowed; name a path or a URI of a storage")
    if parts.scheme == _PROXY_SCHEME:
        _require_proxied(text, parts)
    if _names_foreign_host(parts, allowed_hosted_schemes, own_locations):
        raise _refused(
            text,
            f"the server would connect to the host in a {parts.scheme} URI; the operator may allow the scheme by "
            "MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES",
        )
    return text


def location_below(location: str, *names: str) -> str:
    """`location` with names put after its path, before any query string."""
    parts = _split(location)
    if not parts.scheme:
        return "/".join((location.rstrip("/"), *names))
    path = "/".join((parts.path.rstrip("/"), *names))
    authority = parts.authority
    if authority is None and parts.scheme == "file" and path.startswith("/"):
        authority = ""
    start = location[: len(parts.scheme)] + (":" if authority is None else f"://{authority}")
    return start + path + parts.query + parts.fragment


def run_artifact_uri(location: str, run_id: str) -> str:
    """Where a run of an experiment at `location` keeps its artifacts. Source: wire-contract 2.5"""
    return location_below(location, run_id, "artifacts")


def proxied_path(uri: str) -> ArtifactPath | None:
    """The path below the proxy's root that a URI means; None if it does not go through the proxy.

    Any host is taken for this server: the path is all that is ever used of it.

    Raises:
        InvalidParameterValue: it goes through the proxy, but to no path.
    """
    parts = _split(uri)
    path = parts.path
    if parts.scheme in ("http", "https"):
        _, through_proxy, path = path.partition(_PROXY_ROUTE)
        if not through_proxy:
            return None
        path = unquote(path, errors="surrogateescape")
    elif parts.scheme != _PROXY_SCHEME:
        return None
    if parts.query or parts.fragment:
        raise InvalidParameterValue(f"Artifact URI {shown(uri)} may not have a query or a fragment")
    return ArtifactPath(tuple(name for name in path.split("/") if name))


def resolve(
    artifact_uri: str, proxy: ArtifactStore | None, local_roots: tuple[str, ...] | None = None
) -> tuple[ArtifactStore, ArtifactPath | None]:
    """The store that the server itself reads a run's artifacts from, and the run's folder in it (None: its root).

    Below a local root the store is the root's, so that no link below it is followed on the way to the run either.

    Args:
        proxy: the store behind this server's artifact proxy; None if it serves none.
        local_roots: as for `checked_location`.
    Raises:
        NotImplementedByStore: a proxied location, but this server has no proxy.
        InvalidParameterValue: nobody serves the scheme, or a local location lies in no local root.
    Source: wire-contract 9
    """
    path = proxied_path(artifact_uri)
    if path is not None:
        if proxy is None:
            raise NotImplementedByStore(
                f"Artifacts at {shown(artifact_uri)} are behind an artifact proxy, and this server serves none "
                "(--no-serve-artifacts)"
            )
        return proxy, path
    if local_roots is None or _split(artifact_uri).scheme not in ("", "file"):
        return open_artifact_store(artifact_uri), None
    root, below = _in_roots(local_folder(artifact_uri), local_roots)
    if root is None:
        raise InvalidParameterValue(f"Artifact URI {shown(artifact_uri)} cannot be opened: {_OUTSIDE}")
    return LocalArtifactStore(root), ArtifactPath(below) if below else None


def _split(uri: str) -> _Parts:
    found = _URI.fullmatch(uri)
    assert found is not None  # every part may be empty, and together they take any text
    scheme, authority, path, query, fragment = found.groups()
    if scheme is None:
        path, _, fragment = uri.partition("#")
        return _Parts("", None, path, "", fragment and f"#{fragment}")
    return _Parts(scheme.lower(), authority, path, query or "", fragment or "")


def _climbs(parts: _Parts) -> bool:
    """Whether `..` shows up in the path or the query, however often somebody decodes them."""
    path, query = parts.path, parts.query
    for _ in range(_MOST_DECODINGS):
        if ".." in re.split(r"[/\\]", path) or ".." in query:
            return True
        decoded = unquote(path), unquote(query)
        if decoded == (path, query):
            return False
        path, query = decoded
    return True


def _checked_local(text: str, parts: _Parts, local_roots: tuple[str, ...] | None) -> str:
    if parts.authority or text.startswith("//"):
        raise _refused(text, "it names a host; write an absolute path or file:///path")
    if "?" in text or not parts.path:
        raise _refused(text, "a local location is a path or file:///path, without a query")
    folder = local_folder(text)
    if local_roots is not None:
        root, below = _in_roots(folder, local_roots)
        if root is None:
            raise _refused(text, _OUTSIDE)
        if below:
            _require_path(text, below)
    if parts.path.startswith("/"):
        return text
    return "file://" + quote(folder) if parts.scheme else folder


def _require_proxied(text: str, parts: _Parts) -> None:
    if parts.query:
        raise _refused(text, "a proxied location may not have a query")
    if names := parts.path.strip("/"):
        _require_path(text, tuple(names.split("/")))


def _require_path(text: str, names: tuple[str, ...]) -> None:
    try:
        ArtifactPath(names)
    except InvalidParameterValue as error:
        raise _refused(text, error.message) from None


def _names_foreign_host(parts: _Parts, allowed: frozenset[str], own_locations: tuple[str, ...]) -> bool:
    hosted = parts.scheme in HOSTED_SCHEMES or (parts.scheme == _PROXY_SCHEME and bool(parts.authority))
    if not hosted or parts.scheme in {scheme.lower() for scheme in allowed}:
        return False
    own = {_host(_split(location)) for location in own_locations}
    return not parts.authority or _host(parts) not in own


def _host(parts: _Parts) -> tuple[str, str]:
    return parts.scheme, (parts.authority or "").rsplit("@", 1)[-1].lower()


def _in_roots(folder: str, roots: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    """The innermost root that holds `folder`, as an absolute path, and the names below it; (None, ()) if none does.

    Whatever a link does to this comparison meanwhile, only the root and the names are used, and no link below the root.
    """
    bases = sorted(map(local_folder, roots), key=len, reverse=True)
    root, below = _innermost(folder, bases)
    if root is None:
        root, below = _innermost(os.path.realpath(folder), [os.path.realpath(base) for base in bases])
    return root, below


def _innermost(folder: str, bases: list[str]) -> tuple[str | None, tuple[str, ...]]:
    for base in bases:
        start = base.rstrip("/") + "/"
        if folder == base:
            return base, ()
        if folder.startswith(start):
            return base, tuple(folder[len(start) :].split("/"))
    return None, ()


def _refused(text: str, reason: str) -> InvalidParameterValue:
    return InvalidParameterValue(f"Invalid value {shown(text)} for parameter 'artifact_location' supplied: {reason}")
