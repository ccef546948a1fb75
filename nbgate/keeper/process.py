"""The keeper process: make a keeper, tell the supervisor it is ready, serve until told to end.

What a keeper does is `nbgate.keeper.keeper`; here are only the process's own beginnings and ends. The applications on
its two sockets stand above this room and are handed in.
"""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol, assert_never

import structlog
from aiohttp import web
from msgspec import Struct

from nbgate.audit.events import ConfigLoaded
from nbgate.clock import SystemClock
from nbgate.errors import AuditError, ConfigError, ExitCode, LinkError, NbgateError, StartError, StoreError
from nbgate.keeper.assemble import Opened, opened
from nbgate.keeper.certificate_watch import CertificateWatch
from nbgate.keeper.certificates import load_certificate
from nbgate.keeper.children import Children
from nbgate.keeper.folder import CONTROL_SOCKET, PAGES_SOCKET, write_control_key
from nbgate.keeper.guarded import start_lines
from nbgate.keeper.keeper import Keeper
from nbgate.keeper.load import load_fresh
from nbgate.keeper.places import Source
from nbgate.keeper.reload import Fresh, Reloader, config_sha256
from nbgate.keeper.server import require_c_parser, serving
from nbgate.keeper.setup import LIFE_SECONDS, Setup
from nbgate.keeper.status import StatusBoard
from nbgate.keeper.workers import Worker
from nbgate.link.channel import Link, open_link
from nbgate.link.control import ControlLink
from nbgate.link.messages import (
    MAX_TO_KEEPER_BYTES,
    ChildEvent,
    DrainAsked,
    FirstUser,
    KeeperReady,
    KillWorker,
    LinkWorker,
    Listening,
    ReloadAsked,
    Reloaded,
    ToKeeper,
    ToKeeperFromSupervisor,
)
from nbgate.log import configure_log
from nbgate.model.route import Condition
from nbgate.reasons import Reason
from nbgate.secrecy import keep_secrets
from nbgate.terminal import print_error, say

NICE: Final = 10  # in a flood of logins people's requests, which the workers carry, come first
FIRST_LOOK_SECONDS: Final = 2.0
SWEEP_SECONDS: Final = 1.0  # a session whose time is over ends within it
FLUSH_SECONDS: Final = 60.0
RELINK_SECONDS: Final = 1.0

_Told = LinkWorker | ChildEvent | Listening | ReloadAsked
_log = structlog.get_logger("nbgate.keeper")


class ControlApp(Protocol):
    """Makes the application on the control socket (`nbgate.web.control.make_control_app`)."""

    def __call__(
        self,
        keeper: Keeper,
        *,
        key: str,
        status: Callable[[], Awaitable[dict[str, Any]]],
        reload: Callable[[str], Awaitable[dict[str, Any]]],
    ) -> web.Application:
        """Return the application."""
        ...


class Apps(Struct, frozen=True):
    """What is served on the two private sockets."""

    pages: Callable[[Keeper, Setup], web.Application]
    control: ControlApp


