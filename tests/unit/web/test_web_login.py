"""The login page, its small window and the calls, as a worker passes them on."""

import json
import re

import pytest

from nbgate.errors import LockedDown, LoginThrottled
from nbgate.testing.keeper_parts import PASSWORD

JSON = {"Content-Type": "application/json"}
NOBODY_S = {"Date", "X-Request-ID"}
SESSION = re.compile(r"__Host-Http-nbgate-8443=([A-Za-z0-9_-]{43}); Path=/; Secure; HttpOnly; SameSite=Lax")
DEVICE = re.compile(
    r"__Host-Http-nbgate_dev-8443=v1\.[\w-]{22}\.\d+\.[\w-]{43}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=7776000"
)


async def call(client, body, **headers):
    sent = JSON | {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.post("/_nbgate/api/login", data=json.dumps(body), headers=sent) as answer:
        return answer, await answer.text()


def fixed(answer, text):
    kept = {name: value for name, value in answer.headers.items() if name not in NOBODY_S}
    return answer.status, text, tuple(sorted(kept.items()))


async def rejected(stranger, **form):
    shown = await stranger.send("/_nbgate/login", **form)
    return fixed(shown, shown.raw)


# the form


async def test_the_form_asks_for_all_factors_at_once_and_needs_no_script(stranger):
    shown = await stranger.go("/_nbgate/login")
    assert (200, "Sign in", {"username", "password", "code"}) == (shown.status, shown.heading, shown.fields)
    assert "only if you have set one up" in shown.text
    assert "<script" not in shown.raw
    assert "gw.test:8443" in shown.text


async def test_the_form_signs_in_and_the_browser_keeps_both_cookies(stranger, rig):
    shown = await stranger.fill("/_nbgate/login", username="ada", password=PASSWORD, code="")
    assert (303, "/") == (shown.status, shown.location)
    session, device = shown.cookies
    assert SESSION.fullmatch(session)
    assert DEVICE.fullmatch(device)
    (stored,) = rig.keeper.sessions_of("ada")
    assert ("192.0.2.7", "Firefox on Linux") == (stored.client, stored.label)


@pytest.mark.parametrize(
    ("form", "location"),
    [
        ({"next": "/lab/tree/a.ipynb"}, "/lab/tree/a.ipynb"),
        ({"next": "/_nbgate/account"}, "/_nbgate/account"),
        ({"next": "/_nbgate/logout"}, "/"),
        ({"next": "//evil.example"}, "/"),
        ({"next": ""}, "/"),
        ({"window": "1"}, "/_nbgate/signed-in"),
        ({"window": "1", "next": "/lab"}, "/_nbgate/signed-in"),
    ],
)
async def test_the_form_leads_on(stranger, form, location):
    shown = await stranger.send("/_nbgate/login", username="ada", password=PASSWORD, **form)
    assert (303, location) == (shown.status, shown.location)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?next=/lab/tree/a.ipynb", "/lab/tree/a.ipynb"),
        ("?next=%2Flab%3Freset", "/lab?reset"),
        ("?next=//evil.example/", None),
        ("?next=https://evil.example/", None),
        ("?next=/lab&next=/tree", None),
        ("?next=/_nbgate/account/totp", "/_nbgate/account/totp"),
        ("?next=", None),
        ("", None),
    ],
)
async def test_the_page_carries_where_to_go_next(stranger, ada, query, expected):
    shown = await stranger.go(f"/_nbgate/login{query}")
    assert expected == shown.hidden.get("next")
    shown = await ada.go(f"/_nbgate/login{query}")
    assert (303, expected or "/") == (shown.status, shown.location)


async def test_who_signed_out_is_told(stranger):
    assert "You are signed out." in (await stranger.go("/_nbgate/login?signed-out")).text


async def test_a_new_login_ends_the_one_the_browser_had(ada):
    await ada.send("/_nbgate/login", username="ada", password=PASSWORD)
    assert not ada.is_signed_in


# what fails


async def test_a_refused_form_keeps_what_was_typed_but_no_secret(stranger):
    shown = await stranger.send(
        "/_nbgate/login", username='"><script>alert(1)</script>', password="secret-words", code="731 902", next="/lab"
    )
    assert (401, {"next": "/lab"}) == (shown.status, shown.hidden)
    assert "Wrong user name, password or code." in shown.problem
    assert 'value="&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"' in shown.raw
    assert not {"secret-words", "731 902", "731902"} & set(re.findall(r'value="([^"]*)"', shown.raw))
    assert [] == shown.cookies
    assert "autofocus" in re.search(r'<input id="password"[^>]*>', shown.raw)[0]


