"""The heads of one client connection: built once for what repeats, anew for what changes."""

import pytest

from nbgate.crypto.devices import new_device_cookie, new_device_id
from nbgate.crypto.sealing import Keyring
from nbgate.http.head import HeadLimits, HeadParser
from nbgate.model.client import Client
from nbgate.model.keys import SealingKey
from nbgate.model.route import Route, RouteKind, Upstream, UpstreamState
from nbgate.model.session import Session
from nbgate.pipeline import upstream_heads as module
from nbgate.pipeline.upstream_heads import ConnectionHeads
from nbgate.rewrite.cookies import PURPOSE, client_set_cookies
from nbgate.rules.tables import shipped_tables

TABLES = shipped_tables()
KEYRING = Keyring((SealingKey(id=0, secret=bytes(32)),), purpose=PURPOSE)
LAB = Route(name="main", prefix="/", upstream=Upstream(host="127.0.0.1", port=8888))
OWN = Route(name="own", prefix="/_nbgate/", upstream=Upstream(path="/run/pages.sock"), kind=RouteKind.OWN)
CLIENT = Client("2001:db8::1", 5, "2001:db8::/64")
ADA = Session(id=bytes(range(32)), user="ada", created_unix=0, absolute_unix=1)
BOB = Session(id=bytes(32), user="bob", created_unix=0, absolute_unix=1)
STATE = UpstreamState(route="main", token="tok")
SHOWN = (f"X-Nbgate-Session: {ADA.id.hex()}", f"X-Nbgate-Session-Key: {bytes(range(1, 33)).hex()}")
DEVICE_NAME = "__Host-Http-nbgate_dev"
DEVICE = new_device_cookie(bytes(32), "ada", new_device_id(bytes(16)), 2_000_000_000, 1)
SOCKET = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"
)


class Builder:
    """One connection's parser and heads."""

    def __init__(self):
        self.parser = HeadParser(HeadLimits(), TABLES)
        self.heads = ConnectionHeads()

    def lines(self, extra="", *, path="/api/x", method="GET", **changes):
        head = self.parser.parse(f"{method} {path} HTTP/1.1\r\nHost: gw.test\r\n{extra}\r\n".encode())
        given = {
            "route": LAB,
            "state": STATE,
            "session": ADA,
            "client": CLIENT,
            "keyring": KEYRING,
            "page": False,
            "plain": False,
            "navigation": False,
            "request_id": "id1",
        }
        built = self.heads.build(head, path.encode(), **{**given, **changes})
        assert built.endswith(b"\r\n")
        assert b"\r\n\r\n" not in built
        return built.decode("ascii").split("\r\n")[:-1]


def sealed(user):
    line = client_set_cookies(["sid=1"], route=LAB, user=user, keyring=KEYRING, nonce=lambda: bytes(12))
    return line.decode().removeprefix("Set-Cookie: ").partition(";")[0]


def test_what_the_upstream_is_told():
    lines = Builder().lines("X-Custom: a\r\nCookie: other=1\r\nAuthorization: Basic x\r\n")
    assert ["GET /api/x HTTP/1.1", "Host: 127.0.0.1:8888", "X-Custom: a"] == lines[:3]
    assert {
        "X-Forwarded-For: 2001:db8::1",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: gw.test",
        "Authorization: token tok",
        "X-Request-ID: id1",
    } <= set(lines)
    assert not any(line.startswith(("Cookie", "Authorization: Basic")) for line in lines)


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"state": UpstreamState(route="main", token="other")}, "Authorization: token other"),
        ({"page": True}, "Accept-Encoding: identity"),
        ({"request_id": "id2"}, "X-Request-ID: id2"),
        ({"path": "/api/y"}, "GET /api/y HTTP/1.1"),
        ({"method": "DELETE"}, "DELETE /api/x HTTP/1.1"),
    ],
)
def test_what_changes_between_two_equal_header_blocks_is_not_taken_from_memory(change, wanted):
    builder = Builder()
    first = builder.lines("Accept-Encoding: gzip\r\n")
    assert wanted not in first
    assert wanted in builder.lines("Accept-Encoding: gzip\r\n", **change)
    assert first == builder.lines("Accept-Encoding: gzip\r\n")


