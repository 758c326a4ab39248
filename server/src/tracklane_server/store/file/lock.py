"""Locks between threads and processes: `flock` on a file that is never removed.

Every holder opens the file anew, so that threads of one process exclude each other as processes do. The kernel frees
the lock of a process that dies.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


def acquire(path: str) -> int:
    """Take the lock at `path`, which is made if it is missing; the answer is for `release`."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except PermissionError:
        fd = os.open(path, os.O_RDONLY)
    return _lock(fd)


def release(fd: int) -> None:
    try:
        # A child forked meanwhile shares this open file: closing alone would leave the lock to it.
        fcntl.flock(fd, fcntl.LOCK_UN)
    finally:
        os.close(fd)


@contextmanager
def locked(path: str) -> Iterator[None]:
    """Hold the lock at `path`, which is made if it is missing."""
    fd = acquire(path)
    try:
        yield
    finally:
        release(fd)


def read_whole(path: str, read: Callable[[], T]) -> T:
    """What `read` returns while no writer holds the lock at `path`.

    Where nobody ever locked, none is made: a store that others wrote stays as it was. A writer that came meanwhile has
    made the lock before it wrote, so that a lock still missing afterwards proves that `read` saw no half of its work.
    """
    while True:
        try:
            fd = _lock(os.open(path, os.O_RDONLY))
        except FileNotFoundError:
            result = read()
            if not os.path.exists(path):
                return result
            continue
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
