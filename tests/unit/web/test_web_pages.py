import json
import re

import aiohttp
import pytest

from nbgate.keeper.login import LoginAttempt
from nbgate.keeper.setup import Setup
from nbgate.testing.keeper_parts import PASSWORD
from nbgate.web import bodies
from nbgate.web.pages import make_pages_app

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
NAVIGATION = {"X-Nbgate-Navigation": "1"}
COOKIE = re.compile(r"__Host-Http-nbgate-8443=([A-Za-z0-9_-]{43}); Path=/; Secure; HttpOnly; SameSite=Lax")
CLEARED = "__Host-Http-nbgate-8443=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"
CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


@pytest.fixture
async def client(rig, tmp_path, client_of):
    setup = Setup(folder=tmp_path, accounts=rig.keeper.accounts, clock=rig.clock, random_bytes=rig.random_bytes)
    async with client_of(make_pages_app(rig.keeper, setup), tmp_path / "pages.sock") as client:
        yield client


async def ask(client, method, path, body=None, **headers):
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.request(method, path, data=body, headers=sent, allow_redirects=False) as answer:
        return answer, await answer.text()


async def log_in(client, username="ada", password=PASSWORD, **headers):
    body = json.dumps({"username": username, "password": password})
    return await ask(client, "POST", "/_nbgate/api/login", body, Content_Type="application/json", **headers)


async def live_session(rig):
    session, _ = await rig.keeper.log_in(
        LoginAttempt(username="ada", password=PASSWORD, client="192.0.2.7", request_id="r1234567")
    )
    return session


# the call


async def test_the_call_logs_in_and_sets_the_cookie(client, rig):
    answer, text = await log_in(client, X_Nbgate_Client="192.0.2.7", X_Nbgate_Request_Id="abcdef0123456789")
    assert (200, {"user": "ada"}) == (answer.status, json.loads(text))
    assert COOKIE.fullmatch(answer.headers["Set-Cookie"])
    assert "abcdef0123456789" == answer.headers["X-Request-ID"]
    assert "no-store" == answer.headers["Cache-Control"]
    assert "Server" not in answer.headers
    (record,) = rig.sink.records("auth.login")
    assert ("192.0.2.7", "abcdef0123456789") == (record["client.ip"], record["http.request.id"])


async def test_the_cookie_is_named_after_the_public_port(client):
    for host, name in (("gw.test", "__Host-Http-nbgate="), ("gw.test:9000", "__Host-Http-nbgate-9000=")):
        answer, _ = await log_in(client, Host=host)
        assert answer.headers["Set-Cookie"].startswith(name)


async def test_every_refusal_is_equal_to_the_byte(client, rig):
    await rig.keeper.accounts.add("off", PASSWORD, "a")
    await rig.keeper.accounts.disable("off", "a")
    answers = set()
    for username, password in (
        ("ada", "wrong horse battery"),
        ("nobody", PASSWORD),
        ("off", PASSWORD),
        ("not a name\n", PASSWORD),
        ("", ""),
        ("ada", "x" * 1100),
    ):
        answer, text = await log_in(client, username, password)
        kept = {name: value for name, value in answer.headers.items() if name not in {"Date", "X-Request-ID"}}
        answers.add((answer.status, text, tuple(sorted(kept.items()))))
    ((status, text, headers),) = answers
    assert (401, {"error": "credential rejected"}) == (status, json.loads(text))
    assert "Set-Cookie" not in dict(headers)


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b'{"username":"ada"}', JSON, 400),
        (b'{"username":"ada","password":"p","x":"y"}', JSON, 400),
        (b'{"username":"ada","username":"ada","password":"p"}', JSON, 400),
        (b'{"username":"ada","password":1}', JSON, 400),
        (b'{"username":"ada","password":{"a":"b"}}', JSON, 400),
        (b'{"username":"ada","password":"\\ud800"}', JSON, 400),
        (b'{"username":"ada","password":"\xff"}', JSON, 400),
        (b"[]", JSON, 400),
        (b"[" * 8000, JSON, 400),
        (b'"text"', JSON, 400),
        (b"{", JSON, 400),
        (b"", JSON, 400),
        (b'{"username":"ada","password":"p"}', FORM, 415),
        (b'{"username":"ada","password":"p"}', {"Content-Type": "text/plain"}, 415),
        (b'{"username":"ada","password":"p"}', {}, 415),
        (b"{}", JSON | {"Content-Type": "application/json; charset=utf-16"}, 415),
        (b"{}", JSON | {"Content-Encoding": "gzip"}, 415),
        (b" " * 8193, JSON, 413),
    ],
)
async def test_bodies_of_another_shape_are_refused_before_any_password(client, rig, body, headers, status):
    answer, text = await ask(client, "POST", "/_nbgate/api/login", body, **headers)
    assert status == answer.status
    assert set(json.loads(text)) == {"error"}
    assert [] == rig.sink.records("auth.login")


