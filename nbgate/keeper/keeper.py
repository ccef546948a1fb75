"""The owner of secrets and serial state: what happens when somebody logs in, logs out, or a worker asks something.

It is made of parts that a test can replace one by one; it opens no file and no socket itself, and starts no process. No
answer of it leaves before what it says is durable.
"""

import contextlib
from typing import assert_never

from msgspec import structs

from nbgate.config.allow import parse_allow
from nbgate.config.schema import Config
from nbgate.errors import AuditError, CredentialRejected, LinkError
from nbgate.http.headers import HeaderTables
from nbgate.keeper.errands import Errands
from nbgate.keeper.guarded import Change, event_of
from nbgate.keeper.login import Begun, LoggedIn, LoginAttempt
from nbgate.keeper.mounts import Mounts
from nbgate.keeper.parts import (
    KeeperParts,
    Seen,
    make_accounts,
    make_ending,
    make_factors,
    make_guards,
    make_login,
    make_rotation,
    make_route_book,
    make_tokens,
)
from nbgate.keeper.sessions import LiveSessions
from nbgate.keeper.snapshots import InForce, Now, Snapshots, owners_of, second_factor_roles
from nbgate.keeper.workers import Worker, WorkerLink, Workers
from nbgate.link.messages import (
    Activity,
    AuditState,
    Offences,
    OpenChannels,
    Records,
    RecordsWritten,
    RevokeAck,
    RoutesChanged,
    SessionAnswer,
    SessionAsk,
    SessionKeyUsed,
    SessionPut,
    Snapshot,
    ToKeeper,
    UpstreamPut,
    UpstreamSuspect,
    WorkerHello,
    WorkerStatus,
)
from nbgate.model.account import StoredSession, User
from nbgate.model.keys import TlsMaterial
from nbgate.model.penalty import Offence
from nbgate.model.route import Route
from nbgate.model.rule import Rules
from nbgate.model.session import Session
from nbgate.reasons import Reason


