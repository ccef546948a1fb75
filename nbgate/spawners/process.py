"""Start one process that dies when we die, and end it with all that it started.

Decides nothing: when to start and to end, and what it means that one has ended, is in `nbgate.spawners.pair`.
"""

import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from nbgate.errors import ExitCode, StartError

_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class Process:
    """A running process that leads a session of its own.

    Attributes:
        pidfd: Readable when it has ended.
        output: What it prints, where that was asked for; never blocks.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.pid = process.pid
        self.pidfd = os.pidfd_open(process.pid)
        self.output: IO[bytes] | None = process.stdout
        if self.output is not None:
            os.set_blocking(self.output.fileno(), False)

    @property
    def status(self) -> int | None:
        """Return None while it runs; then its exit code, 128 + signal where one ended it."""
        status = self._process.poll()
        return status if status is None or status >= 0 else 128 - status

    def send(self, number: signal.Signals) -> None:
        """Send it, and it alone, a signal; one that has ended gets none."""
        if self.status is None:
            signal.pidfd_send_signal(self.pidfd, number)

    def ask_to_end(self) -> None:
        """Send SIGTERM to it and to what it started in its own process group, as a wrapper script does."""
        self._signal_group(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, with everything that it started: kernels and terminals lead sessions of their own."""
        family = family_of(self.pid)
        self._signal_group(signal.SIGKILL)
        for pid in family:
            _kill(pid)

    def is_gone(self) -> bool:
        """Say whether it has ended, and everything else in its session."""
        return self.status is not None and not session_of(self.pid)

    def close(self) -> None:
        """Close what belonged to it."""
        os.close(self.pidfd)
        if self.output is not None:
            self.output.close()

    def _signal_group(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return  # nobody is left in it


def start_process(command: Sequence[str], environ: Mapping[str, str], *, keep_output: bool = False) -> Process:
    """Start `command` in a session of its own: what a terminal sends reaches us alone, and we pass it on.

    When we end, however that happens, the kernel sends it SIGTERM: then it ends what it started itself.

    Args:
        command: Program and arguments.
        environ: Its whole environment.
        keep_output: Whether it prints into `Process.output` and has no standard input; else it has our streams.

    Raises:
        StartError: The program cannot be started (69).
    """
    parent = os.getpid()

    def prepare() -> None:  # pragma: no cover - between fork and exec; safe because we have one thread
        _libc.prctl(_SET_PDEATHSIG, *map(ctypes.c_ulong, (signal.SIGTERM, 0, 0, 0)))
        if os.getppid() != parent:
            os._exit(1)

    try:
        return Process(
            subprocess.Popen(  # noqa: S603 - no shell; the words are the operator's
                list(command),
                stdin=subprocess.DEVNULL if keep_output else None,
                stdout=subprocess.PIPE if keep_output else None,
                stderr=subprocess.STDOUT if keep_output else None,
                bufsize=0,
                start_new_session=True,
                preexec_fn=prepare,  # noqa: PLW1509 - one thread
                env=dict(environ),
            )
        )
    except OSError as error:
        raise StartError(
            f"cannot start {command[0]}: {(error.strerror or str(error)).lower()}",
            hint="type the command by itself to see what is wrong with it",
            exit_code=ExitCode.UNAVAILABLE,
        ) from error


def session_of(leader: int) -> list[int]:
    """Return the processes of the session that `leader` leads or led."""
    return [pid for pid, _, session in _processes() if session == leader]


def family_of(pid: int) -> list[int]:
    """Return the processes of the session of `pid`, and all that they started."""
    everybody = _processes()
    family = [one for one, _, session in everybody if session == pid]
    for member in family:  # grows while it is walked
        family += [one for one, parent, _ in everybody if parent == member and one not in family]
    return family


def _processes() -> list[tuple[int, int, int]]:
    """Return process, parent and session of everything that lives; one that only waits to be reaped does not."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
            except OSError:  # ended while we looked
                continue
            state, parent, _, session = stat.rpartition(")")[2].split()[:4]
            if state not in {"Z", "X"}:
                found.append((int(entry.name), int(parent), int(session)))
    return found


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # ended by itself
