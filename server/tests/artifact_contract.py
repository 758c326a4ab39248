"""What every artifact store must do; a store proves itself by a fixture `store` and a subclass of the suite."""

import threading
from collections.abc import Callable
from contextlib import suppress

import pytest

from tracklane_server.artifacts import ArtifactStore
from tracklane_server.artifacts.path import ArtifactPath
from tracklane_server.contract.entities import FileInfo
from tracklane_server.contract.errors import InvalidParameterValue, ResourceDoesNotExist, TemporarilyUnavailable

AWKWARD_NAMES = [
    "with blank",
    " leading and trailing ",
    'it\'s "quoted"',
    "naïve-é",
    "e\u0301-decomposed",
    "模型",
    "🚀👩\u200d🔬.png",
    "…",
    "...",
    "..hidden",
    ".hidden",
    "trailing.",
    "12:30",
    "ab:c",
    "filed:x",
    "semi;colon&amp=1+2,3@!$^*()[]{}|<>~`",
    "-rf",
    "x" * 255,
    "é" * 127,
    "\u2028line separator",
]


def path(text: str) -> ArtifactPath:
    return ArtifactPath.parse(text)


def put(store: ArtifactStore, name: str, *parts: bytes) -> None:
    upload = store.create(path(name))
    for part in parts:
        upload.write(part)
    upload.finish()


def get(store: ArtifactStore, name: str) -> bytes:
    with store.open(path(name)).source as source:
        return source.read()


def etag(store: ArtifactStore, name: str) -> str:
    file = store.open(path(name))
    file.source.close()
    return file.etag


def walked(store: ArtifactStore, folder: str | None = None) -> dict[str, int | None]:
    found = list(store.walk(path(folder) if folder else None))
    assert not any(info.is_dir for info in found)
    assert len({info.path for info in found}) == len(found)
    return {info.path: info.file_size for info in found}


