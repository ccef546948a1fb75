"""Every message that passes between supervisor, keeper and workers, who may send it, and its bound.

This file is the whole protocol; nothing else may cross a link. Frames are a 4-byte big-endian length and a msgpack
array whose first element is the tag. Overflow: a frame over its bound, or a queue over `MAX_QUEUED_BYTES`, ends the
link, and the supervisor replaces the worker; nothing is ever dropped from a link silently.

| sender     | receiver   | message          | bound    | what happens past the bound                     |
| ---------- | ---------- | ---------------- | -------- | ----------------------------------------------- |
| supervisor | keeper     | LinkWorker       | 4 KiB    | programming error: the keeper ends              |
| supervisor | keeper     | ChildEvent       | 4 KiB    | the same                                        |
| supervisor | keeper     | Listening        | 4 KiB    | the same                                        |
| supervisor | keeper     | ReloadAsked      | 4 KiB    | the same                                        |
| supervisor | both       | DrainAsked       | 4 KiB    | the same                                        |
| supervisor | worker     | LinkKeeper       | 4 KiB    | the same                                        |
| supervisor | worker     | ListenHere       | 4 KiB    | the same                                        |
| keeper     | supervisor | KeeperReady      | 4 KiB    | the keeper is replaced                          |
| keeper     | supervisor | FirstUser        | 4 KiB    | the keeper is replaced                          |
| keeper     | supervisor | KillWorker       | 4 KiB    | the keeper is replaced                          |
| keeper     | supervisor | Reloaded         | 4 KiB    | the keeper is replaced                          |
| worker     | supervisor | WorkerReady      | 4 KiB    | the worker is replaced                          |
| keeper     | worker     | Snapshot         | 64 MiB   | the keeper refuses to start (78)                |
| keeper     | worker     | the others       | 64 MiB   | the worker's link is over: it is replaced       |
| worker     | keeper     | all              | 8 MiB    | the worker's link is over: it is replaced       |
"""

from msgspec import Struct

from nbgate.config.schema import Limits
from nbgate.http.headers import HeaderTables
from nbgate.model.exposure import Exposure
from nbgate.model.keys import SealingKey, TlsMaterial
from nbgate.model.penalty import Offence, Penalty
from nbgate.model.route import Route, UpstreamState
from nbgate.model.rule import Rules
from nbgate.model.session import Session

MAX_CONTROL_BYTES = 4096
MAX_TO_WORKER_BYTES = 64 << 20
MAX_TO_KEEPER_BYTES = 8 << 20
MAX_QUEUED_BYTES = 16 << 20


