"""F25: a fault of our own in every function that a request comes through, one at a time.

The functions are not listed: a first request says which ones it ran through, and each is then made to raise as it is
entered, by a trace function in the worker's thread. Nothing of this is in the product.

Pass, before the upstream is reached: an error or the end of the connection, and not one byte at the stub. Pass, on the
way back: the same, and not one byte of the stub's answer. The worker serves on, and nothing leaks.
"""

import asyncio
import io
import sys
from pathlib import Path

import pytest
import structlog

import nbgate
from nbgate.config.schema import Limits
from nbgate.log import configure_log
from nbgate.testing.edge_rig import HOST, EdgeRig
from nbgate.testing.stub_upstream import StubUpstream, answer
from nbgate.testing.wait import wait_until

# uvloop forgets a transport whose protocol raises in connection_made; it is closed when it is collected, with a warning
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed resource:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),  # the fault was before that
    pytest.mark.timeout(120),
]

HOME = str(Path(nbgate.__file__).parent)
BODY = b"what the upstream says"
ANSWER_SECONDS = 3.0
LEAST_FUNCTIONS = 10
TO_UPSTREAM, TO_CLIENT = "UpstreamConnection.write", "ClientConnection.write"
ASIDE = {
    "ClientConnection.guarded_task",  # it is the guard
    "Link.is_open",  # asked when what the message brought was done
    "Sessions._settle",  # hands the keeper's answer to everybody who waits for it
    "Strangers._move",  # between two tables: half of it done would spoil the next connection's place
    "UpstreamConnection.data_received",  # a fault in a callback of the loop is a lost connection: a read is asked again
    "Repeats.upstream_data",  # the same
}
TIMERS = {"WorkerContext._ended", "WorkerCore._sweep", "WorkerCore._tell", "WorkerCore._tick", "Outbox.flush"}


class Watch:
    """A trace function: notes which functions of ours are entered, or makes one of them raise, once."""

    def __init__(self, target=None):
        self.entered = []
        self.has_raised = False
        self._target = target

    def __call__(self, frame, event, _argument):
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(HOME) and not is_aside(frame):
            name = (code.co_filename.removeprefix(HOME), code.co_qualname)
            self.entered.append(name)
            if name == self._target and not self.has_raised:
                self.has_raised = True
                raise RuntimeError("injected")


def is_aside(frame):
    """Say whether this runs for the rig, for a timer, or to record what is over."""
    while frame is not None:
        code = frame.f_code
        if "/nbgate/testing/" in code.co_filename or code.co_qualname in TIMERS:
            return True
        frame = frame.f_back
    return False


def head(line, cookie, extra=""):
    return f"{line} HTTP/1.1\r\nHost: {HOST}\r\nCookie: {cookie}\r\nOrigin: https://{HOST}\r\n{extra}\r\n".encode()


UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
NAVIGATION = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Site: none\r\nAccept: text/html\r\n"
REQUESTS = {
    "a read": lambda cookie: head("GET /api/contents/x", cookie),
    "a write": lambda cookie: head("PUT /api/contents/x", cookie, "Content-Length: 4\r\n") + b"text",
    "an upload in chunks": lambda cookie: (
        head("PUT /api/contents/x", cookie, "Transfer-Encoding: chunked\r\n") + b"4\r\ntext\r\n0\r\n\r\n"
    ),
    "a page": lambda cookie: head("GET /lab", cookie, NAVIGATION),
    "a websocket": lambda cookie: head("GET /api/kernels/1/channels", cookie, UPGRADE),
}