async def test_refused_forms_are_equal_to_the_byte_whatever_was_wrong(stranger, ada, rig):
    """T05: right password and wrong code cannot be told from a wrong password."""
    secret, _ = await ada.set_up_totp()
    good = ada.code(secret)
    answers = {
        await rejected(stranger, username="ada", password=PASSWORD, code="000000"),
        await rejected(stranger, username="ada", password=PASSWORD, code=""),
        await rejected(stranger, username="ada", password=PASSWORD),
        await rejected(stranger, username="ada", password="wrong horse battery", code=good),
        await rejected(stranger, username="ada", password="", code=good),
        await rejected(stranger, username="ada", password="x" * 1100, code=good),
    }
    ((status, _, headers),) = answers
    assert (401, None) == (status, dict(headers).get("Set-Cookie"))


async def test_refused_forms_differ_by_the_name_that_was_typed_alone(stranger, rig):
    await rig.keeper.accounts.add("off", PASSWORD, "a")
    await rig.keeper.accounts.disable("off", "a")
    texts = set()
    for username in ("ada", "off", "nobody", "not a name"):
        shown = await stranger.send("/_nbgate/login", username=username, password="wrong horse battery")
        texts.add(shown.raw.replace(f'value="{username}"', 'value=""'))
    assert 1 == len(texts)


async def test_a_code_is_taken_as_the_phone_shows_it_and_once(stranger, ada):
    secret, recovery = await ada.set_up_totp()
    code = ada.code(secret)
    form = {"username": "ada", "password": PASSWORD, "code": f"{code[:3]} {code[3:]}"}
    assert [303, 401] == [(await stranger.send("/_nbgate/login", **form)).status for _ in range(2)]
    form["code"] = recovery[0].lower()
    assert [303, 401] == [(await stranger.send("/_nbgate/login", **form)).status for _ in range(2)]


async def test_who_tries_too_often_is_told_when_to_try_again(stranger):
    answers = [await stranger.send("/_nbgate/login", username="ada", password="wrong horse") for _ in range(11)]
    assert [401] * 10 + [429] == [shown.status for shown in answers]
    shown = answers[-1]
    assert re.fullmatch(r"[1-9]\d*", shown.headers["Retry-After"])
    assert re.search(r"Too many attempts\. Wait \d+ (seconds?|minutes?), then try again", shown.problem)
    assert 'value="ada"' in shown.raw


async def test_a_wait_is_said_in_words_and_in_whole_seconds(stranger, rig, monkeypatch):
    async def must_wait(attempt):
        raise LoginThrottled(120.2)

    monkeypatch.setattr(rig.keeper, "log_in", must_wait)
    shown = await stranger.send("/_nbgate/login", username="ada", password="p")
    assert ("121", True) == (shown.headers["Retry-After"], "Wait 3 minutes" in shown.problem)
    answer, text = await call(stranger.client, {"username": "ada", "password": "p"})
    assert (429, "121") == (answer.status, answer.headers["Retry-After"])
    assert {"error", "hint"} == set(json.loads(text))


async def test_while_signing_in_is_closed_the_page_says_so(stranger, rig):
    await rig.keeper.lock_down("uid:0 root")
    shown = await stranger.send("/_nbgate/login", username="ada", password=PASSWORD)
    assert (503, "") == (shown.status, shown.headers.get("Retry-After", ""))
    assert LockedDown().public in shown.problem.lower()
    answer, _ = await call(stranger.client, {"username": "ada", "password": PASSWORD})
    assert 503 == answer.status


async def test_a_form_while_the_audit_fails_keeps_the_name_and_says_later(stranger, rig):
    rig.sink.broken = True
    shown = await stranger.send("/_nbgate/login", username="ada", password=PASSWORD)
    assert (503, "3", True) == (shown.status, shown.headers["Retry-After"], 'value="ada"' in shown.raw)
    assert "not possible right now" in shown.problem


async def test_a_form_too_many_says_so(stranger, rig, full):
    with full():
        shown = await stranger.send("/_nbgate/login", username="ada", password="p")
    assert (503, True) == (shown.status, "Too many people" in shown.problem)


@pytest.mark.parametrize(
    "fields",
    [
        {"username": "ada"},
        {"username": "ada", "password": "p", "x": "y"},
        {"username": "ada", "password": "p", "form_token": "y"},
        {},
    ],
)
async def test_forms_of_another_shape_are_refused_with_a_page(stranger, fields):
    shown = await stranger.send("/_nbgate/login", **fields)
    assert (400, "That did not work") == (shown.status, shown.heading)
    assert shown.headers["X-Request-ID"] in shown.text


# the small window


async def test_the_small_window_says_what_is_kept_and_stays_small_when_refused(stranger):
    shown = await stranger.go("/_nbgate/login?window")
    assert ("Sign in again", {"window": "1"}) == (shown.heading, shown.hidden)
    assert "What you typed in your notebooks is kept" in shown.text
    refused = await stranger.press(shown, username="ada", password="wrong horse battery")
    assert (401, "Sign in again", {"window": "1"}) == (refused.status, refused.heading, refused.hidden)