async def test_a_body_that_does_not_arrive_is_given_up(client, monkeypatch):
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.01)
    stop = aiohttp.streams.asyncio.Event()

    async def slow():
        yield b"{"
        await stop.wait()

    async with client.post("/_nbgate/api/login", data=slow(), headers=JSON) as answer:
        assert 408 == answer.status
    stop.set()


async def test_a_login_while_the_audit_fails_is_503_and_comes_later(client, rig):
    rig.sink.broken = True
    answer, text = await log_in(client)
    assert (503, "3") == (answer.status, answer.headers["Retry-After"])
    assert "Set-Cookie" not in answer.headers
    assert "error" in json.loads(text)


async def test_a_login_too_many_is_503(client, rig):
    rig.hashes._max_waiting = 0
    async with rig.hashes._turns:
        answer, _ = await log_in(client)
    assert (503, "3") == (answer.status, answer.headers["Retry-After"])


async def test_a_new_login_ends_the_session_the_browser_had(client, rig):
    session = await live_session(rig)
    answer, _ = await log_in(client, X_Nbgate_Session=session.id.hex())
    assert 200 == answer.status
    assert rig.keeper.find_session(session.id) is None


async def test_the_call_logs_out(client, rig):
    session = await live_session(rig)
    answer, text = await ask(client, "POST", "/_nbgate/api/logout", X_Nbgate_Session=session.id.hex())
    assert (200, {}, CLEARED) == (answer.status, json.loads(text), answer.headers["Set-Cookie"])
    assert rig.keeper.find_session(session.id) is None


@pytest.mark.parametrize("sent", ["", "zz", "00" * 32])
async def test_a_logout_without_a_live_session_is_done_already(client, sent):
    answer, _ = await ask(client, "POST", "/_nbgate/api/logout", X_Nbgate_Session=sent)
    assert (200, CLEARED) == (answer.status, answer.headers["Set-Cookie"])


# the pages


async def test_the_login_page_can_run_nothing_and_be_framed_by_nobody(client):
    answer, text = await ask(client, "GET", "/_nbgate/login", **NAVIGATION)
    assert (200, "text/html; charset=utf-8") == (answer.status, answer.headers["Content-Type"])
    expected = {
        "Content-Security-Policy": CSP,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
    }
    assert expected == {name: answer.headers[name] for name in expected}
    assert not re.search(r"<script|<style|style=|\son\w+=|javascript:|https?://", text)
    assert "gw.test:8443" in text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?next=/lab/tree/a.ipynb", "/lab/tree/a.ipynb"),
        ("?next=%2Flab%3Freset", "/lab?reset"),
        ("?next=//evil.example/", None),
        ("?next=https://evil.example/", None),
        ("?next=/lab&next=/tree", None),
        ("?next=", None),
        ("", None),
    ],
)
async def test_the_login_page_carries_where_to_go_next(client, rig, query, expected):
    _, text = await ask(client, "GET", f"/_nbgate/login{query}")
    found = re.search(r'name="next" value="([^"]*)"', text)
    assert expected == (found and found[1])
    session = await live_session(rig)
    answer, _ = await ask(client, "GET", f"/_nbgate/login{query}", X_Nbgate_Session=session.id.hex())
    assert (303, expected or "/") == (answer.status, answer.headers["Location"])


