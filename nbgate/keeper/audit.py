"""What the keeper's parts need of the audit writer, and nothing of how it writes."""

from collections.abc import Iterable
from typing import Protocol

from nbgate.audit.events import Event


class AuditLog(Protocol):
    """Where the keeper's own events go; the order of calls is the order of records."""

    @property
    def failing_since_unix(self) -> float:
        """0 while records can be written; else since when they cannot."""
        ...

    def append(self, events: Iterable[Event]) -> None:
        """Record events soon."""
        ...

    async def append_durable(self, event: Event) -> None:
        """Return when the event, and all that was appended before it, is on the disk.

        Raises:
            AuditError: It cannot be written.
        """
        ...
