"""What a keeper is made of, and how its doors are made of that. It decides nothing, opens nothing and keeps nothing."""

from collections.abc import Awaitable, Callable

from msgspec import Struct

from nbgate.authenticators.hash_queue import HashQueue
from nbgate.clock import Clock
from nbgate.config.schema import Config
from nbgate.crypto.passwords import HashParameters
from nbgate.crypto.sealing import Keyring
from nbgate.http.headers import HeaderTables
from nbgate.keeper.account_changes import AccountStore
from nbgate.keeper.api_tokens import ApiTokens, TokenParts
from nbgate.keeper.audit import AuditLog
from nbgate.keeper.ending import Ending, EndingParts
from nbgate.keeper.factors import FactorParts, Factors
from nbgate.keeper.guarded import Upstreams
from nbgate.keeper.links import LoginLinks
from nbgate.keeper.lockdown import Lockdown
from nbgate.keeper.login import Login, LoginParts
from nbgate.keeper.mounts import Mounts
from nbgate.keeper.notices import Notices
from nbgate.keeper.penalties import KeeperPenalties
from nbgate.keeper.rotation import Rotation, RotationParts
from nbgate.keeper.routes import RouteBook, RouteParts
from nbgate.keeper.sessions import LiveSessions
from nbgate.keeper.throttle import KeeperThrottle, ThrottleParts
from nbgate.keeper.upstreams import Eyes
from nbgate.keeper.users import AccountParts, Accounts
from nbgate.keeper.workers import Workers
from nbgate.model.account import StoredSession
from nbgate.model.keys import SealingKey, TlsMaterial
from nbgate.model.rule import Rules
from nbgate.ports import Authenticator, State, StoreRunner
from nbgate.reasons import Reason


class KeeperParts(Struct, frozen=True, kw_only=True):
    """Everything a keeper is made of.

    Attributes:
        in_store: Runs calls of `state` on its thread.
        kill: Has a worker replaced: `kill(worker_id, pid, reason)`.
        own_socket: Path of the private socket on which `nbgate.web` serves the own pages.
        form_key: Of the tokens in our forms.
        device_key: Of the cookies by which a browser is known to have logged in before.
        totp_keyring: Seals TOTP secrets.
        route_keyring: Seals routes that are added, which may hold tokens.
        sockets: Paths of all private sockets on which the keeper listens.
        ack_seconds: How long a worker may take to acknowledge a revocation.
    """

    state: State
    in_store: StoreRunner
    authenticator: Authenticator
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
    device_key: bytes
    totp_keyring: Keyring
    route_keyring: Keyring
    own_socket: str
    sockets: frozenset[str] = frozenset()
    ack_seconds: float = 0.7


class Seen(Struct, frozen=True, kw_only=True):
    """What all doors see of the keeper.

    Attributes:
        config: Returns the configuration in force.
        put: Puts a session that is stored into force everywhere; False when it has ended since.
        accounts_changed: Called when there are other people, or they have another role.
        flush_activity: Tells the store who was active.
    """

    live: LiveSessions
    workers: Workers
    config: Callable[[], Config]
    put: Callable[[StoredSession], bool]
    accounts_changed: Callable[[], Awaitable[None]]
    flush_activity: Callable[[], Awaitable[None]]


class Guards(Struct, frozen=True):
    """What stands before a login."""

    penalties: KeeperPenalties
    throttle: KeeperThrottle
    notices: Notices
    lockdown: Lockdown
    links: LoginLinks


def make_ending(parts: KeeperParts, seen: Seen) -> Ending:
    """Return what ends sessions."""
    return Ending(
        EndingParts(
            sessions=parts.state.sessions,
            in_store=parts.in_store,
            live=seen.live,
            workers=seen.workers,
            audit=parts.audit,
            clock=parts.clock,
        )
    )


def make_rotation(parts: KeeperParts, seen: Seen, ending: Ending) -> Rotation:
    """Return what replaces the secrets of sessions."""
    return Rotation(
        RotationParts(
            state=parts.state,
            in_store=parts.in_store,
            live=seen.live,
            clock=parts.clock,
            random_bytes=parts.random_bytes,
            options=lambda: seen.config().sessions,
            put=seen.put,
            ending=ending,
        )
    )