@pytest.mark.parametrize(
    ("form", "location"),
    [
        ("", "/"),
        ("&next=%2Flab%2Ftree%2Fa.ipynb", "/lab/tree/a.ipynb"),
        ("&next=%2F%2Fevil.example", "/"),
        ("&next=", "/"),
    ],
)
async def test_the_form_logs_in_and_goes_on(client, form, location):
    body = f"username=ada&password={PASSWORD.replace(' ', '+')}{form}"
    answer, _ = await ask(client, "POST", "/_nbgate/login", body, **FORM, **NAVIGATION)
    assert (303, location) == (answer.status, answer.headers["Location"])
    assert COOKIE.fullmatch(answer.headers["Set-Cookie"])


async def test_a_refused_form_shows_the_page_again_with_the_name_escaped(client):
    body = "username=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&password=secret-words&next=%2Flab"
    answer, text = await ask(client, "POST", "/_nbgate/login", body, **FORM, **NAVIGATION)
    assert 401 == answer.status
    assert "Wrong user name or password." in text
    assert 'value="&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"' in text
    assert 'name="next" value="/lab"' in text
    assert "secret-words" not in text
    assert "Set-Cookie" not in answer.headers


async def test_refused_forms_are_equal_but_for_the_name_that_was_typed(client):
    texts = set()
    for username in ("ada", "bob"):
        body = f"username={username}&password=wrong+horse+battery"
        _, text = await ask(client, "POST", "/_nbgate/login", body, **FORM)
        texts.add(text.replace(f'value="{username}"', 'value=""'))
    assert 1 == len(texts)


async def test_a_form_while_the_audit_fails_keeps_the_name_and_says_later(client, rig):
    rig.sink.broken = True
    body = "username=ada&password=correct+horse+battery"
    answer, text = await ask(client, "POST", "/_nbgate/login", body, **FORM)
    assert (503, "3") == (answer.status, answer.headers["Retry-After"])
    assert 'value="ada"' in text
    assert "not possible right now" in text


async def test_a_form_too_many_says_so(client, rig):
    rig.hashes._max_waiting = 0
    async with rig.hashes._turns:
        answer, text = await ask(client, "POST", "/_nbgate/login", "username=ada&password=p", **FORM)
    assert (503, True) == (answer.status, "Too many people" in text)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("username=ada", 400),
        ("username=ada&password=p&x=y", 400),
        ("username=ada&password=p&password=q", 400),
        ("username=ada&password=%ff", 400),
        ("username=ada&password", 400),
        ("&".join(f"a{n}=b" for n in range(20)), 400),
        ("", 400),
    ],
)
async def test_forms_of_another_shape_are_refused_with_a_page(client, body, status):
    answer, text = await ask(client, "POST", "/_nbgate/login", body, **FORM, **NAVIGATION)
    assert status == answer.status
    assert "That did not work" in text
    assert answer.headers["X-Request-ID"] in text


async def test_logging_out_takes_a_button_with_a_token(client, rig):
    session = await live_session(rig)
    own = {"X-Nbgate-Session": session.id.hex(), **NAVIGATION}
    answer, text = await ask(client, "GET", "/_nbgate/logout", **own)
    assert 200 == answer.status
    assert rig.keeper.find_session(session.id) == session
    token = re.search(r'name="form_token" value="([^"]+)"', text)[1]
    refused, text = await ask(client, "POST", "/_nbgate/logout", "form_token=other", **FORM, **own)
    assert (403, True) == (refused.status, "too old" in text)
    assert rig.keeper.find_session(session.id) == session
    done, _ = await ask(client, "POST", "/_nbgate/logout", f"form_token={token}", **FORM, **own)
    told = done.status, done.headers["Location"], done.headers["Set-Cookie"]
    assert (303, "/_nbgate/login?signed-out", CLEARED) == told
    assert rig.keeper.find_session(session.id) is None


