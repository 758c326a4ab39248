"""What the operating system says, told as `TrackingError`s."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from tracklane_server.contract.errors import StorageFull, TemporarilyUnavailable, TrackingError

# EFBIG: the process may not make files this large (`ulimit -f`).
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def told(fault: OSError) -> TrackingError:
    what = os.strerror(fault.errno) if fault.errno else str(fault)
    if fault.errno in _FULL:
        return StorageFull(f"The file store cannot keep this: {what}; nothing was stored")
    return TemporarilyUnavailable(f"The file store cannot be read or written now: {what}; nothing was stored")


@contextmanager
def faults_told() -> Iterator[None]:
    """Let no `OSError` out."""
    try:
        yield
    except OSError as fault:
        raise told(fault) from fault
