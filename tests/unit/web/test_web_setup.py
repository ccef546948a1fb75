"""The page behind the setup link, as a worker passes it on."""

import html
import re
from urllib.parse import urlencode

import pytest

from nbgate.errors import LoginBusy
from nbgate.keeper.setup import LIFE_SECONDS, Setup
from nbgate.testing.keeper_parts import PASSWORD, Rig
from nbgate.web.pages import make_pages_app

FORM = {"Content-Type": "application/x-www-form-urlencoded", "X-Nbgate-Navigation": "1"}
WEAK = "ada12345678ada"
COOKIE = re.compile(r"__Host-Http-nbgate-8443=[A-Za-z0-9_-]{43}; Path=/; Secure; HttpOnly; SameSite=Lax")


@pytest.fixture
async def rig():
    """A keeper in memory without a user."""
    rig = Rig()
    yield rig
    await rig.close()


@pytest.fixture
def setup(rig, tmp_path):
    return Setup(folder=tmp_path, accounts=rig.keeper.accounts, clock=rig.clock, random_bytes=rig.random_bytes)


@pytest.fixture
async def path(setup):
    file = await setup.offer("https://gw.test:8443/")
    return file.read_text().strip().removeprefix("https://gw.test:8443")


@pytest.fixture
async def client(rig, setup, tmp_path, client_of):
    async with client_of(make_pages_app(rig.keeper, setup), tmp_path / "pages.sock") as client:
        yield client


async def ask(client, method, path, **fields):
    body = urlencode(fields) if fields else None
    async with client.request(method, path, data=body, headers=FORM, allow_redirects=False) as answer:
        return answer, html.unescape(await answer.text())


def filled(**changes):
    return {"username": "ada", "password": PASSWORD, "again": PASSWORD, **changes}


def problem_of(text) -> str:
    found = re.search(r'id="problem">([^<]*)<', text)
    return "" if found is None else found[1]


async def test_the_link_shows_a_form_that_leads_back_to_it(client, path):
    answer, text = await ask(client, "GET", path)

    assert (200, "origin", "no-store") == (
        answer.status, answer.headers["Referrer-Policy"], answer.headers["Cache-Control"]
    )  # fmt: skip
    assert f'<form method="post" action="{path}">' in text
    assert 1 == text.count(path)
    assert ["username", "password", "again"] == re.findall(r'<input id="\w+" name="(\w+)"', text)
    assert "<script" not in text
    assert "" == problem_of(text)


async def test_the_form_makes_the_account_and_signs_the_person_in(client, path, rig):
    answer, text = await ask(client, "POST", path, **filled(username=" Ada "))

    assert (303, "/", "origin", "") == (
        answer.status, answer.headers["Location"], answer.headers["Referrer-Policy"], text
    )  # fmt: skip
    assert COOKIE.fullmatch(answer.headers["Set-Cookie"])
    assert ["ada"] == [user.name for user in rig.state.users.all()]
    assert ["ada"] == [record["user.name"] for record in rig.sink.records("auth.login")]
    assert 1 == len(rig.keeper.live)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_link_that_was_used_is_gone(client, path, method):
    await ask(client, "POST", path, **filled())
    answer, text = await ask(client, method, path, **(filled(username="bob") if method == "POST" else {}))

    assert (410, "origin") == (answer.status, answer.headers["Referrer-Policy"])
    assert "This link is over" in text
    assert "nbgate reload for a new link" in text
    assert path not in text
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_link_that_is_too_old_or_was_never_made_is_gone(client, path, rig, method):
    form = filled() if method == "POST" else {}
    answer, _ = await ask(client, method, "/_nbgate/setup/" + "A" * 43, **form)
    assert 410 == answer.status
    rig.clock.advance(LIFE_SECONDS)
    answer, _ = await ask(client, method, path, **form)
    assert 410 == answer.status
    assert [] == list(rig.state.users.all())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"username": "a b"}, "This is no user name: use 1 to 64 of the letters"),
        ({"username": ""}, "This is no user name"),
        ({"password": "short", "again": "short"}, "This password cannot be set: use at least 12 characters."),
        ({"again": "another horse battery"}, "The two passwords differ."),
        ({"password": "ada12345678ada", "again": "ada12345678ada"}, "This password is weak"),
        ({"password": "123456789012", "again": "123456789012", "anyway": "yes"}, "every list of common passwords"),
    ],
)
async def test_what_is_wrong_is_said_and_the_link_stays(client, path, rig, changes, said):
    answer, text = await ask(client, "POST", path, **filled(**changes))

    assert (400, []) == (answer.status, list(rig.state.users.all()))
    assert said in problem_of(text)
    assert (said == "This password is weak") == ('name="anyway"' in text)
    assert PASSWORD not in text
    assert 303 == (await ask(client, "POST", path, **filled()))[0].status


async def test_a_weak_password_is_taken_from_who_means_it(client, path, rig):
    answer, text = await ask(client, "POST", path, **filled(password=WEAK, again=WEAK))
    assert (400, True) == (answer.status, "finds it in less than a second" in problem_of(text))
    answer, _ = await ask(client, "POST", path, **filled(password=WEAK, again=WEAK, anyway="yes"))

    assert (303, ["ada"]) == (answer.status, [user.name for user in rig.state.users.all()])


@pytest.mark.parametrize("fields", [{"username": "ada"}, filled(admin="yes")])
async def test_another_form_is_refused(client, path, fields):
    answer, _ = await ask(client, "POST", path, **fields)

    assert 400 == answer.status


async def test_what_a_person_typed_is_shown_as_text(client, path):
    _, text = await ask(client, "POST", path, **filled(username='"><script>'))

    assert 'value=""><script>"' in text  # after unescaping; as it was sent it holds no tag
    async with client.post(path, data=urlencode(filled(username='"><script>')), headers=FORM) as answer:
        assert "<script" not in await answer.text()


async def test_who_cannot_be_signed_in_has_an_account_all_the_same(client, path, rig, monkeypatch):
    async def busy(attempt):
        raise LoginBusy

    monkeypatch.setattr(rig.keeper, "log_in", busy)
    answer, _ = await ask(client, "POST", path, **filled())

    assert (303, "/", False) == (answer.status, answer.headers["Location"], "Set-Cookie" in answer.headers)
    assert ["ada"] == [user.name for user in rig.state.users.all()]


async def test_where_the_audit_fails_the_page_says_so_and_the_link_stays(client, path, rig):
    rig.sink.broken = True
    answer, _ = await ask(client, "POST", path, **filled())
    assert (503, []) == (answer.status, list(rig.state.users.all()))
    answer, _ = await ask(client, "GET", path)
    assert 200 == answer.status