class Gateway:
    """The rig, and one way to ask it: `times` on one connection, watched the last time."""

    def __init__(self, rig, stub, *, times=1, is_known=True):
        self.rig, self.stub = rig, stub
        self._times, self._is_known = times, is_known

    def ask(self, kind, watch):
        """Return what the client got (b"" where the connection ended), and how much came to the stub meanwhile."""
        if not self._is_known:
            self._relink()
        cookie = self.rig.login(push=self._is_known)
        request = REQUESTS[kind](cookie)
        with self.rig.client() as client:
            client.socket.settimeout(ANSWER_SECONDS)
            for _ in range(self._times - 1):
                client.send(request)
                assert 200 == client.read_answer().status
            client.received.clear()
            before = self.stub.received_bytes
            self.rig.call(lambda: sys.settrace(watch))
            try:
                client.send(request)
                got = self._read(client)
            finally:
                self.rig.call(lambda: sys.settrace(None))
            return got, self.stub.received_bytes - before

    def _relink(self):
        """A fault in a message of the keeper has ended the link: have another one, before there is a new session."""
        before = self.rig.core._context.policy
        self.rig.relink()
        wait_until(lambda: self.rig.core._context.policy is not before, what="a snapshot on the new link")

    @staticmethod
    def _read(client):
        try:
            return client.read_until(b"\r\n\r\n")
        except ConnectionError:
            return bytes(client.received)


@pytest.fixture(scope="module")
def stub():
    with StubUpstream(default_answer=answer(BODY)).in_thread() as running:
        yield running


@pytest.fixture(scope="module")
def rig(stub):
    configure_log("error", io.StringIO())
    with EdgeRig(stub.port, limits=Limits(upstream_connect_seconds=1.0, upstream_answer_seconds=1.0)) as running:
        yield running
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def covered():
    """Give the functions that had their fault: one that every request runs through needs it once."""
    return set()


def is_new(name, covered):
    if name in covered or name[1] in ASIDE:
        return False
    covered.add(name)
    return True


def until(entered, name):
    """Return each function that was entered before the first `name`, once, with it."""
    end = [qualname for _, qualname in entered].index(name) + 1
    return list(dict.fromkeys(entered[:end]))


CASES = [(kind, 1, True) for kind in REQUESTS] + [("a read", 3, True), ("a read", 1, False)]


@pytest.mark.parametrize(("kind", "times", "is_known"), CASES)
def test_f25_a_fault_of_ours_is_never_a_way_through(rig, stub, covered, kind, times, is_known):
    gateway = Gateway(rig, stub, times=times, is_known=is_known)
    tasks = count_tasks(rig)
    first = Watch()
    got, sent = gateway.ask(kind, first)
    assert got.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 101 "))
    assert sent > 0
    up = until(first.entered, TO_UPSTREAM)
    down = [name for name in until(first.entered, TO_CLIENT) if name not in up]
    assert len(up) > LEAST_FUNCTIONS
    wrong = [fault(gateway, kind, name, may_reach_stub=False) for name in up if is_new(name, covered)]
    wrong += [fault(gateway, kind, name, may_reach_stub=True) for name in down if is_new(name, covered)]
    assert [] == [text for text in wrong if text]
    assert gateway.ask(kind, Watch())[0].startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 101 "))
    wait_until(lambda: not rig.call(lambda: len(rig.core._context.connections)), what="no connection left")
    wait_until(lambda: count_tasks(rig) <= tasks, what="no task left")


def fault(gateway, kind, target, *, may_reach_stub):
    """Return what went wrong with a fault in `target`; "" when nothing did."""
    watch = Watch(target)
    try:
        got, sent = gateway.ask(kind, watch)
    except TimeoutError:
        return f"{target}: no answer within {ANSWER_SECONDS} s"
    if not watch.has_raised:
        return ""  # it ran the first time only: a cache has the answer now
    if sent and not may_reach_stub:
        return f"{target}: {sent} bytes at the stub"
    status = int(got.split(b" ", 2)[1]) if got else 500  # 400: the parser tells no fault of ours from theirs
    return "" if status >= 400 and BODY not in got else f"{target}: {got!r}"


def count_tasks(rig):
    return rig.call(lambda: len(asyncio.all_tasks()))
