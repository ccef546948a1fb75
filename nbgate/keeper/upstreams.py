"""Look at one upstream: is it there, is it whose it should be, does it guard itself, which credential opens it.

One look is a function of what is asked and of what was found before; `UpstreamWatch` says when it is time for the next.
A credential is never logged, recorded or shown; it leaves here in a `Look` alone. Where an upstream is mounted is not
known here.
"""

import asyncio
import pwd
import socket
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from msgspec import Struct, structs

from nbgate.jupyter.runtime_files import RuntimeFile
from nbgate.keeper.discovery import load_password, load_token
from nbgate.keeper.hints import BY_FLAGS, Hints
from nbgate.keeper.password_login import LogIn
from nbgate.keeper.probe import MARIMO, UNNAMED, Credential, Finding, Guard, probe_health
from nbgate.model.route import Condition, Upstream

GOOD: Final = frozenset({Condition.GUARDED, Condition.OPEN_ALLOWED})
RESOLVE_SECONDS: Final = 5.0
NOWHERE: Final = "255.255.255.255"  # no connection can be made to it: where a name led nowhere yet
_GONE: Final = frozenset({Condition.DOWN, Condition.FOREIGN})
HINT_WHEN_STRANGE: Final = (
    "it asks for no credential and does not answer as a notebook server does: only the configuration may mount it"
)


async def read_token(path: str) -> str:
    """Return the token in a file; see `nbgate.keeper.discovery.load_token`."""
    return await asyncio.to_thread(load_token, Path(path))


async def read_password(path: str) -> str:
    """Return the password in a file; see `nbgate.keeper.discovery.load_password`."""
    return await asyncio.to_thread(load_password, Path(path))


async def resolve_name(name: str) -> tuple[str, ...]:
    """Return the addresses of a name, the best first; none where it has none, or nobody says so in time."""
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


class Look(Struct, frozen=True, kw_only=True):
    """What one look found; `base_url` is the one the server itself was told, as far as that can be known.

    Attributes:
        product: What a person calls the server, for example JupyterLab.
        upstream: Where it was looked for: its name resolved, its owners those that can be asked for there.
    """

    condition: Condition
    base_url: str
    credential: Credential = Credential()
    hint: str = ""
    product: str = UNNAMED
    upstream: Upstream = Upstream()


class Eyes(Struct, frozen=True, kw_only=True):
    """How upstreams are looked at; a test brings its own.

    Attributes:
        running: Returns the runtime files of all servers of this user that run, the newest first.
        servers: Returns the runtime files of servers at one upstream.
        guard: Asks `(upstream, base_url)` without credentials.
        opens: Asks `(upstream, base_url, credential)`.
        product: Asks `(upstream, base_url)` what it is.
        log_in: Logs in with a password at `(upstream, base_url)`.
        named_token: Reads the token file the operator named for all; "" when none was.
        named_password: The same for the password file.
        token_in: Reads the token file of one server.
        password_in: The same for a password file.
        resolve: Returns the addresses of a name.
        health: Asks `(upstream, target)` whether the server lives: OPEN means it does.
    """

    running: Callable[[], Awaitable[tuple[RuntimeFile, ...]]]
    servers: Callable[[Upstream], Awaitable[tuple[RuntimeFile, ...]]]
    guard: Callable[[Upstream, str], Awaitable[Finding]]
    opens: Callable[[Upstream, str, Credential], Awaitable[Finding]]
    product: Callable[[Upstream, str], Awaitable[str]]
    log_in: LogIn
    named_token: Callable[[], Awaitable[str]]
    named_password: Callable[[], Awaitable[str]]
    token_in: Callable[[str], Awaitable[str]] = read_token
    password_in: Callable[[str], Awaitable[str]] = read_password
    resolve: Callable[[str], Awaitable[tuple[str, ...]]] = resolve_name
    health: Callable[[Upstream, str], Awaitable[Finding]] = probe_health


