"""The owner of secrets and serial state: what happens when somebody logs in, logs out, or a worker asks something.

It is made of parts that a test can replace one by one; it opens no file and no socket itself, and starts no process. No
answer of it leaves before what it says is durable.
"""

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Final, assert_never

from msgspec import UNSET, Struct

from nbgate.audit.events import Event, UpstreamAppear, UpstreamChange, UpstreamDisappear
from nbgate.authenticators.hash_queue import HashQueue
from nbgate.clock import Clock
from nbgate.config.schema import Config
from nbgate.crypto.passwords import HashParameters
from nbgate.errors import CredentialRejected, LinkError
from nbgate.http.headers import HeaderTables
from nbgate.keeper.audit import AuditLog
from nbgate.keeper.audit_writer import Stamp
from nbgate.keeper.ended import record_ended
from nbgate.keeper.guarded import Change, Upstreams, What
from nbgate.keeper.login import Login, LoginAttempt, LoginParts
from nbgate.keeper.mounts import OWN_PREFIX, Mounts
from nbgate.keeper.penalties import KeeperPenalties
from nbgate.keeper.sessions import Due, LiveSessions
from nbgate.keeper.upstreams import Eyes
from nbgate.keeper.users import AccountParts, Accounts
from nbgate.keeper.workers import Worker, WorkerLink, Workers
from nbgate.link.messages import (
    Activity,
    AuditState,
    Offences,
    Records,
    RecordsWritten,
    RevokeAck,
    SessionAnswer,
    SessionAsk,
    SessionPut,
    Snapshot,
    ToKeeper,
    UpstreamPut,
    UpstreamSuspect,
    WorkerHello,
    WorkerStatus,
)
from nbgate.model.exposure import Exposure
from nbgate.model.keys import SealingKey, TlsMaterial
from nbgate.model.penalty import Offence
from nbgate.model.route import Route, RouteKind, Upstream
from nbgate.model.rule import Rules
from nbgate.model.session import Session
from nbgate.ports import PasswordAuthenticator, State, StoreRunner
from nbgate.reasons import Reason
from nbgate.sessions.judge import judge_stored
from nbgate.sessions.table import FINAL_GENERATION

OWN_ROUTE: Final = "own"


class KeeperParts(Struct, frozen=True, kw_only=True):
    """Everything a keeper is made of.

    Attributes:
        in_store: Runs calls of `state` on its thread.
        kill: Has a worker replaced: `kill(worker_id, pid, reason)`.
        own_socket: Path of the private socket on which `nbgate.web` serves the own pages.
        ack_seconds: How long a worker may take to acknowledge a revocation.
    """

    state: State
    in_store: StoreRunner
    authenticator: PasswordAuthenticator
    hashes: HashQueue
    parameters: HashParameters
    audit: AuditLog
    clock: Clock
    random_bytes: Callable[[int], bytes]
    eyes: Eyes
    kill: Callable[[int, int, Reason], None]
    config: Config
    upstreams: Upstreams
    tables: HeaderTables
    rules: Rules
    material: TlsMaterial
    sealing_keys: tuple[SealingKey, ...]
    form_key: bytes
    own_socket: str
    ack_seconds: float = 0.7


