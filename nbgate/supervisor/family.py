"""The running children and what passes between them and the supervisor: start, link, speak, kill, reap.

Performs what `nbgate.supervisor.loop` decides; every descriptor it watches has one callback in the selector.
"""

import os
import selectors
import socket
from collections import deque
from collections.abc import Callable, Iterator

from msgspec import Struct, structs

from nbgate.clock import Clock
from nbgate.errors import LinkError
from nbgate.link.messages import ChildEvent, LinkKeeper, LinkWorker, ListenHere, Message, ToSupervisor
from nbgate.supervisor.child import CONTROL, Child, Role, start_child
from nbgate.supervisor.slots import Slot

MAX_WAITING_EVENTS = 200
SHUT_LINK_GRACE_SECONDS = 1.0


class Plan(Struct, frozen=True, kw_only=True):
    """What to run.

    Attributes:
        program: Program and first arguments of every child; the role and its own arguments follow.
        source_json: The keeper's `--source`: where the configuration comes from.
        environ: The children's environment.
        workers: How many.
        ip: The address to listen on, as given.
        hosts: The public names, for what is said.
        base_url: The path below which the gateway is, for the same.
        http_port: Those of the sockets on which plain HTTP is spoken; 0 for none.
        drain_seconds: How long running requests may take after the first SIGTERM.
    """

    program: tuple[str, ...]
    source_json: str
    environ: dict[str, str]
    workers: int
    ip: str
    hosts: tuple[str, ...] = ()
    base_url: str = "/"
    http_port: int = 0
    drain_seconds: float


class Events(Struct, frozen=True, kw_only=True):
    """Whom the family tells what happened."""

    on_message: Callable[[Slot, ToSupervisor], None]
    on_exit: Callable[[Slot, int], None]


