"""Say when one end of a websocket is to be asked whether it lives, and when it counts as gone.

Pure: the caller says when something came and what time it is, sends the pings, and keeps their pongs to itself. Any
byte is a sign of life, not only the pong: an end that sends a long frame cannot answer in the middle of it.
"""

import math

_NEVER = -math.inf


class Pulse:
    """What one end was heard of.

    Args of the constructor:
        now: The time; monotonic seconds, as everywhere here.
        ping_seconds: From when on a silent end is asked; 0 means never.
        silence_seconds: How long after that it may still be silent.

    Attributes:
        heard: When something came from it; the caller sets it where bytes arrive.
    """

    __slots__ = ("_asked", "_ping_seconds", "_silence_seconds", "heard")

    def __init__(self, now: float, ping_seconds: float, silence_seconds: float) -> None:
        self.heard = now
        self._asked = _NEVER
        self._ping_seconds = ping_seconds or math.inf
        self._silence_seconds = silence_seconds

    @property
    def is_asked(self) -> bool:
        """True while a ping waits for a sign of life; loop time is coarse, the answer may come "at once"."""
        return self._asked > self.heard

    @property
    def due(self) -> float:
        """Return when this end is to be asked, or, once it is asked, when it is gone."""
        return self._asked + self._silence_seconds if self.is_asked else self.heard + self._ping_seconds

    def asked(self, now: float) -> None:
        """Take note that it was sent a ping: its time to answer begins with that, however late the ping was."""
        self._asked = now
