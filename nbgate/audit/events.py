"""The typed events of the audit, with Elastic Common Schema names, and what each of them does *not* record.

Redaction happens here, when an event is built: no event holds a query string, a cookie, an Authorization or a body.
This room writes nothing and knows no chain: `nbgate.audit.chain` makes records of events.

Common fields: `@timestamp` RFC 3339 UTC with microseconds, `nbgate.monotonic_us` CLOCK_MONOTONIC of the machine,
`nbgate.boot` + `nbgate.n` the process that saw it and its running number (unique together).
"""

from datetime import UTC, datetime

import msgspec
from msgspec import UNSET, Struct, UnsetType

FORMAT_VERSION = 1
MAX_FIELD_CHARS = 512

_NAMES = {
    "timestamp": "@timestamp",
    "monotonic_us": "nbgate.monotonic_us",
    "boot": "nbgate.boot",
    "n": "nbgate.n",
    "outcome": "event.outcome",
    "reason": "event.reason",
    "duration_ns": "event.duration",
    "request_id": "http.request.id",
    "client_ip": "client.ip",
    "client_port": "client.port",
    "user": "user.name",
    "session": "nbgate.session.id",
    "factors": "nbgate.session.factors",
    "method": "http.request.method",
    "host": "url.domain",
    "path": "url.path",
    "status": "http.response.status_code",
    "request_bytes": "http.request.body.bytes",
    "response_bytes": "http.response.body.bytes",
    "user_agent": "user_agent.original",
    "upstream": "nbgate.upstream.name",
    "close_code": "nbgate.websocket.close_code",
    "frames_in": "nbgate.websocket.frames_in",
    "frames_out": "nbgate.websocket.frames_out",
    "role": "nbgate.process.role",
    "user_role": "user.roles",
    "bucket": "nbgate.throttle.bucket",
    "token": "nbgate.token.name",
    "scope": "nbgate.token.scope",
    "factor": "nbgate.factor",
    "worker": "nbgate.process.worker",
    "pid": "process.pid",
    "exit_code": "process.exit_code",
    "restarts": "nbgate.process.restarts",
    "message": "message",
    "actor": "nbgate.actor",
    "target_user": "user.target.name",
    "ended_sessions": "nbgate.session.ended",
    "version": "nbgate.version",
    "audit_format": "nbgate.audit.format",
    "random": "nbgate.audit.random",
    "count": "nbgate.audit.count",
    "segment": "nbgate.audit.segment",
    "config_sha256": "nbgate.config.sha256",
    "route": "nbgate.route.name",
    "at": "nbgate.route.at",
    "condition": "nbgate.upstream.condition",
    "netblock": "nbgate.penalty.netblock",
    "rule": "rule.id",
    "certificate_sha256": "tls.server.hash.sha256",
    "certificate_ends": "tls.server.not_after",
}


def _ecs(field: str) -> str:
    return _NAMES[field]


class Event(
    Struct,
    frozen=True,
    gc=False,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    rename=_ecs,
    tag_field="event.action",
):
    """What every event has."""

    timestamp: str
    monotonic_us: int
    boot: str
    n: int
    outcome: str = "success"


class HttpRequest(Event, frozen=True, tag="http.request"):
    """One request and its answer. Not recorded: query, fragment, headers but the user agent, bodies."""

    request_id: str
    client_ip: str
    method: str
    path: str
    status: int
    duration_ns: int
    client_port: int | UnsetType = UNSET
    host: str = ""
    request_bytes: int = 0
    response_bytes: int = 0
    user: str | UnsetType = UNSET
    session: str | UnsetType = UNSET
    user_agent: str | UnsetType = UNSET
    upstream: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    rule: str | UnsetType = UNSET


class HttpReject(Event, frozen=True, tag="http.reject"):
    """Bytes that are no request we accept, or a connection that got no place. Not recorded: any of these bytes.

    `count` is 1 and not written but for a sum: so many more of strangers of the netblock that begins at `client.ip`.
    """

    client_ip: str
    status: int
    reason: str
    request_id: str
    client_port: int | UnsetType = UNSET
    count: int = 1


class WebsocketOpen(Event, frozen=True, tag="websocket.open"):
    """A websocket was accepted by upstream and gateway. Not recorded: query (it holds session ids of kernels)."""

    request_id: str
    client_ip: str
    path: str
    client_port: int | UnsetType = UNSET
    host: str = ""
    user: str | UnsetType = UNSET
    session: str | UnsetType = UNSET
    user_agent: str | UnsetType = UNSET
    upstream: str | UnsetType = UNSET


class WebsocketClose(Event, frozen=True, tag="websocket.close"):
    """The websocket of `http.request.id` ended. Not recorded: what was said on it."""

    request_id: str
    duration_ns: int
    close_code: int
    request_bytes: int
    response_bytes: int
    frames_in: int = 0
    frames_out: int = 0
    user: str | UnsetType = UNSET
    session: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET


class Penalised(Event, frozen=True, tag="penalty"):
    """Strangers of a netblock are refused for a while; recorded once, when it begins. `rule` was the last straw."""

    netblock: str
    rule: str
    duration_ns: int


class AuthLogin(Event, frozen=True, tag="auth.login"):
    """Somebody tried to log in. Not recorded: the password, nor which part of the credential was wrong."""

    client_ip: str
    user: str
    request_id: str = ""
    session: str | UnsetType = UNSET
    factors: tuple[str, ...] | UnsetType = UNSET
    user_role: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET


