"""Start a real program, keep what it says in a file, wait for what it shall say, and end exactly it.

Everything is ended by process id; nothing is ever looked for by name.
"""

import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nbgate.testing.wait import wait_until

START_SECONDS = 30.0
END_SECONDS = 15.0
_STAT_AFTER_NAME = 2  # the name may hold spaces: fields are counted from the one after it


@dataclass(slots=True)
class Program:
    """One running program and its log."""

    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)  # may hold a token
    folder: Path | None = None
    process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Return the process id."""
        if self.process is None:
            message = "not started"
            raise RuntimeError(message)
        return self.process.pid

    def start(self) -> None:
        """Start it; both of its outputs go to `log`."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                list(self.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
                cwd=self.folder,
                start_new_session=True,
            )

    def said(self) -> str:
        """Return everything it said so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_for_line(self, pattern: str, deadline_seconds: float = START_SECONDS) -> re.Match[str]:
        """Wait until it says something that matches `pattern`.

        Raises:
            RuntimeError: It ended first.
            TimeoutError: It did not say so in time.
        """
        wanted = re.compile(pattern, re.MULTILINE)
        return wait_until(
            lambda: self._look(wanted),
            what=f"{pattern!r} from {self.command[0]}",
            deadline_seconds=deadline_seconds,
        )

    def _look(self, wanted: re.Pattern[str]) -> re.Match[str] | None:
        found = wanted.search(self.said())
        if found is None:
            self.check_running()
        return found

    def check_running(self) -> None:
        """Raise RuntimeError with its last words when it has ended."""
        if self.process is not None and self.process.poll() is not None:
            message = f"{' '.join(self.command)} ended with {self.process.returncode}:\n{self.said()[-2000:]}"
            raise RuntimeError(message)

    def wait(self, deadline_seconds: float = END_SECONDS) -> int:
        """Wait for its end and return its exit code."""
        if self.process is None:
            return 0
        return self.process.wait(deadline_seconds)

    def end(self, deadline_seconds: float = END_SECONDS) -> int:
        """Ask it to end; kill it and its children when it does not. Return its exit code."""
        if self.process is None or self.process.poll() is not None:
            return self.wait()
        family = descendants(self.pid)
        self.process.terminate()
        try:
            return self.process.wait(deadline_seconds)
        except subprocess.TimeoutExpired:
            for pid in family:
                kill_quietly(pid)
            return self.process.wait(deadline_seconds)


def kill_quietly(pid: int) -> None:
    """Kill `pid`; one that has ended already needs no killing."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def is_running(pid: int) -> bool:
    """Say whether `pid` is a process that has not ended; one that only waits to be reaped has."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def descendants(pid: int) -> list[int]:
    """Return `pid` and the ids of all its living descendants."""
    parents = {int(entry.name): _parent(entry) for entry in Path("/proc").iterdir() if entry.name.isdigit()}
    family, known = [pid], 0
    while known < len(family):
        family += [child for child, parent in parents.items() if parent == family[known]]
        known += 1
    return family


def _parent(entry: Path) -> int:
    try:
        stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:  # ended while we looked
        return 0
    state, parent = stat.rpartition(")")[2].split()[:_STAT_AFTER_NAME]
    return 0 if state == "Z" else int(parent)
