"""T03-T05, T07, T11: what a login says, and codes that are good once."""

import base64
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pyotp
import pytest
from msgspec import structs
from people import DEVICE, SESSION, Browser

from nbgate.crypto.totp import seal_totp_secret
from nbgate.errors import InputRefused
from nbgate.testing.keeper_parts import PASSWORD

RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()
RFC_6238 = {1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037"}
"""RFC 6238, appendix B, SHA-1: the last six of the eight digits; the first, of 1970, is in the unit tests."""
WRONG = "a wrong password"


def with_totp(gateway, name="ada", secret=RFC_SECRET):
    """Give an account this TOTP secret, with no step used up; return its recovery codes."""
    keeper, users = gateway.rig.keeper, gateway.rig.state.users

    async def enrol():
        pending = keeper.factors.begin_totp(name)
        code = pyotp.TOTP(pending.secret).at(gateway.rig.clock.unix())
        return await keeper.factors.confirm_totp(name, code, "test")

    codes = gateway.run(enrol())
    if secret:
        user = users.get(name)
        sealed = seal_totp_secret(gateway.rig.totp_keyring, secret, name, gateway.rig.random_bytes(12))
        gateway.call(lambda: users.replace(user, structs.replace(user, totp=sealed)))
    return codes


def set_wall_clock(gateway, unix):
    gateway.call(lambda: gateway.rig.clock.set_unix(unix))


def code_at(gateway, steps=0):
    return pyotp.TOTP(RFC_SECRET).at(gateway.rig.clock.unix() + 30 * steps)


@pytest.fixture
def ada(gateway):
    with_totp(gateway)
    gateway.advance(3600)
    gateway.hashed.clear()
    return gateway


@pytest.mark.parametrize(("unix", "code"), RFC_6238.items())
def test_t04_the_vectors_of_rfc_6238_log_in(gateway, browser, unix, code):
    set_wall_clock(gateway, 1000)
    with_totp(gateway)
    set_wall_clock(gateway, unix)
    assert 200 == browser.sign_in("ada", PASSWORD, code).status
    assert 401 == Browser(gateway, "127.0.0.2").sign_in("ada", PASSWORD, code).status


def test_t04_a_code_opens_once(ada, browser):
    code = code_at(ada)
    assert 200 == browser.sign_in("ada", PASSWORD, code).status
    assert 401 == Browser(ada, "127.0.0.2").sign_in("ada", PASSWORD, code).status
    ada.advance(30)
    assert 200 == Browser(ada, "127.0.0.2").sign_in("ada", PASSWORD, code_at(ada)).status


def test_t04_two_at_once_with_one_code_get_one_session(ada):
    code = code_at(ada)
    browsers = [Browser(ada, f"127.0.0.{last}") for last in range(2, 6)]
    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(lambda browser: browser.sign_in("ada", PASSWORD, code).status, browsers))
    assert 1 == statuses.count(200)
    assert {200, 401} == set(statuses) - {503}


@pytest.mark.parametrize(("steps", "status"), [(0, 200), (-1, 200), (-2, 401), (1, 401)])
def test_t04_only_the_present_code_and_the_one_before_are_good(ada, browser, steps, status):
    assert status == browser.sign_in("ada", PASSWORD, code_at(ada, steps)).status


def test_t04_a_clock_that_goes_back_brings_no_used_code_back(ada):
    used = []
    for last in range(2, 5):
        used.append((ada.rig.clock.unix(), code_at(ada)))
        assert 200 == Browser(ada, f"127.0.0.{last}").sign_in("ada", PASSWORD, used[-1][1]).status
        ada.advance(30)
    for number, (unix, code) in enumerate(used):
        set_wall_clock(ada, unix)
        assert 401 == Browser(ada, f"127.0.1.{number + 1}").sign_in("ada", PASSWORD, code).status


@pytest.mark.parametrize(
    "code",
    [
        "",
        "12345",
        "1234567",
        "\u0660\u0661\u0662\u0663\u0664\u0665",
        "\uff10\uff18\uff11\uff18\uff10\uff14",
        "abcdef",
        " 123456",
    ],
)
def test_t04_what_is_no_code_opens_nothing(ada, browser, code):
    assert 401 == browser.sign_in("ada", PASSWORD, code).status


def test_t05_a_right_password_with_a_wrong_code_looks_like_a_wrong_password(ada):
    ada.add_user("bob", "another long password")
    offers = {
        "code wrong": ("ada", PASSWORD, "000000"),
        "no code": ("ada", PASSWORD, None),
        "password wrong": ("ada", WRONG, code_at(ada)),
        "both wrong": ("ada", WRONG, "000000"),
        "nobody": ("carol", WRONG, "000000"),
        "no name at all": ("not a name!", WRONG, "000000"),
        "one factor, wrong": ("bob", WRONG, None),
    }
    seen = {}
    for number, (what, offer) in enumerate(offers.items()):
        browser = Browser(ada, f"127.0.0.{number + 2}")
        before = len(ada.hashed)
        answer = browser.sign_in(*offer)
        seen[what] = answer.fixed
        assert 1 == len(ada.hashed) - before, what
        assert {} == browser.cookies
        assert 303 == browser.go("/lab").status
    assert 1 == len({repr(answer) for answer in seen.values()}), seen
    assert 401 == seen["nobody"][0]


