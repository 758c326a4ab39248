"""Where artifact bytes live: one interface, opened by URI; it must not know runs, HTTP or the tracking stores."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from tracklane_server.artifacts.path import ArtifactPath
from tracklane_server.contract.entities import FileInfo
from tracklane_server.contract.errors import InvalidParameterValue


class ArtifactFile(NamedTuple):
    """An artifact opened for reading. `etag` changes whenever the bytes do; `modified` is seconds since the epoch."""

    source: BinaryIO
    size: int
    modified: float
    etag: str


class ArtifactStore(ABC):
    """Files under one root. Paths are `ArtifactPath`s: checked, relative, never outside the root.

    Raises only `TrackingError`s: `ResourceDoesNotExist` for what is not there, `StorageFull` and
    `TemporarilyUnavailable` as for a `TrackingStore`.
    """

    @abstractmethod
    def list(self, folder: ArtifactPath | None) -> list[FileInfo]:
        """Entries of a folder (None: the root) sorted by name, paths relative to the root; [] for a file or nothing."""

    @abstractmethod
    def open(self, path: ArtifactPath) -> ArtifactFile:
        """Open a file for reading; the caller closes `source`.

        Raises:
            ResourceDoesNotExist: no such file.
            InvalidParameterValue: it is a folder.
        """

    @abstractmethod
    def create(self, path: ArtifactPath) -> "ArtifactUpload":
        """Begin to write a file, replacing an old one of this path when the upload is finished, not before."""

    @abstractmethod
    def delete(self, path: ArtifactPath) -> None:
        """Remove a file or a whole folder; nothing happens if it is not there."""

    @abstractmethod
    def walk(self, folder: ArtifactPath | None) -> Iterator[FileInfo]:
        """Every file below a folder, in any order."""


class ArtifactUpload(ABC):
    """Bytes on their way in: `write` any number of times, then exactly one of `finish` or `abort`."""

    @abstractmethod
    def write(self, data: bytes) -> None: ...

    @abstractmethod
    def finish(self) -> None:
        """Make the file visible under its path, whole."""

    @abstractmethod
    def abort(self) -> None:
        """Leave no trace."""


def open_artifact_store(uri: str) -> ArtifactStore:
    """The artifact store that a URI names: a path or a `file:` URI.

    Raises:
        InvalidParameterValue: nobody serves this scheme.
    """
    # A path may hold colons too: only what looks like a scheme is one.
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", uri)
    scheme = found[1].lower() if found else ""
    if scheme in ("", "file"):
        from tracklane_server.artifacts.local import LocalArtifactStore

        return LocalArtifactStore.at(uri)
    raise InvalidParameterValue(f"Artifact URI scheme '{scheme}' is not served; use a path or file:/path")
