"""Connections and transactions: snapshots for readers, one queue for writers.

Writers that come while another one works wait in a queue; whoever is next runs all that wait in one transaction, each
in a savepoint of its own. So a lone writer pays for no thread but its own, and many share the price of a commit.
"""

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from tracklane_server.contract.errors import TemporarilyUnavailable
from tracklane_server.store.sql.sqlite import SqliteDriver
from tracklane_server.store.sql.statement import Connection

T = TypeVar("T")

# The most writes in one transaction: others wait for all of them.
_GROUP = 64

# Connections that a forked child must neither use nor close, since its parent still has them.
_OF_PARENTS: list[Connection] = []


class _Write(Generic[T]):
    """One write: what it does, then what came of it. `turn` is released when it is done, or has to lead."""

    __slots__ = ("done", "error", "leads", "operation", "result", "turn")

    def __init__(self, operation: Callable[[Connection], T]) -> None:
        self.operation = operation
        self.turn = threading.Lock()
        self.leads = self.done = False
        self.result: T | None = None
        self.error: BaseException | None = None

    def run(self, connection: Connection) -> None:
        """Sets result or error."""
        try:
            self.result = self.operation(connection)
        except Exception as error:  # noqa: BLE001 - it is raised again in the thread that it belongs to
            self.error = error

    def outcome(self) -> T:
        if self.error is not None:
            raise self.error
        return self.result  # type: ignore[return-value]


class Database:
    """One database for many threads. Only `TrackingError`s and what operations themselves raise leave it."""

    def __init__(self, driver: SqliteDriver) -> None:
        self.driver = driver
        self._readers: deque[Connection]
        self._writer: Connection | None
        self._mutex: threading.Lock
        self._queue: deque[_Write[Any]]
        self._busy: bool
        self._closed: bool
        self._begin_anew()
        self_or_none = weakref.WeakMethod(self._after_fork)
        os.register_at_fork(after_in_child=lambda: (self_or_none() or _nothing)())

    def read(self, operation: Callable[[Connection], T]) -> T:
        """Run `operation` on one snapshot of what is committed."""
        with self.faults():
            try:
                connection = self._readers.pop()
            except IndexError:
                connection = self.driver.connect()
            try:
                connection.execute(self.driver.begin_read)
                result = operation(connection)
            finally:
                self._end_read(connection)
            return result

    def write(self, operation: Callable[[Connection], T]) -> T:
        """Run `operation` in a transaction of which all is kept, or nothing when it raises.

        It may run in another thread, and is run once.
        """
        write = _Write(operation)
        with self._mutex:
            if self._busy:
                write.turn.acquire()
                self._queue.append(write)
            else:
                self._busy = write.leads = True
        if not write.leads:
            self._wait(write)
        if not write.done:
            self._lead(write)
        return write.outcome()

    def close(self) -> None:
        """Close all connections; nobody uses them any more."""
        self._closed = True
        while self._readers:
            self._readers.pop().raw.close()
        if self._writer is not None:
            self._writer.raw.close()
            self._writer = None

    @contextmanager
    def faults(self) -> Iterator[None]:
        """Faults of the database as errors for callers."""
        try:
            yield
        except Exception as error:
            known = self.driver.fault(error)
            if known is None:
                raise
            raise known from error

    def _end_read(self, connection: Connection) -> None:
        try:
            if connection.raw.in_transaction:
                connection.execute("COMMIT")
        except Exception:
            connection.raw.close()
            raise
        if self._closed:
            connection.raw.close()
        else:
            self._readers.append(connection)

    def _wait(self, write: _Write[Any]) -> None:
        """Until the write is done or has to lead. A thread that is interrupted leaves the queue in order."""
        try:
            write.turn.acquire()
        except BaseException:
            with self._mutex:
                if write in self._queue:
                    self._queue.remove(write)
            if write.leads:
                self._pass_on([])
            raise

    def _lead(self, first: _Write[Any]) -> None:
        """Run a write and those that wait, wake their threads, and leave the rest to the next in the queue."""
        with self._mutex:
            group = [first, *(self._queue.popleft() for _ in range(min(len(self._queue), _GROUP - 1)))]
        try:
            self._commit(group)
        except BaseException as error:  # noqa: BLE001 - each thread raises its own
            for write in group:
                write.error = error if write is first or isinstance(error, Exception) else _interrupted()
        finally:
            self._pass_on(group)

    def _pass_on(self, group: list[_Write[Any]]) -> None:
        with self._mutex:
            follower = self._queue.popleft() if self._queue else None
            self._busy = follower is not None
            if follower is not None:
                follower.leads = True
        for write in group:
            write.done = True
            if not write.leads:
                write.turn.release()
        if follower is not None:
            follower.turn.release()

    def _commit(self, group: list[_Write[Any]]) -> None:
        """One transaction for the group. What it raises is the outcome of every write in it."""
        with self.faults():
            if self._writer is None:
                self._writer = self.driver.connect()
            connection = self._writer
            connection.execute(self.driver.begin_write)
            try:
                if len(group) == 1:
                    group[0].result = group[0].operation(connection)
                else:
                    self._run_each(connection, group)
                connection.execute("COMMIT")
            except BaseException:
                self._roll_back(connection)
                raise

    def _run_each(self, connection: Connection, group: list[_Write[Any]]) -> None:
        for write in group:
            connection.execute("SAVEPOINT one")
            write.run(connection)
            if write.error is not None:
                if self.driver.fault(write.error) is not None:
                    raise write.error
                connection.execute("ROLLBACK TO one")
            connection.execute("RELEASE one")

    def _roll_back(self, connection: Connection) -> None:
        """SQLite itself undoes what some faults cut off; a connection that cannot even be rolled back is replaced."""
        try:
            if connection.raw.in_transaction:
                connection.execute("ROLLBACK")
        except Exception:  # noqa: BLE001 - the error that led here is the one to report
            self._writer = None
            connection.raw.close()

    def _begin_anew(self) -> None:
        self._readers = deque()
        self._writer = None
        self._mutex = threading.Lock()
        self._queue = deque()
        self._busy = self._closed = False

    def _after_fork(self) -> None:
        """In a child: leave the parent's connections alone and make others when they are needed."""
        _OF_PARENTS.extend(self._readers)
        if self._writer is not None:
            _OF_PARENTS.append(self._writer)
        self._begin_anew()


def _nothing() -> None: ...


def _interrupted() -> TemporarilyUnavailable:
    return TemporarilyUnavailable("The write was cut short because the process is being stopped; try again")
