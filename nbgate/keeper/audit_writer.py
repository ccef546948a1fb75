"""The keeper's side of the audit: takes events, makes records of them, and says when they are written.

Owns the end of the chain; nobody else writes to the log. It decides nothing about requests: while the log cannot be
written it says so (`failing_since_unix`, `on_change`), and others act on it (THREATS 5.6).

Written means handed to the kernel: it survives the keeper, and that is what workers wait for. Durable means it survives
the machine: at once for `append_durable`, within `SYNC_SECONDS` for the rest.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypedDict

import msgspec

from nbgate.audit.chain import MAX_BODY_BYTES, Chain
from nbgate.audit.events import AuditContinue, AuditGap, Event, decode_worker_event, encode_event, timestamp
from nbgate.audit.tail import note_number
from nbgate.clock import Clock
from nbgate.errors import AuditError, LinkError
from nbgate.ports import RecordSink

SYNC_SECONDS: Final = 0.2
RETRY_SECONDS: Final = 1.0
SEGMENT_BYTES: Final = 512 << 20


class Stamp(TypedDict):
    """The fields every event of the keeper begins with: `UserChange(**writer.stamp(), ...)`."""

    timestamp: str
    monotonic_us: int
    boot: str
    n: int


class AuditWriter:
    """Append events to a sink, one chain, in the order of the calls.

    Used from one event loop. Writes go to the kernel in the loop's thread; waiting for the disk is done in a thread of
    its own, one sync for all who wait. After an error of the sink nothing is written to that segment any more: a second
    sync would report success for what the first has lost.

    Args:
        sink: Where lines go; already begun or resumed.
        chain: The end of what stands there.
        numbers: The highest number of each process whose records stand there; kept up to date.
        boot: Names this process in its own events.
        on_change: Called with `failing_since_unix` whenever it changes.
        max_segment_bytes: A segment longer than this is followed by a new one.
    """

    def __init__(
        self,
        *,
        sink: RecordSink,
        chain: Chain,
        numbers: dict[str, int],
        clock: Clock,
        boot: str,
        on_change: Callable[[float], None],
        max_segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self._sink = sink
        self._chain = chain
        self._numbers = numbers
        self._clock = clock
        self._boot = boot
        self._on_change = on_change
        self._max_segment_bytes = max_segment_bytes
        self._own_number = 0
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="audit")
        self._due = asyncio.Event()
        self._syncing: asyncio.Future[None] | None = None
        self._durable_seq = chain.seq
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._failing_since_unix = 0.0
        self._failures = 0
        self._cause = ""
        self._retry_monotonic = 0.0
        self._lost = 0

    @property
    def failing_since_unix(self) -> float:
        """0.0 while the log can be written, else since when it cannot."""
        return self._failing_since_unix

    @property
    def next_seq(self) -> int:
        """The number of the next record."""
        return self._chain.seq

    @property
    def segment(self) -> str:
        """The name of the segment in use."""
        return self._sink.segment

    def stamp(self) -> Stamp:
        """Return the common fields of an event that happens now, with the next running number of this process."""
        self._own_number += 1
        return Stamp(
            timestamp=timestamp(self._clock.unix()),
            monotonic_us=int(self._clock.monotonic() * 1e6),
            boot=self._boot,
            n=self._own_number,
        )

    def append(self, event: Event) -> None:
        """Write an event of the keeper. While the log cannot be written it is lost, and counted for `audit.gap`."""
        if not self._write([encode_event(event)]):
            self._lost += 1

    async def append_durable(self, event: Event) -> None:
        """Write an event and return when it survives the machine: for what must not be answered unrecorded.

        Raises:
            AuditError: It is not certain to be in the log; what it records must not happen.
        """
        if not self._write([encode_event(event)]):
            self._lost += 1
            raise self._unavailable()
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append((self._chain.seq, waiter))
        self._begin_sync()
        await waiter

    def append_worker_records(self, boot: str, first: int, bodies: Sequence[bytes]) -> int:
        """Write the events `first`, `first + 1`, ... of a worker; those that are in the log already are skipped.

        Args:
            boot: The worker's, as it said when it was linked.
            first: The number of the first body.
            bodies: Events as `nbgate.audit.events.encode_event` makes them.

        Returns:
            The number up to which the worker's events are in the log: acknowledge it. While the log cannot be written
            this does not grow, and the worker keeps its events and sends them again.

        Raises:
            LinkError: A body is not the event it should be. What stood before it is written.
        """
        if boot == self._boot:
            raise LinkError("a worker speaks in the keeper's name")
        known = self._numbers.get(boot, first - 1)
        if first > known + 1:  # what came before could not be written: it is sent again first, in its order
            return known
        checked: list[bytes] = []
        fault: LinkError | None = None
        for n, body in enumerate(bodies, first):
            if n <= known:
                continue
            try:
                checked.append(_checked(body, boot, n))
            except LinkError as error:
                fault = error
                break
        if checked and self._write(checked):
            known = max(known, first - 1) + len(checked)
            note_number(self._numbers, boot, known)
        if fault is not None:
            raise fault
        return known

    async def tick(self) -> None:
        """Do what is due: try to write again after a failure, and make durable what was written since the last time."""
        if self._failing_since_unix and not self._recover():
            return
        if self._durable_seq < self._chain.seq:
            self._begin_sync()
        if self._syncing is not None:
            await asyncio.wait([self._syncing])

    async def run(self, interval_seconds: float = SYNC_SECONDS) -> None:
        """Call `tick` for ever, `interval_seconds` after there is something to do."""
        while True:
            await self._due.wait()
            await asyncio.sleep(interval_seconds)
            self._due.clear()
            await self.tick()
            if self._failing_since_unix or self._durable_seq < self._chain.seq:
                self._due.set()

    async def close(self) -> None:
        """Make durable what was written and let go of the sink."""
        await self.tick()
        if self._durable_seq < self._chain.seq and not self._failing_since_unix:
            await self.tick()  # written while the first sync was under way
        self._pool.shutdown(wait=True)
        self._sink.close()

    def _write(self, bodies: Iterable[bytes]) -> bool:
        if self._failing_since_unix and not self._recover():
            return False
        try:
            if self._sink.size_bytes >= self._max_segment_bytes:
                self._rotate()
            self._append(bodies)
        except OSError as error:
            self._fail(error)
            return False
        return True

    def _append(self, bodies: Iterable[bytes]) -> None:
        chain = self._chain.copy()
        self._sink.append(b"".join([chain.record(body) for body in bodies]))
        self._chain = chain
        self._due.set()

    def _rotate(self) -> None:
        old = self._sink.segment
        self._sink.sync()  # once in `max_segment_bytes`; nothing may be owed to a segment we leave
        self._now_durable(self._chain.seq)
        self._sink.begin(self._chain.seq)
        self._append([encode_event(AuditContinue(**self.stamp(), segment=old, message="segment is full"))])

    def _begin_sync(self) -> None:
        if self._syncing is None:
            self._syncing = asyncio.get_running_loop().run_in_executor(self._pool, self._sink.sync)
            self._syncing.add_done_callback(partial(self._sync_done, self._chain.seq, self._failures))

    def _sync_done(self, seq: int, failures: int, done: "asyncio.Future[None]") -> None:
        self._syncing = None
        error = done.exception()
        if failures == self._failures:  # else of a segment given up meanwhile: says nothing of the one in use
            if error is None:
                self._now_durable(seq)
            else:
                self._fail(error)
        if self._waiters:
            self._begin_sync()

    def _now_durable(self, seq: int) -> None:
        self._durable_seq = max(self._durable_seq, seq)
        ready = [waiter for wanted, waiter in self._waiters if wanted <= seq]
        self._waiters = [(wanted, waiter) for wanted, waiter in self._waiters if wanted > seq]
        for waiter in ready:
            if not waiter.done():
                waiter.set_result(None)

    def _fail(self, error: BaseException) -> None:
        """Enter the failing state; who waits is refused, though a record may turn out to have been written."""
        self._failures += 1
        self._cause = str(error)
        self._failing_since_unix = self._clock.unix()
        self._retry_monotonic = self._clock.monotonic() + RETRY_SECONDS
        waiters, self._waiters = self._waiters, []
        for _, waiter in waiters:
            if not waiter.done():
                waiter.set_exception(self._unavailable())
        self._due.set()
        self._on_change(self._failing_since_unix)

    def _recover(self) -> bool:
        """Try a new segment, at most every `RETRY_SECONDS`; the records of the outage and of its end come first."""
        if self._clock.monotonic() < self._retry_monotonic:
            return False
        self._retry_monotonic = self._clock.monotonic() + RETRY_SECONDS
        old, since = self._sink.segment, timestamp(self._failing_since_unix)
        unsure = self._chain.seq - self._durable_seq
        message = f"not writable since {since}: {self._cause}; {unsure} records before that may be lost too"
        end = self._chain
        try:
            self._sink.begin(self._chain.seq)
            self._append(
                [
                    encode_event(AuditContinue(**self.stamp(), segment=old, message="segment could not be written")),
                    encode_event(AuditGap(**self.stamp(), count=self._lost, message=message)),
                ]
            )
            self._sink.sync()
        except OSError as error:
            self._chain = end
            self._cause = str(error)
            return False
        self._lost = 0
        self._durable_seq = self._chain.seq
        self._failing_since_unix = 0.0
        self._on_change(0.0)
        return True

    def _unavailable(self) -> AuditError:
        return AuditError("the audit log cannot be written", hint=self._cause)


def _checked(body: bytes, boot: str, n: int) -> bytes:
    """Return the event of a worker as we would have encoded it."""
    if len(body) > MAX_BODY_BYTES:
        raise LinkError("a worker's event is too long")
    try:
        event = decode_worker_event(body)
        encoded = encode_event(event)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise LinkError("a worker sent what is no event of a worker") from error
    if event.n != n or event.boot != boot:
        raise LinkError("a worker's event has another number than it was sent with")
    return encoded
