"""Make chained records of events, and check that a sequence of lines is one unbroken chain.

A record is one line of ASCII: `{"seq":N,"prev":"<64 hex>",` and the event's own fields. `prev` is the SHA-256 of the
exact line before, its LF included; 64 zeros before the first. One changed, missing, added or moved byte breaks the
chain from there on. This file writes nothing and does not know where the lines are kept.
"""

import re
from collections.abc import Iterable
from hashlib import sha256
from typing import Final

from nbgate.errors import AuditError

GENESIS_PREV: Final = "0" * 64
MAX_BODY_BYTES: Final = 16 << 10

_HEAD = re.compile(rb'\{"seq":(0|[1-9][0-9]{0,18}),"prev":"([0-9a-f]{64})",')
_NOT_PLAIN = re.compile("[^\x00-\x7e]")


class Chain:
    """The end of a chain: which number comes next, and the hash it must name."""

    __slots__ = ("prev", "seq")

    def __init__(self, seq: int = 0, prev: str = GENESIS_PREV) -> None:
        self.seq = seq
        self.prev = prev

    def copy(self) -> "Chain":
        """Return another chain that goes on from here, to be kept once its records are written."""
        return Chain(self.seq, self.prev)

    def record(self, body: bytes) -> bytes:
        """Return the line of the next record.

        Args:
            body: An event as `nbgate.audit.events.encode_event` gives it: a JSON object that is not empty.
        """
        if not body.isascii() or b"\x7f" in body:
            body = _escape(body)
        line = b'{"seq":%d,"prev":"%b",%b\n' % (self.seq, self.prev.encode(), body[1:])
        self.seq += 1
        self.prev = sha256(line).hexdigest()
        return line

    def follow(self, line: bytes) -> None:
        """Take `line` as the next record.

        Raises:
            AuditError: It is not: the hint says why, and at which number.
        """
        seq, prev = parse_head(line)
        if (seq, prev) != (self.seq, self.prev):
            what = "number" if seq != self.seq else "hash"
            raise broken(f"record {self.seq} is not there: the {what} of the line in its place is another")
        self.seq += 1
        self.prev = sha256(line).hexdigest()


def parse_head(line: bytes) -> tuple[int, str]:
    """Return `seq` and `prev` of a line.

    Raises:
        AuditError: It is no whole line of a record.
    """
    head = _HEAD.match(line)
    if head is None or line.find(b"\n") != len(line) - 1 or not line.endswith(b"}\n") or not line.isascii():
        raise broken("a line is no record")
    return int(head[1]), head[2].decode()


def verify_lines(lines: Iterable[bytes], chain: Chain | None = None) -> Chain:
    """Follow `lines`, each with its LF, from the end of `chain` (else from genesis) and return the new end.

    Raises:
        AuditError: The chain is broken; the hint names the first number that is not as it was written.
    """
    end = Chain() if chain is None else chain.copy()
    for line in lines:
        end.follow(line)
    return end


def join_at(line: bytes) -> Chain:
    """Return the chain after `line`, taken on trust: for a check that begins in the middle.

    Raises:
        AuditError: It is no whole line of a record.
    """
    seq, _ = parse_head(line)
    return Chain(seq + 1, sha256(line).hexdigest())


def broken(what: str) -> AuditError:
    """Return the error for a chain that does not hold."""
    return AuditError("the audit log does not continue its own chain", hint=what)


def _escape(body: bytes) -> bytes:
    """Write DEL and all beyond ASCII as escapes; outside of strings JSON has neither, so the value stays the same."""
    return _NOT_PLAIN.sub(_escape_one, body.decode()).encode("ascii")


def _escape_one(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
