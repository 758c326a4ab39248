"""Changing several files of one folder all or nothing, under kill -9 and on a full disk.

Under the folder's lock: the intent, a file that says all that is to change and what was there before, is put in place
by a rename; then the files are changed; then the intent is removed. Who finds an intent when taking the lock finishes
what a dead process began, or undoes it if it cannot: both may be done any number of times. What touches one file in one
step that cannot be seen half done needs no intent: a rename, or one line appended, which does not count while its end
is missing.
"""

import contextlib
import errno
import logging
import os
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import orjson

from tracklane_server.store.file.layout import INTENT, NEW
from tracklane_server.store.file.lock import read_whole

T = TypeVar("T")

_log = logging.getLogger(__name__)

_SMALL = 8192
_CANNOT_WRITE = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


class Append(NamedTuple):
    """`text`, whole lines, goes to the end of the file at `path`, which was `size` bytes long."""

    path: str
    size: int
    text: str


class Content(NamedTuple):
    """The file at `path` becomes `text`, None for no file; `once` leaves one that is there as it is."""

    path: str
    text: str | None
    once: bool = False


class Change(NamedTuple):
    """Paths are relative to the folder that changes."""

    appends: list[Append]
    contents: list[Content]

    def is_one_step(self) -> bool:
        if not self.contents:
            return not self.appends or (len(self.appends) == 1 and self.appends[0].text.count("\n") == 1)
        return not self.appends and len(self.contents) == 1


def commit(folder: str, change: Change) -> None:
    """Make the change; the caller holds the folder's lock and has called `recover`.

    Raises:
        OSError: it cannot be made; nothing has changed.
    """
    if change.is_one_step():
        _commit_one_step(folder, change)
        return
    old = [None if content.once else _read(f"{folder}/{content.path}") for content in change.contents]
    intent = {"appends": change.appends, "contents": change.contents, "old": old}
    replace(folder, INTENT, orjson.dumps(intent, default=list).decode())
    try:
        _apply(folder, change)
    except OSError:
        _undo(folder, change, old)
        os.unlink(f"{folder}/{INTENT}")
        raise
    os.unlink(f"{folder}/{INTENT}")


def recover(folder: str) -> None:
    """Finish what a dead process began; the caller holds the folder's lock."""
    path = f"{folder}/{INTENT}"
    try:
        written = read_bytes(path)
    except FileNotFoundError:
        return
    try:
        change, old = _read_intent(written)
    except (ValueError, TypeError, KeyError) as fault:
        # Only a power cut leaves a torn intent, before anything of it was done.
        _log.warning("An intent in %s cannot be read and is dropped: %s", folder, fault)
        os.unlink(path)
        return
    try:
        _redo(folder, change)
    except OSError as fault:
        if fault.errno in _CANNOT_WRITE:
            _log.warning("A batch that a dead process began in %s cannot be finished: %s", folder, fault)
            return
        _undo(folder, change, old)
    os.unlink(path)
    _log.info("Recovered what a dead process began in %s", folder)


def read_committed(folder: str, read: Callable[[], T]) -> T:
    """What `read` finds in the folder when no change is under way."""

    def recover_and_read() -> T:
        recover(folder)
        return read()

    return read_whole(folder, recover_and_read)


def replace(folder: str, path: str, text: str) -> None:
    """Put a file in place in one step."""
    new = f"{folder}/{NEW}"
    try:
        _write(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666), text.encode())
        _move(new, f"{folder}/{path}")
    except OSError:
        _unlink(new)
        raise


def read_bytes(path: str) -> bytes:
    """All of a file, which is a small one nearly always."""
    fd = os.open(path, os.O_RDONLY)
    try:
        content = more = os.read(fd, _SMALL)
        while len(more) == _SMALL:
            more = os.read(fd, _SMALL)
            content += more
    finally:
        os.close(fd)
    return content


def prune(folder: str, path: str) -> None:
    """Remove the folders that the last file of theirs has left, but not the first, which belongs to the layout."""
    parent = os.path.dirname(path)
    while "/" in parent:
        try:
            os.rmdir(f"{folder}/{parent}")
        except OSError:
            return
        parent = os.path.dirname(parent)


def _commit_one_step(folder: str, change: Change) -> None:
    try:
        _apply(folder, change)
    except OSError:
        for append in change.appends:
            _cut(folder, append)
        raise


def _read_intent(written: bytes) -> tuple[Change, list[str | None]]:
    intent = orjson.loads(written)
    appends = [Append(*fields) for fields in intent["appends"]]
    return Change(appends, [Content(*fields) for fields in intent["contents"]]), intent["old"]


def _apply(folder: str, change: Change) -> None:
    for append in change.appends:
        _append(folder, append)
    for content in change.contents:
        _put(folder, content)


def _redo(folder: str, change: Change) -> None:
    for append in change.appends:
        _append_rest(folder, append)
    for content in change.contents:
        _put(folder, content)


def _undo(folder: str, change: Change, old: list[str | None]) -> None:
    """Take back what was done of a change; what is taken back first makes room for the rest."""
    for append in change.appends:
        _cut(folder, append)
    for content, text in zip(change.contents, old, strict=True):
        if not content.once and _read(f"{folder}/{content.path}") != text:
            try:
                _put(folder, Content(content.path, text))
            except OSError:
                _log.exception("Cannot put back %s/%s", folder, content.path)


def _cut(folder: str, append: Append) -> None:
    """Take back an append."""
    if append.size == 0:
        _put(folder, Content(append.path, None))
        return
    with contextlib.suppress(FileNotFoundError):
        os.truncate(f"{folder}/{append.path}", append.size)


def _append(folder: str, append: Append) -> None:
    """A new file appears whole: mlflow cannot read a run with an empty metric file."""
    if append.size == 0:
        replace(folder, append.path, append.text)
    else:
        _write(os.open(f"{folder}/{append.path}", os.O_WRONLY | os.O_APPEND), append.text.encode())


def _append_rest(folder: str, append: Append) -> None:
    """Append what a dead process has not; lines that others added since stay, after ours."""
    path = f"{folder}/{append.path}"
    found = _read_from(path, append.size)
    data = append.text.encode()
    done = _common_length(found, data)
    if done == len(data):
        return
    if append.size == 0:
        replace(folder, append.path, append.text + found[done:].decode())
        return
    with open(path, "r+b") as file:
        file.truncate(append.size)
        file.seek(append.size)
        file.write(data + found[done:])


def _common_length(first: bytes, second: bytes) -> int:
    pairs = zip(first, second, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))


def _put(folder: str, content: Content) -> None:
    if content.text is None:
        _unlink(f"{folder}/{content.path}")
        prune(folder, content.path)
    elif not (content.once and os.path.exists(f"{folder}/{content.path}")):
        replace(folder, content.path, content.text)


def _write(fd: int, data: bytes) -> None:
    """Write all of `data` and close."""
    try:
        written = os.write(fd, data)
        while written < len(data):
            written += os.write(fd, data[written:])
    finally:
        os.close(fd)


def _move(source: str, target: str) -> None:
    try:
        os.rename(source, target)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.rename(source, target)


def _read(path: str) -> str | None:
    try:
        return read_bytes(path).decode("utf-8", "replace")
    except FileNotFoundError:
        return None


def _read_from(path: str, start: int) -> bytes:
    try:
        with open(path, "rb") as file:
            file.seek(start)
            return file.read()
    except FileNotFoundError:
        return b""


def _unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
