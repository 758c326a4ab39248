"""Artifacts in a folder of this machine; it must not know runs, HTTP, or any URI but a path and `file:`.

What is no plain file or folder (a link, a pipe, a device) does not exist for readers and is refused to writers.

An upload is a file without a name until it is whole (`O_TMPFILE`), then gets its name in one step: a process that dies
leaves nothing behind. Where the file system has no such files it is a hidden one that is renamed.
"""

import errno
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b
from urllib.parse import unquote_to_bytes

from tracklane_server.artifacts import ArtifactFile, ArtifactStore, ArtifactUpload, folders
from tracklane_server.artifacts.path import ArtifactPath, shown
from tracklane_server.contract.entities import FileInfo
from tracklane_server.contract.errors import (
    InvalidParameterValue,
    ResourceDoesNotExist,
    StorageFull,
    TemporarilyUnavailable,
    TrackingError,
)

_OPEN_FILES = "/proc/self/fd"
_UNNAMED = getattr(os, "O_TMPFILE", 0) if os.path.isdir(_OPEN_FILES) else 0

_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.ENODEV, errno.ENAMETOOLONG}
_IN_THE_WAY = {errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_BAD_NAME = {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ}
_NO_UNNAMED_FILES = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL}
# How often an upload makes a folder again that others delete at the same moment.
_ATTEMPTS = 100


def local_folder(uri: str) -> str:
    """The absolute path that a path or a `file:` URI names; a relative one is taken from the working directory.

    Raises:
        InvalidParameterValue: no path, or a `file:` URI with a host, a query or a fragment.
    """
    path = uri
    if uri[:5].lower() == "file:":
        path = uri[5:]
        if path.startswith("//"):
            host, slash, rest = path[2:].partition("/")
            if host:
                raise InvalidParameterValue(f"Artifact URI {shown(uri)} names a host; write file:///path or a path")
            path = slash + rest
        if re.search(r"[?#]", path):
            raise InvalidParameterValue(f"Artifact URI {shown(uri)} may not have a query or a fragment")
        path = os.fsdecode(unquote_to_bytes(path))
    if not path or "\0" in path:
        raise InvalidParameterValue(f"Artifact URI {shown(uri)} names no folder; write file:///path or a path")
    return "/" + os.path.abspath(path).lstrip("/")


class LocalArtifactStore(ArtifactStore):
    """Files below `root`, a folder by its absolute path, which the first upload makes."""

    def __init__(self, root: str) -> None:
        self.root = root

    @classmethod
    def at(cls, uri: str) -> "LocalArtifactStore":
        """The store that a path or a `file:` URI names; raises what `local_folder` does."""
        return cls(local_folder(uri))

    def list(self, folder: ArtifactPath | None) -> list[FileInfo]:
        prefix = f"{folder}/" if folder else ""
        entries = sorted(_entries(self.root, folder.segments if folder else (), folder))
        return [FileInfo(prefix + entry.name, entry.is_dir, entry.size) for entry in entries]

    def open(self, path: ArtifactPath) -> ArtifactFile:
        try:
            if folders.is_hidden(path.name):
                raise FileNotFoundError(errno.ENOENT, "an upload")
            file = folders.open_file(self.root, path.segments)
        except OSError as error:
            if error.errno in _ABSENT:
                raise ResourceDoesNotExist(f"No artifact '{path}' exists") from None
            raise _failure(error, path) from None
        facts = os.fstat(file)
        if not stat.S_ISREG(facts.st_mode):
            os.close(file)
            if stat.S_ISDIR(facts.st_mode):
                raise InvalidParameterValue(f"Artifact '{path}' is a folder; name a file in it")
            raise ResourceDoesNotExist(f"No artifact '{path}' exists")
        return ArtifactFile(os.fdopen(file, "rb", 0), facts.st_size, facts.st_mtime, _etag(facts))

    def create(self, path: ArtifactPath) -> ArtifactUpload:
        if any(map(folders.is_hidden, path.segments)):
            raise InvalidParameterValue(
                f"Invalid path {shown(str(path))}: this beginning of a name is kept for uploads"
            )
        return _LocalUpload(self.root, path)

    def delete(self, path: ArtifactPath) -> None:
        if folders.is_hidden(path.name):
            return
        try:
            folders.delete(self.root, path.segments)
        except OSError as error:
            if error.errno not in _ABSENT:
                raise _failure(error, path) from None

    def walk(self, folder: ArtifactPath | None) -> Iterator[FileInfo]:
        pending = [folder.segments if folder else ()]
        while pending:
            names = pending.pop()
            for entry in _entries(self.root, names, folder):
                if entry.is_dir:
                    pending.append((*names, entry.name))
                else:
                    yield FileInfo("/".join((*names, entry.name)), False, entry.size)


