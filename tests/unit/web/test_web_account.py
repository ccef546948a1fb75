import pytest
from browsing import Browser

from nbgate.keeper.notices import NEW_NETWORK, RECOVERY_USED, WRONG_CODE
from nbgate.link.messages import OpenChannels
from nbgate.model.session import Scope
from nbgate.testing.keeper_parts import PASSWORD

HOME = "/_nbgate/account"


@pytest.fixture
async def elsewhere(ada, client, rig):
    """The same person, in another browser somewhere else."""
    rig.clock.advance(7200)
    browser = Browser(client, rig)
    await browser.sign_in("ada", client="198.51.100.23", user_agent="Mozilla (iPhone; Mac OS X) Safari/600")
    rig.clock.advance(300)
    return browser


async def test_it_lists_where_somebody_is_signed_in(ada, elsewhere):
    shown = await ada.go(HOME)
    assert (200, "Your account") == (shown.status, shown.heading)
    for said in (
        "Firefox on Linux",
        "this browser",
        "192.0.2.7",
        "(2 hours ago)",
        "Safari on iPhone",
        "198.51.100.23",
        "15 Jan 2027, 10:00 UTC",
        "(5 minutes ago)",
        "as owner",
    ):
        assert said in shown.text, said
    assert shown.text.index("this browser") < shown.text.index("Safari on iPhone")
    assert f"{HOME}?end={elsewhere.session.label}" in shown.text
    assert f"{HOME}?end={ada.session.label}" not in shown.text


async def test_it_says_what_is_open_where(ada, rig):
    link = rig.attach()
    worker = next(iter(rig.keeper.workers))
    rig.keeper.take_message(worker, OpenChannels(sessions=((ada.session.id, 3),)))
    assert link is not None
    assert "3 notebooks or terminals" in (await ada.go(HOME)).text


async def test_it_lists_nobody_else_s(ada, bob):
    assert "End all others" not in (await ada.go(HOME)).text
    shown = await ada.go(f"{HOME}?end={bob.session.label}")
    assert (404, "This sign-in has ended already.") == (shown.status, shown.problem)
    shown = await ada.send(HOME, end=bob.session.label, form_token="x", password=PASSWORD)
    assert (404, True) == (shown.status, bob.is_signed_in)


async def test_ending_one_asks_for_the_password_again(ada, elsewhere, rig):
    asked = await ada.go(f"{HOME}?end={elsewhere.session.label}")
    assert ("End this sign-in?", {"password"}) == (asked.heading, asked.fields)
    refused = await ada.press(asked, password="wrong horse battery")
    assert (403, "End this sign-in?") == (refused.status, refused.heading)
    assert "The password or the code is wrong. Nothing was changed." in refused.problem
    assert elsewhere.is_signed_in
    done = await ada.press(refused, password=PASSWORD)
    assert (303, f"{HOME}?ended=1") == (done.status, done.location)
    assert (True, False) == (ada.is_signed_in, elsewhere.is_signed_in)
    assert "Ended." in (await ada.go(done.location)).text
    (record,) = rig.sink.records("session.end")
    assert ("session-revoked", "ada") == (record["event.reason"], record["nbgate.actor"])


async def test_ending_all_others_keeps_this_one(ada, elsewhere, bob, client, rig):
    third = await Browser(client, rig).sign_in()
    asked = await ada.go(f"{HOME}?end=others")
    assert ("End all other sign-ins?", True) == (asked.heading, "198.51.100.23" in asked.text)
    assert 403 == (await ada.press(asked, password="")).status
    done = await ada.press(asked, password=PASSWORD)
    assert (303, f"{HOME}?ended=2") == (done.status, done.location)
    assert [True, False, False, True] == [each.is_signed_in for each in (ada, elsewhere, third, bob)]


async def test_a_form_of_another_purpose_or_session_ends_nothing(ada, elsewhere):
    others = (await ada.go(f"{HOME}?end=others")).hidden["form_token"]
    theirs = (await elsewhere.go(f"{HOME}?end={ada.session.label}")).hidden["form_token"]
    for token in (others, theirs, ""):
        shown = await ada.send(HOME, end=elsewhere.session.label, form_token=token, password=PASSWORD)
        assert (403, True) == (shown.status, "too old" in shown.problem)
    assert elsewhere.is_signed_in


@pytest.mark.parametrize("end", ["", "zz", "0" * 12])
async def test_what_is_over_already_is_said(ada, end):
    shown = await ada.go(f"{HOME}?end={end}")
    assert (404, "Your account", "This sign-in has ended already.") == (shown.status, shown.heading, shown.problem)


async def test_this_one_ends_by_signing_out_alone(ada):
    assert 404 == (await ada.go(f"{HOME}?end={ada.session.label}")).status


