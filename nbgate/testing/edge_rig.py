"""One worker's data plane in a thread: real sockets and TLS in front, the test in the keeper's place behind.

Nothing is faked but the keeper: the test sends the messages and sees what the worker sends. The clock is manual for
expiry and records; socket deadlines run by the loop, so tests set them short by their options.
"""

import asyncio
import contextlib
import hashlib
import socket
import ssl
import threading
from base64 import urlsafe_b64encode
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Self, TypeVar

import msgspec
import trustme
import uvloop

from nbgate.audit.events import Event, decode_worker_event
from nbgate.clock import ManualClock
from nbgate.config.schema import Limits
from nbgate.crypto.api_tokens import new_api_token, parse_api_token
from nbgate.edge.worker import WorkerCore
from nbgate.link.channel import Link, open_link
from nbgate.link.messages import (
    MAX_TO_KEEPER_BYTES,
    MAX_TO_WORKER_BYTES,
    Message,
    Records,
    RecordsWritten,
    SessionAnswer,
    SessionAsk,
    SessionPut,
    Snapshot,
    ToKeeper,
    ToWorker,
    WorkerHello,
)
from nbgate.model.exposure import Exposure
from nbgate.model.keys import SealingKey, TlsMaterial
from nbgate.model.route import Condition, Route, RouteKind, Upstream, UpstreamState
from nbgate.model.session import Scope, Session
from nbgate.rules.pack import in_force, shipped_pack
from nbgate.rules.tables import shipped_tables
from nbgate.testing.raw_client import RawClient
from nbgate.testing.wait import wait_until

HOST = "gw.test"
TOKEN = "upstream-token-0123456789abcdef"
T = TypeVar("T")


