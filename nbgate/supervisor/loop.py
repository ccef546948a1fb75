"""One loop that converges to the wanted children: it takes signals from a queue, reaps, starts, drains.

The only place of the supervisor that decides. It is single-threaded; nothing in it blocks but the selector.
"""

import selectors
import signal
import socket
import traceback
from collections.abc import Callable
from typing import assert_never

from nbgate.clock import Clock, SystemClock
from nbgate.errors import ExitCode, StartError, told
from nbgate.link.messages import (
    DrainAsked,
    FirstUser,
    KeeperReady,
    KillWorker,
    Listening,
    ReloadAsked,
    Reloaded,
    ToSupervisor,
    WorkerReady,
)
from nbgate.supervisor.child import Child, Role
from nbgate.supervisor.door import Door
from nbgate.supervisor.family import Events, Family, Plan
from nbgate.supervisor.notify import READY, STOPPING, reloading
from nbgate.supervisor.signals import SignalQueue, queued_signals
from nbgate.supervisor.slots import Slot

END_GRACE_SECONDS = 5.0
_SIGNAL_STATUS = 128
_TOLD_BY_THE_CHILD = frozenset(ExitCode) - {ExitCode.DONE, ExitCode.FAILURE}


def _nobody(_text: str) -> None:
    """Take note of nothing."""


