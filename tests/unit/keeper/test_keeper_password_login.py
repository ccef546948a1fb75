"""A login at a notebook server with a password of its own: what is sent, what counts as success, and patience."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from nbgate.clock import ManualClock
from nbgate.keeper import password_login as module
from nbgate.keeper.password_login import LoginAnswer, PatientLogin, log_in
from nbgate.keeper.probe import Credential, Guard
from nbgate.model.route import Upstream

FORM = "200 OK\r\nSet-Cookie: _xsrf=2|a|b; expires=Wed, 23 Dec 2026 04:22:07 GMT; Path=/"
SIGNED = "2|1:0|10:17|8:username|44:eyJ1c2Vy|0f3c"
GOOD = f'302 Found\r\nLocation: /jl/\r\nSet-Cookie: username-127-0-0-1-8888="{SIGNED}"; HttpOnly; Path=/'
PLAIN = GOOD.replace('"', "")
NEWER = f"{PLAIN}\r\nSet-Cookie: _xsrf=2|c|d; Path=/"
LOGGED_IN = Credential(cookie=f"_xsrf=2|a|b; username-127-0-0-1-8888={SIGNED}", xsrf="2|a|b")


@asynccontextmanager
async def server(form, answer):
    """Answer a GET with `form` and a POST with `answer`; None hangs up."""
    asked = []

    async def serve(reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next((int(line[16:]) for line in head.split("\r\n") if line.startswith("Content-Length: ")), 0)
        asked.append((head, (await reader.readexactly(length)).decode()))
        said = answer if head.startswith("POST") else form
        if said is not None:
            writer.write(f"HTTP/1.1 {said}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as running:
        yield Upstream(host="127.0.0.1", port=running.sockets[0].getsockname()[1]), asked


@pytest.mark.parametrize(
    ("form", "answer", "expected"),
    [
        (FORM, PLAIN, LoginAnswer(Guard.OPEN, LOGGED_IN)),
        (
            FORM,
            NEWER,
            LoginAnswer(Guard.OPEN, Credential(cookie=LOGGED_IN.cookie.replace("2|a|b", "2|c|d", 1), xsrf="2|c|d")),
        ),
        (FORM, "401 Unauthorized", LoginAnswer(Guard.GUARDED)),
        (FORM, "403 Forbidden", LoginAnswer(Guard.GUARDED)),
        (FORM, "302 Found\r\nLocation: /jl/", LoginAnswer(Guard.GUARDED)),
        (FORM, "302 Found\r\nSet-Cookie: _xsrf=2|c|d", LoginAnswer(Guard.GUARDED)),
        (FORM, "302 Found\r\nSet-Cookie: other=1", LoginAnswer(Guard.GUARDED)),
        (FORM, "302 Found\r\nSet-Cookie: username-x=a b", LoginAnswer(Guard.GUARDED)),
        (FORM, "200 OK\r\nSet-Cookie: username-x=1", LoginAnswer(Guard.GUARDED)),
        (FORM, None, LoginAnswer(Guard.DOWN)),
        (None, PLAIN, LoginAnswer(Guard.DOWN)),
    ],
)
async def test_how_a_login_ends(form, answer, expected):
    async with server(form, answer) as (upstream, _):
        assert expected == await log_in(upstream, "/jl/", "s3cret")


async def test_the_form_is_sent_as_a_browser_sends_it():
    async with server(FORM, GOOD) as (upstream, asked):
        await log_in(upstream, "/jl/", "pass wörd&_xsrf=x")
    (form, _), (post, body) = asked
    assert form.startswith("GET /jl/login HTTP/1.1\r\n")
    assert post.startswith("POST /jl/login HTTP/1.1\r\n")
    assert "Cookie: _xsrf=2|a|b\r\n" in post
    assert "Content-Type: application/x-www-form-urlencoded\r\n" in post
    assert "password=pass+w%C3%B6rd%26_xsrf%3Dx&_xsrf=2%7Ca%7Cb" == body


HERE, THERE = Upstream(host="127.0.0.1", port=1), Upstream(host="127.0.0.1", port=2)


@pytest.fixture
def tried():
    return []


@pytest.fixture
def patient(tried):
    async def attempt(upstream, base_url, password):
        tried.append((upstream.port, base_url, password))
        return LoginAnswer(Guard.OPEN, LOGGED_IN) if password == "right" else LoginAnswer(Guard.GUARDED)

    return PatientLogin(attempt, ManualClock(), 60.0)


async def test_a_refused_password_is_not_tried_again_at_once(patient, tried):
    for _ in range(3):
        assert LoginAnswer(Guard.GUARDED) == await patient(HERE, "/", "wrong")
    assert [(1, "/", "wrong")] == tried
    patient._clock.advance(59.9)
    await patient(HERE, "/", "wrong")
    assert 1 == len(tried)
    patient._clock.advance(0.1)
    await patient(HERE, "/", "wrong")
    assert 2 == len(tried)


async def test_another_password_or_another_place_is_tried_at_once(patient, tried):
    await patient(HERE, "/", "wrong")
    await patient(THERE, "/", "wrong")
    await patient(HERE, "/a/", "wrong")
    assert LoginAnswer(Guard.OPEN, LOGGED_IN) == await patient(HERE, "/", "right")
    await patient(HERE, "/", "wrong")  # it may have been refused before the right one came
    assert [(1, "/"), (2, "/"), (1, "/a/"), (1, "/"), (1, "/")] == [place[:2] for place in tried]


async def test_what_is_remembered_is_bounded(patient, tried, monkeypatch):
    monkeypatch.setattr(module, "MAX_REMEMBERED", 2)
    for base_url in ("/a/", "/b/", "/c/", "/c/", "/b/"):
        await patient(HERE, base_url, "wrong")
    assert ["/a/", "/b/", "/c/"] == [place[1] for place in tried]
    await patient(HERE, "/a/", "wrong")
    assert 4 == len(tried)


async def test_a_server_that_does_not_answer_has_refused_nothing(tried):
    async def attempt(*place):
        tried.append(place)
        return LoginAnswer(Guard.SILENT)

    patient = PatientLogin(attempt, ManualClock(), 60.0)
    await patient(HERE, "/", "right")
    await patient(HERE, "/", "right")
    assert 2 == len(tried)
