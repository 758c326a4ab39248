"""Walking below a root folder that cannot be escaped; it knows names and open folders, and raises only `OSError`s.

A folder is entered one name at a time, each relative to the open folder above it and never through a symbolic link. So
nothing that is swapped between two steps can lead outside: what was checked is what is used. The root alone may be a
link, since only who runs the server names it. Who is given an open folder closes it.
"""

import errno
import os
import secrets
import stat
from contextlib import suppress
from typing import NamedTuple

from tracklane_server.artifacts.path import is_artifact_name

Names = tuple[str, ...]

# O_PATH: who passes through a folder needs no right to list it.
_ROOT = os.O_DIRECTORY | getattr(os, "O_PATH", os.O_RDONLY)
_PASS = _ROOT | os.O_NOFOLLOW
# O_NONBLOCK: opening a pipe must not wait for somebody to write to it.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK

# While something is deleted others may delete it, or put another thing there: that one came later, and stays.
_CAME_LATER = (FileNotFoundError, IsADirectoryError, NotADirectoryError)

_HIDDEN = ".tracklane-upload-"


class Entry(NamedTuple):
    name: str
    is_dir: bool
    size: int | None


def hidden_name() -> str:
    """A new name for a file that is not whole yet."""
    return _HIDDEN + secrets.token_hex(8)


def is_hidden(name: str) -> bool:
    return name.startswith(_HIDDEN)


def enter(root: str, names: Names) -> int:
    """Open the folder of these names below the root."""
    folder = os.open(root, _ROOT)
    for name in names:
        outer = folder
        try:
            folder = os.open(name, _PASS, dir_fd=outer)
        finally:
            os.close(outer)
    return folder


def enter_or_make(root: str, names: Names) -> int:
    """Open the folder of these names below the root, making what is missing below it."""
    folder = os.open(root, _ROOT)
    for name in names:
        outer = folder
        try:
            try:
                folder = os.open(name, _PASS, dir_fd=outer)
            except FileNotFoundError:
                with suppress(FileExistsError):
                    os.mkdir(name, dir_fd=outer)
                folder = os.open(name, _PASS, dir_fd=outer)
        finally:
            os.close(outer)
    return folder


def enter_nearest(root: str, names: Names) -> tuple[int, Names]:
    """Open the deepest of these folders that exists; also returns the names that are missing below it."""
    folder = os.open(root, _ROOT)
    for depth, name in enumerate(names):
        outer = folder
        try:
            folder = os.open(name, _PASS, dir_fd=outer)
        except FileNotFoundError:
            return outer, names[depth:]
        except BaseException:
            os.close(outer)
            raise
        os.close(outer)
    return folder, ()


def open_file(root: str, names: Names) -> int:
    """Open what has these names below the root for reading, whatever kind of file it is."""
    folder = enter(root, names[:-1])
    try:
        return os.open(names[-1], _READ, dir_fd=folder)
    finally:
        os.close(folder)


def kind_of(folder: int, name: str) -> int:
    """The `stat.S_IF…` of an entry, a link's own; 0 if there is none."""
    try:
        return stat.S_IFMT(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return 0


def entries(root: str, names: Names) -> list[Entry]:
    """What may be served of a folder, in any order: files and folders of a name that an `ArtifactPath` may hold.

    So what a listing shows can be opened, and no name in it can hurt the client that makes a file of it.
    """
    folder = _enter_to_list(root, names)
    try:
        with os.scandir(folder) as found:
            return [entry for each in found if (entry := _entry(each)) is not None]
    finally:
        os.close(folder)


def delete(root: str, names: Names) -> None:
    """Remove an entry; a folder with all below it, a link without what it leads to."""
    parent = enter(root, names[:-1])
    try:
        if kind_of(parent, names[-1]) != stat.S_IFDIR:
            with suppress(*_CAME_LATER):
                os.unlink(names[-1], dir_fd=parent)
            return
    finally:
        os.close(parent)
    _delete_folder(root, names)


def _enter_to_list(root: str, names: Names) -> int:
    passing = enter(root, names)
    try:
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=passing)
    finally:
        os.close(passing)


def _entry(found: "os.DirEntry[str]") -> Entry | None:
    if is_hidden(found.name) or not is_artifact_name(found.name):
        return None
    try:
        if found.is_dir(follow_symlinks=False):
            return Entry(found.name, True, None)
        if found.is_file(follow_symlinks=False):
            return Entry(found.name, False, found.stat(follow_symlinks=False).st_size)
    except FileNotFoundError:
        pass  # gone since the folder was read
    return None


def _delete_folder(root: str, names: Names) -> None:
    """Empty the folder and all below it, then remove them, inner ones first; one folder is open at any time."""
    pending, emptied = [names], []
    while pending:
        current = pending.pop()
        emptied.append(current)
        with suppress(*_CAME_LATER):
            pending.extend((*current, inner) for inner in _delete_files(root, current))
    for current in reversed(emptied):
        with suppress(*_CAME_LATER):
            _remove_empty(root, current)


def _delete_files(root: str, names: Names) -> list[str]:
    """Unlink all in a folder that is no folder; the names of the folders that remain."""
    folder = _enter_to_list(root, names)
    try:
        with os.scandir(folder) as scan:
            found = [(each.name, each.is_dir(follow_symlinks=False)) for each in scan]
        for name, is_folder in found:
            if not is_folder:
                with suppress(*_CAME_LATER):
                    os.unlink(name, dir_fd=folder)
    finally:
        os.close(folder)
    return [name for name, is_folder in found if is_folder]


def _remove_empty(root: str, names: Names) -> None:
    parent = enter(root, names[:-1])
    try:
        os.rmdir(names[-1], dir_fd=parent)
    except OSError as error:
        # Not empty: somebody put something there after it was emptied.
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    finally:
        os.close(parent)
