"""What somebody tries who has part of what it takes: a stolen session, a page of a notebook server, a name, a link."""

import asyncio
import re

import pyotp
import pytest
from people import HOST, ORIGIN, SESSION, Browser

from nbgate.errors import AuditError, CredentialRejected, NbgateError
from nbgate.keeper.login import LoginAttempt
from nbgate.link.messages import OpenChannels
from nbgate.model.session import Role
from nbgate.testing.keeper_parts import PASSWORD

WRONG = "a wrong password"
ROOT = "uid:0 root"
TOTP = "/_nbgate/account/totp"
TOKENS = "/_nbgate/account/tokens"
GUESSED = "A" * 43


def form_token(answer):
    return re.search(rb'name="form_token" value="([^"]+)"', answer.body)[1].decode()


def by_link(gateway, address="127.0.0.9"):
    """Give a browser that signed in by an operator's link."""
    link = gateway.run(gateway.rig.keeper.links.make("ada", ROOT))
    browser = Browser(gateway, address)
    assert 303 == browser.send("POST", f"/_nbgate/link/{link}", form={}).status
    return browser


def by_script(browser, path, form):
    """Send a form as a script of a notebook's page does: the browser says for what, whatever the script wants."""
    headers = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": "*/*"}
    return browser.send("POST", path, form=form, headers=headers)


# a stolen session, without the password


def test_a_stolen_session_is_not_shown_the_secret_that_its_owner_is_setting_up(gateway, browser):
    browser.sign_in("ada", PASSWORD)
    thief = Browser(gateway, "127.0.0.2", dict(browser.cookies))
    begun = browser.send(
        "POST", TOTP, form={"act": "begin", "form_token": form_token(browser.go(TOTP)), "password": PASSWORD}
    )
    secret = gateway.rig.keeper.factors.pending("ada").secret
    assert secret[:4].encode() in begun.body
    seen = thief.send("POST", TOTP, form={"act": "confirm", "form_token": GUESSED, "code": "000000"})
    assert 403 == seen.status
    assert f"{secret[:4]} {secret[4:8]}".encode() not in seen.body
    assert secret.encode() not in seen.body
    for word in re.findall(rb'name="form_token" value="([^"]+)"', seen.body):
        tried = thief.send(
            "POST",
            TOTP,
            form={
                "act": "confirm",
                "form_token": word.decode(),
                "code": pyotp.TOTP(secret).at(gateway.rig.clock.unix()),
            },
        )
        assert 403 == tried.status


def test_a_stolen_session_cannot_guess_the_password_without_end(gateway, browser):
    browser.sign_in("ada", PASSWORD)
    token = form_token(browser.go(TOTP))
    gateway.hashed.clear()
    for _ in range(90):
        browser.send("POST", TOTP, form={"act": "begin", "form_token": token, "password": WRONG})
        gateway.advance(10)
    assert len(gateway.hashed) <= 10 + 90 * 10 / 60 + 1


@pytest.mark.parametrize("end", ["nothing", "lockdown", "revoked", "disabled"])
def test_a_change_that_was_on_its_way_when_its_session_ended_is_not_made(gateway, end):
    keeper = gateway.rig.keeper
    browser = by_link(gateway)
    token = form_token(browser.go("/_nbgate/account/password"))
    new = "a password of the thief's own"
    body = f"form_token={token}&new={new.replace(' ', '+')}&again={new.replace(' ', '+')}".encode()
    before = gateway.rig.state.users.get("ada").password_hash
    with gateway.client() as client:
        client.send(
            f"POST /_nbgate/account/password HTTP/1.1\r\nHost: {HOST}\r\nOrigin: {ORIGIN}\r\n"
            f"Cookie: {SESSION}={browser.cookies[SESSION]}\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body[:5]
        )
        if end == "lockdown":
            gateway.run(keeper.lock_down(ROOT))
        elif end == "revoked":
            gateway.run(keeper.revoke_user("ada", ROOT))
        elif end == "disabled":
            gateway.run(keeper.accounts.disable("ada", ROOT))
        client.send(body[5:])
        client.read_until(b"\r\n\r\n")
    assert (before == gateway.rig.state.users.get("ada").password_hash) is (end != "nothing")


# a script in a page of a notebook server


@pytest.mark.parametrize("path", [TOTP, TOKENS, "/_nbgate/account", "/_nbgate/account/password"])
def test_a_script_of_a_notebooks_page_is_given_no_form_token(gateway, browser, path):
    browser.sign_in("ada", PASSWORD)
    form = {"form_token": GUESSED}
    form |= {
        TOTP: {"act": "begin"},
        TOKENS: {"name": "x", "scope": "execute", "days": "90"},
        "/_nbgate/account": {"end": "others"},
        "/_nbgate/account/password": {"new": "quite another one", "again": "quite another one"},
    }.get(path, {})
    assert b"form_token" not in by_script(browser, path, form).body


def test_a_script_is_not_shown_the_logouts_form_token(gateway, browser):
    browser.sign_in("ada", PASSWORD)
    assert b"form_token" not in by_script(browser, "/_nbgate/logout", {"form_token": GUESSED}).body


def test_a_script_of_a_notebooks_page_makes_no_token_after_a_sign_in_link(gateway):
    browser = by_link(gateway)
    form = {"name": "x", "scope": "execute", "days": "90", "form_token": GUESSED}
    found = re.search(rb'name="form_token" value="([^"]+)"', by_script(browser, TOKENS, form).body)
    if found is not None:
        by_script(browser, TOKENS, form | {"form_token": found[1].decode()})
    assert [] == [row for row in gateway.rig.keeper.sessions_of("ada") if row.session.is_token]


# somebody who knows a name


def test_whether_a_code_alone_opens_an_account_is_told_to_nobody(gateway):
    keeper = gateway.rig.keeper
    gateway.add_user("bob", "another long password")

    async def alone():
        pending = keeper.factors.begin_totp("ada")
        code = pyotp.TOTP(pending.secret).at(gateway.rig.clock.unix())
        await keeper.factors.confirm_totp("ada", code, "test")
        await keeper.factors.set_totp_alone("ada", ROOT)

    gateway.run(alone())
    seen = {
        name: [Browser(gateway, f"127.{net}.{number}.2").sign_in(name, None, "000000").fixed for number in range(8)]
        for net, name in enumerate(["ada", "bob", "nobody"], 1)
    }
    assert seen["nobody"] == seen["bob"]
    assert seen["nobody"] == seen["ada"]


def test_somebody_who_is_not_allowed_there_is_not_told_of_a_server(gateway):
    gateway.configure(allow=["/=ada"])
    gateway.add_user("bob", "another long password")
    bob = Browser(gateway)
    assert 200 == bob.sign_in("bob", "another long password").status
    assert 403 == bob.go("/lab").status
    page = bob.go("/_nbgate/servers")
    assert b'href="/"' not in page.body.partition(b"<main")[2]


@pytest.mark.parametrize(
    "path",
    [
        "/proxy/8888/terminals/new/x",
        "/git-pull/api?repo=x",
        "/panel-preview/render/x",
    ],
)
def test_who_may_only_read_runs_nothing_by_way_of_another_application(gateway, path):
    gateway.add_user("bob", "another long password", Role.VIEWER)
    bob = Browser(gateway)
    assert 200 == bob.sign_in("bob", "another long password").status
    assert 200 == bob.status("/api/contents/x")
    assert 403 == bob.status(path)


def test_strangers_do_not_get_their_victims_network_refused(gateway):
    for number in range(2, 30):
        Browser(gateway, f"127.0.{number}.2").sign_in("ada", WRONG)
    owner = Browser(gateway, "127.0.99.1")
    for _ in range(5):
        assert 429 == owner.sign_in("ada", PASSWORD).status
    gateway.advance(0.2)
    assert 200 == Browser(gateway, "127.0.99.1").go("/_nbgate/login").status


# a link that should be void


def test_a_lockdown_makes_links_void(gateway):
    keeper = gateway.rig.keeper
    link = gateway.run(keeper.links.make("ada", ROOT))
    gateway.run(keeper.lock_down(ROOT))
    gateway.run(keeper.lift_lockdown(ROOT))
    thief = Browser(gateway)
    assert 410 == thief.send("POST", f"/_nbgate/link/{link}", form={}).status
    assert {} == thief.cookies


def test_a_link_is_for_the_account_for_which_it_was_made(gateway):
    keeper = gateway.rig.keeper
    link = gateway.run(keeper.links.make("ada", ROOT))
    gateway.run(keeper.accounts.remove("ada", ROOT))
    gateway.advance(1)
    gateway.add_user()
    thief = Browser(gateway)
    assert 303 != thief.send("POST", f"/_nbgate/link/{link}", form={}).status
    assert {} == thief.cookies


# a disk that fails at the worst moment: what opens more is not in force unrecorded


def failing_from(gateway, after):
    """Have the audit fail at the record after `after` that go well."""
    sink, append = gateway.rig.sink, gateway.rig.sink.append
    left = [after]

    def failing(lines):
        if left[0] == 0:
            sink.broken = True
        left[0] -= 1
        append(lines)

    sink.append = failing


@pytest.mark.parametrize("after", [0, 1, 2])
def test_nobody_becomes_an_owner_unrecorded(gateway, after):
    keeper, users = gateway.rig.keeper, gateway.rig.state.users
    gateway.add_user("bob", "another long password")
    assert 200 == Browser(gateway).sign_in("bob", "another long password").status
    failing_from(gateway, after)
    try:
        gateway.run(keeper.accounts.set_role("bob", Role.OWNER, ROOT))
    except AuditError:
        assert Role.EDITOR is users.get("bob").role
    else:
        assert Role.OWNER is users.get("bob").role
        assert "role owner" in gateway.rig.sink.records("user.change")[-1]["message"]


@pytest.mark.parametrize("after", [0, 1])
@pytest.mark.parametrize("what", ["remove_totp", "set_totp_alone", "new_recovery_codes"])
def test_no_factor_goes_away_unrecorded(gateway, what, after):
    keeper, users = gateway.rig.keeper, gateway.rig.state.users

    async def enrol():
        pending = keeper.factors.begin_totp("ada")
        await keeper.factors.confirm_totp("ada", pyotp.TOTP(pending.secret).at(gateway.rig.clock.unix()), "test")

    gateway.run(enrol())
    gateway.advance(3600)
    before = users.get("ada")
    failing_from(gateway, after)
    try:
        gateway.run(getattr(keeper.factors, what)("ada", ROOT))
    except AuditError:
        now = users.get("ada")
        assert (before.totp, before.recovery, before.password_hash) == (now.totp, now.recovery, now.password_hash)


@pytest.mark.parametrize("after", [0, 1, 2])
def test_no_password_is_another_one_unrecorded(gateway, after):
    keeper, users = gateway.rig.keeper, gateway.rig.state.users
    assert 200 == Browser(gateway).sign_in("ada", PASSWORD).status
    before = users.get("ada").password_hash
    failing_from(gateway, after)
    try:
        gateway.run(keeper.accounts.set_password("ada", "quite another password", ROOT))
    except AuditError:
        assert before == users.get("ada").password_hash
    else:
        assert "password set" == gateway.rig.sink.records("user.change")[-1]["message"]


# a worker that lies


def test_a_worker_cannot_make_the_keeper_remember_sessions_that_are_none(gateway, browser):
    keeper = gateway.rig.keeper
    browser.sign_in("ada", PASSWORD)
    (row,) = keeper.sessions_of("ada")
    (worker,) = keeper.workers
    lies = tuple((number.to_bytes(4), 1) for number in range(1000))
    gateway.call(lambda: keeper.take_message(worker, OpenChannels(sessions=((row.session.id, -5), *lies))))
    assert 0 == keeper.channels(row.session.id)
    assert len(worker.channels) <= 1


# accounts that come and go meanwhile


def test_a_device_cookie_of_an_account_that_is_gone_is_nothing_to_the_next_one(gateway, browser):
    browser.sign_in("ada", PASSWORD)
    del browser.cookies[SESSION]
    gateway.run(gateway.rig.keeper.accounts.remove("ada", ROOT))
    gateway.advance(1)
    gateway.add_user("ada", "the password of a new person")
    for _ in range(10):
        browser.sign_in("ada", WRONG)
    gateway.hashed.clear()
    other = Browser(gateway, "127.0.0.1")
    other.sign_in("ada", WRONG)
    assert [] == gateway.hashed  # the ten were a stranger's


def test_a_link_that_is_used_twice_at_once_signs_in_once(gateway):
    keeper = gateway.rig.keeper
    link = gateway.run(keeper.links.make("ada", ROOT))

    async def both():
        tries = [
            keeper.log_in_by_link(link, LoginAttempt(username="", client="127.0.0.1", request_id="x" * 8))
            for _ in range(5)
        ]
        return await asyncio.gather(*tries, return_exceptions=True)

    outcomes = gateway.run(both())
    assert 4 == len([each for each in outcomes if isinstance(each, NbgateError)])
    assert not [each for each in outcomes if isinstance(each, CredentialRejected)]
