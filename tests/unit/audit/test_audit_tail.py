"""Where a log was left: the chain's end, and which records of which process stand in it."""

import pytest

from nbgate.audit.chain import Chain, verify_lines
from nbgate.audit.events import ProcessEvent, encode_event
from nbgate.audit.tail import MAX_BOOTS, follow_tail, last_numbers, note_number
from nbgate.errors import AuditError


def log(origins, chain=None):
    chain = chain or Chain()
    return [
        chain.record(
            encode_event(ProcessEvent(timestamp="t", monotonic_us=1, boot=boot, n=n, role="worker", pid=1, message="x"))
        )
        for boot, n in origins
    ]


LINES = log([("a", 1), ("b", 1), ("a", 2), ("b", 2)])


@pytest.mark.parametrize(("lines", "first_seq"), [(LINES, 0), (LINES, None), (LINES[2:], 2), (LINES[1:], None)])
def test_the_end_of_a_good_tail(lines, first_seq):
    end, whole = follow_tail(lines, first_seq), verify_lines(LINES)
    assert (whole.seq, whole.prev) == (end.seq, end.prev)


FORGED = Chain(0, "1" * 64), Chain(7)


@pytest.mark.parametrize(
    ("lines", "first_seq"),
    [
        (LINES, 1),
        (LINES[1:], 0),
        ([LINES[0], LINES[2]], 0),
        ([b"hello\n"], None),
        ([*LINES, b"hello\n"], None),
        (log([("a", 1)], FORGED[0]), 0),
        (log([("a", 1)], FORGED[1]), None),
    ],
)
def test_a_tail_that_does_not_hold_is_an_error(lines, first_seq):
    with pytest.raises(AuditError):
        follow_tail(lines, first_seq)


def test_the_highest_number_of_each_process_is_found():
    assert {"a": 2, "b": 2} == last_numbers(LINES)
    assert ["b", "a"] == list(last_numbers([LINES[1], LINES[2]]))
    no_records = [b'{"nbgate.boot":"\xff","nbgate.n":1}\n', b'{"x":' + b"[" * 100000]
    assert {} == last_numbers(no_records)
    assert {} == last_numbers([b"hello\n", b'{"nbgate.n":1}\n', b'{"nbgate.boot":1,"nbgate.n":1}\n', b"\xff\n"])


def test_numbers_never_go_back_and_the_oldest_writer_is_forgotten():
    numbers = {}
    note_number(numbers, "a", 5)
    note_number(numbers, "a", 3)
    assert {"a": 5} == numbers
    for boot in range(MAX_BOOTS):
        note_number(numbers, str(boot), 1)
    assert (MAX_BOOTS, False, True) == (len(numbers), "a" in numbers, "0" in numbers)
