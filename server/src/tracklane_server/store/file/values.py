"""Params and tags: each value a file named by its key, or an entry of the spare file of its kind (see `layout`)."""

import os
from collections.abc import Iterator, Mapping

import orjson

from tracklane_server.store.file.change import Content, read_bytes
from tracklane_server.store.file.layout import Placement, spare


def read_values(folder: str, kind: str) -> dict[str, str]:
    """Every value of one kind, by key in order of the keys."""
    values = read_spare(folder, kind)
    values.update((key, read_text(path)) for key, path in key_files(f"{folder}/{kind}"))
    return dict(sorted(values.items()))


def read_value(folder: str, kind: str, key: str) -> str | None:
    path = Placement(folder, kind).find(key)
    return read_text(f"{folder}/{path}") if path else read_spare(folder, kind).get(key)


def plan_values(folder: str, kind: str, edits: Mapping[str, str | None]) -> list[Content]:
    """The files to change so that each key has its new value, None for no value."""
    placement = Placement(folder, kind)
    contents: list[Content] = []
    spared: dict[str, str] | None = None
    for key, value in edits.items():
        path = placement.find(key)
        if path is None:
            spared = read_spare(folder, kind) if spared is None else spared
            path = None if key in spared or value is None else placement.make(key)
        if path is not None:
            contents.append(Content(path, value))
        elif value is None:
            spared = {name: text for name, text in (spared or {}).items() if name != key}
        else:
            spared = {**(spared or {}), key: value}
    if spared is not None and spared != read_spare(folder, kind):
        contents.append(Content(spare(kind), orjson.dumps(spared).decode() if spared else None))
    return contents


def key_files(folder: str, prefix: str = "") -> Iterator[tuple[str, str]]:
    """(key, path) of every file below the folder of a kind."""
    try:
        entries = os.scandir(folder)
    except FileNotFoundError:
        return
    with entries:
        for entry in entries:
            key = prefix + entry.name
            if entry.is_dir():
                yield from key_files(entry.path, f"{key}/")
            elif _is_text(key) and entry.is_file():
                yield key, entry.path


def read_spare(folder: str, kind: str) -> dict[str, str]:
    try:
        values: dict[str, str] = orjson.loads(read_text(f"{folder}/{spare(kind)}"))
    except (FileNotFoundError, orjson.JSONDecodeError):
        return {}
    return values


def read_text(path: str) -> str:
    return read_bytes(path).decode("utf-8", "replace")


def _is_text(name: str) -> bool:
    """False for names whose bytes are no UTF-8: no key of ours, and nothing that JSON could carry."""
    return name.isascii() or not any("\udc80" <= char <= "\udcff" for char in name)
