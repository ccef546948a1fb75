"""Record that sessions are over. They end elsewhere, and first."""

from collections.abc import Awaitable, Callable

from nbgate.audit.events import SessionEnd
from nbgate.keeper.audit import AuditLog
from nbgate.model.session import LABEL_HEX
from nbgate.reasons import Reason

EndSessions = Callable[[str, tuple[bytes, ...], Reason, str], Awaitable[None]]
"""Called as `(user, ids, reason, actor)` for sessions the store has ended; returns when no worker serves them."""


async def record_ended(audit: AuditLog, user: str, ids: tuple[bytes, ...], reason: Reason, actor: str) -> None:
    """Record durably that these sessions of a person are over, one record each.

    Raises:
        AuditError: It could not be recorded; they are over all the same.
    """
    if not ids:
        return
    events = [
        SessionEnd(**audit.stamp(), user=user, session=session_id.hex()[:LABEL_HEX], reason=reason.value, actor=actor)
        for session_id in ids
    ]
    for event in events[:-1]:
        audit.append(event)
    await audit.append_durable(events[-1])
