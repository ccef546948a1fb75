"""What the keeper's parts need of the audit writer, and nothing of how it writes."""

from collections.abc import Sequence
from typing import Protocol

from nbgate.audit.events import Event
from nbgate.errors import AuditError
from nbgate.keeper.audit_writer import Stamp


class AuditLog(Protocol):
    """Where events go; the order of calls is the order of records (`nbgate.keeper.audit_writer.AuditWriter`)."""

    @property
    def failing_since_unix(self) -> float:
        """0 while records can be written; else since when they cannot."""
        ...

    def stamp(self) -> Stamp:
        """Return the fields every event of the keeper begins with."""
        ...

    def append(self, event: Event) -> None:
        """Record an event soon."""
        ...

    async def append_durable(self, event: Event) -> None:
        """Return when the event, and all that was appended before it, survives the machine.

        Raises:
            AuditError: It cannot be written.
        """
        ...

    def append_worker_records(self, boot: str, first: int, bodies: Sequence[bytes]) -> int:
        """Write a worker's events and return the number up to which they are in the log.

        Raises:
            LinkError: One of them is no event of a worker.
        """
        ...


def require_audit(audit: AuditLog) -> None:
    """Return if records can be written: what could not be recorded is not begun.

    Raises:
        AuditError: They cannot.
    """
    if audit.failing_since_unix:
        raise AuditError(
            "the audit cannot be written", hint="see nbgate status; nobody signs in and no account changes meanwhile"
        )