def test_t05_the_page_of_a_failed_login_tells_nothing_apart(ada):
    offers = [("ada", PASSWORD, "000000"), ("ada", WRONG, code_at(ada)), ("ada", WRONG, "")]
    pages = [
        Browser(ada, f"127.0.0.{number + 2}").sign_in_by_form(name, password, code=code).fixed
        for number, (name, password, code) in enumerate(offers)
    ]
    assert 1 == len({repr(page) for page in pages})


def test_f19_a_right_password_buys_five_codes_and_alarms_its_owner(ada):
    statuses = []
    for number in range(60):
        browser = Browser(ada, f"127.0.{number // 5}.2")
        statuses.append(browser.sign_in("ada", PASSWORD, f"{number:06}").status)
        ada.advance(60)
    assert 5 == statuses.count(401)
    assert {401, 429} == set(statuses)
    assert "right-password-wrong-code" == ada.rig.sink.records("auth.notice")[0]["message"]
    assert "right-password-wrong-code" in {notice.message for notice in ada.run(notices(ada))}


def test_who_forgets_the_code_uses_up_no_guesses_of_codes(ada):
    for number in range(8):
        assert 401 == Browser(ada, f"127.0.{number}.2").sign_in("ada", PASSWORD).status
        ada.advance(60)
    assert 200 == Browser(ada, "127.0.9.2").sign_in("ada", PASSWORD, code_at(ada)).status


async def notices(gateway):
    return await gateway.rig.keeper.notices.of("ada")


def test_t03_an_unknown_or_disabled_user_costs_the_same_hash_as_a_known_one(gateway):
    gateway.add_user("bob", "another long password")
    gateway.run(gateway.rig.keeper.accounts.disable("bob", "test"))
    gateway.hashed.clear()
    answers = [
        Browser(gateway, f"127.0.0.{number + 2}").sign_in(name, WRONG).fixed
        for number, name in enumerate(["ada", "bob", "nobody", "ADA", "a" * 64, "a" * 65])
    ]
    assert 1 == len({repr(answer) for answer in answers})
    assert 6 == len(gateway.hashed)
    assert 1 == len({name for name, _ in gateway.hashed})


PASSWORDS = {
    "seventy-two": "x" * 71,
    "two hundred": "y" * 199,
    "blank at the end": "a long password",
    "composed": "a long passwort mit " + unicodedata.normalize("NFC", "ä"),
}


@pytest.mark.parametrize("what", PASSWORDS)
def test_t07_a_password_is_taken_as_it_was_typed(gateway, what):
    stem = PASSWORDS[what]
    right, wrong = (
        (stem, unicodedata.normalize("NFD", stem))
        if what == "composed"
        else (stem + " ", stem + ("" if "blank" in what else "z"))
    )
    gateway.add_user("bob", right)
    assert 401 == Browser(gateway, "127.0.0.2").sign_in("bob", wrong).status
    assert 200 == Browser(gateway, "127.0.0.3").sign_in("bob", right).status


@pytest.mark.parametrize(
    "password", ["password1234", "Password1234", "short", "qwertyuiop12", "a nul \0 in the middle"]
)
def test_t07_what_everybody_tries_first_cannot_be_set(gateway, password):
    with pytest.raises(InputRefused):
        gateway.add_user("bob", password)


def test_t11_a_recovery_code_opens_once(gateway):
    codes = with_totp(gateway)
    assert 10 == len(set(codes))
    assert 200 == Browser(gateway, "127.0.0.2").sign_in("ada", PASSWORD, codes[3]).status
    assert 401 == Browser(gateway, "127.0.0.3").sign_in("ada", PASSWORD, codes[3]).status
    typed = codes[4].lower().replace("-", " ")
    assert 200 == Browser(gateway, "127.0.0.4").sign_in("ada", PASSWORD, typed).status
    assert "recovery-code-used" in {record["message"] for record in gateway.rig.sink.records("auth.notice")}


def test_t11_two_at_once_with_one_recovery_code_get_one_session(gateway):
    (code, *_) = with_totp(gateway)
    browsers = [Browser(gateway, f"127.0.0.{last}") for last in range(2, 6)]
    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(lambda browser: browser.sign_in("ada", PASSWORD, code).status, browsers))
    assert 1 == statuses.count(200)


def test_t11_recovery_codes_cannot_be_guessed(gateway, browser):
    with_totp(gateway)
    guess = "AAAAA-AAAAA-AAAAA-AAAAA-AAAA{}"
    statuses = [browser.sign_in("ada", PASSWORD, guess.format("ABCDEFGHIJK"[number])).status for number in range(11)]
    assert 429 == statuses[-1]
    assert 200 not in statuses


def test_a_person_may_have_totp_alone_where_the_operator_says_so(gateway):
    with_totp(gateway)
    gateway.run(gateway.rig.keeper.factors.set_totp_alone("ada", "uid:0 root"))
    gateway.advance(3600)
    assert 401 == Browser(gateway, "127.0.0.2").sign_in("ada", PASSWORD, code_at(gateway)).status
    browser = Browser(gateway, "127.0.0.3")
    assert 200 == browser.sign_in("ada", None, code_at(gateway)).status
    assert {SESSION, DEVICE} == set(browser.cookies)