class Keeper:
    """One gateway's keeper. `start` first; then attach workers and hand over what they send."""

    def __init__(self, parts: KeeperParts) -> None:
        self._parts = parts
        self._version = 1
        self._in_force = InForce(parts.config, parts.material, parts.tables, parts.rules)
        self._owners: tuple[str, ...] = ()
        self._hosts: frozenset[str] = frozenset()
        self.form_key = parts.form_key
        self.live = LiveSessions(parts.config.sessions.idle_seconds)
        self.workers = Workers(parts.kill, ack_seconds=parts.ack_seconds)
        self.errands = Errands()
        self.mounts = Mounts(
            parts.upstreams,
            parts.eyes,
            allow_open=parts.config.allow_open_upstream,
            probe=parts.config.probe,
            clock=parts.clock,
            on_change=self._upstream_changed,
        )
        self.mounts.allow = parse_allow(parts.config.allow)
        self._snapshots = Snapshots(self.mounts, parts.sealing_keys, parts.own_socket)
        seen = Seen(
            live=self.live,
            workers=self.workers,
            config=lambda: self.config,
            put=self._put,
            accounts_changed=self._learn_people,
            flush_activity=self.flush_activity,
        )
        self._ending = make_ending(parts, seen)
        self._rotation = make_rotation(parts, seen, self._ending)
        guards = make_guards(parts, seen, self._ending)
        self.penalties = guards.penalties
        self.throttle = guards.throttle
        self.notices = guards.notices
        self.lockdown = guards.lockdown
        self.links = guards.links
        self.accounts = make_accounts(parts, seen, self._ending)
        self.factors = make_factors(parts, seen, self._ending)
        self.tokens = make_tokens(parts, seen, self._ending, guards)
        self.login = make_login(parts, seen, self._ending, guards)
        self.route_book = make_route_book(parts, seen, self.mounts)

    @property
    def config(self) -> Config:
        """Return the configuration in force."""
        return self._in_force.config

    @property
    def material(self) -> TlsMaterial:
        """Return certificate and key in force."""
        return self._in_force.material

    @property
    def version(self) -> int:
        """Return the number of the newest snapshot."""
        return self._version

    @property
    def is_locked_down(self) -> bool:
        """Say whether nobody can sign in."""
        return self.lockdown.is_on

    async def start(self) -> None:
        """Go on where the keeper before this one was left, and end the sessions whose time ran out meanwhile."""
        await self.lockdown.load()
        await self.throttle.load()
        await self._ending.load()
        if self.lockdown.is_on:  # that keeper may not have come to the end of it
            await self._ending.revoke_all(Reason.LOCKED_DOWN, "nbgate")
        await self._rotation.load()
        await self._learn_people()
        await self.route_book.load()

    # logins

    async def log_in(self, attempt: LoginAttempt) -> LoggedIn:
        """Return a new session and what its browser keeps; see `Login.attempt` for what is raised."""
        return await self._begin(await self.login.attempt(attempt), attempt)

    async def log_in_by_link(self, token: str, attempt: LoginAttempt) -> LoggedIn:
        """Log in whom the link names; see `Login.by_link` for what is raised."""
        return await self._begin(await self.login.by_link(token, attempt), attempt)

    async def _begin(self, begun: Begun, attempt: LoginAttempt) -> LoggedIn:
        if not self._put(begun.stored):  # the account changed while the login was being written down
            raise CredentialRejected
        if attempt.replaces is not None:
            try:
                await self.revoke((attempt.replaces,), Reason.LOGGED_OUT, attempt.replaces.user)
            except BaseException:  # the browser is not told of the new one then, which must not stay
                with contextlib.suppress(AuditError):
                    await self.revoke((begun.stored.session,), Reason.SESSION_REVOKED, "nbgate")
                raise
        return begun.logged_in

    async def confirm(self, session: Session, password: str, code: str, client: str) -> None:
        """Have somebody who is logged in prove it again; see `Login.confirm`."""
        await self.login.confirm(session, password, code, client)

    def new_device_cookie(self, session: Session) -> str | None:
        """Return a device cookie for whoever has just changed how they sign in, and has proven who they are for it.

        The change made a stranger of this browser too. None when the session is over by now.
        """
        stored = self.live.row(session.id)
        return None if stored is None else self.login.device_cookie(stored)

    def is_second_factor_required(self, user: User) -> bool:
        """Say whether this person gets no further than their account page without a second factor."""
        return user.role.value in second_factor_roles(self.config)

    # sessions

    async def log_out(self, session: Session) -> None:
        """End a session because its owner said so; returns when nothing hangs on it any more."""
        await self.revoke((session,), Reason.LOGGED_OUT, session.user)

    async def revoke(self, sessions: tuple[Session, ...], reason: Reason, actor: str) -> None:
        """End sessions: in the store first, then everywhere."""
        await self._ending.revoke(sessions, reason, actor)

    async def revoke_named(self, label: str, actor: str) -> StoredSession:
        """End the session or token whose label begins so.

        Raises:
            SessionNotFoundError: There is none, or more than one (404).
        """
        stored = self._ending.require(label)
        await self.revoke((stored.session,), Reason.SESSION_REVOKED, actor)
        return stored

    async def revoke_user(self, user: str, actor: str, keep: bytes | None = None) -> int:
        """End the logins of a person, but for the session `keep`; return how many."""
        return await self._ending.revoke_user(user, actor, keep)

    async def lock_down(self, actor: str) -> int:
        """Sign everybody out, end all tokens, and let nobody sign in; return how many ended."""
        self.links.void_all()
        return await self.lockdown.begin(actor)

    async def lift_lockdown(self, actor: str) -> None:
        """Let people sign in again."""
        await self.lockdown.lift(actor)

    def find_session(self, session_id: bytes) -> Session | None:
        """Return the live session of this id."""
        return self.live.find(session_id)

    def stored(self, session_id: bytes) -> StoredSession | None:
        """Return all that is known of the live session of this id."""
        return self.live.row(session_id)

    def sessions_of(self, user: str | None) -> tuple[StoredSession, ...]:
        """Return the live logins and tokens of a person, or of everybody: the newest first."""
        return self.live.rows(user)

    def channels(self, session_id: bytes) -> int:
        """Return how many notebooks, consoles and terminals the session has open."""
        return self.workers.channels(session_id)

    async def rotate(self, session_id: bytes, presented_key: bytes) -> str | None:
        """Give a login another secret, if it is time; see `Rotation.rotate`."""
        return await self._rotation.rotate(session_id, presented_key)

    def _put(self, stored: StoredSession) -> bool:
        """Put a session that is stored into force everywhere; False when it has ended since."""
        if not self.live.put(stored):
            return False
        self.workers.broadcast(SessionPut(session=stored.session))
        return True

    # time

    async def sweep(self) -> None:
        """End what is over: sessions, and secrets that were replaced."""
        await self._ending.end_due()
        await self._rotation.end_reused()
        await self._rotation.end_formers()

    async def flush_activity(self) -> None:
        """Write down who was active since the last call."""
        touched = self.live.take_touched()
        if touched:
            await self._parts.in_store(self._parts.state.sessions.touch, touched)

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
            case SessionAsk(id=key):
                self._answer(worker, key)
            case RevokeAck():
                worker.acknowledge(message.ack)
            case Activity():
                self.live.touch(message.ids, self._parts.clock.unix())
            case SessionKeyUsed():
                self.errands.run(self._rotation.key_used(message.id, message.key))
            case OpenChannels():
                channels = message.sessions  # as a worker says: of sessions that are, and no debts
                worker.channels = {id_: count for id_, count in channels if count > 0 and self.live.find(id_)}
            case Records():
                self._take_records(worker, message)
            case Offences(offences=offences):
                self._take_offences(worker, offences)
            case UpstreamSuspect():
                self.mounts.suspect(message.route)
            case _:
                assert_never(message)

    def _answer(self, worker: Worker, key: bytes) -> None:
        """Say which session a secret stands for; if it stood for one and does so no more, that one ends."""
        self.workers.send(worker, SessionAnswer(id=key, session=self.live.find_by_key(key)))
        if self._rotation.note_reuse(key):
            self.errands.run(self._rotation.end_reused())

    def snapshot(self, worker_id: int) -> Snapshot:
        """Return all that worker `worker_id` needs to know now."""
        now = Now(
            version=self._version,
            sessions=self.live.all(),
            penalties=self.penalties.refused(),
            audit_failing_since_unix=self._parts.audit.failing_since_unix,
            owners=self._owners,
        )
        return self._snapshots.make(worker_id, self._in_force, now)

    def routes(self) -> tuple[Route, ...]:
        """Return the routing table: each notebook server under its own base URL, and the own pages."""
        return self._snapshots.routes()

    def apply(self, config: Config, material: TlsMaterial, tables: HeaderTables, rules: Rules) -> int:
        """Put a configuration into force that was validated before; returns its version."""
        self._in_force = InForce(config, material, tables, rules)
        self.penalties.use(config, rules)
        self.mounts.allow = parse_allow(config.allow)
        self.live.idle_seconds = config.sessions.idle_seconds
        self.route_book.settle()
        self._send_snapshots()
        return self._version

    def use_certificate(self, material: TlsMaterial) -> None:
        """Put another certificate into force that was tested before; nothing else changes."""
        self._in_force = structs.replace(self._in_force, material=material)
        self._send_snapshots()

    async def _learn_people(self) -> None:
        """Learn who has servers of their own, and whom people can ask; the workers are told what is another now."""
        users = await self.accounts.all()
        self.mounts.accounts_changed(user.name for user in users if not user.disabled)
        owners = owners_of(users)
        if owners != self._owners:
            self._owners = owners
            if len(self.workers):
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
        self._parts.audit.append(event_of(change, self._parts.audit.stamp()))
        if not change.is_rerouted:
            for state in change.states:
                self.workers.broadcast(UpstreamPut(state=state))
        elif self._has_other_hosts(change):
            self._send_snapshots()
        else:
            self.workers.broadcast(RoutesChanged(put=change.put, states=change.states, gone=change.gone))

    def _has_other_hosts(self, change: Change) -> bool:
        """Say whether routes lie at other names than before, where workers need to know which are ours."""
        if not self.config.hosts or not (change.gone or any(route.host not in self._hosts for route in change.put)):
            return False
        before, self._hosts = self._hosts, frozenset(route.host for route in self.routes())
        return before != self._hosts
