"""An upstream with a password of its own, and one whose socket is another user's: what goes up, and what comes back."""

import os

import pytest
from msgspec import structs

from nbgate.link.messages import UpstreamPut, UpstreamSuspect
from nbgate.model.route import Condition, UpstreamState
from nbgate.testing.edge_rig import HOST
from nbgate.testing.stub_upstream import answer

LOGIN = "username-127-0-0-1-8888=signed; _xsrf=2|o|o"
STATE = UpstreamState(route="main", condition=Condition.GUARDED, cookie=LOGIN, xsrf="2|o|o", generation=2)
ORIGIN = f"Origin: https://{HOST}\r\n"


def request(path, *, cookie, extra="", method="GET"):
    return f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\n{extra}Cookie: {cookie}; _xsrf=mine\r\n\r\n".encode()


def ask(client, raw):
    client.send(raw)
    return client.read_answer()


@pytest.mark.parametrize("times", [1, 2])
def test_our_login_goes_up_also_on_a_repetition(rig, stub, times):
    cookie = rig.login()
    rig.send(UpstreamPut(state=STATE))
    with rig.client() as client:
        for _ in range(times):
            ask(client, request("/files/a?_xsrf=theirs&x=1", cookie=cookie, extra="X-XSRFToken: theirs\r\n"))
    sent = stub.requests[-1]
    assert sent.line.startswith("GET /files/a?x=1 ")
    assert ([LOGIN], ["2|o|o"], []) == tuple(map(sent.values, ("cookie", "x-xsrftoken", "authorization")))


def test_what_the_upstream_sets_of_that_login_reaches_nobody(rig, stub):
    cookie = rig.login()
    rig.send(UpstreamPut(state=STATE))
    set_cookie = (
        b"Set-Cookie: _xsrf=2|n|n; Path=/\r\nSet-Cookie: username-127-0-0-1-8888=new\r\nSet-Cookie: theme=1\r\n"
    )
    stub.default_answer = answer(b"1", extra=set_cookie)
    with rig.client() as client:
        told = ask(client, request("/api/x", cookie=cookie)).values("set-cookie")
    assert ["nbg-main-theme"] == [line.partition("=")[0] for line in told]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (answer(b"", status="302 Found", extra=b"Location: /login?next=%2Flab\r\n"), 502),
        (answer(b"", status="403 Forbidden"), 403),
    ],
)
def test_a_login_that_is_over_is_noticed(rig, stub, sent, status):
    cookie = rig.login()
    rig.send(UpstreamPut(state=STATE))
    stub.default_answer = sent
    with rig.client() as client:
        assert status == ask(client, request("/lab", cookie=cookie)).status
    assert [UpstreamSuspect(route="main")] == rig.wait_for(UpstreamSuspect)


def test_a_socket_of_another_user_is_sent_nothing_and_looked_at(rig, stub):
    own, main = rig.routes
    foreign = structs.replace(main.upstream, owners=(os.geteuid() + 1,))
    cookie = rig.login()
    rig.send(rig.snapshot(routes=(own, structs.replace(main, upstream=foreign))))
    with rig.client() as client:
        told = ask(client, request("/api/x", cookie=cookie, extra="Sec-Fetch-Mode: cors\r\n"))
    assert (502, True) == (told.status, b"upstream-uid-mismatch" in told.body)
    assert [] == stub.requests
    assert [UpstreamSuspect(route="main")] == rig.wait_for(UpstreamSuspect)
