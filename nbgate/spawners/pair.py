"""Run a notebook server and, as soon as it answers, the gateway in front of it; neither outlives the other.

The only place of `nbgate launch` that decides while they run. One thread; nothing in it blocks but the selector.
"""

import selectors
import signal
from collections.abc import Callable
from typing import Protocol

from nbgate.clock import Clock
from nbgate.errors import ExitCode, StartError
from nbgate.spawners.output import ServerOutput
from nbgate.spawners.process import Process

START_SECONDS = 120.0  # the first start on a slow disk compiles a thousand files
END_GRACE_SECONDS = 15.0  # jupyter_server gives its kernels five
KILL_SECONDS = 5.0
LOOK_SECONDS = 0.05
_READ_BYTES = 65536
_SIGNAL_STATUS = 128


class Signals(Protocol):
    """Signals that wait to be looked at (`nbgate.supervisor.signals`)."""

    def fileno(self) -> int:
        """Return a descriptor that is readable while one waits."""
        ...

    def take(self) -> list[signal.Signals]:
        """Return those that wait, in order."""
        ...


class Pair:
    """A notebook server that was started, and the gateway that will stand in front of it.

    SIGTERM and SIGINT end the gateway, which drains, and then the server; the second one ends both at once. SIGHUP goes
    to the gateway, unless it says that the terminal is gone: that is the end as well.
    """

    def __init__(
        self,
        server: Process,
        output: ServerOutput,
        signals: Signals,
        *,
        name: str,
        hint: str,
        say: Callable[[str], None],
        is_terminal_gone: Callable[[], bool],
        clock: Clock,
    ) -> None:
        """Take a server that was started with `keep_output`.

        Args:
            server: The notebook server.
            output: Where its output is kept.
            signals: What was sent to this process.
            name: What the server is called in messages.
            hint: What to do when it does not answer.
            say: Tells a line to a person.
            is_terminal_gone: Says whether there was a terminal that is no more.
            clock: For the deadlines.
        """
        self._server = server
        self._output = output
        self._signals = signals
        self._name = name
        self._hint = hint
        self._say = say
        self._is_terminal_gone = is_terminal_gone
        self._clock = clock
        self._end_signals = 0
        self._selector = selectors.DefaultSelector()
        for source in (signals, server.pidfd, server.output):
            if source is not None:
                self._selector.register(source, selectors.EVENT_READ)

    def run(self, answers: Callable[[], bool], start_gateway: Callable[[], Process]) -> int:
        """Run both until one of them or a signal ends them; return the exit code.

        Raises:
            StartError: The server did not answer, or the gateway cannot be started (69).
        """
        try:
            interrupted = self._wait_for_server(answers)
            return self._watch(start_gateway()) if interrupted is None else interrupted
        finally:
            self._end_server()

    def close(self) -> None:
        """Close what is open; whoever still runs is killed."""
        if not self._server.is_gone():
            self._server.kill()
        self._selector.close()
        self._server.close()
        self._output.close()

    def _wait_for_server(self, answers: Callable[[], bool]) -> ExitCode | None:
        """Return None when it answers, and the exit code when somebody ended us first."""
        deadline_monotonic = self._clock.monotonic() + START_SECONDS
        while not answers():
            for number in self._turn(LOOK_SECONDS):
                if number != signal.SIGHUP:
                    return ExitCode.INTERRUPTED if number == signal.SIGINT else ExitCode.DONE
            if self._server.status is not None:
                raise self._no_answer(f"{how_ended(self._server.status)} before it answered")
            if self._clock.monotonic() > deadline_monotonic:
                raise self._no_answer(f"did not answer within {START_SECONDS:g} s")
        return None

    def _watch(self, gateway: Process) -> int:
        """Pass signals on until the gateway has ended; end it when the server has."""
        self._selector.register(gateway.pidfd, selectors.EVENT_READ)
        server_status = None
        try:
            while (status := gateway.status) is None:
                for number in self._turn(None):
                    gateway.send(number)
                if server_status is None and (server_status := self._server.status) is not None:
                    self._tell_of_its_end(server_status)
                    gateway.send(signal.SIGTERM)
        finally:
            self._selector.unregister(gateway.pidfd)
            gateway.close()
        if server_status:
            return ExitCode.UNAVAILABLE
        if status < _SIGNAL_STATUS or status == ExitCode.INTERRUPTED:
            return status
        self._say(f"nbgate: the gateway {how_ended(status)}; {self._name} ends too")
        return ExitCode.FAILURE

    def _end_server(self) -> None:
        """Ask it to end, and wait for it and its session; kill it when it does not, or somebody insists."""
        self._server.ask_to_end()
        begin_monotonic = self._clock.monotonic()
        already_sent = self._end_signals
        while not self._server.is_gone():
            waited_seconds = self._clock.monotonic() - begin_monotonic
            if waited_seconds > END_GRACE_SECONDS or already_sent > 1 or self._end_signals > already_sent:
                self._server.kill()
            if waited_seconds > END_GRACE_SECONDS + KILL_SECONDS:
                return  # it hangs in the kernel: nobody can end it now
            self._turn(LOOK_SECONDS)
        self._read_output()

    def _turn(self, seconds: float | None) -> list[signal.Signals]:
        """Wait for one round of events, write what the server printed, and return the signals."""
        taken: list[signal.Signals] = []
        for key, _ in self._selector.select(seconds):
            if key.fileobj is self._signals:
                taken += self._signals.take()
            elif key.fileobj is self._server.output:
                self._read_output()
            elif key.fileobj == self._server.pidfd:
                self._selector.unregister(self._server.pidfd)  # it stays readable; who waits asks for the status
        if signal.SIGHUP in taken and self._is_terminal_gone():
            taken = [signal.SIGTERM if number == signal.SIGHUP else number for number in taken]
        self._end_signals += sum(number != signal.SIGHUP for number in taken)
        return taken

    def _read_output(self) -> None:
        output = self._server.output
        while output is not None and not output.closed and (data := output.read(_READ_BYTES)) is not None:
            if not data:
                self._selector.unregister(output)
                output.close()
                return
            self._output.feed(data)

    def _no_answer(self, what: str) -> StartError:
        self._read_output()
        self._tell_last_lines()
        return StartError(f"{self._name} {what}", hint=self._hint, exit_code=ExitCode.UNAVAILABLE)

    def _tell_of_its_end(self, status: int) -> None:
        if status:
            self._read_output()
            self._tell_last_lines()
        self._say(f"nbgate: {self._name} {how_ended(status)}; the gateway ends too")
        if status:
            self._say(f"  hint: {self._hint}")

    def _tell_last_lines(self) -> None:
        lines = self._output.last_lines()
        if lines:
            self._say(f"nbgate: the last lines of {self._name}:")
        for line in lines:
            self._say(f"  | {line}")


def how_ended(status: int) -> str:
    """Say how a process ended, from its status as shells print it."""
    number = status - _SIGNAL_STATUS
    if number in signal.valid_signals():
        return f"was ended by signal {number} ({signal.strsignal(number)})"
    return f"ended with exit code {status}" if status else "ended"