class Message(Struct, frozen=True, array_like=True, tag=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all messages; the class name is the tag."""


# supervisor → keeper


class LinkWorker(Message, frozen=True):
    """Here (one descriptor comes along) is your end of a new link to this worker; the older one is void."""

    worker: int
    pid: int


class ChildEvent(Message, frozen=True):
    """A child began or ended; the keeper writes it into the audit and into `status`.

    `running` tells a new keeper of a worker that an earlier one was told about; it is in the audit already.
    """

    role: str
    worker: int
    pid: int
    what: str  # "started" | "running" | "exited"
    status: int = 0  # wait status as shells print it: exit code, or 128 + signal
    restarts: int = 0
    at_unix: float = 0.0


class Listening(Message, frozen=True):
    """These URLs are open to clients; for `status`."""

    urls: tuple[str, ...]


class ReloadAsked(Message, frozen=True):
    """Somebody sent SIGHUP."""


class DrainAsked(Message, frozen=True):
    """Stop accepting, end within `deadline_seconds`."""

    deadline_seconds: float


# supervisor → worker


class LinkKeeper(Message, frozen=True):
    """Here (one descriptor comes along) is your end of a new link to the keeper; the older one is void."""


class ListenHere(Message, frozen=True):
    """Here (one descriptor comes along) is one of the sockets to accept on; with the last one those before are void."""

    is_last: bool


# children → supervisor


class KeeperReady(Message, frozen=True):
    """The keeper holds its store, its audit and a tested configuration: listening may begin."""

    users: int


class FirstUser(Message, frozen=True):
    """Somebody can log in now: listening may begin wherever it was asked for."""


class Reloaded(Message, frozen=True):
    """A reload is over, whoever asked for it and whatever came of it."""


class KillWorker(Message, frozen=True):
    """This worker did not acknowledge a revocation in time, or its queue is over its bound.

    `pid` is the process that is meant: a successor in its place is not to blame.
    """

    worker: int
    reason: str
    pid: int = 0


class WorkerReady(Message, frozen=True):
    """The worker has its snapshot, is confined and accepts connections."""


# keeper → worker


class Snapshot(Message, frozen=True):
    """All a worker needs; the first message on every new link, and the answer to every reload.

    `worker` is the id the supervisor gave; the private socket of the own pages is the upstream of the route `own`.
    `base_url` is the path below which everything of this gateway lies. `second_factor_roles` are those who get no
    further than their account page without one; `contact` is whom a person who is refused can ask.
    """

    worker: int
    limits: Limits
    tables: HeaderTables
    tls: TlsMaterial
    routes: tuple[Route, ...]
    upstreams: tuple[UpstreamState, ...]
    sessions: tuple[Session, ...]
    sealing_keys: tuple[SealingKey, ...]
    audit_failing_since_unix: float = 0.0
    version: int = 1
    banner: bool = False
    exposure: Exposure = Exposure()
    rules: Rules = Rules()
    penalties: tuple[Penalty, ...] = ()
    second_factor_roles: tuple[str, ...] = ()
    contact: str = ""
    base_url: str = "/"


class SessionPut(Message, frozen=True):
    """A session began or changed."""

    session: Session


class SessionsRevoked(Message, frozen=True):
    """These sessions are over; close what hangs on them and acknowledge."""

    ack: int
    ids: tuple[bytes, ...]
    generation: int
    reason: str


class SessionAnswer(Message, frozen=True):
    """Answer to `SessionAsk`, with its digest: None means there is no such session."""

    id: bytes
    session: Session | None


class UpstreamPut(Message, frozen=True):
    """An upstream's state changed."""

    state: UpstreamState


class RoutesChanged(Message, frozen=True):
    """These routes are there from now on, or are other ones than before, with their states; those of these names go."""

    put: tuple[Route, ...] = ()
    states: tuple[UpstreamState, ...] = ()
    gone: tuple[str, ...] = ()


class PenaltiesPut(Message, frozen=True):
    """These netblocks are refused from now on, or for longer than was said."""

    penalties: tuple[Penalty, ...]


class RecordsWritten(Message, frozen=True):
    """Records of this worker up to and including number `upto` are in the log."""

    upto: int


class AuditState(Message, frozen=True):
    """0: the audit works; else since when it does not (seconds since the epoch)."""

    failing_since_unix: float


# worker → keeper


class WorkerHello(Message, frozen=True):
    """First message of a worker on every new link; `confinement` says what the kernel enforces, for `status`."""

    pid: int
    boot: str
    confinement: tuple[str, ...]


class SessionAsk(Message, frozen=True):
    """A cookie or a token came whose session this worker does not know; `id` is the digest of its secret."""

    id: bytes


class SessionKeyUsed(Message, frozen=True):
    """A client came with the new secret of a rotated session: it has it, the former one may end."""

    id: bytes
    key: bytes


class RevokeAck(Message, frozen=True):
    """Everything that hung on the sessions of `SessionsRevoked(ack=...)` is closed."""

    ack: int
    closed: int


class Activity(Message, frozen=True):
    """These sessions did something since the last message (coalesced, at most one a second)."""

    ids: tuple[bytes, ...]


class OpenChannels(Message, frozen=True):
    """All sessions of this worker with notebooks, consoles or terminals open, and how many; once a second on change."""

    sessions: tuple[tuple[bytes, int], ...]


class Records(Message, frozen=True):
    """Audit events, encoded by `nbgate.audit.events`; numbers `first`, `first + 1`, ... of this worker's boot."""

    boot: str
    first: int
    bodies: tuple[bytes, ...]


class Offences(Message, frozen=True):
    """What strangers did that rules penalise (coalesced, at most `nbgate.edge.penalties.MAX_PENDING` of them)."""

    offences: tuple[Offence, ...]


class UpstreamSuspect(Message, frozen=True):
    """A connection or an answer of this route's upstream does not fit what you told me; please look again."""

    route: str


class WorkerStatus(Message, frozen=True):
    """Counters for `nbgate status`, once a second while something changes.

    `places` is how many `connections` there may be, `strangers` how many of them take a place for strangers,
    `lag_seconds` how late the loop is.
    """

    connections: int
    websockets: int
    requests: int
    accepting: bool
    strangers: int = 0
    places: int = 0
    refused: int = 0
    lag_seconds: float = 0.0


ToKeeperFromSupervisor = LinkWorker | ChildEvent | Listening | ReloadAsked | DrainAsked
ToWorkerFromSupervisor = LinkKeeper | ListenHere | DrainAsked
ToSupervisor = KeeperReady | FirstUser | Reloaded | KillWorker | WorkerReady
ToWorker = (
    Snapshot
    | SessionPut
    | SessionsRevoked
    | SessionAnswer
    | UpstreamPut
    | RoutesChanged
    | PenaltiesPut
    | RecordsWritten
    | AuditState
)
ToKeeper = (
    WorkerHello
    | SessionAsk
    | SessionKeyUsed
    | RevokeAck
    | Activity
    | OpenChannels
    | Records
    | Offences
    | UpstreamSuspect
    | WorkerStatus
)
