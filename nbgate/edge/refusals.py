"""The records of what was refused before it was a request, and the bound on how many records strangers can cause.

Above `netblock_refusals_per_minute` of one netblock they are only counted, what was served to a stranger too; the sums
are recorded when their minute is over, and at the end. What somebody with a live session did is always recorded by
itself. It refuses nothing.
"""

from typing import cast

from nbgate.audit.events import HttpReject
from nbgate.clock import Clock
from nbgate.edge.outbox import Outbox
from nbgate.guard.tally import Tally
from nbgate.model.client import Client
from nbgate.reasons import Reason


class Refusals:
    """The refusals of one worker.

    Attributes:
        count: How many strangers' connections and requests were refused since the start.
    """

    def __init__(self, outbox: Outbox, clock: Clock, told_per_minute: int) -> None:
        self._outbox = outbox
        self._clock = clock
        self._tally = Tally(told=told_per_minute)
        self.count = 0

    def load(self, told_per_minute: int) -> None:
        """Tell so many of one netblock in a minute."""
        self._tally.told = told_per_minute

    def tells(self, client: Client, reason: Reason | None, status: int) -> bool:
        """Say whether what a stranger got is to be recorded by itself, else it is counted; no reason: no refusal."""
        self.count += reason is not None
        return self._tally.tells(client.netblock, (reason or Reason.FIXED, status), self._clock.monotonic())

    def reject(self, client: Client, reason: Reason, status: int, request_id: str, *, is_stranger: bool) -> None:
        """Record bytes, or a connection, that were refused."""
        if is_stranger and not self.tells(client, reason, status):
            return
        self._record(client.address, client.port, reason, status, request_id, 1)

    def sum_up(self, *, everything: bool = False) -> None:
        """Record the sums whose minute is over, or all of them."""
        now = self._clock.monotonic()
        for netblock, kind, count in self._tally.due(now, everything=everything):
            reason, status = cast(tuple[Reason, int], kind)
            self._record(netblock.partition("/")[0], 0, reason, status, "", count)

    def _record(self, address: str, port: int, reason: Reason, status: int, request_id: str, count: int) -> None:
        self._outbox.record(
            HttpReject,
            outcome="success" if reason is Reason.FIXED else "failure",
            client_ip=address,
            **({"client_port": port} if port else {}),
            status=status,
            reason=reason.value,
            request_id=request_id,
            count=count,
        )