class EdgeRig:
    """A worker in front of `upstream_port`; `with EdgeRig(port) as rig`.

    Attributes:
        messages: Everything the worker sent, but records.
        events: The audit events it recorded.
        sessions: What the keeper would know; `SessionAsk` is answered from here while `answers` is true.
    """

    def __init__(
        self,
        upstream_port: int,
        *,
        limits: Limits | None = None,
        token: str = TOKEN,
        condition: Condition = Condition.GUARDED,
        prefix: str = "/",
        own_socket: str = "/nonexistent/pages.sock",
        server_proxy_ports: tuple[int, ...] = (),
        exposure: Exposure = Exposure(),
    ) -> None:
        self.clock = ManualClock()
        self.messages: list[Any] = []
        self.events: list[Event] = []
        self.sessions: dict[bytes, Session] = {}
        self.answers = True
        self.acknowledges = True
        self.port = 0
        self._limits = limits or Limits()
        self._exposure = exposure
        self.rules = in_force(shipped_pack(), disabled=(), server_proxy_ports=server_proxy_ports)
        self._authority = trustme.CA()
        issued = self._authority.issue_cert(HOST, "localhost")
        self._tls = TlsMaterial(
            chain_pem=b"".join(blob.bytes() for blob in issued.cert_chain_pems), key_pem=issued.private_key_pem.bytes()
        )
        self.state = UpstreamState(route="main", condition=condition, token=token, generation=1)
        self.routes = (
            Route(name="own", prefix="/_nbgate/", upstream=Upstream(path=own_socket), kind=RouteKind.OWN),
            Route(name="main", prefix=prefix, base_url=prefix, upstream=Upstream(host="127.0.0.1", port=upstream_port)),
        )
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="edge-rig", daemon=True)
        self._core: WorkerCore | None = None
        self._link: Link[ToKeeper] | None = None
        self._ready = threading.Event()
        self.loop_errors: list[dict[str, Any]] = []

    @property
    def core(self) -> WorkerCore:
        """Return the running worker."""
        assert self._core is not None
        return self._core

    def __enter__(self) -> Self:
        self._thread.start()
        self.run(self._start)
        if not self._ready.wait(10):
            raise TimeoutError("the worker was not ready within 10 s")
        return self

    def __exit__(self, *_exc: object) -> None:
        self.run(self._stop)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def run(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine on the worker's loop and return its result."""
        return asyncio.run_coroutine_threadsafe(make(), self._loop).result(15)

    def call(self, step: Callable[[], T]) -> T:
        """Run a function on the worker's loop and return its result."""

        async def stepping() -> T:
            return step()

        return self.run(stepping)

    def send(self, message: Message) -> None:
        """Send as the keeper."""
        self.call(lambda: self._link.send(message) if self._link else None)

    def client_context(self) -> ssl.SSLContext:
        """Return a TLS context that trusts the rig."""
        context = ssl.create_default_context()
        self._authority.configure_trust(context)
        return context

    def client(self, **options: Any) -> RawClient:
        """Return a raw client, to be used in a with block."""
        return RawClient(self.port, self.client_context(), server_name=HOST, **options)

    def login(self, user: str = "ada", *, absolute_seconds: float = 3600.0, push: bool = True, **also: Any) -> str:
        """Make a session as the keeper does, with `also` in it; return its Cookie header value."""
        secret = self._secret(user)
        self._begin(hashlib.sha256(secret).digest(), user, absolute_seconds, also, push=push)
        return _cookie(secret)

    def token(
        self,
        user: str = "ada",
        *,
        scope: Scope = Scope.ALL,
        absolute_seconds: float = 3600.0,
        push: bool = True,
        **also: Any,
    ) -> str:
        """Make a token as the keeper does; return its text."""
        text = new_api_token(self._secret(user))
        found = parse_api_token(text)
        assert found is not None
        self._begin(found, user, absolute_seconds, {"scope": scope, "factors": (), **also}, push=push)
        return text

    def rotate(self, session: Session) -> str:
        """Give a session another secret as the keeper does; return its Cookie header value."""
        secret = self._secret(f"{session.user}{session.generation}")
        changed = msgspec.structs.replace(
            session,
            key=hashlib.sha256(secret).digest(),
            former=session.keys[0],
            rotate_unix=session.rotate_unix + 86400.0,
            generation=session.generation + 1,
        )
        self.sessions[session.id] = changed
        self.send(SessionPut(session=changed))
        return _cookie(secret)

    def _secret(self, user: str) -> bytes:
        return hashlib.sha256(f"{user}{len(self.sessions)}".encode()).digest()

    def _begin(
        self, session_id: bytes, user: str, absolute_seconds: float, also: dict[str, Any], *, push: bool
    ) -> None:
        now = self.clock.unix()
        session = Session(id=session_id, user=user, created_unix=now, absolute_unix=now + absolute_seconds, **also)
        self.sessions[session.id] = session
        if push:
            self.send(SessionPut(session=session))

    def _find(self, key: bytes) -> Session | None:
        return next((session for session in self.sessions.values() if key in session.keys), None)

    def of(self, kind: type[T]) -> list[T]:
        """Return the messages and events of one kind so far."""
        return [item for item in (*self.messages, *self.events) if isinstance(item, kind)]

    def wait_for(self, kind: type[T], count: int = 1) -> list[T]:
        """Wait until at least `count` messages or events of `kind` have come."""
        return wait_until(
            lambda: found if len(found := self.of(kind)) >= count else None, what=f"{count} {kind.__name__}"
        )

    def snapshot(self, **changes: Any) -> Snapshot:
        """Return the full snapshot, with some fields changed."""
        parts: dict[str, Any] = {
            "worker": 0,
            "limits": self._limits,
            "exposure": self._exposure,
            "tables": shipped_tables(),
            "rules": self.rules,
            "tls": self._tls,
            "routes": self.routes,
            "upstreams": (self.state,),
            "sessions": tuple(self.sessions.values()),
            "sealing_keys": (SealingKey(id=0, secret=bytes(32)),),
        }
        return Snapshot(**{**parts, **changes})

    def relink(self) -> None:
        """Break the link as a dying keeper does, and make a new one."""
        self.run(self._new_link)

    def cut_link(self) -> None:
        """Break the link and leave it so."""
        self.call(lambda: self._link.close() if self._link else None)

    async def _start(self) -> None:
        self._loop.set_exception_handler(lambda _loop, context: self.loop_errors.append(context))
        listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = listening.getsockname()[1]
        self._core = WorkerCore(
            loop=self._loop,
            clock=self.clock,
            listening=[listening],
            boot="00112233445566ff",
            random_bytes=lambda count: bytes(range(count)),
            confinement=("none, this is a test",),
            pid=1,
            ready=self._ready.set,
        )
        await self._new_link()

    async def _new_link(self) -> None:
        if self._link is not None:
            self._link.close()
        ours, theirs = socket.socketpair()
        self._link = await open_link(
            ours, receives=ToKeeper, max_bytes=MAX_TO_KEEPER_BYTES, on_message=self._take, on_lost=lambda _cause: None
        )
        link: Link[ToWorker] = await open_link(
            theirs,
            receives=ToWorker,
            max_bytes=MAX_TO_WORKER_BYTES,
            on_message=self.core.take,
            on_lost=lambda _cause: self.core.link_lost(),
        )
        self.core.linked(link)

    async def _stop(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(3):
                await self.core.drain(0.2)
        if self._link is not None:
            self._link.close()

    def _take(self, message: ToKeeper) -> None:
        assert self._link is not None
        match message:
            case Records(first=first, bodies=bodies):
                self.events += [decode_worker_event(body) for body in bodies]
                if self.acknowledges:
                    self._link.send(RecordsWritten(upto=first + len(bodies) - 1))
            case WorkerHello():
                self.messages.append(message)
                self._link.send(self.snapshot())
            case SessionAsk(id=session_id):
                self.messages.append(message)
                if self.answers:
                    self._link.send(SessionAnswer(id=session_id, session=self._find(session_id)))
            case _:
                self.messages.append(message)


def _cookie(secret: bytes) -> str:
    return f"__Host-Http-nbgate={urlsafe_b64encode(secret).decode().rstrip('=')}"


@contextlib.contextmanager
def edge_rig(upstream_port: int, **options: Any) -> Iterator[EdgeRig]:
    """Run an `EdgeRig` and check at its end that nothing went wrong unseen."""
    with EdgeRig(upstream_port, **options) as rig:
        yield rig
    assert rig.loop_errors == []