def make_guards(parts: KeeperParts, seen: Seen, ending: Ending) -> Guards:
    """Return what stands before a login."""
    values, in_store, audit, clock = parts.state.values, parts.in_store, parts.audit, parts.clock
    penalties = KeeperPenalties(audit, clock, seen.workers.broadcast)
    penalties.use(parts.config, parts.rules)
    throttle = KeeperThrottle(
        ThrottleParts(
            values=values,
            in_store=in_store,
            audit=audit,
            clock=clock,
            limits=lambda: seen.config().throttle,
            salt=parts.device_key,
        )
    )
    penalties.on_cleared = throttle.forget
    return Guards(
        penalties,
        throttle,
        Notices(values=values, users=parts.state.users, in_store=in_store, audit=audit, clock=clock),
        Lockdown(values=values, in_store=in_store, audit=audit, end_all=ending.revoke_all),
        LoginLinks(
            users=parts.state.users, in_store=in_store, audit=audit, clock=clock, random_bytes=parts.random_bytes
        ),
    )


def make_accounts(parts: KeeperParts, seen: Seen, ending: Ending) -> Accounts:
    """Return the accounts."""
    return Accounts(
        AccountParts(
            accounts=_account_store(parts),
            hashes=parts.hashes,
            parameters=parts.parameters,
            random_bytes=parts.random_bytes,
            audit=parts.audit,
            clock=parts.clock,
            end_sessions=ending.everywhere,
            on_kept=seen.put,
            on_changed=seen.accounts_changed,
        )
    )


def make_factors(parts: KeeperParts, seen: Seen, ending: Ending) -> Factors:
    """Return the second factors."""
    return Factors(
        FactorParts(
            accounts=_account_store(parts),
            totp_keyring=parts.totp_keyring,
            random_bytes=parts.random_bytes,
            audit=parts.audit,
            clock=parts.clock,
            end_sessions=ending.everywhere,
            on_kept=seen.put,
            config=seen.config,
        )
    )


def make_tokens(parts: KeeperParts, seen: Seen, ending: Ending, guards: Guards) -> ApiTokens:
    """Return the tokens of programs."""
    return ApiTokens(
        TokenParts(
            accounts=_account_store(parts),
            sessions=parts.state.sessions,
            in_store=parts.in_store,
            random_bytes=parts.random_bytes,
            audit=parts.audit,
            clock=parts.clock,
            ending=ending,
            live=seen.live,
            put=seen.put,
            require_open=guards.lockdown.require_open,
        )
    )


def make_route_book(parts: KeeperParts, seen: Seen, mounts: Mounts) -> RouteBook:
    """Return the routes, those that are added while the gateway runs among them."""
    return RouteBook(
        RouteParts(
            routes=parts.state.routes,
            in_store=parts.in_store,
            keyring=parts.route_keyring,
            random_bytes=parts.random_bytes,
            audit=parts.audit,
            config=seen.config,
            sockets=parts.sockets | {parts.own_socket},
            mounts=mounts,
        )
    )


def make_login(parts: KeeperParts, seen: Seen, ending: Ending, guards: Guards) -> Login:
    """Return what turns credentials into sessions."""
    return Login(
        LoginParts(
            authenticator=parts.authenticator,
            accounts=_account_store(parts),
            sessions=parts.state.sessions,
            in_store=parts.in_store,
            audit=parts.audit,
            clock=parts.clock,
            random_bytes=parts.random_bytes,
            config=seen.config,
            throttle=guards.throttle,
            penalties=guards.penalties,
            links=guards.links,
            notices=guards.notices,
            lockdown=guards.lockdown,
            device_key=parts.device_key,
            end_sessions=ending.everywhere,
            flush_activity=seen.flush_activity,
        )
    )


def _account_store(parts: KeeperParts) -> AccountStore:
    return AccountStore(parts.state.users, parts.state.sessions, parts.in_store)
