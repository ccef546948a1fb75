"""How long one connection waits for its client: for bytes that must come, and for bytes that must be read.

It keeps time and reads nothing: what happens when a time is over is the connection's business. Times in which nobody
reads from the client, because something else must come first, are not the client's.
"""

import asyncio
import math

from nbgate.config.schema import Limits
from nbgate.guard.rates import Pace
from nbgate.reasons import Reason

NEVER = math.inf


class Patience:
    """One connection's times.

    Attributes:
        deadline: Loop time at which the client is late; `NEVER` while somebody else keeps time.
        reason: What it is late with.
        is_behind: The client does not read as fast as it is sent to.
    """

    __slots__ = ("_limits", "_loop", "_pace", "_unread_since", "_unsent_bytes", "deadline", "is_behind", "reason")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._limits: Limits | None = None  # of the body that is waited for
        self._pace: Pace | None = None
        self._unread_since = NEVER
        self._unsent_bytes = math.inf
        self.deadline = NEVER
        self.reason = Reason.HEAD_TIMEOUT
        self.is_behind = False

    def wait(self, seconds: float, reason: Reason) -> None:
        """Something must come within `seconds`."""
        self.deadline = self._loop.time() + seconds
        self.reason = reason

    def stop(self) -> None:
        """Nothing is waited for: whoever runs the exchange keeps time."""
        self.deadline = NEVER
        self._limits = self._pace = None

    def wait_for_body(self, limits: Limits, received_bytes: int) -> None:
        """More of a body must come: without a long pause, and not too slowly for too long."""
        now = self._loop.time()
        if self._limits is None:
            self._limits = limits
            if limits.body_bytes_per_second:
                rate, grace = limits.body_bytes_per_second, limits.body_grace_seconds
                self._pace = Pace(per_second=rate, grace_seconds=grace, now=now)
        self.deadline, self.reason = now + limits.body_idle_seconds, Reason.BODY_TIMEOUT
        if self._pace is not None:
            self._pace.took(received_bytes, now)
            if self._pace.late_at < self.deadline:
                self.deadline, self.reason = self._pace.late_at, Reason.BODY_TOO_SLOW

    def hold(self) -> None:
        """Take note that nobody reads from the client: a body cannot be late meanwhile."""
        if self._limits is not None:
            self.deadline = NEVER
            if self._pace is not None:
                self._pace.hold(self._loop.time())

    def go_on(self) -> None:
        """Take note that it is read from again."""
        if self._limits is not None:
            if self._pace is not None:
                self._pace.go_on(self._loop.time())
            self.wait_for_body(self._limits, 0)

    def falls_behind(self) -> None:
        """Take note that what is written waits for the client to read."""
        self.is_behind = True
        self._unread_since = self._loop.time()
        self._unsent_bytes = math.inf

    def catches_up(self) -> None:
        """Take note that the client has read enough of it."""
        self.is_behind = False

    def stalls(self, now: float, unsent_bytes: int, seconds: float) -> bool:
        """Say whether a client that is behind has read nothing for `seconds`; who reads slowly is still reading."""
        if not self.is_behind:
            return False
        if unsent_bytes < self._unsent_bytes:
            self._unsent_bytes, self._unread_since = unsent_bytes, now
        return now - self._unread_since >= seconds