class ArtifactContract:
    """Needs the fixture `store`: an empty one."""

    def test_upload_comes_back_whole(self, store: ArtifactStore) -> None:
        put(store, "a/b/c.bin", b"one ", b"", b"two")
        file = store.open(path("a/b/c.bin"))
        with file.source as source:
            assert (file.size, source.read()) == (7, b"one two")
        assert file.modified > 1_500_000_000

    def test_upload_without_a_byte_makes_an_empty_file(self, store: ArtifactStore) -> None:
        put(store, "empty")
        assert get(store, "empty") == b""
        assert store.list(None) == [FileInfo("empty", False, 0)]

    def test_source_can_seek_for_ranges(self, store: ArtifactStore) -> None:
        put(store, "r", b"0123456789")
        with store.open(path("r")).source as source:
            source.seek(4)
            assert source.read(3) == b"456"

    @pytest.mark.parametrize("name", AWKWARD_NAMES)
    def test_names_are_kept_as_given(self, store: ArtifactStore, name: str) -> None:
        put(store, f"{name}/{name}", b"x")
        assert store.list(None) == [FileInfo(name, True)]
        assert store.list(path(name)) == [FileInfo(f"{name}/{name}", False, 1)]
        assert get(store, f"{name}/{name}") == b"x"
        store.delete(path(name))
        assert store.list(None) == []

    def test_unicode_forms_are_two_files(self, store: ArtifactStore) -> None:
        put(store, "é", b"composed")
        put(store, "e\u0301", b"decomposed")
        assert (get(store, "é"), get(store, "e\u0301")) == (b"composed", b"decomposed")

    def test_list_is_sorted_by_code_point_and_relative_to_the_root(self, store: ArtifactStore) -> None:
        for name in ("d/b", "d/B", "d/a/x", "d/é", "d/10", "d/9"):
            put(store, name, b"12")
        names = ["d/10", "d/9", "d/B", "d/a", "d/b", "d/é"]
        assert store.list(path("d")) == [FileInfo(n, n == "d/a", None if n == "d/a" else 2) for n in names]
        assert store.list(None) == [FileInfo("d", True)]

    def test_list_of_what_is_no_folder_is_empty(self, store: ArtifactStore) -> None:
        assert store.list(None) == []
        put(store, "file", b"x")
        assert [store.list(path(p)) for p in ("file", "missing", "file/below", "missing/below")] == [[]] * 4

    @pytest.mark.parametrize("name", ["missing", "missing/below", "file/below", "folder/missing"])
    def test_open_of_nothing_does_not_exist(self, store: ArtifactStore, name: str) -> None:
        put(store, "file", b"x")
        put(store, "folder/x", b"x")
        with pytest.raises(ResourceDoesNotExist, match=name):
            store.open(path(name))

    def test_open_of_a_folder_is_refused(self, store: ArtifactStore) -> None:
        put(store, "folder/x", b"x")
        with pytest.raises(InvalidParameterValue, match="folder"):
            store.open(path("folder"))

    def test_file_and_folder_do_not_share_a_path(self, store: ArtifactStore) -> None:
        put(store, "file", b"kept")
        put(store, "folder/x", b"kept")
        for name in ("file/below", "file/below/deep", "folder", "folder/x/y"):
            with pytest.raises(InvalidParameterValue, match=name):
                put(store, name, b"new")
        assert walked(store) == {"file": 4, "folder/x": 4}

    def test_folder_made_meanwhile_is_not_replaced(self, store: ArtifactStore) -> None:
        upload = store.create(path("a"))
        deeper = store.create(path("b/c"))
        put(store, "a/x", b"1")
        put(store, "b", b"2")
        for each in (upload, deeper):
            with pytest.raises(InvalidParameterValue):
                each.finish()
        assert walked(store) == {"a/x": 1, "b": 1}

    def test_nothing_is_seen_before_the_finish(self, store: ArtifactStore) -> None:
        upload = store.create(path("new/folder/file"))
        upload.write(b"half")
        assert walked(store) == {}
        with pytest.raises(ResourceDoesNotExist):
            store.open(path("new/folder/file"))
        upload.finish()
        assert walked(store) == {"new/folder/file": 4}

    def test_replacing_shows_the_old_bytes_until_the_finish(self, store: ArtifactStore) -> None:
        put(store, "f", b"old")
        upload = store.create(path("f"))
        upload.write(b"newer")
        assert get(store, "f") == b"old"
        reader = store.open(path("f")).source
        upload.finish()
        assert get(store, "f") == b"newer"
        with reader:
            assert reader.read() == b"old"

    def test_abort_leaves_nothing(self, store: ArtifactStore) -> None:
        put(store, "kept/f", b"old")
        for name in ("kept/f", "kept/new", "fresh/folder/f"):
            upload = store.create(path(name))
            upload.write(b"x" * 100_000)
            upload.abort()
        assert walked(store) == {"kept/f": 3}
        assert store.list(None) == [FileInfo("kept", True)]
        assert store.list(path("kept")) == [FileInfo("kept/f", False, 3)]

    def test_etag_changes_with_every_upload_and_only_then(self, store: ArtifactStore) -> None:
        seen = set()
        for number in range(50):
            put(store, "f", b"%02d" % number)
            seen.add(etag(store, "f"))
            assert etag(store, "f") in seen
        assert len(seen) == 50

    def test_delete_takes_files_and_whole_folders(self, store: ArtifactStore) -> None:
        for name in ("d/a", "d/e/f/g", "d/e/h", "de", "f"):
            put(store, name, b"x")
        store.delete(path("f"))
        store.delete(path("d/e"))
        assert walked(store) == {"d/a": 1, "de": 1}
        store.delete(path("d"))
        assert store.list(None) == [FileInfo("de", False, 1)]

    def test_delete_of_nothing_does_nothing(self, store: ArtifactStore) -> None:
        store.delete(path("missing"))
        put(store, "file", b"x")
        for name in ("missing", "missing/below", "file/below"):
            store.delete(path(name))
            store.delete(path(name))
        assert walked(store) == {"file": 1}

    def test_deleted_path_can_be_used_again(self, store: ArtifactStore) -> None:
        put(store, "a/b", b"x")
        store.delete(path("a"))
        put(store, "a", b"now a file")
        assert get(store, "a") == b"now a file"

    def test_walk_gives_every_file_below(self, store: ArtifactStore) -> None:
        files = {f"{'abc'[i % 3]}/{i % 7}/{i}": i for i in range(60)}
        for name, size in files.items():
            put(store, name, b"." * size)
        assert walked(store) == files
        assert walked(store, "b") == {name: size for name, size in files.items() if name.startswith("b/")}
        assert walked(store, "missing") == {}
        assert walked(store, "a/0/0") == {}

    def test_deep_trees_work(self, store: ArtifactStore) -> None:
        deep = "/".join(["d"] * 100)
        put(store, deep, b"x")
        assert walked(store) == {deep: 1}
        store.delete(path("d"))
        assert store.list(None) == []

    def test_uploads_of_one_path_at_once_are_never_mixed(self, store: ArtifactStore) -> None:
        def upload(writer: int) -> None:
            for _ in range(10):
                put(store, "shared/file", *[bytes([writer]) * 1000] * 20)

        _together([lambda w=writer: upload(w) for writer in range(6)])  # type: ignore[misc]
        content = get(store, "shared/file")
        assert len(content) == 20_000
        assert len(set(content)) == 1
        assert walked(store) == {"shared/file": 20_000}

    def test_last_finish_wins(self, store: ArtifactStore) -> None:
        first, second = store.create(path("f")), store.create(path("f"))
        second.write(b"second")
        first.write(b"first")
        second.finish()
        first.finish()
        assert get(store, "f") == b"first"

    def test_uploads_survive_deletions_at_the_same_time(self, store: ArtifactStore) -> None:
        over = threading.Event()

        def upload() -> None:
            try:
                for number in range(150):
                    # A store whose running uploads stand in the folder itself loses them with it, and says so.
                    with suppress(TemporarilyUnavailable):
                        put(store, f"busy/folder/{number}", b"x")
            finally:
                over.set()

        def delete() -> None:
            while not over.is_set():
                store.delete(path("busy"))

        _together([upload, delete])
        put(store, "busy/folder/last", b"x")
        assert get(store, "busy/folder/last") == b"x"
        store.delete(path("busy"))
        assert store.list(None) == []


def _together(tasks: list[Callable[[], None]]) -> None:
    faults: list[BaseException] = []

    def run(task: Callable[[], None]) -> None:
        try:
            task()
        except BaseException as fault:  # noqa: BLE001 - raised again by who waits
            faults.append(fault)

    threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    if faults:
        raise faults[0]
