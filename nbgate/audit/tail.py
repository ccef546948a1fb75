"""Find out where a log was left: the end of its chain, and which records of which process are in it.

Pure: the lines are read elsewhere (`nbgate.sinks.segments`). Nothing is repaired here.
"""

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct

from nbgate.audit.chain import GENESIS_PREV, Chain, broken, join_at, parse_head

MAX_BOOTS = 1024  # past it the process that wrote longest ago is forgotten: its records would be taken twice


class _Origin(Struct, frozen=True, rename={"boot": "nbgate.boot", "n": "nbgate.n"}):
    boot: str
    n: int


_origins = msgspec.json.Decoder(_Origin)


def follow_tail(lines: Sequence[bytes], first_seq: int | None) -> Chain:
    """Check the end of a segment and return the end of its chain.

    Args:
        lines: The last lines of the segment, at least one, each with its LF.
        first_seq: The number the segment is named after if `lines` is the whole segment, else None.

    Raises:
        AuditError: A line is no record, or does not continue the line before.
    """
    seq, prev = parse_head(lines[0])
    if first_seq is not None and seq != first_seq:
        raise broken(f"the segment of record {first_seq} begins with record {seq}")
    if (seq == 0) != (prev == GENESIS_PREV):
        raise broken(f"record {seq} names the wrong predecessor")
    chain = join_at(lines[0])
    for line in lines[1:]:
        chain.follow(line)
    return chain


def last_numbers(lines: Iterable[bytes]) -> dict[str, int]:
    """Return the highest running number of each process (boot) found in `lines`, the latest writer last.

    A line that is no record has no number; whether it may stand there is `follow_tail`'s to say.
    """
    numbers: dict[str, int] = {}
    for line in lines:
        try:
            origin = _origins.decode(line)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            continue
        note_number(numbers, origin.boot, origin.n)
    return numbers


def note_number(numbers: dict[str, int], boot: str, n: int) -> None:
    """Remember in `numbers` that record `n` of `boot` is in the log."""
    numbers[boot] = max(n, numbers.pop(boot, n))
    if len(numbers) > MAX_BOOTS:
        del numbers[next(iter(numbers))]
