"""Segments: whole lines or nothing, torn ends put aside, never a byte rewritten."""

import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from nbgate.errors import AuditError
from nbgate.ports import RecordSink
from nbgate.sinks import segments as module
from nbgate.sinks.segments import Disk, Segments, open_segments


class BadDisk(Disk):
    """Writes `room` bytes more; then it is full. Syncs and cuts fail when told to."""

    def __init__(self) -> None:
        self.room = 1 << 30
        self.sync_fails = self.cut_fails = False

    def write(self, descriptor, data):
        if not self.room:
            raise OSError(errno.ENOSPC, "no space left")
        written = super().write(descriptor, data[: self.room])
        self.room -= written
        return written

    def sync(self, descriptor):
        if self.sync_fails:
            raise OSError(errno.EIO, "input/output error")
        super().sync(descriptor)

    def truncate(self, descriptor, size_bytes):
        if self.cut_fails:
            raise OSError(errno.EIO, "input/output error")
        super().truncate(descriptor, size_bytes)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "audit"


@pytest.fixture
def disk():
    return BadDisk()


@pytest.fixture
def sink(folder, disk):
    sink, _ = open_segments(folder, disk)
    sink.begin(0)
    yield sink
    sink.close()


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def reopen(folder):
    sink, found = open_segments(folder)
    name, size = sink.segment, sink.size_bytes
    sink.close()
    return name, size, found


FIRST = "audit-000000000000.jsonl"


def test_lines_stand_in_the_order_they_were_appended(folder, sink: RecordSink):
    sink.append(b"one\n")
    sink.append(b"two\nthree\n")
    assert (FIRST, 14) == (sink.segment, sink.size_bytes)
    sink.begin(3)
    sink.append(b"four\n")
    sink.sync()
    assert {FIRST: b"one\ntwo\nthree\n", "audit-000000000003.jsonl": b"four\n"} == files(folder)


def test_modes_do_not_depend_on_the_umask(folder):
    before = os.umask(0)
    try:
        sink, _ = open_segments(folder)
        sink.begin(0)
        sink.append(b"one\n")
        sink.close()
        os.umask(0)
        with (folder / FIRST).open("ab") as file:
            file.write(b"torn")
        reopen(folder)
    finally:
        os.umask(before)
    assert {"audit": 0o700, FIRST: 0o600, "audit-000000000000.torn": 0o600} == {
        path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())
    }


@pytest.mark.parametrize("room", [0, 1, 4, 5, 8])
def test_a_write_that_fails_leaves_nothing_of_itself(folder, sink, disk, room):
    sink.append(b"one\n")
    disk.room = room
    with pytest.raises(OSError, match="no space"):
        sink.append(b"two\nthree\n")
    assert ({FIRST: b"one\n"}, 4) == (files(folder), sink.size_bytes)
    disk.room = 100
    sink.begin(1)
    sink.append(b"two\n")
    assert {FIRST: b"one\n", "audit-000000000001.jsonl": b"two\n"} == files(folder)


def test_what_cannot_even_be_cut_off_stays_in_a_segment_that_is_left(folder, sink, disk):
    sink.append(b"one\n")
    disk.room, disk.cut_fails = 2, True
    with pytest.raises(OSError, match="no space"):
        sink.append(b"two\n")
    disk.room = 100
    sink.begin(1)
    sink.append(b"two\n")
    assert {FIRST: b"one\ntw", "audit-000000000001.jsonl": b"two\n"} == files(folder)


def test_a_segment_begun_in_vain_is_used_again_or_put_aside(folder, sink, disk):
    sink.begin(0)
    disk.room, disk.cut_fails = 2, True
    with pytest.raises(OSError, match="no space"):
        sink.append(b"one\n")
    disk.room = 100
    sink.begin(0)
    sink.append(b"one\n")
    assert {FIRST: b"one\n", "audit-000000000000.torn": b"on"} == files(folder)


def test_short_writes_are_continued(folder, sink, disk, monkeypatch):
    monkeypatch.setattr(disk, "write", lambda descriptor, data: os.write(descriptor, data[:1]))
    sink.append(b"one\n")
    assert {FIRST: b"one\n"} == files(folder)


def test_a_failed_sync_is_the_callers_to_know(sink, disk):
    disk.sync_fails = True
    with pytest.raises(OSError, match="input/output"):
        sink.sync()


def test_a_sync_may_run_while_the_segment_changes(folder, disk, monkeypatch):
    entered, go, synced = threading.Event(), threading.Event(), []

    def slow(descriptor):
        entered.set()
        go.wait(10)
        os.fsync(descriptor)
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())

    sink, _ = open_segments(folder, disk)
    sink.begin(0)
    monkeypatch.setattr(disk, "sync", slow)
    thread = threading.Thread(target=sink.sync)
    thread.start()
    entered.wait(10)
    sink.begin(5)
    sink.close()
    go.set()
    thread.join()
    assert [folder / FIRST] == synced