class AuthNotice(Event, frozen=True, tag="auth.notice"):
    """Something about a login that its owner should know. Not recorded: any credential.

    `message`: right-password-wrong-code, wrong-proof-in-session, new-network, recovery-code-used.
    """

    user: str
    client_ip: str
    message: str
    request_id: str = ""


class AuthThrottled(Event, frozen=True, tag="auth.throttled"):
    """Logins were refused unseen; at most one record a minute for each `bucket` and what it stands for."""

    bucket: str
    client_ip: str
    user: str
    count: int = 1


class FactorChange(Event, frozen=True, tag="factor.change"):
    """A second factor was set up, replaced or removed, or recovery codes were made. Not recorded: any secret."""

    target_user: str
    factor: str
    message: str
    actor: str
    ended_sessions: int = 0


class TokenChange(Event, frozen=True, tag="token.change"):
    """A token was added or revoked. Not recorded: its text."""

    target_user: str
    token: str
    scope: str
    session: str
    message: str
    actor: str


class LoginLink(Event, frozen=True, tag="auth.link"):
    """A link that logs somebody in was made. Not recorded: the link."""

    target_user: str
    actor: str


class Lockdown(Event, frozen=True, tag="lockdown"):
    """Everybody was signed out and nobody can sign in, or that was lifted."""

    message: str
    actor: str
    ended_sessions: int = 0


class Unlocked(Event, frozen=True, tag="throttle.clear"):
    """An operator cleared what failed logins had cost an account or a netblock."""

    actor: str
    target_user: str | UnsetType = UNSET
    netblock: str | UnsetType = UNSET


class SessionEnd(Event, frozen=True, tag="session.end"):
    """Sessions of a person ended; their websockets were closed by every worker before this was written."""

    user: str
    session: str
    reason: str
    actor: str = ""


class UserChange(Event, frozen=True, tag="user.change"):
    """An account was added, changed, disabled, enabled or removed. Not recorded: any credential."""

    target_user: str
    message: str
    actor: str
    ended_sessions: int = 0


class RouteChange(Event, frozen=True, tag="route.change"):
    """A route was added, changed or removed while the gateway runs. Not recorded: any credential."""

    route: str
    message: str
    at: str
    upstream: str
    actor: str


class ProcessEvent(Event, frozen=True, tag="process"):
    """A process of the gateway began or ended."""

    role: str
    pid: int
    message: str
    worker: int | UnsetType = UNSET
    exit_code: int | UnsetType = UNSET
    restarts: int | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    version: str | UnsetType = UNSET


class ConfigLoaded(Event, frozen=True, tag="config.loaded"):
    """A configuration came into force, or was refused. Not recorded: its values."""

    message: str
    config_sha256: str | UnsetType = UNSET
    actor: str = ""


class CertificateChange(Event, frozen=True, tag="certificate.change"):
    """The files of the certificate changed: it is in force, or was refused: then the fields are of the one that stays.

    Not recorded: any key.
    """

    message: str
    certificate_sha256: str
    certificate_ends: str


class CertificateExpiry(Event, frozen=True, tag="certificate.expiry"):
    """The certificate in force ends soon, or has ended."""

    message: str
    certificate_sha256: str
    certificate_ends: str


class UpstreamChange(Event, frozen=True, tag="upstream.change"):
    """What the keeper found out about an upstream changed. Not recorded: its token or password."""

    condition: str
    message: str = ""
    upstream: str | UnsetType = UNSET


class UpstreamAppear(Event, frozen=True, tag="upstream.appear"):
    """A notebook server was found and is guarded from now on. Not recorded: its token."""

    message: str
    upstream: str | UnsetType = UNSET


class UpstreamDisappear(Event, frozen=True, tag="upstream.disappear"):
    """A notebook server that was found ended, or a newer one took its place. Not recorded: its token."""

    message: str
    upstream: str | UnsetType = UNSET


class AuditGenesis(Event, frozen=True, tag="audit.genesis"):
    """The first record of a log."""

    audit_format: int
    random: str
    version: str


class AuditContinue(Event, frozen=True, tag="audit.continue"):
    """First record of a later segment, or of a new keeper on the same one."""

    segment: str
    message: str = ""


class AuditRecovered(Event, frozen=True, tag="audit.recovered"):
    """A torn last line was put aside at start; `count` is its length in bytes."""

    count: int
    segment: str


class AuditGap(Event, frozen=True, tag="audit.gap"):
    """For a time records could not be written; `count` of them are lost."""

    count: int
    message: str


WorkerEvent = HttpRequest | HttpReject | WebsocketOpen | WebsocketClose

_encoder = msgspec.json.Encoder()
_worker_decoder = msgspec.json.Decoder(WorkerEvent)


def encode_event(event: Event) -> bytes:
    """Return the JSON object of `event`, without chain fields."""
    return _encoder.encode(event)


def decode_worker_event(body: bytes) -> WorkerEvent:
    """Return the event a worker sent.

    Raises:
        msgspec.MsgspecError: `body` is not exactly one event of the kinds a worker may record.
    """
    event: WorkerEvent = _worker_decoder.decode(body)
    return event


def timestamp(unix: float) -> str:
    """Return RFC 3339 UTC with microseconds, for example `2026-11-23T04:20:11.051488Z`."""
    return datetime.fromtimestamp(unix, UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def cut(text: str) -> str:
    """Return `text`, at most `MAX_FIELD_CHARS` long; what was cut is said in the last characters."""
    return text if len(text) <= MAX_FIELD_CHARS else f"{text[: MAX_FIELD_CHARS - 16]}…[{len(text)} chars]"
