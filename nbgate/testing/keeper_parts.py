"""A whole keeper in memory for one loop: manual clock, fixed randomness, an upstream that answers what it is told."""

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec

from nbgate.audit.chain import Chain
from nbgate.authenticators.hash_queue import HashQueue
from nbgate.authenticators.local import LocalAuthenticator
from nbgate.clock import ManualClock
from nbgate.config.schema import Config
from nbgate.crypto.passwords import HashParameters, decoy_hash
from nbgate.crypto.sealing import Keyring
from nbgate.crypto.totp import PURPOSE as TOTP_PURPOSE
from nbgate.errors import LinkError
from nbgate.http.headers import make_tables
from nbgate.jupyter.runtime_files import RuntimeFile
from nbgate.keeper.audit_writer import AuditWriter
from nbgate.keeper.folder import ROUTES_PURPOSE
from nbgate.keeper.guarded import Upstreams
from nbgate.keeper.keeper import Keeper
from nbgate.keeper.parts import KeeperParts
from nbgate.keeper.password_login import LoginAnswer
from nbgate.keeper.probe import Credential, Finding, Guard
from nbgate.keeper.upstreams import Eyes
from nbgate.link.messages import Message, RevokeAck, SessionsRevoked, ToKeeper
from nbgate.model.keys import SealingKey, TlsMaterial
from nbgate.model.route import Upstream
from nbgate.model.route_spec import RouteSpec
from nbgate.ports import State
from nbgate.reasons import Reason
from nbgate.rules.pack import in_force, shipped_pack
from nbgate.stores.memory import MemoryState

CHEAP = HashParameters(memory_kib=64, time_cost=1)
PASSWORD = "correct horse battery"
TOKEN = "5ecre7token"
UPSTREAM = Upstream(host="127.0.0.1", port=8888)


class MemorySink:
    """A `nbgate.ports.RecordSink` in memory; `broken` makes every write and sync fail."""

    def __init__(self) -> None:
        self.lines = b""
        self.segment = "memory"
        self.broken = False
        self.synced_bytes = 0

    @property
    def size_bytes(self) -> int:
        """Return how much was written."""
        return len(self.lines)

    def begin(self, first_seq: int) -> None:
        """Go on as before."""
        self._fail()
        self.segment = f"memory-{first_seq}"

    def append(self, lines: bytes) -> None:
        """Keep the lines."""
        self._fail()
        self.lines += lines

    def sync(self) -> None:
        """Note what would be durable now."""
        self._fail()
        self.synced_bytes = len(self.lines)

    def close(self) -> None:
        """Let go; there is nothing to let go of."""

    def records(self, action: str = "") -> list[dict[str, Any]]:
        """Return the records, or those of one action."""
        found = [msgspec.json.decode(line) for line in self.lines.splitlines()]
        return [record for record in found if not action or record["event.action"] == action]

    def _fail(self) -> None:
        if self.broken:
            raise OSError(28, "No space left on device")