class KeeperProcess:
    """Connects a keeper with the supervisor, the workers and its two sockets."""

    def __init__(self, control: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[ExitCode] = self._loop.create_future()
        self._tasks: set[asyncio.Task[object]] = set()
        self._serving: _Serving | None = None
        self._control: ControlLink[ToKeeperFromSupervisor] = ControlLink(
            control, receives=ToKeeperFromSupervisor, on_message=self._take, on_lost=self._supervisor_lost
        )

    async def run(self, source_json: str, apps: Apps, *, replaces: bool = False) -> ExitCode:
        """Serve until told to end; return the exit code. The arguments are those of `run_keeper`.

        Raises:
            NbgateError: It cannot begin.
        """
        try:
            fresh = await asyncio.to_thread(load_fresh, source_json, may_have_ended=replaces)
            return await self._run(fresh, partial(load_fresh, source_json), apps)
        finally:
            self._control.close()

    async def _run(self, fresh: Fresh, load: Callable[[], Fresh], apps: Apps) -> ExitCode:
        configure_log(fresh.config.log_level)
        async with opened(fresh, SystemClock(), self._kill) as parts, AsyncExitStack() as stack:
            await _first_look(parts)
            serving_parts = self._serving = _Serving(parts, load, fresh)
            folder = Path(fresh.config.data_dir)
            key = write_control_key(folder, os.urandom)
            control = apps.control(parts.keeper, key=key, status=serving_parts.board.show, reload=self._reload)
            pages = apps.pages(parts.keeper, serving_parts.setup)
            await stack.enter_async_context(serving(pages, folder / PAGES_SOCKET))
            await stack.enter_async_context(serving(control, folder / CONTROL_SOCKET))
            if not fresh.config.cert and not parts.replaces:
                say(f"nbgate: certificate made by nbgate itself, SHA-256 fingerprint {fresh.fingerprint}")
            await self._tell_ready(parts, fresh)
            await serving_parts.watch.look()
            return await self._live(parts, serving_parts.watch)

    async def _tell_ready(self, parts: Opened, fresh: Fresh) -> None:
        await parts.audit.append_durable(
            ConfigLoaded(
                **parts.audit.stamp(),
                message="in force from the start",
                config_sha256=config_sha256(fresh.config),
                actor="nbgate",
            )
        )
        parts.keeper.accounts.on_added = self._user_added
        self._control.send(KeeperReady(users=len(await parts.keeper.accounts.all())))

    async def _live(self, parts: Opened, watch: CertificateWatch) -> ExitCode:
        async with asyncio.TaskGroup() as group:
            loops = [
                group.create_task(parts.audit.run()),
                group.create_task(parts.keeper.mounts.run()),
                group.create_task(repeat(partial(_sweep, parts.keeper), SWEEP_SECONDS)),
                group.create_task(repeat(parts.keeper.notices.flush, SWEEP_SECONDS)),
                group.create_task(repeat(parts.keeper.flush_activity, FLUSH_SECONDS)),
                group.create_task(repeat(parts.keeper.throttle.store_changes, SWEEP_SECONDS)),
                group.create_task(repeat(watch.look, parts.keeper.config.probe.certificate_seconds)),
            ]
            code = await self._ended
            for loop in loops:
                loop.cancel()
        await _write_down(parts.keeper)
        return code

    def _take(self, message: ToKeeperFromSupervisor, descriptor: int | None) -> None:
        if isinstance(message, DrainAsked):
            self._end(ExitCode.DONE)
        elif self._serving is not None:
            self._serve(self._serving, message, descriptor)
        elif descriptor is not None:  # nothing of this is said to a keeper that has not said it is ready
            os.close(descriptor)

    def _serve(self, parts: "_Serving", message: _Told, descriptor: int | None) -> None:
        match message:
            case LinkWorker():
                assert descriptor is not None  # noqa: S101 - the control link refuses the message without it
                is_new = parts.children.is_running(message.worker, message.pid)
                self._spawn(link_worker(parts.keeper, message, socket.socket(fileno=descriptor), is_new=is_new))
            case ChildEvent():
                parts.children.take(message)
            case Listening(urls=urls):
                parts.board.urls = urls
                parts.keeper.route_book.listens(urls)
                self._spawn(self._offer_setup(parts))
            case ReloadAsked():
                self._spawn(self._reload_by_signal())
            case _:
                assert_never(message)

    def _kill(self, worker: int, pid: int, reason: Reason) -> None:
        _log.warning("worker is to be replaced", worker=worker, pid=pid, reason=reason.value)
        try:
            self._control.send(KillWorker(worker=worker, reason=reason.value, pid=pid))
        except LinkError:
            self._end(ExitCode.FAILURE)

    def _user_added(self) -> None:
        """Let everybody who waits for a user know: the first one is what they waited for, the others change nothing."""
        assert self._serving is not None  # noqa: S101 - only then are there accounts to add to
        with contextlib.suppress(LinkError):  # the loss is told by `_supervisor_lost`
            self._control.send(FirstUser())
        self._spawn(self._serving.setup.withdraw())

    async def _offer_setup(self, parts: "_Serving") -> str:
        """Where there is no user, make a new link for the first account, and return its file."""
        try:
            file = await parts.setup.offer(parts.board.urls[-1]) if parts.board.urls else None
        except NbgateError as error:
            print_error(error)
            return ""
        if file is None:
            return ""
        say(f"nbgate: no user yet: the link that makes the first account is in {file}")
        say(f"  hint: open it in a browser within {LIFE_SECONDS / 60:.0f} minutes, or type nbgate user add NAME")
        return str(file)

    async def _reload(self, actor: str) -> dict[str, Any]:
        """Load the configuration anew and make a new setup link where there is no user; see `Reloader.reload`."""
        assert self._serving is not None  # noqa: S101 - nobody can ask before
        try:
            done = await self._serving.reloader.reload(actor)
            link = await self._offer_setup(self._serving)
            return done | ({"setup_link": link} if link else {})
        finally:
            with contextlib.suppress(LinkError):  # the loss is told by `_supervisor_lost`
                self._control.send(Reloaded())

    async def _reload_by_signal(self) -> None:
        try:
            done = await self._reload("SIGHUP")
        except ConfigError as error:
            for problem in error.problems:
                _log.error("configuration refused, the old one stays", problem=str(problem), hint=problem.hint)
        except NbgateError as error:
            _log.error("configuration refused, the old one stays", problem=error.public, hint=error.hint)
        else:
            changed = [f"{change['option']}: {change['old']} -> {change['new']}" for change in done["changed"]]
            _log.info("configuration in force", **done | {"changed": changed})

    def _supervisor_lost(self, _cause: LinkError | None) -> None:
        self._end(ExitCode.FAILURE)

    def _end(self, code: ExitCode) -> None:
        if not self._ended.done():
            self._ended.set_result(code)

    def _spawn(self, coroutine: Coroutine[Any, Any, object]) -> None:
        task: asyncio.Task[object] = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Serving:
    """What exists once the keeper has begun."""

    def __init__(self, parts: Opened, load: Callable[[], Fresh], fresh: Fresh) -> None:
        self.keeper = parts.keeper
        self.children = Children(parts.audit)
        self.board = StatusBoard(parts.keeper, self.children, parts.audit, SystemClock())
        self.reloader = Reloader(parts.keeper, load, parts.audit, fingerprint=fresh.fingerprint, on_loaded=self._loaded)
        self.watch = CertificateWatch(
            parts.keeper, load_certificate, parts.audit, SystemClock(), on_taken=self._certificate_taken
        )
        self.setup = Setup(
            folder=Path(fresh.config.data_dir),
            accounts=parts.keeper.accounts,
            clock=SystemClock(),
            random_bytes=os.urandom,
        )
        self._loaded(fresh)

    def _loaded(self, fresh: Fresh) -> None:
        self.board.fingerprint = fresh.fingerprint

    def _certificate_taken(self, fingerprint: str) -> None:
        self.board.fingerprint = self.reloader.fingerprint = fingerprint


async def link_worker(keeper: Keeper, message: LinkWorker, sock: socket.socket, *, is_new: bool) -> None:
    """Attach the worker at the other end of `sock`.

    `is_new`: its start was told just before. A worker that is older than this keeper is linked before anything is told.

    A link that ends because the worker died is left alone for `RELINK_SECONDS`: the supervisor has seen it too, and
    brings a link to its successor. A worker that lives on without a link is replaced.
    """
    early: list[ToKeeper] = []
    attached: list[Worker] = []

    def take(arrived: ToKeeper) -> None:
        if attached:
            keeper.take_message(attached[0], arrived)
        else:
            early.append(arrived)

    def lost(cause: LinkError | None) -> None:
        for worker in attached:
            if cause is None:
                asyncio.get_running_loop().call_later(RELINK_SECONDS, keeper.workers.lost, worker)
            else:
                keeper.workers.lost(worker)

    link: Link[ToKeeper] = await open_link(
        sock, receives=ToKeeper, max_bytes=MAX_TO_KEEPER_BYTES, on_message=take, on_lost=lost
    )
    attached.append(keeper.attach_worker(message.worker, message.pid, link, is_new=is_new))
    for arrived in early:
        take(arrived)


async def repeat(call: Callable[[], Awaitable[None]], seconds: float) -> None:
    """Call now and `seconds` after it is done, for ever; a failure of ours is said and the next call may do better."""
    while True:
        try:
            await call()
        except NbgateError as error:
            _log.error("housekeeping failed", error=error.public, hint=error.hint)
        await asyncio.sleep(seconds)


async def _sweep(keeper: Keeper) -> None:
    keeper.throttle.tell()
    await keeper.sweep()


async def _write_down(keeper: Keeper) -> None:
    """Store what is stored now and then, before the end; one that fails keeps none of the others from it."""
    for store in (keeper.flush_activity, keeper.notices.flush, partial(keeper.throttle.store, is_last=True)):
        try:
            await store()
        except NbgateError as error:
            _log.error("not everything was stored at the end", error=error.public, hint=error.hint)


async def _first_look(parts: Opened) -> None:
    """Look at the upstreams before anybody can reach them through us, and say what is guarded.

    Raises:
        StartError: A named one asks for no credential, and that was not accepted, or two have the same base URL (78).
            Only at the first start: a keeper that replaces one that died must not take a running gateway down, and the
            workers refuse an open upstream.
    """
    mounts = parts.keeper.mounts
    try:
        async with asyncio.timeout(FIRST_LOOK_SECONDS):
            await mounts.look_once()
    except TimeoutError:
        _log.warning("not every upstream answers yet")
    if parts.replaces:
        return
    for shown in mounts.shown():
        if shown.condition is Condition.OPEN and shown.source is Source.CONFIGURATION:
            raise StartError(
                f"the notebook server at {shown.address} asks for no credential",
                hint=shown.hint,
                exit_code=ExitCode.CONFIGURATION,
            )
    if not mounts.discovers:
        mounts.require_apart()
    for line in start_lines(mounts.shown(), discovers=mounts.discovers):
        say(f"nbgate: {line}")
    for prefix in mounts.allow_unused():
        say(f"nbgate: allow names {prefix}, and no notebook server is mounted there")


def run_keeper(control_fd: int, source_json: str, apps: Apps, *, replaces: bool = False) -> int:
    """Be the keeper until the supervisor says otherwise; return the exit code.

    Args:
        control_fd: Our end of the control link.
        source_json: Where the configuration comes from.
        apps: What is served on the two private sockets.
        replaces: The gateway serves already: a certificate that has ended meanwhile is no reason to take it down.
    """
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # they reach the whole group; the supervisor says when we end
    keep_secrets()
    configure_log("info")
    with contextlib.suppress(OSError):  # a seccomp filter of the service manager's may forbid it
        os.nice(NICE)

    async def serve() -> int:
        require_c_parser()
        return await KeeperProcess(socket.socket(fileno=control_fd)).run(source_json, apps, replaces=replaces)

    try:
        return asyncio.run(serve())
    except NbgateError as error:
        print_error(error)
        return exit_code_of(error)


def exit_code_of(error: NbgateError) -> ExitCode:
    """Return what a failed start ends with: state or audit that cannot be trusted need an operator, not a retry."""
    if isinstance(error, AuditError | StoreError) and isinstance(error.__cause__, PermissionError):
        return ExitCode.PERMISSION
    if isinstance(error, AuditError) and isinstance(error.__cause__, OSError):
        return ExitCode.CANNOT_CREATE
    if isinstance(error, AuditError | StoreError):
        return ExitCode.CONFIGURATION
    return error.exit_code
