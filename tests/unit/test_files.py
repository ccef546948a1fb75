"""Files and folders of nbgate are for their owner alone, and nothing that others could read is used."""

import os
import stat
from pathlib import Path

import pytest

from nbgate.files import (
    make_private_folder,
    open_private,
    read_private,
    require_safe_parent,
    sync_folder,
    write_private,
)


@pytest.fixture(params=[0o000, 0o022, 0o777])
def umask(request):
    before = os.umask(request.param)
    yield
    os.umask(before)


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_is_0600_whatever_the_umask_is(tmp_path, umask):
    os.close(open_private(tmp_path / "file", os.O_WRONLY | os.O_CREAT))
    assert 0o600 == mode(tmp_path / "file")


def test_a_new_folder_is_0700_whatever_the_umask_is(tmp_path, umask):
    make_private_folder(tmp_path / "folder")
    assert 0o700 == mode(tmp_path / "folder")


def test_folders_on_the_way_are_as_private(tmp_path, umask):
    make_private_folder(tmp_path / "a" / "b" / "c")
    assert [0o700] * 3 == [mode(tmp_path / name) for name in ("a", "a/b", "a/b/c")]


def test_a_private_folder_is_taken_as_it_is(tmp_path):
    make_private_folder(tmp_path / "folder")
    make_private_folder(tmp_path / "folder")
    sync_folder(tmp_path / "folder")
    assert 0o700 == mode(tmp_path / "folder")


@pytest.mark.parametrize("bits", [0o701, 0o710, 0o770])
def test_a_folder_others_may_enter_is_refused(tmp_path, bits):
    folder = tmp_path / "folder"
    folder.mkdir()
    folder.chmod(bits)
    with pytest.raises(PermissionError, match=f"open to other users: chmod 700 {folder}"):
        make_private_folder(folder)


@pytest.mark.parametrize("bits", [0o604, 0o640, 0o622])
def test_a_file_others_may_touch_is_refused(tmp_path, bits):
    path = tmp_path / "file"
    path.touch()
    path.chmod(bits)
    with pytest.raises(PermissionError, match=f"open to other users: chmod 600 {path}"):
        open_private(path, os.O_RDONLY)


def test_links_and_other_kinds_are_refused(tmp_path):
    file = tmp_path / "file"
    os.close(open_private(file, os.O_WRONLY | os.O_CREAT))
    (tmp_path / "link").symlink_to(file)
    with pytest.raises(OSError, match="symbolic"):
        open_private(tmp_path / "link", os.O_RDONLY)
    with pytest.raises(PermissionError, match="not what it should be"):
        make_private_folder(file)
    with pytest.raises(PermissionError, match="not what it should be"):
        open_private(tmp_path, os.O_RDONLY)


def test_what_belongs_to_somebody_else_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "file"
    os.close(open_private(path, os.O_WRONLY | os.O_CREAT))
    if os.geteuid():  # a file of root's is fine, so pretend to be a third person
        pytest.skip("needs root to give a file away")
    os.chown(path, 12345, -1)
    with pytest.raises(PermissionError, match="belongs to another user"):
        open_private(path, os.O_RDONLY)


def test_no_descriptor_is_left_open_after_a_refusal(tmp_path):
    path = tmp_path / "file"
    path.touch()
    path.chmod(0o644)
    before = open_files()
    with pytest.raises(PermissionError):
        open_private(path, os.O_RDONLY)
    assert before == open_files()


def test_a_file_is_written_whole_and_replaces_the_older_one(tmp_path, umask):
    path = tmp_path / "a.key"
    (tmp_path / "a.new").write_bytes(b"left by a crash")
    write_private(path, b"first")
    write_private(path, b"second")
    assert (b"second", 0o600, [path]) == (path.read_bytes(), mode(path), list(tmp_path.iterdir()))


def test_what_cannot_be_written_leaves_the_older_file(tmp_path, monkeypatch):
    path = tmp_path / "a.key"
    write_private(path, b"first")

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        write_private(path, b"second")
    assert b"first" == path.read_bytes()


def test_a_private_file_is_read_up_to_a_bound(tmp_path):
    write_private(tmp_path / "file", b"content")
    assert (b"content", b"cont") == (read_private(tmp_path / "file"), read_private(tmp_path / "file", 4))


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda path: path.chmod(0o640), PermissionError),
        (lambda path: path.unlink(), FileNotFoundError),
        (lambda path: (path.rename(path.with_suffix(".there")), path.symlink_to(path.with_suffix(".there"))), OSError),
    ],
)
def test_a_file_that_is_not_ours_alone_is_not_read(tmp_path, spoil, error):
    write_private(tmp_path / "file", b"content")
    spoil(tmp_path / "file")
    with pytest.raises(error):
        read_private(tmp_path / "file")


@pytest.mark.parametrize(("bits", "is_safe"), [(0o755, True), (0o775, True), (0o1777, True), (0o777, False)])
def test_where_everybody_could_put_something_else_in_its_place(tmp_path, bits, is_safe):
    """A sticky folder as /tmp lets nobody; what lies further up is not judged."""
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    folder.parent.chmod(0o777)
    folder.chmod(bits)
    if is_safe:
        require_safe_parent(folder / "file")
    else:
        with pytest.raises(PermissionError, match=f"everybody may replace it: chmod o-w {folder}"):
            require_safe_parent(folder / "file")


def test_the_folder_of_what_a_link_points_to_is_judged(tmp_path):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path / "open" / "file")
    with pytest.raises(PermissionError):
        require_safe_parent(tmp_path / "link")
