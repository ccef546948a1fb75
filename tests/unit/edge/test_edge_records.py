"""Which facts of exchanges and tunnels are recorded."""

from types import SimpleNamespace

import pytest
from msgspec import UNSET

from nbgate.audit.events import MAX_FIELD_CHARS, HttpRequest, WebsocketClose, WebsocketOpen, decode_worker_event
from nbgate.clock import ManualClock
from nbgate.edge.outbox import Outbox
from nbgate.edge.records import record_close, record_open, record_request
from nbgate.http.head import HeadLimits, HeadParser
from nbgate.model.client import Client
from nbgate.model.session import Session
from nbgate.reasons import Reason
from nbgate.rules.tables import shipped_tables

SESSION = Session(id=bytes(range(32)), user="ada", created_unix=0, absolute_unix=1)
ROUTE = SimpleNamespace(route=SimpleNamespace(name="main"))


class Loop:
    def call_later(self, *_args):
        """Nothing is ever flushed here."""


def exchange(
    *,
    path="/api/x?secret=1",
    host="gw.test",
    extra="User-Agent: probe/1\r\nAuthorization: Basic secret\r\nCookie: a=secret\r\n",
    **facts,
):
    raw = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{extra}\r\n".encode()
    given = {
        "head": HeadParser(HeadLimits(), shipped_tables()).parse(raw),
        "session": SESSION,
        "forward": ROUTE,
        "status": 200,
        "reason": None,
        "rule": "",
        "request_id": "id1",
        "request_bytes": 3,
        "response_bytes": 5,
    }
    return SimpleNamespace(
        **{**given, **facts},
        client=Client("192.0.2.7", 5, "192.0.2.7/32"),
        worker=SimpleNamespace(outbox=Outbox(loop=Loop(), clock=ManualClock(), boot="b", send=None)),
    )


def recorded(of):
    ((_, body),) = of.worker.outbox._unacked
    assert b"secret" not in body
    return decode_worker_event(body)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "success"),
        (101, "success"),
        (304, "success"),
        (399, "success"),
        (400, "failure"),
        (502, "failure"),
        (0, "failure"),
    ],
)
def test_a_request_is_a_success_when_its_status_says_so(status, outcome):
    of = exchange(status=status)
    record_request(of, 1.5)
    assert (status, outcome) == ((event := recorded(of)).status, event.outcome)


def test_the_facts_of_a_request():
    of = exchange(reason=Reason.UPSTREAM_TRUNCATED)
    record_request(of, 1.5)
    event = recorded(of)
    assert isinstance(event, HttpRequest)
    assert ("id1", "192.0.2.7", 5, "GET", "gw.test", "/api/x") == (
        event.request_id, event.client_ip, event.client_port, event.method, event.host, event.path,
    )  # fmt: skip
    assert (1_500_000_000, 3, 5, "ada", SESSION.label, "probe/1", "main", "upstream-truncated") == (
        event.duration_ns, event.request_bytes, event.response_bytes, event.user, event.session, event.user_agent,
        event.upstream, event.reason,
    )  # fmt: skip


@pytest.mark.parametrize("record", [lambda of: record_request(of, 0.0), record_open])
def test_what_is_not_known_is_left_out(record):
    of = exchange(session=None, forward=None, extra="")
    record(of)
    event = recorded(of)
    assert (UNSET, UNSET, UNSET, UNSET) == (event.user, event.session, event.user_agent, event.upstream)


@pytest.mark.parametrize("record", [lambda of: record_request(of, 0.0), record_open])
def test_what_a_client_makes_long_is_cut(record):
    of = exchange(path="/" + "a" * 5000, extra=f"User-Agent: {'b' * 5000}\r\n", host="c" * 5000)
    record(of)
    event = recorded(of)
    assert len(event.path) <= MAX_FIELD_CHARS
    assert len(event.user_agent) <= MAX_FIELD_CHARS
    assert len(event.host) <= MAX_FIELD_CHARS


def test_the_facts_of_an_opened_websocket():
    of = exchange(path="/api/kernels/1/channels?session_id=secret")
    record_open(of)
    event = recorded(of)
    assert isinstance(event, WebsocketOpen)
    assert ("/api/kernels/1/channels", "ada", "main", "success") == (
        event.path,
        event.user,
        event.upstream,
        event.outcome,
    )


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        (None, "success"),
        (Reason.CLIENT_GONE, "success"),
        (Reason.DRAINING, "success"),
        (Reason.LOGGED_OUT, "failure"),
        (Reason.UPSTREAM_LOST, "failure"),
        (Reason.INTERNAL, "failure"),
    ],
)
@pytest.mark.parametrize(("code", "told"), [(1000, 1000), (4401, 4401), (0, 1006)])
def test_the_facts_of_a_closed_websocket(reason, outcome, code, told):
    of = exchange()
    up, down = SimpleNamespace(payload_bytes=1, frames=2), SimpleNamespace(payload_bytes=3, frames=4)
    record_close(of, duration_seconds=2.0, close_code=code, up=up, down=down, reason=reason)
    event = recorded(of)
    assert isinstance(event, WebsocketClose)
    assert (told, outcome, 2_000_000_000, 1, 3, 2, 4, "ada") == (
        event.close_code, event.outcome, event.duration_ns, event.request_bytes, event.response_bytes, event.frames_in,
        event.frames_out, event.user,
    )  # fmt: skip
    assert (reason.value if reason else UNSET) == event.reason


def test_a_websocket_of_nobody_is_recorded_without_a_name():
    of = exchange(session=None)
    record_close(
        of,
        duration_seconds=0.0,
        close_code=1000,
        up=(part := SimpleNamespace(payload_bytes=0, frames=0)),
        down=part,
        reason=None,
    )
    assert (UNSET, UNSET) == ((event := recorded(of)).user, event.session)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/_nbgate/setup/secret", "/_nbgate/setup/…"),
        ("/_nbgate/setup/secret/more", "/_nbgate/setup/…"),
        ("/%5Fnbgate/s%65tup/secret", "/_nbgate/setup/…"),
        ("/_nbgate/SETUP/secret", "/_nbgate/setup/…"),
        ("/_nbgate/link/secret?a=1", "/_nbgate/link/…"),
        ("/ipython/_nbgate/link/secret", "/…/_nbgate/link/…"),
        ("/a/b/%5fNBGATE/Setup/secret/more", "/…/_nbgate/setup/…"),
        ("/_nbgate/_nbgate/link/secret", "/…/_nbgate/link/…"),
        ("/api/collaboration/session/a%2F_nbgate%2Flink%2Fsecret", "/…/_nbgate/link/…"),
        ("/_nbgate/link", "/_nbgate/link"),
        ("/x/_nbgate/login/a", "/x/_nbgate/login/a"),
        ("/_nbgate/setup", "/_nbgate/setup"),
        ("/_nbgate/login", "/_nbgate/login"),
        ("/lab/tree/setup/a%20b", "/lab/tree/setup/a%20b"),
        ("/", "/"),
    ],
)
def test_a_path_that_is_a_credential_is_recorded_without_it(path, expected):
    of = exchange(path=path)
    record_request(of, 0.0)
    assert expected == recorded(of).path
    of = exchange(path=path)
    record_open(of)
    assert expected == recorded(of).path
