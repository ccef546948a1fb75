"""What a server prints is kept, bounded, and without its token."""

import os
import stat

import pytest

from nbgate.spawners.output import LAST_LINES, MAX_LINE_BYTES, ServerOutput

TOKEN = "5ecret" * 8


@pytest.fixture
def log(tmp_path):
    return tmp_path / "server.log"


def written(log, *pieces, **options):
    output = ServerOutput(log, TOKEN, **options)
    for piece in pieces:
        output.feed(piece)
    last = output.last_lines()
    output.close()
    return log.read_bytes(), last


LINE = f"URL: http://127.0.0.1:1/?token={TOKEN}\nready\n".encode()


@pytest.mark.parametrize("cut", range(len(LINE)))
def test_the_token_is_masked_wherever_the_pipe_cuts_it(log, cut):
    text, last = written(log, LINE[:cut], LINE[cut:])
    assert b"URL: http://127.0.0.1:1/?token=(token)\nready\n" == text
    assert ["URL: http://127.0.0.1:1/?token=(token)", "ready"] == last


def test_a_token_in_a_line_without_end_is_masked_too(log):
    filling = b"x" * (MAX_LINE_BYTES - 10)
    text, _ = written(log, filling + TOKEN[:20].encode(), TOKEN[20:].encode() + b"y")
    assert filling + b"(token)y" == text


def test_the_file_is_ours_alone_and_begins_anew(log):
    former = os.umask(0)
    try:
        written(log, b"first\n")
    finally:
        os.umask(former)
    assert 0o600 == stat.S_IMODE(log.stat().st_mode)
    assert b"second\n" == written(log, b"second\n")[0]


def test_the_last_lines_are_remembered_the_empty_ones_left_out(log):
    lines = [f"line {number}" for number in range(LAST_LINES * 2)]
    _, last = written(log, "\n\n".join(lines).encode() + b"\nand no end")
    assert [*lines[1 - LAST_LINES :], "and no end"] == last


def test_a_server_that_prints_for_ever_fills_two_files_and_no_more(log):
    text, _ = written(log, *(b"%05d\n" % number for number in range(100)), max_file_bytes=60)
    older = log.with_suffix(".old").read_bytes()
    assert b"00099\n" == text[-6:]
    assert (60, True) == (len(older), len(text) <= 60)
    assert {log, log.with_suffix(".old")} == set(log.parent.iterdir())


def test_a_full_disk_costs_lines_and_nothing_else(log):
    log.symlink_to("/dev/full")
    with pytest.raises(OSError, match="symbolic"):
        ServerOutput(log, TOKEN)
    log.unlink()
    output = ServerOutput(log, TOKEN)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, output._file)
    os.close(full)
    output.feed(b"lost\n")
    assert ["lost"] == output.last_lines()
    output.close()
