"""T01, T02, T06: who guesses is slowed down before anything is hashed, and nobody locks the owner out."""

import re

import pytest
from people import DEVICE, SESSION, Browser

from nbgate.testing.keeper_parts import PASSWORD

WRONG = "a wrong password"


def seconds_to_wait(answer):
    assert 429 == answer.status
    seconds = int(answer.value("retry-after"))
    assert seconds >= 1
    return seconds


def test_t01_the_eleventh_guess_of_one_address_is_refused_before_anything_is_hashed(gateway, browser):
    statuses = [browser.sign_in("ada", WRONG).status for _ in range(10)]
    assert [401] * 10 == statuses
    assert 10 == len(gateway.hashed)
    wait = seconds_to_wait(browser.sign_in("ada", WRONG))
    assert 10 == len(gateway.hashed)
    seconds_to_wait(browser.sign_in("ada", PASSWORD))  # right or wrong: it is not looked at
    assert 10 == len(gateway.hashed)
    gateway.advance(max(wait, 60))
    assert 200 == browser.sign_in("ada", PASSWORD).status


def test_t01_the_page_says_when_to_try_again(gateway, browser):
    for _ in range(10):
        assert 401 == browser.sign_in_by_form("ada", WRONG).status
    refused = browser.sign_in_by_form("ada", WRONG)
    seconds_to_wait(refused)
    assert b"try again" in refused.body.lower()
    assert WRONG.encode() not in refused.body


def attack(gateway, name="ada"):
    """Guess from many addresses until every bucket of strangers is dry; return how many guesses were looked at."""
    before = len(gateway.hashed)
    for last in range(2, 201):
        Browser(gateway, f"127.0.0.{last}").sign_in(name, WRONG)
    return len(gateway.hashed) - before


def test_t01_a_crowd_of_strangers_does_not_lock_the_owner_out(gateway, browser):
    assert 200 == browser.sign_in("ada", PASSWORD).status
    assert {SESSION, DEVICE} == set(browser.cookies)
    gateway.advance(3600)
    del browser.cookies[SESSION]
    assert 10 == attack(gateway)
    stranger = Browser(gateway, "127.0.1.1")
    seconds_to_wait(stranger.sign_in("ada", PASSWORD))
    assert 200 == browser.sign_in("ada", PASSWORD).status


def test_t01_a_new_password_leaves_the_browser_known_in_which_its_owner_set_it(gateway, browser):
    browser.sign_in("ada", PASSWORD)
    former, page = browser.cookies[DEVICE], browser.go("/_nbgate/account/password").body.decode()
    (token,) = re.findall(r'name="form_token" value="([^"]+)"', page)
    form = {"form_token": token, "password": PASSWORD, "new": "violet kettle 93 orbit"}
    done = browser.send("POST", "/_nbgate/account/password", form=form | {"again": form["new"]})
    assert (303, {DEVICE}, 200) == (done.status, set(done.cookies), browser.status())
    gateway.advance(3600)
    attack(gateway)
    seconds_to_wait(Browser(gateway, "127.0.1.1", {DEVICE: former}).sign_in("ada", form["new"]))
    known = Browser(gateway, "127.0.1.2", {DEVICE: browser.cookies[DEVICE]})
    assert 200 == known.sign_in("ada", form["new"]).status


def test_t01_an_owner_without_a_known_browser_gets_in_by_a_link_made_on_the_machine(gateway):
    attack(gateway)
    owner = Browser(gateway, "127.0.1.1")
    seconds_to_wait(owner.sign_in("ada", PASSWORD))
    token = gateway.run(gateway.rig.keeper.links.make("ada", "uid:0 root"))
    assert 200 == owner.go(f"/_nbgate/link/{token}").status
    assert 200 == owner.go(f"/_nbgate/link/{token}").status  # whoever only looks at it, such as a chat's preview
    assert 303 == owner.send("POST", f"/_nbgate/link/{token}", form={}).status
    assert 200 == owner.status()
    again = Browser(gateway, "127.0.1.2")
    assert 410 == again.send("POST", f"/_nbgate/link/{token}", form={}).status
    assert {} == again.cookies


def test_t01_an_operator_unlocks_an_account(gateway):
    attack(gateway)
    owner = Browser(gateway, "127.0.1.1")
    seconds_to_wait(owner.sign_in("ada", PASSWORD))
    gateway.run(gateway.rig.keeper.throttle.unlock("ada", "uid:0 root"))
    assert 200 == owner.sign_in("ada", PASSWORD).status


def test_t01_a_known_browser_has_a_bucket_of_its_own_and_no_endless_one(gateway, browser):
    assert 200 == browser.sign_in("ada", PASSWORD).status
    del browser.cookies[SESSION]
    statuses = [browser.sign_in("ada", WRONG).status for _ in range(12)]
    assert 401 in statuses
    assert 429 == statuses[-1]
    assert len([status for status in statuses if status == 401]) <= 10


@pytest.mark.parametrize(
    "forged", ["v1.AAAAAAAAAAAAAAAAAAAAAA.9999999999." + "A" * 43, "x", "v1...", "é".encode().decode("latin-1")]
)
def test_t01_a_device_cookie_that_is_not_ours_opens_no_bucket(gateway, forged):
    for _ in range(10):
        Browser(gateway, cookies={DEVICE: forged}).sign_in("ada", WRONG)
    assert 10 >= len(gateway.hashed)
    assert Browser(gateway, cookies={DEVICE: forged}).sign_in("ada", PASSWORD).status in {400, 429}


def test_t01_a_device_cookie_is_good_for_its_own_user_only(gateway, browser):
    gateway.add_user("bob", "another long password")
    assert 200 == browser.sign_in("ada", PASSWORD).status
    del browser.cookies[SESSION]
    assert 10 == attack(gateway, "bob")
    seconds_to_wait(browser.sign_in("bob", "another long password"))


def test_t02_one_password_for_many_users_runs_into_the_same_bucket(gateway, browser):
    for number in range(15):
        gateway.add_user(f"user{number}", f"the password of user{number}")
    gateway.hashed.clear()
    statuses = [browser.sign_in(f"user{number}", WRONG).status for number in range(15)]
    assert [401] * 10 + [429] * 5 == statuses
    assert 10 == len(gateway.hashed)


def test_t02_a_network_of_addresses_has_a_bucket_too(gateway):
    statuses = [Browser(gateway, f"127.0.0.{last}").sign_in(f"nobody{last}", WRONG).status for last in range(1, 60)]
    assert len([status for status in statuses if status == 401]) <= 30
    assert 429 == statuses[-1]


def test_a_refused_login_that_is_tried_on_and_on_is_refused_by_the_worker(gateway, browser):
    for _ in range(16):
        browser.sign_in("ada", WRONG)
    asked = len(gateway.rig.sink.records("auth.login"))
    gateway.advance(0.2)
    assert 429 == browser.sign_in("ada", WRONG).status
    assert asked == len(gateway.rig.sink.records("auth.login"))
    assert ["login"] == [record["rule.id"] for record in gateway.rig.sink.records("penalty")]


def test_throttled_logins_are_summed_up_in_the_audit(gateway, browser):
    for _ in range(14):
        browser.sign_in("ada", WRONG)
    gateway.advance(61)
    throttled = gateway.rig.sink.records("auth.throttled")
    assert throttled
    assert len(throttled) <= 2
    assert WRONG not in gateway.rig.sink.lines.decode()


def test_t06_a_password_that_can_be_nobodys_costs_no_hash(gateway, browser):
    assert browser.sign_in("ada", "x" * 1025).status in {400, 401}
    assert [] == gateway.hashed