def test_a_cookie_is_unsealed_for_the_person_who_asks_now():
    builder = Builder()
    extra = f"Cookie: {sealed('ada')}\r\n"
    assert "Cookie: sid=1" in builder.lines(extra)
    assert not any(line.startswith("Cookie:") for line in builder.lines(extra, session=BOB))
    assert not any(line.startswith("Cookie:") for line in builder.lines(extra, session=None))


@pytest.mark.parametrize("order", [(True, False, True), (False, True, False)])
def test_extensions_never_reach_a_channel_whatever_was_asked_before_with_the_same_block(order):
    builder = Builder()
    for plain in order:
        lines = builder.lines(SOCKET, plain=plain)
        assert plain == ("Sec-WebSocket-Extensions: permessage-deflate" not in lines)


def test_cookies_are_unsealed_once_for_the_same_block(monkeypatch):
    calls = []

    def counted(*args, **options):
        calls.append(args)
        return whole(*args, **options)

    whole = module.upstream_cookie
    monkeypatch.setattr(module, "upstream_cookie", counted)
    builder = Builder()
    for index in range(5):
        builder.lines(path=f"/api/{index}", request_id=f"id{index}")
    assert 1 == len(calls)


@pytest.mark.parametrize(
    ("session", "navigation", "cookie", "told"),
    [
        (ADA, True, "a=b", ["X-Nbgate-Navigation: 1", *SHOWN]),
        (ADA, True, f"{DEVICE_NAME}={DEVICE}", ["X-Nbgate-Navigation: 1", *SHOWN, f"X-Nbgate-Device: {DEVICE}"]),
        (None, False, f"{DEVICE_NAME}={DEVICE}", ["X-Nbgate-Navigation: 0", f"X-Nbgate-Device: {DEVICE}"]),
        (None, False, f"{DEVICE_NAME}={DEVICE}; {DEVICE_NAME}={DEVICE}", ["X-Nbgate-Navigation: 0"]),
        (None, False, f"{DEVICE_NAME}=v1.other", ["X-Nbgate-Navigation: 0"]),
    ],
)
def test_the_keeper_is_told_who_asks_and_no_client_can_say_it(session, navigation, cookie, told):
    forged = (
        "X-Nbgate-Session: 00\r\nX-Nbgate-Client: 1.2.3.4\r\nx-nbgate-navigation: 1\r\nX-Nbgate-Device: x\r\n"
        f"X-Nbgate-Session-Key: 00\r\nCookie: {cookie}\r\nAuthorization: x\r\n"
    )
    lines = Builder().lines(
        forged + "Content-Type: application/json\r\n",
        path="/_nbgate/login?next=/lab",
        route=OWN,
        session=session,
        navigation=navigation,
        key=bytes(range(1, 33)),
    )
    assert [
        "GET /_nbgate/login?next=/lab HTTP/1.1",
        "Host: gw.test",
        "X-Nbgate-Client: 2001:db8::1",
        "X-Nbgate-Request-Id: id1",
        *told,
        "Content-Type: application/json",
    ] == lines


def test_at_a_server_with_a_password_our_login_is_sent_and_not_the_clients():
    state = UpstreamState(route="main", cookie="username-x=1; _xsrf=2", xsrf="2")
    lines = Builder().lines("X-XSRFToken: 9\r\nCookie: _xsrf=9\r\n", path="/files/a?_xsrf=9", state=state)
    assert "GET /files/a HTTP/1.1" == lines[0]
    assert ["Cookie: username-x=1; _xsrf=2", "X-XSRFToken: 2"] == [
        line for line in lines if line.startswith(("Cookie", "X-XSRF", "Authorization"))
    ]


def test_the_keeper_gets_the_handshake_without_extensions():
    lines = Builder().lines(SOCKET, path="/_nbgate/diagnose/socket", route=OWN, state=UpstreamState(route="own"))
    assert [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ] == lines[-4:]
    assert not any("Extensions" in line for line in lines)
