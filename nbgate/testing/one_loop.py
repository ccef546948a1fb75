"""A worker and the keeper in one loop, as one gateway: real sockets and TLS, one manual clock, fixed randomness.

No process and no supervisor: what happens between processes is tested with processes. The loop runs in a thread, so
that a test can block like a client; the clock stands still until the test moves it.
"""

import asyncio
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec
import trustme
import uvloop
from msgspec import Struct

from nbgate.edge.worker import WorkerCore
from nbgate.http.cookies import session_cookie_name
from nbgate.keeper.server import serving
from nbgate.keeper.setup import Setup
from nbgate.keeper.workers import Worker
from nbgate.link.channel import Link, open_link
from nbgate.link.messages import MAX_TO_KEEPER_BYTES, MAX_TO_WORKER_BYTES, Activity, ToKeeper, ToWorker
from nbgate.model.keys import TlsMaterial
from nbgate.model.route import Upstream
from nbgate.model.session import Role
from nbgate.rules.tables import shipped_tables
from nbgate.testing.keeper_parts import PASSWORD, Rig
from nbgate.testing.raw_client import RawClient
from nbgate.web.pages import make_pages_app

HOST = "gw.test"
T = TypeVar("T")


class Fetched(Struct, frozen=True):
    """One answer; `fields` are its header fields in order, names in lower case."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes

    def values(self, name: str) -> tuple[str, ...]:
        """Return the values of every header field called `name`, in order."""
        return tuple(value for key, value in self.fields if key == name)

    @property
    def cookies(self) -> dict[str, str]:
        """Return what each Set-Cookie sets, by name; "" where one is taken away."""
        pairs = (line.partition(";")[0].partition("=") for line in self.values("set-cookie"))
        return {name: value for name, _, value in pairs}


class OneLoop:
    """The gateway in front of `upstream_port`; `with OneLoop(folder, port) as gateway`.

    Attributes:
        rig: The keeper's parts: clock, store, audit, and what it thinks of the upstream.
    """

    def __init__(self, folder: Path, upstream_port: int) -> None:
        self._authority = trustme.CA()
        issued = self._authority.issue_cert(HOST)
        self._pages = folder / "pages.sock"
        self.rig = Rig(
            upstream=Upstream(host="127.0.0.1", port=upstream_port),
            tables=shipped_tables(),
            material=TlsMaterial(
                chain_pem=b"".join(blob.bytes() for blob in issued.cert_chain_pems),
                key_pem=issued.private_key_pem.bytes(),
            ),
            own_socket=str(self._pages),
            ack_seconds=2.0,
        )
        self.port = 0
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="one-loop", daemon=True)
        self._stack = AsyncExitStack()
        self._ready = threading.Event()
        self._core: WorkerCore | None = None
        self._heard = asyncio.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        self.run(self._start())
        if not self._ready.wait(10):
            raise TimeoutError("the worker was not ready within 10 s")
        return self

    def __exit__(self, *_exc: object) -> None:
        self.run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and return its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)

    def call(self, step: Callable[[], T]) -> T:
        """Run a function on the loop and return its result."""

        async def stepping() -> T:
            return step()

        return self.run(stepping())

    def advance(self, seconds: float) -> None:
        """Move the clock, and let the keeper do what is due; it has heard before who was active until now."""
        self.run(self._advance(seconds))

    async def _advance(self, seconds: float) -> None:
        self._heard.clear()
        if self._core is not None and self._core.tell_activity():
            await self._heard.wait()
        self.rig.clock.advance(seconds)
        keeper = self.rig.keeper
        await keeper.sweep()
        await keeper.notices.flush()
        await keeper.throttle.store()
        keeper.throttle.tell()
        await keeper.errands.done()

    def configure(self, **options: Any) -> None:
        """Put the configuration into force again with these options changed, as a reload does."""
        keeper, values = self.rig.keeper, self.rig.values
        changed = msgspec.structs.replace(keeper.config, **options)
        self.call(lambda: keeper.apply(changed, keeper.material, values["tables"], values["rules"]))

    def add_user(self, name: str = "ada", password: str = PASSWORD, role: Role | None = None) -> None:
        """Add an account; the first one is an owner, the others are editors."""
        self.run(self.rig.keeper.accounts.add(name, password, "test", role))

    def client(self, source: str = "") -> RawClient:
        """Return a raw client, to be used in a with block; `source` is the address it comes from, 127.0.0.x."""
        return RawClient(self.port, self.tls_context(), server_name=HOST, source=source)

    def fetch(
        self,
        method: str,
        path: str,
        *,
        body: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        source: str = "127.0.0.1",
    ) -> Fetched:
        """Send one request with these header fields and no others, and read the whole answer.

        Args:
            method: The method.
            path: The request target.
            body: The body, None for none.
            headers: Its header fields, beside Host.
            source: The address it comes from, 127.0.0.x.
        """
        connection = http.client.HTTPSConnection(
            "127.0.0.1",
            self.port,
            timeout=20,
            context=self.tls_context(names=False),
            source_address=(source, 0),
        )
        try:
            connection.request(method, path, body=body, headers={"Host": HOST} | dict(headers or {}))
            answer = connection.getresponse()
            fields = tuple((name.lower(), value) for name, value in answer.getheaders())
            return Fetched(answer.status, fields, answer.read())
        finally:
            connection.close()

    def request(self, method: str, path: str, *, cookie: str = "", body: object = None) -> tuple[int, dict[str, str]]:
        """Send one request as a script would; return status and headers (lower-case names)."""
        headers = {"Content-Type": "application/json"} | ({"Cookie": cookie} if cookie else {})
        answer = self.fetch(method, path, body=None if body is None else json.dumps(body), headers=headers)
        return answer.status, dict(answer.fields)

    def login(self, name: str = "ada", password: str = PASSWORD) -> str:
        """Log in by the JSON endpoint; return the session's cookie as a Cookie header has it."""
        answer = self.fetch(
            "POST",
            "/_nbgate/api/login",
            body=json.dumps({"username": name, "password": password}),
            headers={"Content-Type": "application/json"},
        )
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(f"login was answered with {answer.status}")
        cookie = session_cookie_name(HOST)
        return f"{cookie}={answer.cookies[cookie]}"

    def tls_context(self, *, names: bool = True) -> ssl.SSLContext:
        """Return what a client trusts us with; without `names` it does not look at what the certificate is for."""
        context = ssl.create_default_context()
        context.check_hostname = names
        self._authority.configure_trust(context)
        return context

    async def _start(self) -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        self.setup = Setup(
            folder=self._pages.parent,
            accounts=self.rig.keeper.accounts,
            clock=self.rig.clock,
            random_bytes=self.rig.random_bytes,
        )
        await self._stack.enter_async_context(
            serving(make_pages_app(self.rig.keeper, self.setup, self.rig.clock), self._pages)
        )
        await self.rig.keeper.start()
        await self.rig.keeper.mounts.look_once()
        self._core = WorkerCore(
            loop=self._loop,
            clock=self.rig.clock,
            listening=[listening],
            boot="00112233445566ff",
            random_bytes=self.rig.random_bytes,
            confinement=("none: everything is one process",),
            pid=1,
            ready=self._ready.set,
        )
        await self._link(self._core)

    async def _link(self, core: WorkerCore) -> None:
        ours, theirs = socket.socketpair()
        attached: list[Worker] = []
        keepers: Link[ToKeeper] = await open_link(
            ours,
            receives=ToKeeper,
            max_bytes=MAX_TO_KEEPER_BYTES,
            on_message=lambda message: self._take(attached[0], message),
            on_lost=lambda _cause: None,
        )
        attached.append(self.rig.keeper.attach_worker(0, 1, keepers))
        workers: Link[ToWorker] = await open_link(
            theirs,
            receives=ToWorker,
            max_bytes=MAX_TO_WORKER_BYTES,
            on_message=core.take,
            on_lost=lambda _cause: core.link_lost(),
        )
        core.linked(workers)

    def _take(self, worker: Worker, message: ToKeeper) -> None:
        self.rig.keeper.take_message(worker, message)
        if isinstance(message, Activity):
            self._heard.set()

    async def _stop(self) -> None:
        if self._core is not None:
            await self._core.drain(0.5)
        await self._stack.aclose()
        await self.rig.close()
