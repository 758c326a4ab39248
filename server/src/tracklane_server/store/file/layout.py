"""The tree of an `mlruns` folder: the only module that knows where something lies (wire-contract, section 6.2).

What is ours besides lies in files, never folders, called `.tracklane-…`: mlflow takes every folder for an experiment or
a run, and passes over files.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from tracklane_server.contract.errors import InvalidParameterValue

META = "meta.yaml"
METRICS = "metrics"
PARAMS = "params"
TAGS = "tags"
ARTIFACTS = "artifacts"
INPUTS = "inputs"
OUTPUTS = "outputs"
DATASETS = "datasets"
TRASH = ".trash"

DEFAULT_EXPERIMENT = "0"

LOCK = ".tracklane-lock"
INTENT = ".tracklane-intent"
NEW = ".tracklane-new"
CHANGES = ".tracklane-changes"
CHANGES_TAKEN = ".tracklane-changes-taken"
INDEX = ".tracklane-index.db"
INDEX_LOCK = ".tracklane-index-lock"

# Without the first, mlflow sees no run; the other names lie beside runs, or beside experiments.
RUN_FOLDERS = (METRICS, PARAMS, ARTIFACTS)
_NOT_RUNS = frozenset({TAGS, DATASETS, "models", "traces"})
_NOT_EXPERIMENTS = frozenset({"models"})

# The contract allows one character more, but no folder can have such a name: no run here has it.
_RUN_ID = re.compile(r"[a-zA-Z0-9][\w\-]{0,254}", re.ASCII)
_EXPERIMENT_ID = re.compile(r"[a-zA-Z0-9][\w\-]{0,63}", re.ASCII)

_NO_NAMES = frozenset({"", ".", ".."})
_LONGEST_NAME = 255
# Of the 4,096 bytes of a path, leave room for the move to the trash.
_LONGEST_PATH = 4000


def local_path(uri: str) -> str:
    """The absolute folder that a path or `file:` URI names.

    Raises:
        InvalidParameterValue: the URI names another host.
    """
    if not uri.lower().startswith("file:"):
        return os.path.abspath(uri)
    parts = urlsplit(uri)
    if parts.netloc not in ("", "localhost"):
        raise InvalidParameterValue(f"Backend store URI '{uri}' names a host; a file store is a local folder")
    return os.path.abspath(unquote(parts.path))


def is_run_id(name: str) -> bool:
    return _RUN_ID.fullmatch(name) is not None and name not in _NOT_RUNS


def is_experiment_id(name: str) -> bool:
    return _EXPERIMENT_ID.fullmatch(name) is not None and name not in _NOT_EXPERIMENTS


class Layout:
    """Paths below one root folder."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.trash = f"{root}/{TRASH}"
        self.changes = f"{root}/{CHANGES}"
        self.changes_taken = f"{root}/{CHANGES_TAKEN}"

    def experiment(self, experiment_id: str, deleted: bool = False) -> str:
        return f"{self.trash if deleted else self.root}/{experiment_id}"

    def experiments(self) -> Iterator[str]:
        """Folders that may be experiments, the deleted ones last."""
        for parent in (self.root, self.trash):
            try:
                with os.scandir(parent) as entries:
                    names = [entry.name for entry in entries if is_experiment_id(entry.name) and entry.is_dir()]
            except FileNotFoundError:
                continue
            for name in names:
                yield f"{parent}/{name}"

    def is_trashed(self, folder: str) -> bool:
        return os.path.dirname(folder) == self.trash


def runs_in(experiment_folder: str) -> list[str]:
    """Names of the folders of an experiment that may be runs."""
    with os.scandir(experiment_folder) as entries:
        return [entry.name for entry in entries if is_run_id(entry.name) and entry.is_dir()]


def spare(kind: str) -> str:
    """The file for metrics, params or tags whose keys the file system cannot hold as names."""
    return f".tracklane-{kind}"


def dataset_record(dataset_id: str) -> str:
    """Seen from a run's folder."""
    return f"../{DATASETS}/{dataset_id}/{META}"


def input_record(input_id: str) -> str:
    return f"{INPUTS}/{input_id}/{META}"


def output_record(model_id: str) -> str:
    """The folder is called like the model, unless that is no name for a folder."""
    is_name = "/" not in model_id and _leads_down(model_id) and len(model_id.encode()) <= _LONGEST_NAME
    return f"{OUTPUTS}/{model_id if is_name else md5_id(model_id, '')}/{META}"


def md5_id(first: str, second: str) -> str:
    return hashlib.md5((first + second).encode(), usedforsecurity=False).hexdigest()


class Placement:
    """Where keys of one kind go in one folder, as files named like the key if that is possible.

    It is not where the key `d` meets the key `d/x`, and where a name is too long.
    """

    def __init__(self, folder: str, kind: str) -> None:
        self._folder = folder
        self._kind = kind
        self._planned_files: set[str] = set()
        self._planned_folders: set[str] = set()

    def find(self, key: str) -> str | None:
        """The file named like the key, if there is one."""
        path = f"{self._kind}/{key}"
        return path if _leads_down(key) and os.path.isfile(f"{self._folder}/{path}") else None

    def make(self, key: str) -> str | None:
        """The path of a new file named like the key, None if there cannot be one."""
        path = f"{self._kind}/{key}"
        whole = f"{self._folder}/{path}"
        if not _is_storable(key, whole) or path in self._planned_folders:
            return None
        ancestors = _ancestors(path)
        if any(ancestor in self._planned_files for ancestor in ancestors):
            return None
        try:
            os.lstat(whole)
        except FileNotFoundError:
            self._planned_files.add(path)
            self._planned_folders.update(ancestors)
            return path
        except NotADirectoryError:
            return None
        return None


def _leads_down(name: str) -> bool:
    """Whether this is a path within a folder; a key of the spec is."""
    return "\0" not in name and not any(part in _NO_NAMES for part in name.split("/"))


def _is_storable(key: str, path: str) -> bool:
    if not _leads_down(key):
        return False
    if len(path) * 4 < _LONGEST_NAME:
        return True
    if len(path.encode()) > _LONGEST_PATH:
        return False
    return all(len(name.encode()) <= _LONGEST_NAME for name in key.split("/"))


def _ancestors(path: str) -> list[str]:
    """`a/b/c` has `a/b`; the first folder, that of the kind, is no ancestor."""
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(2, len(parts))]