class FakeLink:
    """A worker's end: remembers what was sent, and acknowledges revocations at once unless `slow`."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.answer: Callable[[ToKeeper], None] = lambda _message: None
        self.slow = False
        self.full = False
        self.closed = False

    def send(self, message: Message) -> None:
        """Take a message."""
        if self.full:
            raise LinkError("the other end of the link does not read")
        self.sent.append(message)
        if isinstance(message, SessionsRevoked) and not self.slow:
            self.answer(RevokeAck(ack=message.ack, closed=len(message.ids)))

    def close(self) -> None:
        """Note the end."""
        self.closed = True

    def of(self, kind: type[Message]) -> list[Any]:
        """Return the messages of one kind."""
        return [message for message in self.sent if isinstance(message, kind)]


class FakeUpstream:
    """One notebook server, or several that answer alike, as `Eyes` see it.

    Attributes:
        servers: What its runtime files say, for discovery too.
        guard: How it answers strangers.
        token: Opens it.
        login: How it answers whoever logs in with `password`; its credential opens it.
        with_credential: How it answers any credential, when set.
        asked: The base URLs that were looked at; `logins` the passwords that were tried.
    """

    def __init__(self) -> None:
        self.servers: tuple[RuntimeFile, ...] = (runtime_file(),)
        self.guard = Finding(Guard.GUARDED, 403)
        self.token = TOKEN
        self.password = PASSWORD
        self.login = LoginAnswer(Guard.OPEN, Credential(cookie="username-x=1; _xsrf=2", xsrf="2"))
        self.with_credential: Finding | None = None
        self.asked: list[str] = []
        self.logins: list[str] = []
        self.named_token = ""
        self.named_password = ""

    def eyes(self) -> Eyes:
        """Return how the keeper looks at this upstream."""
        return Eyes(
            running=self._running,
            servers=self._servers,
            guard=self._guard,
            opens=self._opens,
            product=self._product,
            log_in=self._log_in,
            named_token=self._named_token,
            named_password=self._named_password,
        )

    async def _running(self) -> tuple[RuntimeFile, ...]:
        return self.servers

    async def _servers(self, _upstream: Upstream) -> tuple[RuntimeFile, ...]:
        return self.servers

    async def _named_token(self) -> str:
        return self.named_token

    async def _named_password(self) -> str:
        return self.named_password

    async def _guard(self, _upstream: Upstream, base_url: str) -> Finding:
        self.asked.append(base_url)
        return self.guard

    async def _opens(self, _upstream: Upstream, _base_url: str, credential: Credential) -> Finding:
        if self.with_credential is not None:
            return self.with_credential
        good = credential == self.login.credential or credential.token == self.token
        return Finding(Guard.OPEN, 200) if good else Finding(Guard.GUARDED, 403)

    async def _product(self, _upstream: Upstream, _base_url: str) -> str:
        return "JupyterLab"

    async def _log_in(self, _upstream: Upstream, _base_url: str, password: str) -> LoginAnswer:
        self.logins.append(password)
        return self.login if password == self.password else LoginAnswer(Guard.GUARDED)


def runtime_file(**changes: Any) -> RuntimeFile:
    """Return what a notebook server on port 8888 writes about itself."""
    values: dict[str, Any] = {"pid": 1, "port": 8888, "base_url": "/", "token": TOKEN, "sock": "", "secure": False}
    return RuntimeFile(**(values | changes))


class Rig:
    """A keeper and everything around it.

    Attributes:
        values: What the keeper was made of, by the names of `KeeperParts`.
        keeper: It. Another one on the same `state` and `clock` is one that was started anew.
    """

    def __init__(self, **changes: Any) -> None:
        self.clock = changes.get("clock") or ManualClock()
        self.sink = MemorySink()
        self.state: State = changes.get("state") or MemoryState()
        self.upstream = FakeUpstream()
        self.killed: list[tuple[int, int, Reason]] = []
        self.hashes = HashQueue(at_once=1, waiting=1, wait_seconds=5.0)
        self._drawn = 0
        self.audit = AuditWriter(
            sink=self.sink,
            chain=Chain(),
            numbers={},
            clock=self.clock,
            boot="00000000000000aa",
            on_change=self._audit_changed,
        )
        if "named_token" in changes:
            self.upstream.named_token = changes.pop("named_token")
        keyring = Keyring((SealingKey(id=0, secret=b"t" * 32),), purpose=TOTP_PURPOSE)
        values: dict[str, Any] = {
            "state": self.state,
            "in_store": self.run,
            "authenticator": LocalAuthenticator(
                users=self.state.users,
                in_store=self.run,
                hashes=self.hashes,
                parameters=CHEAP,
                decoy=decoy_hash(self.random_bytes(48), CHEAP),
                random_bytes=self.random_bytes,
                totp_keys=keyring,
                clock=self.clock,
                totp_window=lambda: self.keeper.config.totp_window,
            ),
            "hashes": self.hashes,
            "parameters": CHEAP,
            "audit": self.audit,
            "clock": self.clock,
            "random_bytes": self.random_bytes,
            "eyes": self.upstream.eyes(),
            "kill": lambda worker, pid, reason: self.killed.append((worker, pid, reason)),
            "config": Config(),
            "upstreams": Upstreams(named=(RouteSpec(upstream=changes.pop("upstream", UPSTREAM)),)),
            "tables": make_tables(methods=frozenset({"GET"})),
            "rules": in_force(shipped_pack(), disabled=(), server_proxy_ports=()),
            "material": TlsMaterial(chain_pem=b"chain", key_pem=b"key"),
            "sealing_keys": (SealingKey(id=0, secret=b"s" * 32),),
            "form_key": b"f" * 32,
            "device_key": b"d" * 32,
            "totp_keyring": keyring,
            "route_keyring": Keyring((SealingKey(id=0, secret=b"r" * 32),), purpose=ROUTES_PURPOSE),
            "own_socket": "/data/pages.sock",
            "ack_seconds": 0.02,
        }
        self.totp_keyring = keyring
        self.values = values | changes
        self.keeper = Keeper(KeeperParts(**self.values))

    async def run(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run a call of the store in place of its thread."""
        return call(*args, **kwargs)

    def _audit_changed(self, failing_since_unix: float) -> None:
        self.keeper.audit_changed(failing_since_unix)

    def random_bytes(self, count: int) -> bytes:
        """Return bytes that are the same in every run of a test, and never twice in one."""
        self._drawn += 1
        return hashlib.shake_256(b"%d" % self._drawn).digest(count)

    def attach(self, worker_id: int = 0, pid: int = 100) -> FakeLink:
        """Link a worker."""
        link = FakeLink()
        worker = self.keeper.attach_worker(worker_id, pid, link)
        link.answer = lambda message: self.keeper.take_message(worker, message)
        return link

    async def close(self) -> None:
        """Let go of the threads."""
        self.keeper.workers.close()
        self.hashes.close()
        await self.audit.close()