class Watched(Struct, frozen=True, kw_only=True):
    """What is watched, what is allowed, and where its credential comes from. Equal ones need one watch.

    Attributes:
        base_url: "" where nobody said it.
        resolve: The name behind `upstream.host`; "" for none.
        health: Path below the base URL that is asked besides; "" for none.
        token_file: As in `RouteSpec`; so are the next two.
        may_use_named: Token and password that were named for all servers may be shown to this one.
        must_be_known: It was added while the gateway runs; without a credential it is accepted only where it is seen
            to be a notebook server.
        hints: What helps, in the words of how it was named.
    """

    upstream: Upstream
    base_url: str
    allow_open: bool
    resolve: str = ""
    health: str = ""
    token_file: str = ""
    password_file: str = ""
    token: str = ""
    may_use_named: bool = True
    must_be_known: bool = False
    hints: Hints = BY_FLAGS

    @property
    def address(self) -> str:
        """Return its address for people."""
        return str(self.upstream) if self.upstream.tls is None else f"https://{self.upstream}"

    def __repr__(self) -> str:
        return f"Watched({self.address!r}, token=Secret(…))"


async def look(watched: Watched, eyes: Eyes, before: Look | None) -> Look:
    """Look at an upstream once.

    Args:
        watched: The upstream.
        eyes: How to look.
        before: What was found last time: a server that is only slow to answer stays what it was.
    """
    upstream = await _locate(watched, eyes, before)
    if before is not None and before.upstream != upstream:  # another machine: nothing is known of it
        before = Look(condition=Condition.DOWN, base_url=before.base_url)
    if upstream.host == NOWHERE:
        hint = f"the name {watched.resolve} leads to no address"
        return Look(condition=Condition.DOWN, base_url=_last_base(watched, before), hint=hint, upstream=upstream)
    found = await _look_at(structs.replace(watched, upstream=upstream), eyes, before)
    return structs.replace(found, upstream=upstream)


async def _locate(watched: Watched, eyes: Eyes, before: Look | None) -> Upstream:
    """Return the upstream with an address; an address stays as long as the name leads to it."""
    if not watched.resolve:
        return within_reach(watched.upstream)
    addresses = await eyes.resolve(watched.resolve)
    if watched.must_be_known:
        addresses = tuple(address for address in addresses if not is_of_the_cloud(address))
    present = "" if before is None else before.upstream.host
    host = present if present in addresses else next(iter(addresses), NOWHERE)
    return within_reach(structs.replace(watched.upstream, host=host))


def is_of_the_cloud(address: str) -> bool:
    """Say whether machines of a cloud get their secrets at an address, or nobody is there: no server is passed on."""
    return (parsed := ip_address(address.partition("%")[0])).is_link_local or parsed.is_multicast


def within_reach(upstream: Upstream) -> Upstream:
    """Return `upstream` as workers are told of it: whose socket answers can be asked on this machine alone (T46)."""
    if upstream.path:
        return upstream
    if not upstream.host:
        return structs.replace(upstream, host=NOWHERE, owners=())
    return upstream if ip_address(upstream.host).is_loopback else structs.replace(upstream, owners=())


def _last_base(watched: Watched, before: Look | None) -> str:
    return watched.base_url or (before.base_url if before is not None else "/")


async def _look_at(watched: Watched, eyes: Eyes, before: Look | None) -> Look:
    servers = await eyes.servers(watched.upstream)
    bases = [server.base_url for server in servers] or [_last_base(watched, before)]
    base_url = watched.base_url or bases[0]
    finding = await eyes.guard(watched.upstream, base_url)
    match finding.guard:
        case Guard.DOWN:
            return _down(base_url)
        case Guard.FOREIGN:
            return _foreign(finding, base_url)
        case Guard.SILENT:
            return before if before is not None and before.condition in GOOD else _down(base_url)
        case Guard.OPEN if not watched.allow_open:
            return Look(
                condition=Condition.OPEN,
                base_url=base_url,
                hint=watched.hints.lost if finding.status == 404 else watched.hints.open,
            )
    if watched.health and (ill := await _maybe_ill(watched, base_url, eyes)) is not None:
        return ill
    is_same = before is not None and before.condition not in _GONE and before.base_url == base_url
    if before is not None and is_same and not (watched.must_be_known and before.product == UNNAMED):
        product = before.product
    else:
        product = await eyes.product(watched.upstream, base_url)
    if finding.guard is Guard.OPEN and watched.must_be_known and product == UNNAMED:
        return Look(condition=Condition.OPEN, base_url=base_url, hint=HINT_WHEN_STRANGE)
    if finding.guard is Guard.OPEN:
        return Look(condition=Condition.OPEN_ALLOWED, base_url=base_url, product=product)
    credentials = await _credentials(watched, servers, eyes, is_bearer=product == MARIMO)
    opened = await _find_credential(watched, base_url, credentials, eyes, before)
    if opened.condition is Condition.TOKEN_UNKNOWN and not opened.hint:
        has_login = bool(servers) and not servers[0].token
        opened = structs.replace(opened, hint=watched.hints.password if has_login else watched.hints.unknown)
    return structs.replace(opened, product=product)


