"""Reading files that grow by lines, on from where they ended when last read."""

import os
from typing import NamedTuple


class Mark(NamedTuple):
    """How far a file has been read, up to the end of a line."""

    inode: int
    size: int
    mtime_ns: int


class Growth(NamedTuple):
    """The whole lines since a mark, which is None where the file had to be read from its start."""

    since: Mark | None
    content: bytes
    now: Mark


def read_on(path: str, since: Mark | None) -> Growth:
    """What the file says since a mark; all of it if it has not merely grown."""
    fd = os.open(path, os.O_RDONLY)
    try:
        status = os.fstat(fd)
        if since is not None and not _has_grown(fd, status, since):
            since = None
        start = since.size if since else 0
        content = read_range(fd, start, status.st_size)
    finally:
        os.close(fd)
    content = content[: content.rfind(b"\n") + 1]
    return Growth(since, content, Mark(status.st_ino, start + len(content), status.st_mtime_ns))


def cut_torn_end(path: str) -> int:
    """The size of the file, 0 for none, when a last line without an end has been cut off."""
    try:
        fd = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return 0
    try:
        size = os.fstat(fd).st_size
        if size == 0 or os.pread(fd, 1, size - 1) == b"\n":
            return size
        whole = read_range(fd, 0, size).rfind(b"\n") + 1
        os.ftruncate(fd, whole)
        return whole
    finally:
        os.close(fd)


def read_range(fd: int, start: int, end: int) -> bytes:
    content = b""
    while start + len(content) < end and (more := os.pread(fd, end - start - len(content), start + len(content))):
        content += more
    return content


def _has_grown(fd: int, status: os.stat_result, since: Mark) -> bool:
    if status.st_ino != since.inode or status.st_size < since.size:
        return False
    if status.st_size == since.size:
        return status.st_mtime_ns == since.mtime_ns
    return since.size > 0 and os.pread(fd, 1, since.size - 1) == b"\n"
