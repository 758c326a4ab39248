"""The local artifact store: the contract, and what only a folder on a disk can get wrong."""

import ctypes
import errno
import os
import resource
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from artifact_contract import ArtifactContract, etag, get, path, put, walked

from tracklane_server.artifacts import ArtifactStore, ArtifactUpload, local, open_artifact_store
from tracklane_server.artifacts.local import LocalArtifactStore, local_folder
from tracklane_server.contract.entities import FileInfo
from tracklane_server.contract.errors import (
    InvalidParameterValue,
    ResourceDoesNotExist,
    StorageFull,
    TemporarilyUnavailable,
)

SECRET = b"secret"


@pytest.fixture(params=["unnamed", "hidden"])
def root(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root that does not exist yet, with and without a file system that has unnamed files."""
    if request.param == "hidden":
        monkeypatch.setattr(local, "_UNNAMED", 0)
    return tmp_path / "root"


@pytest.fixture
def store(root: Path) -> Iterator[ArtifactStore]:
    before = _open_files()
    yield LocalArtifactStore(str(root))
    assert _open_files() == before
    left = [name for _, _, names in os.walk(root) for name in names if name.startswith(".tracklane")]
    assert left == []


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    (folder / "inner").mkdir(parents=True)
    (folder / "secret").write_bytes(SECRET)
    (folder / "inner" / "secret").write_bytes(SECRET)
    return folder


def exchange(one: Path, other: Path) -> None:
    """Both names change places in one step: the kernel's renameat2 with RENAME_EXCHANGE."""
    here = -100
    if ctypes.CDLL(None, use_errno=True).renameat2(here, bytes(one), here, bytes(other), 2):
        pytest.skip("the file system cannot exchange names")


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


class TestLocalArtifactStore(ArtifactContract):
    pass


class TestLinks:
    """No link below the root is followed, by any operation."""

    @pytest.fixture(autouse=True)
    def links(self, root: Path, outside: Path) -> None:
        (root / "real").mkdir(parents=True)
        (root / "real" / "file").write_bytes(b"x")
        (root / "dir").symlink_to(outside)
        (root / "file").symlink_to(outside / "secret")
        (root / "relative").symlink_to("../outside/secret")
        (root / "dangling").symlink_to(outside / "planted")
        (root / "loop").symlink_to("loop")
        (root / "inside").symlink_to("real")
        (root / "real" / "up").symlink_to("..")

    @pytest.fixture(autouse=True)
    def untouched(self, links: None, outside: Path) -> Iterator[None]:
        yield
        assert {str(p.relative_to(outside)) for p in outside.rglob("*")} == {"secret", "inner", "inner/secret"}
        assert (outside / "secret").read_bytes() == SECRET

    LINKS = ["file", "relative", "dangling", "loop", "dir", "inside", "real/up"]
    THROUGH = ["dir/secret", "dir/inner/secret", "inside/file", "real/up/real/file", "loop/x", "file/x", "dangling/x"]

    @pytest.mark.parametrize("name", LINKS + THROUGH)
    def test_reading_finds_nothing(self, store: ArtifactStore, name: str) -> None:
        with pytest.raises(ResourceDoesNotExist):
            store.open(path(name))
        assert store.list(path(name)) == []
        assert walked(store, name) == {}

    @pytest.mark.parametrize("name", LINKS + THROUGH + ["dir/new", "dir/inner/new/deep", "inside/new"])
    def test_writing_is_refused(self, store: ArtifactStore, name: str) -> None:
        with pytest.raises(InvalidParameterValue, match=name):
            put(store, name, b"planted")

    def test_listing_hides_them(self, store: ArtifactStore) -> None:
        assert store.list(None) == [FileInfo("real", True)]
        assert walked(store) == {"real/file": 1}

    @pytest.mark.parametrize("name", THROUGH)
    def test_deleting_through_one_does_nothing(self, store: ArtifactStore, root: Path, name: str) -> None:
        store.delete(path(name))
        assert (root / "real" / "file").exists()

    def test_deleting_one_removes_the_link_alone(self, store: ArtifactStore, root: Path) -> None:
        for name in ("dir", "file", "dangling", "real/up", "inside"):
            store.delete(path(name))
            assert not (root / name).is_symlink()
        assert (root / "real" / "file").exists()

    def test_deleting_a_folder_removes_the_links_in_it(self, store: ArtifactStore, root: Path, outside: Path) -> None:
        (root / "real" / "out").symlink_to(outside)
        store.delete(path("real"))
        assert not (root / "real").exists()

    def test_link_put_in_place_during_an_upload_is_refused(
        self, store: ArtifactStore, root: Path, outside: Path
    ) -> None:
        target, parent = store.create(path("real/late")), store.create(path("later/inner/file"))
        (root / "real" / "late").symlink_to(outside / "planted")
        (root / "later").symlink_to(outside)
        for upload in (target, parent):
            upload.write(b"planted")
            with pytest.raises(InvalidParameterValue):
                upload.finish()

    def test_root_may_be_a_link(self, root: Path, tmp_path: Path) -> None:
        (tmp_path / "alias").symlink_to(root)
        store = LocalArtifactStore(str(tmp_path / "alias"))
        put(store, "real/new", b"x")
        assert (root / "real" / "new").read_bytes() == b"x"


def test_folder_swapped_for_a_link_never_leads_outside(store: ArtifactStore, root: Path, outside: Path) -> None:
    """One thread exchanges a folder and a link to the outside, as fast as it can, while the others use the path."""
    (root / "swap").mkdir(parents=True)
    (root / "swap" / "secret").write_bytes(b"public")
    (root / "swap" / "inner").mkdir()
    (root / "link").symlink_to(outside)
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            exchange(root / "swap", root / "link")

    swapper = threading.Thread(target=swap)
    swapper.start()
    seen: set[bytes] = set()
    try:
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            with _refusals():
                seen.add(get(store, "swap/secret"))
            with _refusals():
                put(store, "swap/planted", b"p")
            with _refusals():
                put(store, "swap/made/planted", b"p")
            with _refusals():
                store.delete(path("swap/inner/secret"))
            assert all(info.path != "swap/inner/secret" for info in store.list(path("swap/inner")))
            assert "swap/inner/secret" not in walked(store)
    finally:
        over.set()
        swapper.join()
    assert seen == {b"public"}
    assert {str(p.relative_to(outside)) for p in outside.rglob("*")} == {"secret", "inner", "inner/secret"}


def test_folder_swapped_for_a_link_during_its_deletion(store: ArtifactStore, root: Path, outside: Path) -> None:
    over = threading.Event()
    (root / "d").mkdir(parents=True)

    def swap() -> None:
        while not over.is_set():
            with _gone():
                os.rename(root / "d" / "sub", root / "aside")
            with _gone():
                os.symlink(outside, root / "d" / "sub")
            with _gone():
                os.unlink(root / "aside" / "x")
            with _gone():
                os.rmdir(root / "aside")

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        for _ in range(150):
            with _refusals():
                put(store, "d/sub/x", b"1")
            with _refusals():
                store.delete(path("d"))
    finally:
        over.set()
        swapper.join()
    assert (outside / "inner" / "secret").read_bytes() == SECRET
    assert (outside / "secret").read_bytes() == SECRET


class TestSpecialFiles:
    @pytest.fixture(autouse=True)
    def specials(self, root: Path) -> Iterator[None]:
        root.mkdir()
        os.mkfifo(root / "pipe")
        here = os.getcwd()
        os.chdir(root)  # a socket's path is short
        listener = socket.socket(socket.AF_UNIX)
        listener.bind("socket")
        os.chdir(here)
        yield
        listener.close()

    @pytest.mark.parametrize("name", ["pipe", "socket"])
    def test_they_do_not_exist_for_readers_and_never_hang(self, store: ArtifactStore, name: str) -> None:
        with pytest.raises(ResourceDoesNotExist):
            store.open(path(name))
        assert store.list(None) == []
        assert walked(store) == {}

    @pytest.mark.parametrize("name", ["pipe", "socket"])
    def test_they_are_not_written_but_can_be_deleted(self, store: ArtifactStore, root: Path, name: str) -> None:
        with pytest.raises(InvalidParameterValue, match="special"):
            put(store, name, b"x")
        store.delete(path(name))
        assert not (root / name).exists()


def test_names_no_path_may_hold_are_not_listed_but_deleted(store: ArtifactStore, root: Path) -> None:
    (root / "d").mkdir(parents=True)
    for name in (b"back\\slash", b"new\nline", b"a?b", b"C:x", b"\xff\xfe"):
        (root / "d" / os.fsdecode(name)).write_bytes(b"x")
    (root / "d" / "a? folder").mkdir()
    (root / "d" / "a? folder" / "inner").write_bytes(b"x")
    put(store, "d/good", b"x")
    assert store.list(path("d")) == [FileInfo("d/good", False, 1)]
    assert walked(store) == {"d/good": 1}
    store.delete(path("d"))
    assert not (root / "d").exists()


def test_reading_makes_no_root(store: ArtifactStore, root: Path) -> None:
    store.list(None)
    walked(store)
    store.delete(path("x"))
    with pytest.raises(ResourceDoesNotExist):
        store.open(path("x"))
    assert not root.exists()


def test_root_that_is_removed_is_made_again(store: ArtifactStore, root: Path) -> None:
    put(store, "a", b"x")
    store.delete(path("a"))
    root.rmdir()
    assert store.list(None) == []
    put(store, "b/c", b"x")
    assert get(store, "b/c") == b"x"


def test_files_have_the_rights_the_umask_leaves(store: ArtifactStore, root: Path) -> None:
    before = os.umask(0o027)
    try:
        put(store, "d/f", b"x")
    finally:
        os.umask(before)
    assert (root / "d" / "f").stat().st_mode & 0o777 == 0o640
    assert (root / "d").stat().st_mode & 0o777 == 0o750


def test_uploads_are_hidden_while_they_run(store: ArtifactStore, root: Path) -> None:
    put(store, "d/f", b"x")
    upload = store.create(path("d/g"))
    upload.write(b"half")
    for name in os.listdir(root / "d"):
        if name.startswith(".tracklane"):
            store.delete(path(f"d/{name}"))
            with pytest.raises(ResourceDoesNotExist):
                store.open(path(f"d/{name}"))
            with pytest.raises(InvalidParameterValue, match=r"^Invalid path"):
                put(store, f"d/{name}", b"torn")
    assert store.list(path("d")) == [FileInfo("d/f", False, 1)]
    upload.finish()
    assert get(store, "d/g") == b"half"


def test_folder_deleted_during_an_upload_is_made_again(store: ArtifactStore, root: Path) -> None:
    put(store, "d/old", b"x")
    upload = store.create(path("d/e/new"))
    upload.write(b"new")
    store.delete(path("d"))
    if local._UNNAMED:
        upload.finish()
        assert walked(store) == {"d/e/new": 3}
    else:  # the hidden file went with its folder
        with pytest.raises(TemporarilyUnavailable):
            upload.finish()
        assert walked(store) == {}


def test_an_upload_ends_once(store: ArtifactStore) -> None:
    upload = store.create(path("f"))
    upload.finish()
    with pytest.raises(ValueError, match="over"):
        upload.write(b"x")
    with pytest.raises(ValueError, match="over"):
        upload.finish()
    upload.abort()
    assert walked(store) == {"f": 0}


def test_etag_notices_an_edit_in_place(store: ArtifactStore, root: Path) -> None:
    put(store, "f", b"one")
    before = etag(store, "f")
    with open(root / "f", "r+b") as file:
        file.write(b"two")
    os.utime(root / "f", ns=(1, 1))
    assert etag(store, "f") != before


def test_big_file_streams_in_constant_memory(store: ArtifactStore) -> None:
    chunk = os.urandom(1 << 16)
    tracemalloc.start()
    try:
        upload = store.create(path("big"))
        for _ in range(1024):
            upload.write(chunk)
        upload.finish()
        file = store.open(path("big"))
        with file.source as source:
            read = 0
            while part := source.read(1 << 16):
                read += len(part)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert read == file.size == 64 << 20


def test_killed_upload_leaves_nothing_to_see(root: Path, store: ArtifactStore) -> None:
    put(store, "d/f", b"old")
    script = f"""
import os
from tracklane_server.artifacts import local
from tracklane_server.artifacts.path import ArtifactPath
local._UNNAMED = {local._UNNAMED}
upload = local.LocalArtifactStore({str(root)!r}).create(ArtifactPath.parse("d/f"))
upload.write(b"new" * 100_000)
os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", script], check=False)
    assert store.list(path("d")) == [FileInfo("d/f", False, 3)]
    assert get(store, "d/f") == b"old"
    store.delete(path("d"))
    assert not (root / "d").exists()


class TestFaults:
    """What the disk refuses becomes an error that names no path of this machine, and leaves the store readable."""

    @pytest.fixture
    def limited(self) -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
        yield
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    @pytest.fixture
    def full_disk(self, root: Path) -> Iterator[None]:
        root.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", root], check=False).returncode:
            pytest.skip("needs the right to mount a tmpfs")
        yield
        subprocess.run(["umount", root], check=True)

    @pytest.fixture
    def nobody(self) -> Iterator[None]:
        if os.geteuid() == 0:
            os.seteuid(65534)
            yield
            os.seteuid(0)
        else:
            yield

    def test_file_over_the_limit_is_storage_full(
        self, store: ArtifactStore, root: Path, limited: None, capfd: pytest.CaptureFixture[str]
    ) -> None:
        put(store, "f", b"old")
        upload = store.create(path("f"))
        with pytest.raises(StorageFull, match=r"^Artifact 'f'") as caught:
            fill(upload)
        assert str(root) not in caught.value.message
        with pytest.raises(ValueError, match="over"):
            upload.finish()
        upload.abort()
        assert get(store, "f") == b"old"

    def test_full_disk_is_storage_full_and_the_rest_stays_readable(self, full_disk: None, root: Path) -> None:
        store = LocalArtifactStore(str(root))
        put(store, "d/f", b"old")
        upload = store.create(path("d/f"))
        with pytest.raises(StorageFull, match=r"^Artifact 'd/f'.*space"):
            fill(upload)
        upload.abort()
        assert get(store, "d/f") == b"old"
        assert walked(store) == {"d/f": 3}
        store.delete(path("d"))

    def test_read_only_folder_is_temporarily_unavailable(self, store: ArtifactStore, root: Path, nobody: None) -> None:
        put_as_root(root)
        for refused in (
            lambda: put(store, "d/new", b"x"),
            lambda: put(store, "d/sub/new", b"x"),
            lambda: store.delete(path("d/f")),
            lambda: store.open(path("d/locked")),
        ):
            with pytest.raises(TemporarilyUnavailable, match="'d/") as caught:
                refused()
            assert str(root) not in caught.value.message
        assert get(store, "d/f") == b"x"
        assert walked(store) == {"d/f": 1, "d/locked": 1}

    def test_unreadable_root_is_temporarily_unavailable(self, store: ArtifactStore, root: Path, nobody: None) -> None:
        put_as_root(root)
        _as_owner(lambda: os.chmod(root, 0o700))
        if os.geteuid() == os.stat(root).st_uid:
            pytest.skip("needs to be another user than the owner")
        for refused in (lambda: store.list(None), lambda: walked(store), lambda: put(store, "x", b"")):
            with pytest.raises(TemporarilyUnavailable) as caught:
                refused()
            assert str(root) not in caught.value.message

    def test_root_that_is_a_file_is_a_fault_of_the_server(self, store: ArtifactStore, root: Path) -> None:
        root.write_bytes(b"x")
        assert store.list(None) == []
        with pytest.raises(TemporarilyUnavailable) as caught:
            put(store, "f", b"x")
        assert str(root) not in caught.value.message


def fill(upload: ArtifactUpload) -> None:
    """More than either limit allows."""
    for _ in range(100):
        upload.write(b"x" * 10_000)


def put_as_root(root: Path) -> None:
    """A tree that the present user may read but not write, whoever that is."""

    def make() -> None:
        for parent in (root.parent, root.parent.parent, root.parent.parent.parent):
            os.chmod(parent, os.stat(parent).st_mode | 0o055)
        (root / "d").mkdir(parents=True)
        (root / "d" / "f").write_bytes(b"x")
        (root / "d" / "locked").write_bytes(b"x")
        (root / "d" / "locked").chmod(0o000)
        (root / "d").chmod(0o555)

    _as_owner(make)


def _as_owner(action) -> None:  # type: ignore[no-untyped-def]
    user = os.geteuid()
    if os.getuid() == 0:
        os.seteuid(0)
    try:
        action()
    finally:
        os.seteuid(user)


@pytest.mark.parametrize(
    ("uri", "folder"),
    [
        ("/srv/a", "/srv/a"),
        ("/srv/a/", "/srv/a"),
        ("/srv/../a", "/a"),
        ("/srv/a:b", "/srv/a:b"),
        ("/srv/a%20b", "/srv/a%20b"),
        ("file:/srv/a", "/srv/a"),
        ("file:///srv/a", "/srv/a"),
        ("FILE:///srv/a%20b%c3%a9", "/srv/a bé"),
        ("file:///srv/a%23b", "/srv/a#b"),
        ("file:///srv/a%2520b", "/srv/a%20b"),
    ],
)
def test_uri_names_a_folder(uri: str, folder: str) -> None:
    assert local_folder(uri) == folder


def test_relative_uri_is_taken_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert [local_folder(uri) for uri in ("x/y", "./x/y", "file:x/y")] == [str(tmp_path / "x" / "y")] * 3
    put(open_artifact_store("mlartifacts"), "f", b"x")
    monkeypatch.chdir("/")
    assert (tmp_path / "mlartifacts" / "f").read_bytes() == b"x"


@pytest.mark.parametrize(
    "uri",
    ["file://host/srv", "file://localhost/srv", "file:///a?b", "file:///a#b", "file:", "", "file:///%00", "/a\0b"],
)
def test_uri_that_names_no_folder_is_refused(uri: str) -> None:
    with pytest.raises(InvalidParameterValue, match=r"^Artifact URI '.*(file:///path|query)"):
        LocalArtifactStore.at(uri)


@pytest.mark.parametrize("uri", ["s3://bucket/x", "C:\\x", "mlflow-artifacts:/x"])
def test_scheme_nobody_serves_is_refused(uri: str) -> None:
    with pytest.raises(InvalidParameterValue, match="is not served"):
        open_artifact_store(uri)


@pytest.mark.parametrize("uri", ["/srv/a:b", "file:/srv/a"])
def test_paths_and_file_uris_are_served(uri: str) -> None:
    assert isinstance(open_artifact_store(uri), LocalArtifactStore)


class _refusals:
    """Lets pass what a store may answer while others change its folders."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type | None, fault: BaseException | None, trace: object) -> bool:
        return isinstance(fault, InvalidParameterValue | ResourceDoesNotExist | TemporarilyUnavailable)


class _gone:
    def __enter__(self) -> None: ...

    def __exit__(self, kind: type | None, fault: BaseException | None, trace: object) -> bool:
        return isinstance(fault, OSError) and fault.errno in (
            errno.ENOENT,
            errno.EEXIST,
            errno.ENOTEMPTY,
            errno.ENOTDIR,
            errno.EISDIR,
        )