async def test_the_token_of_one_session_ends_no_other(client, rig):
    one, two = await live_session(rig), await live_session(rig)
    _, text = await ask(client, "GET", "/_nbgate/logout", X_Nbgate_Session=one.id.hex())
    token = re.search(r'name="form_token" value="([^"]+)"', text)[1]
    answer, _ = await ask(
        client, "POST", "/_nbgate/logout", f"form_token={token}", **FORM, X_Nbgate_Session=two.id.hex()
    )
    assert 403 == answer.status
    assert rig.keeper.find_session(two.id) == two


async def test_who_is_signed_out_already_is_shown_the_login_page(client):
    answer, _ = await ask(client, "GET", "/_nbgate/logout")
    assert (303, "/_nbgate/login") == (answer.status, answer.headers["Location"])
    answer, _ = await ask(client, "POST", "/_nbgate/logout", "form_token=x", **FORM)
    assert (303, "/_nbgate/login?signed-out") == (answer.status, answer.headers["Location"])
    _, text = await ask(client, "GET", "/_nbgate/login?signed-out")
    assert "You are signed out." in text


async def test_static_files_are_named_after_their_content_and_there_are_no_others(client):
    _, text = await ask(client, "GET", "/_nbgate/login")
    found = set(re.findall(r'"(/_nbgate/static/[^"]+)"', text))
    assert 2 == len(found)
    for path in found:
        answer, _ = await ask(client, "GET", path)
        assert (200, "public, max-age=31536000, immutable") == (answer.status, answer.headers["Cache-Control"])
    for path in ("style.css", "..%2ftemplates%2flogin.html", "%2e%2e", "x-0.css"):
        answer, _ = await ask(client, "GET", f"/_nbgate/static/{path}")
        assert 404 == answer.status


async def test_ready_says_yes_or_no_and_nothing_else(client, rig):
    answer, text = await ask(client, "GET", "/_nbgate/ready")
    assert (503, {"ready": False}) == (answer.status, json.loads(text))
    await rig.keeper.mounts.look_once()
    answer, text = await ask(client, "GET", "/_nbgate/ready")
    assert (200, {"ready": True}) == (answer.status, json.loads(text))


async def test_what_is_not_there_is_404_and_another_method_405(client):
    answer, text = await ask(client, "GET", "/_nbgate/nothing", **NAVIGATION)
    assert (404, True) == (answer.status, "Not found" in text)
    answer, text = await ask(client, "GET", "/_nbgate/nothing")
    assert (404, {"error": "not found"}) == (answer.status, json.loads(text))
    answer, _ = await ask(client, "DELETE", "/_nbgate/login")
    assert (405, "GET,HEAD,POST") == (answer.status, answer.headers["Allow"])


async def test_what_nobody_expected_is_one_fixed_answer(client, rig, monkeypatch, capsys):
    def fail():
        raise RuntimeError("secret detail")

    monkeypatch.setattr(rig.keeper, "is_ready", fail)
    answer, text = await ask(client, "GET", "/_nbgate/ready", **NAVIGATION)
    assert (500, True) == (answer.status, "Something went wrong" in text)
    assert "secret detail" not in text
    again, _ = await ask(client, "GET", "/_nbgate/login")
    assert 200 == again.status


async def test_an_id_that_no_worker_made_is_replaced(client):
    for sent in ("", "short", "x" * 65, "a b c d e f g h"):
        answer, _ = await ask(client, "GET", "/_nbgate/login", X_Nbgate_Request_Id=sent)
        assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["X-Request-ID"])
