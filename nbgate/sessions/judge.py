"""Say whether a session may still be used. Pure: the caller brings the time."""

from nbgate.model.session import Session
from nbgate.reasons import Reason


def judge_session(session: Session, now_unix: float) -> Reason | None:
    """Say why a worker may not use `session` at `now_unix`; None means it may.

    Only the absolute end: idleness is the keeper's to judge, who alone sees the activity of all workers.
    """
    return Reason.SESSION_EXPIRED if now_unix >= session.absolute_unix else None


def judge_stored(session: Session, last_seen_unix: float, now_unix: float, idle_seconds: float) -> Reason | None:
    """Say why the keeper must end `session` at `now_unix`; None means it lives on.

    Two limits, because idleness alone lets activity keep a stolen session alive for ever. Absolute age is reported
    first: it is final, idleness is not. A token may lie unused until its end: the program it is for runs when it runs.
    """
    expired = judge_session(session, now_unix)
    if expired is not None or session.is_token:
        return expired
    return Reason.SESSION_IDLE if now_unix - last_seen_unix >= idle_seconds else None