async def test_a_code_is_asked_for_too_where_one_is_set_up(ada, elsewhere):
    secret, _ = await ada.set_up_totp()
    other = await Browser(ada.client, ada.rig).sign_in("ada", code=ada.code(secret))
    ada.rig.clock.advance(30)
    asked = await ada.go(f"{HOME}?end={other.session.label}")
    assert {"password", "code"} == asked.fields
    assert 403 == (await ada.press(asked, password=PASSWORD, code="000000")).status
    assert 303 == (await ada.press(asked, password=PASSWORD, code=ada.code(secret))).status


async def test_too_many_wrong_passwords_end_in_a_wait(ada):
    asked = await ada.go(f"{HOME}?end=others")
    answers = [await ada.press(asked, password="wrong horse battery") for _ in range(11)]
    assert [403] * 10 + [429] == [shown.status for shown in answers]
    assert ("Wait" in answers[-1].problem, True) == (True, int(answers[-1].headers["Retry-After"]) > 0)


async def test_what_could_not_be_recorded_is_not_said_to_be_done(ada, elsewhere, rig):
    asked = await ada.go(f"{HOME}?end=others")
    rig.sink.broken = True
    shown = await ada.press(asked, password=PASSWORD)
    assert (503, "3", "End all other sign-ins?") == (shown.status, shown.headers["Retry-After"], shown.heading)
    assert "That did not work just now." in shown.problem


async def test_a_form_too_many_says_so(ada, full):
    asked = await ada.go(f"{HOME}?end=others")
    with full():
        shown = await ada.press(asked, password=PASSWORD)
    assert (503, True) == (shown.status, "Too many passwords" in shown.problem)


async def test_notices_are_said_in_words_the_newest_first(ada, rig):
    for message in (WRONG_CODE, NEW_NETWORK, RECOVERY_USED, "something else", NEW_NETWORK):
        rig.keeper.notices.note("ada", message, "203.0.113.9")
        rig.clock.advance(60)
    shown = await ada.go(HOME)
    for said in ("a network that was new", "with a recovery code", "somebody knows your password", "something else"):
        assert said in shown.text
    assert shown.text.index("something else") < shown.text.index("Earlier ones") < shown.text.index("knows your")
    assert "from 203.0.113.9" in shown.text


async def test_a_notice_says_how_often_it_was(ada, rig):
    for client in ("203.0.113.9", "203.0.113.9", "198.51.100.23", "203.0.113.9"):
        rig.keeper.notices.note("ada", WRONG_CODE, client)
    shown = await ada.go(HOME)
    assert (2, 1) == (shown.text.count("somebody knows your password"), shown.text.count("(3 times)"))
    assert "time)" not in shown.text.replace("(3 times)", "")


async def test_a_wrong_password_in_a_session_is_a_notice_to_its_owner(ada, elsewhere):
    await elsewhere.press(await elsewhere.go(f"{HOME}?end=others"), password="wrong horse battery")
    shown = await ada.go(HOME)
    assert "A wrong password or code was typed in a browser where you are signed in" in shown.text
    assert "wrong-proof-in-session" not in shown.text


async def test_it_says_how_somebody_signs_in(ada):
    shown = await ada.go(HOME)
    assert "not set up: whoever has your password can sign in" in shown.text
    assert "/_nbgate/account/codes" not in shown.text
    await ada.set_up_totp()
    now = ada.rig.clock.unix()
    await ada.rig.keeper.tokens.add("ada", "laptop", Scope.READ, (), now + 86400, "ada")
    shown = await ada.go(HOME)
    for said in ("is asked for at every sign-in", "10 left", "1 in use"):
        assert said in shown.text, said
    await ada.rig.keeper.factors.set_totp_alone("ada", "uid:0 root", keep=ada.session.id)
    shown = await ada.go(HOME)
    assert ("the code alone opens" in shown.text, "/_nbgate/account/password" in shown.text) == (True, False)


async def test_the_admin_page_is_linked_for_owners_alone(ada, bob):
    assert ("/_nbgate/admin" in (await ada.go(HOME)).text) > ("/_nbgate/admin" in (await bob.go(HOME)).text)


@pytest.mark.parametrize("path", [HOME, f"{HOME}/password", f"{HOME}/totp", f"{HOME}/codes", f"{HOME}/tokens"])
async def test_strangers_go_to_sign_in_and_programs_are_told(stranger, ada, rig, path):
    shown = await stranger.go(path)
    assert (303, "/_nbgate/login") == (shown.status, shown.location)
    stranger.headers["X-Nbgate-Navigation"] = "0"
    assert 401 == (await stranger.send(path, form_token="x")).status
    stored, _ = await rig.keeper.tokens.add("ada", "laptop", Scope.ALL, (), rig.clock.unix() + 86400, "ada")
    assert 401 == (await stranger.use(stored.session).go(path)).status


async def test_an_account_that_was_removed_this_moment_is_gone(ada, rig, monkeypatch):
    async def nobody(_name):
        return None

    monkeypatch.setattr(rig.keeper.accounts, "get", nobody)
    assert 404 == (await ada.go(HOME)).status
