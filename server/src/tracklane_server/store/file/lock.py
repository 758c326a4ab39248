"""Locks between threads and processes: `flock` on the folder that is locked.

Every holder opens the folder anew, so that threads of one process exclude each other as processes do. The kernel frees
the lock of a process that dies. A folder needs no file of ours for that, and may be one that only others write. Network
file systems that lock no folders get a file in it.
"""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from tracklane_server.store.file.layout import LOCK

T = TypeVar("T")

# What a file system says that can lock files, or nothing, but no folder.
_NO_FOLDER_LOCKS = frozenset({errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS})

# What it says to a reader that may not make the file instead.
_READ_ONLY = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def acquire(folder: str) -> int:
    """Take the lock of a folder; the answer is for `release`.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    try:
        return _lock(os.open(folder, os.O_RDONLY | os.O_DIRECTORY))
    except OSError as fault:
        if fault.errno not in _NO_FOLDER_LOCKS:
            raise
    return acquire_file(f"{folder}/{LOCK}")


def acquire_file(path: str) -> int:
    """Take the lock that is a file, which is made if it is missing and never removed."""
    return _lock(os.open(path, os.O_RDWR | os.O_CREAT, 0o666))


def release(fd: int) -> None:
    try:
        # A child forked meanwhile shares this open file: closing alone would leave the lock to it.
        fcntl.flock(fd, fcntl.LOCK_UN)
    finally:
        os.close(fd)


@contextmanager
def locked(folder: str) -> Iterator[None]:
    fd = acquire(folder)
    try:
        yield
    finally:
        release(fd)


@contextmanager
def file_locked(path: str) -> Iterator[None]:
    fd = acquire_file(path)
    try:
        yield
    finally:
        release(fd)


def read_whole(folder: str, read: Callable[[], T]) -> T:
    """What `read` returns while no writer holds the folder's lock."""
    try:
        fd = acquire(folder)
    except OSError as fault:
        if fault.errno not in _READ_ONLY:
            raise
        return read()
    try:
        return read()
    finally:
        release(fd)


def _lock(fd: int) -> int:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
    except OSError:
        os.close(fd)
        raise
    return fd