class _LocalUpload(ArtifactUpload):
    """One file on its way in. `_spare` is its hidden name in the open folder `_folder`; None while it has no name."""

    def __init__(self, root: str, path: ArtifactPath) -> None:
        self._root = root
        self._path = path
        self._file = -1
        self._folder = -1
        self._spare: str | None = None
        try:
            self._folder, missing = _enter_nearest(root, path.segments[:-1])
            if not missing:
                _require_replaceable(self._folder, path)
            self._file = self._stage()
        except OSError as error:
            raise _failure(error, path) from None
        finally:
            if self._spare is None:
                self._leave_folder()

    def write(self, data: bytes) -> None:
        self._require_running()
        try:
            written = os.write(self._file, data)
            while written < len(data):
                written += os.write(self._file, memoryview(data)[written:])
        except OSError as error:
            self.abort()
            raise _failure(error, self._path) from None

    def finish(self) -> None:
        self._require_running()
        try:
            # The kernel's own time stamps stand still for milliseconds: too coarse for an entity tag.
            now = time.time_ns()
            os.utime(self._file, ns=(now, now))
            self._place()
        except OSError as error:
            raise _failure(error, self._path) from None
        finally:
            self.abort()

    def abort(self) -> None:
        with suppress(OSError):
            self._close()
        if self._spare is not None:
            with suppress(OSError):
                os.unlink(self._spare, dir_fd=self._folder)
            self._spare = None
            self._leave_folder()

    def _require_running(self) -> None:
        if self._file < 0:
            raise ValueError("This upload is over: it was finished or aborted, or a write failed")

    def _stage(self) -> int:
        """A new file that no listing shows, on the file system of the nearest folder there is."""
        if _UNNAMED:
            try:
                return os.open(".", _UNNAMED | os.O_WRONLY, 0o666, dir_fd=self._folder)
            except OSError as error:
                if error.errno not in _NO_UNNAMED_FILES:
                    raise
        spare = folders.hidden_name()
        file = os.open(spare, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666, dir_fd=self._folder)
        self._spare = spare
        return file

    def _place(self) -> None:
        if self._spare is not None:
            # Network file systems report a full disk no earlier than here.
            self._close()
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                folder = folders.enter_or_make(self._root, self._path.segments[:-1])
                try:
                    self._name_it(folder)
                finally:
                    os.close(folder)
            except FileNotFoundError:
                if attempt == _ATTEMPTS:
                    raise
            else:
                return

    def _name_it(self, folder: int) -> None:
        if self._spare is not None:
            _replace(self._folder, self._spare, folder, self._path)
            self._spare = None
            self._leave_folder()
            return
        unnamed = f"{_OPEN_FILES}/{self._file}"
        try:
            os.link(unnamed, self._path.name, dst_dir_fd=folder)
        except FileExistsError:
            spare = folders.hidden_name()
            os.link(unnamed, spare, dst_dir_fd=folder)
            try:
                _replace(folder, spare, folder, self._path)
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(spare, dir_fd=folder)
                raise

    def _close(self) -> None:
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    def _leave_folder(self) -> None:
        folder, self._folder = self._folder, -1
        if folder >= 0:
            os.close(folder)


def _enter_nearest(root: str, names: folders.Names) -> tuple[int, folders.Names]:
    try:
        return folders.enter_nearest(root, names)
    except FileNotFoundError:
        _make_root(root)
    except NotADirectoryError:
        if os.path.isdir(root):
            raise
        _make_root(root)  # says what is wrong with the root
    return folders.enter_nearest(root, names)


def _make_root(root: str) -> None:
    try:
        os.makedirs(root, exist_ok=True)
    except OSError as error:
        if error.errno in _FULL:
            raise
        raise TemporarilyUnavailable(f"The artifact root cannot be made: {os.strerror(error.errno or 0)}") from None


def _entries(root: str, names: folders.Names, asked: ArtifactPath | None) -> list[folders.Entry]:
    """The entries of a folder; none for what is no folder. `asked` is what a fault is told about."""
    try:
        return folders.entries(root, names)
    except OSError as error:
        if error.errno in _ABSENT:
            return []
        raise _failure(error, asked) from None


def _require_replaceable(folder: int, path: ArtifactPath) -> None:
    kind = folders.kind_of(folder, path.name)
    if kind not in (0, stat.S_IFREG):
        what = "a folder" if kind == stat.S_IFDIR else "a link or a special file"
        raise InvalidParameterValue(f"Artifact '{path}' cannot be written: {what} has this name")


def _replace(source: int, spare: str, folder: int, path: ArtifactPath) -> None:
    _require_replaceable(folder, path)
    os.replace(spare, path.name, src_dir_fd=source, dst_dir_fd=folder)


def _etag(facts: os.stat_result) -> str:
    """Every finished upload is a new file with a time of its own, and others' edits move the time or the size."""
    identity = f"{facts.st_dev} {facts.st_ino} {facts.st_mtime_ns} {facts.st_ctime_ns} {facts.st_size}"
    return blake2b(identity.encode(), digest_size=12).hexdigest()


def _failure(error: OSError, path: ArtifactPath | None) -> TrackingError:
    """What a caller may know of a fault: never a path of this machine, which `str(error)` would hold."""
    subject = f"Artifact '{path}'" if path else "The artifact root"
    reason = os.strerror(error.errno or 0)
    if error.errno in _FULL:
        return StorageFull(f"{subject} cannot be stored: {reason}")
    if error.errno in _IN_THE_WAY:
        return InvalidParameterValue(f"{subject} cannot be written: what is no folder stands where one is needed")
    if error.errno in _BAD_NAME:
        return InvalidParameterValue(f"Invalid path {shown(str(path))}: the server's file system refuses it: {reason}")
    return TemporarilyUnavailable(f"{subject} cannot be reached now: {reason}")