async def test_the_small_window_ends_with_a_script_and_words(ada, stranger):
    shown = await ada.go("/_nbgate/login?window")
    assert (303, "/_nbgate/signed-in") == (shown.status, shown.location)
    shown = await ada.go("/_nbgate/signed-in")
    (script,) = re.findall(r'<script src="([^"]+)" defer></script>', shown.raw)
    assert "You can close this window" in shown.text
    async with ada.client.get(script) as answer:
        text = await answer.text()
    assert 'new BroadcastChannel("nbgate").postMessage("signed-in")' in text
    assert "window.close()" in text
    shown = await stranger.go("/_nbgate/signed-in")
    assert (303, "/_nbgate/login?window") == (shown.status, shown.location)


# the calls


async def test_the_call_signs_in_and_sets_both_cookies(client, rig):
    told = {"X_Nbgate_Client": "192.0.2.7", "X_Nbgate_Request_Id": "abcdef0123456789"}
    answer, text = await call(client, {"username": "ada", "password": PASSWORD}, **told)
    assert (200, {"user": "ada"}) == (answer.status, json.loads(text))
    session, device = answer.headers.getall("Set-Cookie")
    assert SESSION.fullmatch(session)
    assert DEVICE.fullmatch(device)
    assert ("abcdef0123456789", "no-store") == (answer.headers["X-Request-ID"], answer.headers["Cache-Control"])
    assert "Server" not in answer.headers
    (record,) = rig.sink.records("auth.login")
    assert ("192.0.2.7", "abcdef0123456789") == (record["client.ip"], record["http.request.id"])


async def test_the_device_cookie_comes_back_with_its_id(client):
    body = {"username": "ada", "password": PASSWORD}
    first, _ = await call(client, body)
    device = first.headers.getall("Set-Cookie")[1].split(";")[0].partition("=")[2]
    again, _ = await call(client, body, X_Nbgate_Device=device)
    assert f"=v1.{device.split('.')[1]}." in again.headers.getall("Set-Cookie")[1]


async def test_cookies_are_named_after_the_public_port(client):
    for host, name in (("gw.test", "__Host-Http-nbgate="), ("gw.test:9000", "__Host-Http-nbgate-9000=")):
        answer, _ = await call(client, {"username": "ada", "password": PASSWORD}, Host=host)
        assert answer.headers["Set-Cookie"].startswith(name)


async def test_who_signs_in_with_a_code_alone_leaves_the_password_out(client, ada, rig):
    secret, _ = await ada.set_up_totp()
    await rig.keeper.factors.set_totp_alone("ada", "uid:0 root")
    answer, _ = await call(client, {"username": "ada", "code": ada.code(secret)})
    assert 200 == answer.status


async def test_every_refused_call_is_equal_to_the_byte(client, ada, rig):
    await rig.keeper.accounts.add("off", PASSWORD, "a")
    await rig.keeper.accounts.disable("off", "a")
    secret, _ = await ada.set_up_totp()
    good = ada.code(secret)
    answers = set()
    for body in (
        {"username": "ada", "password": "wrong horse battery", "code": good},
        {"username": "ada", "password": PASSWORD, "code": "000000"},
        {"username": "ada", "password": PASSWORD},
        {"username": "ada"},
        {"username": "nobody", "password": PASSWORD},
        {"username": "off", "password": PASSWORD},
        {"username": "not a name\n", "password": PASSWORD},
        {"username": "", "password": ""},
        {"username": "ada", "password": "x" * 1100},
    ):
        answers.add(fixed(*await call(client, body)))
    ((status, text, headers),) = answers
    assert (401, {"error": "credential rejected"}) == (status, json.loads(text))
    assert "Set-Cookie" not in dict(headers)


@pytest.mark.parametrize(
    "body",
    [{}, {"password": "p"}, {"username": "ada", "x": "y"}, {"username": "ada", "next": "/"}, {"username": 1}, []],
)
async def test_calls_of_another_shape_are_refused_before_any_password(client, rig, body):
    answer, text = await call(client, body)
    assert (400, {"error"}) == (answer.status, set(json.loads(text)))
    assert [] == rig.sink.records("auth.login")


async def test_a_call_while_the_audit_fails_is_503_and_comes_later(client, rig):
    rig.sink.broken = True
    answer, text = await call(client, {"username": "ada", "password": PASSWORD})
    assert (503, "3", True) == (answer.status, answer.headers["Retry-After"], "error" in json.loads(text))
    assert "Set-Cookie" not in answer.headers


async def test_a_call_too_many_is_503(client, full):
    with full():
        answer, _ = await call(client, {"username": "ada", "password": PASSWORD})
    assert (503, "3") == (answer.status, answer.headers["Retry-After"])


async def test_programs_and_pages_ask_who_is_signed_in(ada, stranger):
    shown = await ada.go("/_nbgate/api/session")
    said = json.loads(shown.raw)
    assert re.fullmatch("[0-9a-f]{12}", said.pop("session"))
    assert (200, {"user": "ada", "role": "owner", "signed_in": True}) == (shown.status, said)
    shown = await stranger.go("/_nbgate/api/session")
    assert (401, {"error": "login required"}) == (shown.status, json.loads(shown.raw))