class Keeper:
    """One gateway's keeper. `start` first; then attach workers and hand over what they send."""

    def __init__(self, parts: KeeperParts) -> None:
        self._parts = parts
        self._version = 1
        self.config = parts.config
        self.material = parts.material
        self._tables = parts.tables
        self._rules = parts.rules
        self.form_key = parts.form_key
        self.live = LiveSessions(parts.config.sessions.idle_seconds)
        self.workers = Workers(parts.kill, ack_seconds=parts.ack_seconds)
        self.penalties = KeeperPenalties(parts.audit, parts.clock, self.workers.broadcast)
        self.penalties.use(parts.config, parts.rules)
        self.login = Login(
            LoginParts(
                authenticator=parts.authenticator,
                sessions=parts.state.sessions,
                in_store=parts.in_store,
                audit=parts.audit,
                clock=parts.clock,
                random_bytes=parts.random_bytes,
                absolute_seconds=lambda: self.config.sessions.absolute_seconds,
                netblock_attempts=lambda: max(1, self.config.login.queue // 3),
            )
        )
        self.accounts = Accounts(
            AccountParts(
                users=parts.state.users,
                in_store=parts.in_store,
                hashes=parts.hashes,
                parameters=parts.parameters,
                random_bytes=parts.random_bytes,
                audit=parts.audit,
                clock=parts.clock,
                end_sessions=self._end_everywhere,
            )
        )
        self.mounts = Mounts(
            parts.upstreams,
            parts.eyes,
            allow_open=parts.config.allow_open_upstream,
            probe=parts.config.probe,
            clock=parts.clock,
            on_change=self._upstream_changed,
        )

    @property
    def version(self) -> int:
        """Return the number of the newest snapshot."""
        return self._version

    async def start(self) -> None:
        """Load the sessions that live on from before, and end those whose time ran out meanwhile."""
        now = self._parts.clock.unix()
        over = []
        for stored in await self._parts.in_store(self._parts.state.sessions.all):
            reason = judge_stored(stored.session, stored.last_seen_unix, now, self.live.idle_seconds)
            if reason is None:
                self.live.put(stored)
            else:
                over.append(Due(stored.session, reason))
        await self._end_due(over)

    # logins

    async def log_in(self, attempt: LoginAttempt) -> tuple[Session, str]:
        """Return a new session and its token; see `Login.attempt` for what is raised."""
        stored, token = await self.login.attempt(attempt)
        if not self.live.put(stored):  # the account changed while the login was being written down
            raise CredentialRejected
        self.workers.broadcast(SessionPut(session=stored.session))
        if attempt.replaces is not None:
            await self.revoke((attempt.replaces,), Reason.LOGGED_OUT, attempt.replaces.user)
        return stored.session, token

    async def log_out(self, session: Session) -> None:
        """End a session because its owner said so; returns when nothing hangs on it any more."""
        await self.revoke((session,), Reason.LOGGED_OUT, session.user)

    async def revoke(self, sessions: tuple[Session, ...], reason: Reason, actor: str) -> None:
        """End sessions: in the store first, then everywhere."""
        await self._parts.in_store(self._parts.state.sessions.end, tuple(session.id for session in sessions))
        for user, of_user in groupby(sorted(sessions, key=_user_of), key=_user_of):
            await self._end_everywhere(user, tuple(session.id for session in of_user), reason, actor)

    def find_session(self, session_id: bytes) -> Session | None:
        """Return the live session of this id."""
        return self.live.find(session_id)

    async def _end_everywhere(self, user: str, ids: tuple[bytes, ...], reason: Reason, actor: str) -> None:
        """Make sessions that the store has ended end in every worker too, and record it."""
        if not ids:
            return
        self.live.end(ids, self._parts.clock.monotonic())
        await self.workers.revoke(ids, FINAL_GENERATION, reason)
        await record_ended(self._parts.audit, user, ids, reason, actor)

    # time

    async def sweep(self) -> None:
        """End the sessions whose time is over."""
        await self._end_due(self.live.due(self._parts.clock.unix()))

    async def flush_activity(self) -> None:
        """Write down who was active since the last call."""
        touched = self.live.take_touched()
        if touched:
            await self._parts.in_store(self._parts.state.sessions.touch, touched)

    async def _end_due(self, due: Iterable[Due]) -> None:
        by_reason: dict[Reason, list[Session]] = {}
        for each in due:
            by_reason.setdefault(each.reason, []).append(each.session)
        for reason, sessions in by_reason.items():
            await self.revoke(tuple(sessions), reason, "nbgate")

    # workers

    def attach_worker(self, worker_id: int, pid: int, link: WorkerLink, *, is_new: bool = False) -> Worker:
        """Take a new link to a worker and send all it needs; an older link of it is void.

        Args:
            worker_id: The worker's place.
            pid: Its process.
            link: Our end.
            is_new: The process was started just now; it serves nobody before it has the snapshot.
        """
        worker = self.workers.attach(worker_id, pid, link, is_new=is_new)
        self.workers.send(worker, self.snapshot(worker_id))
        return worker

    def take_message(self, worker: Worker, message: ToKeeper) -> None:
        """Do what a worker's message asks for."""
        match message:
            case WorkerHello():
                worker.hello = worker.hello or message  # a worker has one name
            case WorkerStatus():
                worker.status = message
            case SessionAsk():
                answer = SessionAnswer(id=message.id, session=self.live.find(message.id))
                self.workers.send(worker, answer)
            case RevokeAck():
                worker.acknowledge(message.ack)
            case Activity():
                self.live.touch(message.ids, self._parts.clock.unix())
            case Records():
                self._take_records(worker, message)
            case Offences(offences=offences):
                self._take_offences(worker, offences)
            case UpstreamSuspect():
                self.mounts.suspect(message.route)
            case _:
                assert_never(message)

    def snapshot(self, worker_id: int) -> Snapshot:
        """Return all that worker `worker_id` needs to know now."""
        return Snapshot(
            worker=worker_id,
            limits=self.config.limits,
            tables=self._tables,
            tls=self.material,
            routes=self.routes(),
            upstreams=self.mounts.states(),
            sessions=self.live.all(),
            sealing_keys=self._parts.sealing_keys,
            audit_failing_since_unix=self._parts.audit.failing_since_unix,
            version=self._version,
            banner=self.config.banner,
            rules=self._rules,
            penalties=self.penalties.refused(),
            exposure=Exposure(
                hosts=self.config.hosts,
                trusted_hops=self.config.trusted_proxies,
                proxy_protocol=self.config.proxy_protocol,
                hsts=self.material.is_public if self.config.hsts == "auto" else self.config.hsts,
            ),
        )

    def routes(self) -> tuple[Route, ...]:
        """Return the routing table: each notebook server under its own base URL, and the own pages."""
        return (
            *self.mounts.routes(),
            Route(
                name=OWN_ROUTE,
                prefix=OWN_PREFIX,
                upstream=Upstream(path=self._parts.own_socket),
                base_url=OWN_PREFIX,
                kind=RouteKind.OWN,
            ),
        )

    def apply(self, config: Config, material: TlsMaterial, tables: HeaderTables, rules: Rules) -> int:
        """Put a configuration into force that was validated before; returns its version."""
        self.config = config
        self.material = material
        self._tables = tables
        self._rules = rules
        self.penalties.use(config, rules)
        self.live.idle_seconds = config.sessions.idle_seconds
        self._send_snapshots()
        return self._version

    def use_certificate(self, material: TlsMaterial) -> None:
        """Put another certificate into force that was tested before; nothing else changes."""
        self.material = material
        self._send_snapshots()

    def audit_changed(self, failing_since_unix: float) -> None:
        """Tell every worker whether records can be written."""
        self.workers.broadcast(AuditState(failing_since_unix=failing_since_unix))

    @property
    def can_record(self) -> bool:
        """Say whether the audit can be written; while it cannot, workers open no new websocket."""
        return not self._parts.audit.failing_since_unix

    def is_ready(self) -> bool:
        """Say whether a person who came now could log in and work."""
        return self.can_record and self.mounts.has_good()

    def _send_snapshots(self) -> None:
        self._version += 1
        for worker in self.workers:
            self.workers.send(worker, self.snapshot(worker.id))

    def _take_records(self, worker: Worker, records: Records) -> None:
        if worker.hello is None or records.boot != worker.hello.boot:  # it speaks in another's name
            self.workers.lost(worker)
            return
        try:
            upto = self._parts.audit.append_worker_records(records.boot, records.first, records.bodies)
        except LinkError:
            self.workers.lost(worker)
        else:
            self.workers.send(worker, RecordsWritten(upto=upto))

    def _take_offences(self, worker: Worker, offences: tuple[Offence, ...]) -> None:
        try:
            self.penalties.take(offences)
        except LinkError:
            self.workers.lost(worker)

    def _upstream_changed(self, change: Change) -> None:
        self._parts.audit.append(_event_of(change, self._parts.audit.stamp()))
        if change.rerouted:
            self._send_snapshots()  # another routing table, not only another state
        elif change.state is not None:
            self.workers.broadcast(UpstreamPut(state=change.state))


def _event_of(change: Change, stamp: Stamp) -> Event:
    name = change.route or UNSET
    match change.what:
        case What.APPEARED:
            return UpstreamAppear(**stamp, upstream=name, message=change.address)
        case What.CHANGED:
            condition = change.condition.value
            return UpstreamChange(**stamp, upstream=name, condition=condition, message=change.address)
        case What.DISAPPEARED:
            return UpstreamDisappear(**stamp, upstream=name, message=change.address)


def _user_of(session: Session) -> str:
    return session.user
