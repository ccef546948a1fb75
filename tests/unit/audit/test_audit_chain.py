"""One flipped bit breaks the chain; a record is one line of plain ASCII whatever was said."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbgate.audit.chain import GENESIS_PREV, Chain, join_at, parse_head, verify_lines
from nbgate.audit.events import UserChange, encode_event
from nbgate.errors import AuditError


def body(message: str = "added", n: int = 1) -> bytes:
    return encode_event(
        UserChange(timestamp="t", monotonic_us=1, boot="b", n=n, target_user="ada", message=message, actor="root")
    )


def log(count: int) -> list[bytes]:
    chain = Chain()
    return [chain.record(body(n=number)) for number in range(count)]


def test_records_name_the_line_before():
    one, two = log(2)
    assert one.startswith(b'{"seq":0,"prev":"' + b"0" * 64 + b'","event.action":"user.change",')
    assert two.startswith(b'{"seq":1,"prev":"' + hashlib.sha256(one).hexdigest().encode() + b'",')
    assert (b"}\n", b"}\n") == (one[-2:], two[-2:])


def test_a_whole_log_verifies_to_its_end():
    lines = log(5)
    end = verify_lines(lines)
    assert (5, hashlib.sha256(lines[-1]).hexdigest()) == (end.seq, end.prev)
    assert (0, GENESIS_PREV) == (verify_lines([]).seq, verify_lines([]).prev)


def test_a_check_may_go_on_where_another_ended_and_leaves_it_as_it_is():
    lines = log(5)
    middle = verify_lines(lines[:3])
    assert (5, 3) == (verify_lines(lines[3:], middle).seq, middle.seq)


def test_a_check_may_begin_in_the_middle_on_trust():
    lines = log(5)
    assert 5 == verify_lines(lines[3:], join_at(lines[2])).seq


def test_a_copy_goes_its_own_way():
    chain = Chain()
    copy = chain.copy()
    copy.record(body())
    assert ((0, GENESIS_PREV), 1) == ((chain.seq, chain.prev), copy.seq)


CHANGES = {
    "edited": lambda lines: [lines[0], lines[1].replace(b"added", b"ADDED"), *lines[2:]],
    "removed": lambda lines: [lines[0], *lines[2:]],
    "first removed": lambda lines: lines[1:],
    "swapped": lambda lines: [lines[0], lines[2], lines[1], lines[3]],
    "doubled": lambda lines: [lines[0], lines[1], lines[1], *lines[2:]],
    "renumbered": lambda lines: [lines[0], lines[1].replace(b'"seq":1', b'"seq":7'), *lines[2:]],
    "blank line": lambda lines: [lines[0], b"\n", *lines[1:]],
    "two in one": lambda lines: [lines[0] + lines[1], *lines[2:]],
    "torn": lambda lines: [*lines[:3], lines[3][:-1]],
    "carriage return": lambda lines: [lines[0].replace(b"\n", b"\r\n"), *lines[1:]],
    "leading zero": lambda lines: [lines[0].replace(b'"seq":0', b'"seq":00'), *lines[1:]],
    "inserted": lambda lines: [lines[0], Chain(1, GENESIS_PREV).record(body()), *lines[1:]],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_log_does_not_verify(change):
    with pytest.raises(AuditError, match="does not continue its own chain"):
        verify_lines(change(log(4)))


@given(st.data())
def test_one_flipped_bit_breaks_the_chain(data):
    lines = log(3)
    text = bytearray(b"".join(lines[:2]))  # a change of the last line shows with the next one
    place, bit = data.draw(st.integers(0, len(text) - 1)), data.draw(st.integers(0, 7))
    text[place] ^= 1 << bit
    changed = [line + b"\n" for line in bytes(text).split(b"\n")[:-1]]
    with pytest.raises(AuditError):
        verify_lines([*changed, lines[2]])


@given(st.text())
def test_a_line_is_plain_ascii_and_its_values_come_back(text):
    line = Chain().record(body(text))
    assert text == json.loads(line)["message"]
    assert [] == [byte for byte in line[:-1] if not 0x20 <= byte < 0x7F]
    assert 1 == verify_lines([line]).seq


def test_nobody_writes_a_line_of_his_own():
    """T48: a name that ends the string, the object and the line, then colours the terminal and turns its direction."""
    text = 'a"}\n{"ev":"auth.success\x1b[31m\u202e\x7f\x00😀'
    line = Chain().record(body(text))
    assert (1, text) == (line.count(b"\n"), json.loads(line)["message"])
    assert b"\\ud83d\\ude00" in line


@pytest.mark.parametrize(
    "line", [b"", b"\n", b"{}\n", b"hello\n", log(1)[0][:-1], log(1)[0] + b"\n", b"\xff" + log(1)[0]]
)
def test_what_is_no_record_has_no_head(line):
    with pytest.raises(AuditError):
        parse_head(line)
    with pytest.raises(AuditError):
        join_at(line)


def test_the_hint_says_where():
    lines = log(3)
    with pytest.raises(AuditError) as caught:
        verify_lines([lines[0], lines[2]])
    assert "record 1 is not there: the number of the line in its place is another" == caught.value.hint