def test_a_segment_whose_name_cannot_be_made_durable_is_not_used(folder, sink, monkeypatch):
    def fail(path):
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(module, "sync_folder", fail)
    before = open_files()
    with pytest.raises(OSError, match="input/output"):
        sink.begin(7)
    assert (FIRST, before) == (sink.segment, open_files())


def test_an_empty_folder_has_nothing(folder):
    name, size, found = reopen(folder)
    assert ("", 0, (), (), 0) == (name, size, found.tail, found.before, found.torn_bytes)


def write(folder, **contents):
    folder.mkdir(mode=0o700, exist_ok=True)
    for name, content in contents.items():
        path = folder / f"{name.replace('_', '-')}.jsonl"
        path.write_bytes(content)
        path.chmod(0o600)


def test_the_newest_segment_is_found_whole(folder):
    write(folder, audit_000000000000=b"one\ntwo\n", audit_000000000002=b"three\n")
    (folder / "notes.txt").write_text("not ours")
    name, size, found = reopen(folder)
    assert ("audit-000000000002.jsonl", 6) == (name, size)
    assert ((b"three\n",), 2, (b"one\n", b"two\n"), 0) == (
        found.tail,
        found.first_seq,
        found.before,
        found.torn_bytes,
    )


def test_only_the_end_of_a_long_segment_is_read(folder, monkeypatch):
    monkeypatch.setattr(module, "TAIL_BYTES", 8)
    write(folder, audit_000000000000=b"zero\n", audit_000000000001=b"one\ntwo\nthree\nfour\n")
    _, _, found = reopen(folder)
    assert ((b"four\n",), None, ()) == (found.tail, found.first_seq, found.before)


def test_the_segment_before_is_read_as_far_as_the_bound_reaches(folder, monkeypatch):
    monkeypatch.setattr(module, "TAIL_BYTES", 12)
    write(folder, audit_000000000000=b"zero\none\n", audit_000000000002=b"two\n")
    _, _, found = reopen(folder)
    assert ((b"two\n",), (b"one\n",)) == (found.tail, found.before)


@pytest.mark.parametrize("torn", [b"t", b"two", b'{"seq":1}', bytes(100)])
def test_a_torn_last_line_is_put_aside(folder, torn):
    write(folder, audit_000000000000=b"one\n" + torn)
    name, size, found = reopen(folder)
    assert (FIRST, 4, (b"one\n",), len(torn), FIRST) == (
        name,
        size,
        found.tail,
        found.torn_bytes,
        found.torn_segment,
    )
    assert {FIRST: b"one\n", "audit-000000000000.torn": torn} == files(folder)
    assert 0 == reopen(folder)[2].torn_bytes


def test_each_torn_line_has_a_file_of_its_own(folder):
    for number in range(3):
        write(folder, audit_000000000000=b"one\n" + b"%d" % number)
        reopen(folder)
    names = ["audit-000000000000.torn", "audit-000000000000.1.torn", "audit-000000000000.2.torn"]
    assert [b"0", b"1", b"2"] == [(folder / name).read_bytes() for name in names]


def test_a_segment_without_a_whole_line_is_no_segment(folder):
    write(folder, audit_000000000000=b"one\n", audit_000000000001=b"tw", audit_000000000002=b"")
    name, _, found = reopen(folder)
    assert (FIRST, (b"one\n",), 2, "audit-000000000001.jsonl") == (
        name,
        found.tail,
        found.torn_bytes,
        found.torn_segment,
    )
    assert {FIRST: b"one\n", "audit-000000000001.torn": b"tw"} == files(folder)


@pytest.mark.parametrize("content", [b"x" * 30, b"x" * 30 + b"\n"])
def test_an_end_that_is_no_line_within_the_bound_is_refused_and_left(folder, monkeypatch, content):
    monkeypatch.setattr(module, "TAIL_BYTES", 12)
    write(folder, audit_000000000000=content)
    with pytest.raises(AuditError, match="does not continue its own chain"):
        open_segments(folder)
    assert {FIRST: content} == files(folder)


def test_only_private_files_and_folders_are_used(folder):
    write(folder, audit_000000000000=b"one\n")
    (folder / FIRST).chmod(0o644)
    with pytest.raises(PermissionError, match="chmod 600"):
        open_segments(folder)
    (folder / FIRST).chmod(0o600)
    folder.chmod(0o755)
    with pytest.raises(PermissionError, match="chmod 700"):
        open_segments(folder)


def test_closing_twice_is_closing(sink: Segments):
    sink.close()
    sink.close()
    assert ("", 0) == (sink.segment, sink.size_bytes)
