"""Start one child by exec, with exactly the descriptors it needs, and see it end.

Decides nothing: when to start, link, ask or kill is in `nbgate.supervisor.loop`.
"""

import ctypes
import os
import signal
import socket
import subprocess
from enum import StrEnum

from nbgate.link.descriptors import ControlSocket
from nbgate.link.messages import ToSupervisor

CONTROL = "{control}"
_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class Role(StrEnum):
    """What a child is."""

    KEEPER = "keeper"
    WORKER = "worker"


# A worker holds nothing worth finishing. A keeper sees its control link end, and closes its log before it goes; the
# signal is for one that does not handle signals yet.
_DEATH_SIGNAL = {Role.KEEPER: signal.SIGTERM, Role.WORKER: signal.SIGKILL}


class Child:
    """A running child; `pidfd` becomes readable when it has ended."""

    def __init__(
        self, process: subprocess.Popen[bytes], pidfd: int, control: socket.socket, started_monotonic: float
    ) -> None:
        self._process = process
        self.control = ControlSocket[ToSupervisor](control, ToSupervisor)
        self.pid = process.pid
        self.pidfd = pidfd
        self.started_monotonic = started_monotonic
        self.kill_at_monotonic: float | None = None
        self.is_ready = False

    def kill(self) -> None:
        """End it now (SIGKILL); that it has ended is seen on `pidfd`."""
        self.kill_at_monotonic = None
        signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    def reap(self) -> int:
        """Return its status as shells print it, 128 + signal where one ended it, and close what belonged to it."""
        status = self._process.wait()
        self.control.close()
        os.close(self.pidfd)
        return status if status >= 0 else 128 - status


def start_child(
    role: Role, command: tuple[str, ...], descriptors: tuple[int, ...], environ: dict[str, str], now_monotonic: float
) -> Child:
    """Start `command`, with the other end of a new control link.

    The child gets its own session, so that what a terminal or `kill %1` sends reaches the supervisor alone, which
    passes it on in order, and so that a worker that was taken over cannot type into the operator's terminal (TIOCSTI);
    it ignores SIGINT and SIGHUP whoever sends them; it dies when the supervisor dies.

    Args:
        role: What it is; decides by which signal it dies with the supervisor.
        command: Program and arguments; `CONTROL` stands for the number of the control descriptor.
        descriptors: What the child inherits beside the standard streams and its control link.
        environ: Its environment.
        now_monotonic: For `Child.started_monotonic`.

    Raises:
        OSError: The system has no process, memory or descriptor left.
    """
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            process = _spawn(role, command, theirs.fileno(), descriptors, environ)
        try:
            pidfd = os.pidfd_open(process.pid)
        except OSError:
            process.kill()
            process.wait()
            raise
    except OSError:
        ours.close()
        raise
    return Child(process, pidfd, ours, now_monotonic)


def _spawn(
    role: Role, command: tuple[str, ...], control: int, descriptors: tuple[int, ...], environ: dict[str, str]
) -> subprocess.Popen[bytes]:
    supervisor = os.getpid()

    def prepare() -> None:  # pragma: no cover - between fork and exec; safe because the supervisor has one thread
        _libc.prctl(_SET_PDEATHSIG, *map(ctypes.c_ulong, (_DEATH_SIGNAL[role], 0, 0, 0)))
        if os.getppid() != supervisor:
            os._exit(1)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    return subprocess.Popen(  # noqa: S603 - our own program, no shell
        [str(control) if part == CONTROL else part for part in command],
        stdin=subprocess.DEVNULL,
        close_fds=True,
        pass_fds=(control, *descriptors),
        start_new_session=True,
        preexec_fn=prepare,  # noqa: PLW1509 - one thread
        env=environ,
    )