async def _maybe_ill(watched: Watched, base_url: str, eyes: Eyes) -> Look | None:
    """Ask the path that somebody named for it whether the server lives; None when it does."""
    finding = await eyes.health(watched.upstream, base_url + watched.health.removeprefix("/"))
    match finding.guard:
        case Guard.OPEN:
            return None
        case Guard.FOREIGN:
            return _foreign(finding, base_url)
        case _:
            said = f"answers {finding.status}" if finding.status else "does not answer"
            hint = f"its health path {watched.health} {said}"
            return Look(condition=Condition.DOWN, base_url=base_url, hint=hint)


async def _credentials(
    watched: Watched, servers: tuple[RuntimeFile, ...], eyes: Eyes, *, is_bearer: bool
) -> list[Credential]:
    """Return the tokens that are known: the one that was named for this server comes first."""
    tokens = [server.token for server in servers if server.token]
    if watched.token:
        tokens.insert(0, watched.token)
    elif watched.token_file:
        tokens.insert(0, await eyes.token_in(watched.token_file))
    elif watched.may_use_named and not watched.password_file and (named := await eyes.named_token()):
        tokens.insert(0, named)
    return [Credential(token=token, bearer=is_bearer) for token in dict.fromkeys(tokens)]


async def _find_credential(
    watched: Watched, base_url: str, credentials: list[Credential], eyes: Eyes, before: Look | None
) -> Look:
    """Try what could open the server: the tokens that are known, the login we have, a new login."""
    upstream = watched.upstream
    known = before.credential if before is not None else Credential()
    if known.cookie:
        credentials.append(known)
    for credential in credentials:
        answer = await eyes.opens(upstream, base_url, credential)
        if answer.guard is Guard.OPEN:
            return Look(condition=Condition.GUARDED, base_url=base_url, credential=credential)
        if answer.guard is Guard.FOREIGN:
            return _foreign(answer, base_url)
        if answer.guard is Guard.SILENT and before is not None and known == credential:
            return before
    if watched.password_file:
        return await _log_in(watched, base_url, eyes, await eyes.password_in(watched.password_file))
    if watched.may_use_named and (password := await eyes.named_password()):
        return await _log_in(watched, base_url, eyes, password)
    return Look(condition=Condition.TOKEN_UNKNOWN, base_url=base_url)


async def _log_in(watched: Watched, base_url: str, eyes: Eyes, password: str) -> Look:
    answer = await eyes.log_in(watched.upstream, base_url, password)
    match answer.guard:
        case Guard.OPEN:
            return Look(condition=Condition.GUARDED, base_url=base_url, credential=answer.credential)
        case Guard.GUARDED:
            return Look(condition=Condition.TOKEN_UNKNOWN, base_url=base_url, hint=watched.hints.refused)
        case Guard.FOREIGN:
            return _foreign(Finding(Guard.FOREIGN), base_url)
        case _:
            return _down(base_url)


def _down(base_url: str) -> Look:
    return Look(condition=Condition.DOWN, base_url=base_url)


def _foreign(finding: Finding, base_url: str) -> Look:
    return Look(condition=Condition.FOREIGN, base_url=base_url, hint=finding.said or _whose(finding.uid))


def _whose(uid: int) -> str:
    user = _user_name(uid)
    whose = f"{user} (uid {uid})" if user else f"uid {uid}"
    said = (
        "whose socket answers there cannot be found out" if uid < 0 else f"the socket that answers belongs to {whose}"
    )
    meant = user or "'*'"
    return f"{said}, so it is sent nothing; if that is meant: --upstream-user {meant}"


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return ""
