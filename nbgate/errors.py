"""The typed errors of nbgate: what a page may say, which status it has, whose fault it is.

This room knows no protocol and writes nothing; it never holds a secret in a public text.
"""

from enum import IntEnum

from msgspec import Struct

from nbgate.reasons import Reason


class ExitCode(IntEnum):
    """Exit codes of every command (sysexits.h where it has one)."""

    DONE = 0
    FAILURE = 1
    USAGE = 2
    UNAVAILABLE = 69
    CANNOT_CREATE = 73
    TRY_AGAIN = 75
    PERMISSION = 77
    CONFIGURATION = 78
    INTERRUPTED = 130


class NbgateError(Exception):
    """The root of all expected failures.

    Attributes:
        public: One line, lower case, without a full stop; safe to show to a stranger.
        hint: What to do about it, or "" when there is nothing to say.
    """

    status = 500
    exit_code = ExitCode.FAILURE

    def __init__(self, public: str, *, hint: str = "") -> None:
        super().__init__(public)
        self.public = public
        self.hint = hint


class ProtocolError(NbgateError):
    """Theirs: the bytes break the grammar. `status` is what a well-behaved peer is told (RFC 9110 section 15.5)."""

    def __init__(self, reason: Reason, status: int = 400) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.status = status


class FrameError(NbgateError):
    """Theirs or the upstream's: a websocket frame breaks RFC 6455; `close_code` is what the sender is told."""

    def __init__(self, reason: Reason, close_code: int) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.close_code = close_code


class UpstreamProtocolError(NbgateError):
    """The upstream's: it answered something that is not HTTP as we accept it."""

    status = 502

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class CredentialRejected(NbgateError):
    """Theirs: a credential does not prove what it claims. Carries no cause on purpose: every cause looks the same."""

    status = 401

    def __init__(self) -> None:
        super().__init__("credential rejected")


class SecondFactorRejected(CredentialRejected):
    """Theirs: the password was right and the code was not. Looks the same from outside, and is counted apart (T04)."""


class LoginThrottled(NbgateError):
    """Theirs: too many attempts; nothing of this one was looked at. `retry_seconds`: when there is another one.

    `is_own` is false where it was others who made so many.
    """

    status = 429

    def __init__(self, retry_seconds: float, *, is_own: bool = True) -> None:
        super().__init__("too many attempts", hint="wait before you try again")
        self.reason = Reason.LOGIN_THROTTLED
        self.retry_seconds = retry_seconds
        self.is_own = is_own


class LockedDown(NbgateError):
    """Ours, by an operator's word: nobody signs in for now."""

    status = 503

    def __init__(self) -> None:
        super().__init__("signing in is closed by the operator", hint="ask whoever runs this gateway")
        self.reason = Reason.LOCKED_DOWN


class StartError(NbgateError):
    """Ours: this command cannot do its work here; `exit_code` says of which kind the obstacle is."""

    def __init__(self, public: str, *, hint: str = "", exit_code: ExitCode = ExitCode.FAILURE) -> None:
        super().__init__(public, hint=hint)
        self.exit_code = exit_code


class Problem(Struct, frozen=True):
    """One thing wrong with a configuration: where it stands, what is wrong, what to do."""

    where: str
    text: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.text}" if self.where else self.text


class ConfigError(NbgateError):
    """Theirs, the operator's: every problem of a configuration at once."""

    exit_code = ExitCode.CONFIGURATION

    def __init__(self, problems: tuple[Problem, ...], exit_code: ExitCode = ExitCode.CONFIGURATION) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems
        self.exit_code = exit_code


class StoreError(NbgateError):
    """Ours: the state store cannot be read or written; nobody becomes anonymous, nobody logs in."""

    status = 503


class AuditError(NbgateError):
    """Ours: the audit cannot be written or does not continue its own chain."""

    status = 503


class LinkError(NbgateError):
    """Ours: a message on an internal link breaks the closed set of messages or its bound."""


class InputRefused(NbgateError):
    """Theirs: a name or a password that somebody chose cannot be accepted; the hint says which one could."""

    status = 400
    exit_code = ExitCode.USAGE


class LoginBusy(NbgateError):
    """Ours, for a moment: too many passwords are being checked; nothing was said about this one."""

    status = 503

    def __init__(self) -> None:
        super().__init__("too many logins at once", hint="try again in a few seconds")
        self.reason = Reason.LOGIN_BUSY


def told(error: NbgateError) -> list[str]:
    """Return the lines by which an error is told to an operator: all that is wrong, and what to do."""
    problems = [(str(problem), problem.hint) for problem in error.problems] if isinstance(error, ConfigError) else []
    lines = []
    for text, hint in problems or [(error.public, error.hint)]:
        lines.append(f"nbgate: {text}")
        if hint:
            lines.append(f"  hint: {hint}")
    return lines
