"""Open the audit log at start: check where it was left, go on there, and record that.

Refuses, and so does the keeper, to write after an end that does not hold: evidence is not written over.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from nbgate.audit.chain import Chain
from nbgate.audit.events import FORMAT_VERSION, AuditContinue, AuditGenesis, AuditRecovered
from nbgate.audit.tail import follow_tail, last_numbers
from nbgate.clock import Clock
from nbgate.errors import AuditError
from nbgate.keeper.audit_writer import SEGMENT_BYTES, AuditWriter
from nbgate.sinks.segments import Disk, Found, Segments, open_segments


def open_audit(
    folder: Path,
    *,
    clock: Clock,
    boot: str,
    random: bytes,
    version: str,
    on_change: Callable[[float], None],
    max_segment_bytes: int = SEGMENT_BYTES,
    disk: Disk | None = None,
) -> AuditWriter:
    """Return a writer that goes on where the log in `folder` ends; makes folder and log if there are none.

    Blocks: for the start of the keeper only. The first record, `audit.genesis` or `audit.continue`, is durable when it
    returns.

    Args:
        folder: Of the segments alone, 0700.
        clock: For the events.
        boot: 16 hexadecimal digits that name this process.
        random: 32 bytes that tell this log from any other.
        version: Of nbgate.
        on_change: See `AuditWriter`.
        max_segment_bytes: See `AuditWriter`.
        disk: The file system, or a test's.

    Raises:
        AuditError: The end of the log is damaged, or it cannot be read or written.
    """
    try:
        segments, found = open_segments(folder, disk)
        chain = follow_tail(found.tail, found.first_seq) if found.tail else Chain()
        if not found.tail:
            segments.begin(0)
        writer = AuditWriter(
            sink=segments,
            chain=chain,
            numbers=last_numbers(found.before + found.tail),
            clock=clock,
            boot=boot,
            on_change=on_change,
            max_segment_bytes=max_segment_bytes,
        )
        _record_start(writer, segments, found, partial(AuditGenesis, random=random.hex(), version=version))
    except OSError as error:
        raise AuditError("the audit log cannot be opened", hint=str(error)) from error
    return writer


def _record_start(writer: AuditWriter, segments: Segments, found: Found, genesis: Callable[..., AuditGenesis]) -> None:
    if not found.tail:
        writer.append(genesis(**writer.stamp(), audit_format=FORMAT_VERSION))
    else:
        writer.append(AuditContinue(**writer.stamp(), segment=segments.segment, message="keeper started"))
    if found.torn_bytes:
        writer.append(AuditRecovered(**writer.stamp(), count=found.torn_bytes, segment=found.torn_segment))
    segments.sync()
    if writer.failing_since_unix:
        raise AuditError("the audit log cannot be written", hint="is the disk full?")