class Supervisor:
    """Runs the children of `plan` on bound `sockets`.

    Not listening: until the keeper says it is ready. Listening on loopback alone: until there is a user; from then on
    the workers, and every worker to come, have the other sockets. Draining: from the first SIGTERM or SIGINT, or when a
    child fails before its place was ever filled well and nobody is served yet; workers are asked first, the keeper when
    the last worker has ended, so that the audit is complete.

    Args of the constructor:
        say: Tells the operator a line.
        notify: Tells the service manager a state (see `nbgate.supervisor.notify`).
        on_listening: Called once with a URL of this machine, when somebody could log in there.
    """

    def __init__(
        self,
        plan: Plan,
        sockets: list[socket.socket],
        *,
        say: Callable[[str], None],
        notify: Callable[[str], None] = _nobody,
        on_listening: Callable[[str], None] = _nobody,
        clock: Clock | None = None,
    ) -> None:
        self._plan = plan
        self._say = say
        self._notify = notify
        self._on_listening = on_listening
        self._clock = clock or SystemClock()
        self._selector = selectors.DefaultSelector()
        events = Events(on_message=self._heard, on_exit=self._ended)
        self.family = Family(plan, sockets, self._selector, self._clock, events)
        self.door = Door(plan.ip, sockets)
        self._has_user = False
        self._is_announced = False
        self._is_draining = False
        self._may_keeper_end = False
        self._is_reload_waiting = False
        self._exit_code: int = ExitCode.DONE

    def run(self) -> int:
        """Supervise until it is over; return the exit code."""
        with queued_signals() as queue:
            self.watch(queue)
            try:
                while not self.is_over:
                    self.step()
            except Exception:  # noqa: BLE001 - the edge: whatever went wrong, no child outlives it
                self._say(traceback.format_exc())
                self._exit_code = ExitCode.FAILURE
            finally:
                self.close()
        return self._exit_code

    def watch(self, queue: SignalQueue) -> None:
        """Take signals from `queue`."""
        self._selector.register(queue, selectors.EVENT_READ, lambda _: self._take_signals(queue))

    def close(self) -> None:
        """Kill what still runs and close what is open."""
        self.family.close()
        self._selector.close()
        self.door.close()

    @property
    def is_over(self) -> bool:
        """True when nothing runs and nothing is wanted."""
        return self._is_draining and not any(True for _ in self.family.running())

    @property
    def exit_code(self) -> int:
        """Return what the process ends with."""
        return self._exit_code

    def step(self, timeout_seconds: float | None = None) -> None:
        """Converge, then wait for one round of events, or for the next moment at which something is due."""
        self._converge()
        if self.is_over:
            return
        due = self._due_seconds()
        waits = [wait for wait in (timeout_seconds, due) if wait is not None]
        for key, mask in self._selector.select(min(waits, default=None)):
            if self._selector.get_map().get(key.fd) == key:  # else changed by an event of the same round: ask again
                key.data(mask)

    def _converge(self) -> None:
        now = self._clock.monotonic()
        self.family.kill_late(now)
        for slot in self.family.slots:
            if slot.child is None and self._is_wanted(slot) and slot.start_at_monotonic <= now:
                self._start(slot, now)
        keeper = self.family.keeper.child
        if self._is_draining and keeper and not self._may_keeper_end and not self._has_workers():
            self._may_keeper_end = True
            self._ask_to_end(self.family.keeper, keeper, END_GRACE_SECONDS)

    def _start(self, slot: Slot, now_monotonic: float) -> None:
        try:
            self.family.start(slot)
        except OSError as error:
            slot.defer(now_monotonic)
            problem = f"cannot start {slot.name}: {str(error.strerror).lower()}"
            if slot.was_ever_ready or self._is_announced:
                self._say(f"nbgate: {problem}; trying again")
            else:
                hint = "see what takes the machine's processes, memory or descriptors (`ulimit -a`), and try again"
                self._fail(StartError(problem, hint=hint, exit_code=ExitCode.TRY_AGAIN))

    def _fail(self, error: StartError) -> None:
        for line in told(error):
            self._say(line)
        self._exit_code = error.exit_code
        self._drain(0.0)

    def _is_wanted(self, slot: Slot) -> bool:
        """While draining the keeper is wanted for as long as a worker has something to tell it."""
        if not self._is_draining:
            return True
        return slot.role is Role.KEEPER and slot.was_ever_ready and not self._may_keeper_end and self._has_workers()

    def _has_workers(self) -> bool:
        return any(slot.child is not None for slot in self.family.workers)

    def _due_seconds(self) -> float | None:
        now = self._clock.monotonic()
        starts = [slot.start_at_monotonic for slot in self.family.slots if slot.child is None and self._is_wanted(slot)]
        kills = [child.kill_at_monotonic for _, child in self.family.running() if child.kill_at_monotonic is not None]
        return max(min(starts + kills) - now, 0.0) if starts or kills else None

    def _heard(self, slot: Slot, message: ToSupervisor) -> None:
        child = slot.child
        assert child is not None  # noqa: S101 - it has just spoken
        match message:
            case KeeperReady() if slot.role is Role.KEEPER:
                self._keeper_is_ready(child, message)
            case FirstUser() if slot.role is Role.KEEPER:
                self._user_is_there()
            case Reloaded() if slot.role is Role.KEEPER:
                self._reloaded()
            case KillWorker() if slot.role is Role.KEEPER:
                self._kill_worker(message)
            case WorkerReady() if slot.role is Role.WORKER:
                slot.mark_ready(child)
                self._announce()
            case KeeperReady() | FirstUser() | Reloaded() | KillWorker() | WorkerReady():  # not this role's to say
                child.kill()
            case _:
                assert_never(message)

    def _keeper_is_ready(self, child: Child, message: KeeperReady) -> None:
        if message.users:
            self._user_is_there()
        if not self.door.is_open and not self._is_draining:
            try:
                self.door.open(has_user=self._has_user)
            except StartError as error:
                self._fail(error)
                return
            if self.door.is_narrow:
                self.family.listen_on(self.door.sockets)  # before `introduce`: a worker accepts when it is linked
        self.family.introduce(child)
        if self._is_announced:
            self.family.tell_keeper(Listening(urls=self._urls()))
        if self._is_reload_waiting:
            self._is_reload_waiting = False
            self.family.tell_keeper(ReloadAsked())
        elif self._is_announced:
            self._notify(READY)  # it may have ended in a reload

    def _user_is_there(self) -> None:
        """Listen where it was asked for, if that had to wait for a user; where it cannot be done, go on as it is."""
        self._has_user = True
        if not self.door.is_narrow or self._is_draining:
            return
        try:
            self.door.widen()
        except StartError as error:
            for line in told(error):
                self._say(line)
            self._say("nbgate: listening on this machine alone, until that is free and `nbgate reload` is typed")
            return
        self.family.listen_on(self.door.sockets)
        if self._is_announced:
            self._tell_urls()

    def _reloaded(self) -> None:
        if self._has_user:
            self._user_is_there()  # once more, where it could not be done before
        if self._is_announced:
            self._notify(READY)

    def _kill_worker(self, message: KillWorker) -> None:
        for slot in self.family.workers:
            child = slot.child
            if slot.worker == message.worker and child is not None and message.pid in {child.pid, 0}:
                self._say(f"nbgate: {slot.name} is replaced: {message.reason}")
                child.kill()

    def _announce(self) -> None:
        if self._is_announced:
            return
        self._is_announced = True
        self._tell_urls()
        self._notify(READY)
        if self._has_user:
            self._on_listening(self._urls()[-1])

    def _tell_urls(self) -> None:
        urls = self._urls()
        for url in urls:
            self._say(f"nbgate: listening on {url}")
        if self._plan.http_port:
            self._say(f"nbgate: plain HTTP on port {self._plan.http_port} is sent on to HTTPS")
        if self.door.is_narrow:
            self._say(f"nbgate: not on {self._plan.ip}, before there is a user")
        self.family.tell_keeper(Listening(urls=urls))

    def _urls(self) -> tuple[str, ...]:
        urls = self.door.urls(socket.gethostname(), self._plan.hosts)
        return tuple(url + self._plan.base_url.removeprefix("/") for url in urls)

    def _ended(self, slot: Slot, status: int) -> None:
        if self._is_draining:
            return
        if slot.was_ever_ready or self._is_announced:  # who serves goes on serving, with fewer if need be
            self._say(f"nbgate: {slot.name} {_how(status)}; starting another")
            return
        if status not in _TOLD_BY_THE_CHILD:
            self._say(f"nbgate: {slot.name} {_how(status)} before it was ready")
        self._exit_code = status if 0 < status < _SIGNAL_STATUS else ExitCode.FAILURE
        self._drain(0.0)

    def _take_signals(self, queue: SignalQueue) -> None:
        for number in queue.take():
            if number == signal.SIGHUP:
                if self._is_announced:
                    self._notify(reloading())
                self._is_reload_waiting = not self.family.tell_keeper(ReloadAsked())
            elif not self._is_draining:
                self._say("nbgate: ending; once more to end at once")
                self._drain(self._plan.drain_seconds)
            else:
                self._exit_code = ExitCode.INTERRUPTED
                self._may_keeper_end = True
                for _, child in self.family.running():
                    child.kill()

    def _drain(self, seconds: float) -> None:
        """Ask the workers to end; one that was never ready has nothing to finish."""
        self._is_draining = True
        self._notify(STOPPING)
        self.door.stop()
        for slot in self.family.workers:
            if slot.child is None:
                continue
            if slot.child.is_ready:
                self._ask_to_end(slot, slot.child, seconds)
            else:
                slot.child.kill()

    def _ask_to_end(self, slot: Slot, child: Child, seconds: float) -> None:
        child.kill_at_monotonic = self._clock.monotonic() + seconds + END_GRACE_SECONDS
        self.family.send(slot, child, DrainAsked(deadline_seconds=seconds))


def _how(status: int) -> str:
    """Say how a child ended, from its status as shells print it."""
    number = status - _SIGNAL_STATUS
    if number in signal.valid_signals():
        return f"was ended by signal {number} ({signal.strsignal(number)})"
    return f"ended with exit code {status}"