class Family:
    """The keeper's slot and the workers' slots.

    Messages of a child are handed on before its end is. Events for the keeper wait while there is none that is ready;
    beyond `MAX_WAITING_EVENTS` the oldest is forgotten: the newest say how things are now.
    """

    def __init__(
        self,
        plan: Plan,
        sockets: list[socket.socket],
        selector: selectors.BaseSelector,
        clock: Clock,
        events: Events,
    ) -> None:
        self._plan = plan
        self._listen_fds = tuple(sock.fileno() for sock in sockets)
        self._selector = selector
        self._clock = clock
        self._events = events
        self._waiting: deque[ChildEvent] = deque(maxlen=MAX_WAITING_EVENTS)
        self.keeper = Slot(Role.KEEPER)
        self.workers = [Slot(Role.WORKER, number) for number in range(1, plan.workers + 1)]

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Return all slots, the keeper's first."""
        return (self.keeper, *self.workers)

    def running(self) -> Iterator[tuple[Slot, Child]]:
        """Go through the children that run now."""
        for slot in self.slots:
            if slot.child is not None:
                yield slot, slot.child

    def start(self, slot: Slot) -> None:
        """Start a child for `slot`; a worker is linked at once where the keeper is ready.

        Raises:
            OSError: The system has no process, memory or descriptor left.
        """
        child = start_child(
            slot.role, self._command(slot), self._descriptors(slot), self._plan.environ, self._clock.monotonic()
        )
        slot.fill(child)
        self._selector.register(child.pidfd, selectors.EVENT_READ, lambda _: self._reap(slot, child))
        self._selector.register(child.control, selectors.EVENT_READ, lambda mask: self._converse(slot, child, mask))
        self._note(slot, child.pid, "started")
        if slot.role is Role.WORKER:
            self._link(slot)

    def _command(self, slot: Slot) -> tuple[str, ...]:
        start = (*self._plan.program, slot.role.value, "--control-fd", CONTROL)
        if slot.role is Role.KEEPER:
            again = ("--replaces",) if slot.was_ever_ready else ()
            return (*start, "--source", self._plan.source_json, *again)
        fds, http_port = ",".join(map(str, self._listen_fds)), str(self._plan.http_port)
        return (*start, "--listen-fds", fds, "--http-port", http_port, "--id", str(slot.worker))

    def _descriptors(self, slot: Slot) -> tuple[int, ...]:
        return self._listen_fds if slot.role is Role.WORKER else ()

    def listen_on(self, sockets: list[socket.socket]) -> None:
        """Have every worker accept on `sockets` alone: who runs is told so, who comes later inherits them."""
        self._listen_fds = tuple(sock.fileno() for sock in sockets)
        for slot in self.workers:
            for fd in self._listen_fds:
                if slot.child is not None:
                    self.send(slot, slot.child, ListenHere(is_last=fd == self._listen_fds[-1]), os.dup(fd))

    def introduce(self, keeper: Child) -> None:
        """The keeper is ready: give it a link to every worker, and tell it what happened meanwhile."""
        self.keeper.mark_ready(keeper)
        for slot in self.workers:
            self._link(slot)
            if slot.child is not None and slot.started not in self._waiting:
                self.tell_keeper(structs.replace(slot.started, what="running"))
        while self._waiting and self.tell_keeper(self._waiting[0]):
            self._waiting.popleft()

    def _link(self, slot: Slot) -> None:
        keeper, worker = self.keeper.child, slot.child
        if keeper is None or not keeper.is_ready or worker is None:
            return
        for_keeper, for_worker = socket.socketpair()
        self.send(self.keeper, keeper, LinkWorker(worker=slot.worker, pid=worker.pid), for_keeper.detach())
        self.send(slot, worker, LinkKeeper(), for_worker.detach())

    def tell_keeper(self, message: Message) -> bool:
        """Send `message` to the keeper; False where there is none that is ready."""
        keeper = self.keeper.child
        return keeper is not None and keeper.is_ready and self.send(self.keeper, keeper, message)

    def send(self, slot: Slot, child: Child, message: Message, descriptor: int | None = None) -> bool:
        """Send to a child; one that cannot be spoken to any more is killed, and so replaced: then False."""
        if child.control.is_closed:
            if descriptor is not None:
                os.close(descriptor)
            return False
        try:
            child.control.send(message, descriptor)
        except LinkError:
            self._break(child)
            return False
        self._watch(slot, child)
        return True

    def kill_late(self, now_monotonic: float) -> None:
        """Kill every child whose time has come."""
        for _, child in self.running():
            if child.kill_at_monotonic is not None and child.kill_at_monotonic <= now_monotonic:
                child.kill()

    def _converse(self, slot: Slot, child: Child, mask: int) -> None:
        try:
            if mask & selectors.EVENT_WRITE:
                child.control.flush()
            if mask & selectors.EVENT_READ:
                self._hear(slot, child)
        except LinkError:
            self._break(child)
            return
        if child.control.ended:
            self._unwatch(child)
            if child.kill_at_monotonic is None:  # it is about to end, or it hangs
                child.kill_at_monotonic = self._clock.monotonic() + SHUT_LINK_GRACE_SECONDS
        else:
            self._watch(slot, child)

    def _hear(self, slot: Slot, child: Child) -> None:
        for message, _ in child.control.receive():
            self._events.on_message(slot, message)

    def _break(self, child: Child) -> None:
        self._unwatch(child)
        child.kill()

    def _watch(self, slot: Slot, child: Child) -> None:
        if not child.control.is_closed:
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if child.control.wants_write else 0)
            self._selector.modify(child.control, wanted, lambda mask: self._converse(slot, child, mask))

    def _unwatch(self, child: Child) -> None:
        if not child.control.is_closed:
            self._selector.unregister(child.control)
            child.control.close()

    def _reap(self, slot: Slot, child: Child) -> None:
        if not child.control.is_closed:
            self._converse(slot, child, selectors.EVENT_READ)  # what it said before it ended
            self._unwatch(child)
        self._selector.unregister(child.pidfd)
        status = child.reap()
        slot.vacate(child, self._clock.monotonic())
        self._note(slot, child.pid, "exited", status)
        self._events.on_exit(slot, status)

    def _note(self, slot: Slot, pid: int, what: str, status: int = 0) -> None:
        event = ChildEvent(
            role=slot.role.value,
            worker=slot.worker,
            pid=pid,
            what=what,
            status=status,
            restarts=slot.restarts,
            at_unix=self._clock.unix(),
        )
        if what == "started":
            slot.started = event
        if not self.tell_keeper(event):
            self._waiting.append(event)

    def close(self) -> None:
        """Kill and reap whatever still runs."""
        for _, child in self.running():
            child.kill()
        for slot, child in self.running():
            child.reap()
            slot.child = None
