import re
from urllib.parse import unquote

import pytest
from browsing import Browser, codes_of, with_config

from nbgate.testing.keeper_parts import PASSWORD
from nbgate.web.totp import in_groups, picture_of

PAGE = "/_nbgate/account/totp"


async def begin(browser):
    return await browser.fill(PAGE, password=PASSWORD)


def secret_of(shown):
    return re.search(r'class="secret"><code>([A-Z2-7 ]+)</code>', shown.raw)[1].replace(" ", "")


async def test_the_picture_comes_after_the_password_and_holds_the_key(ada):
    asked = await ada.go(PAGE)
    assert ({"password"}, False) == (asked.fields, "data:image" in asked.raw)
    shown = await ada.press(asked, password=PASSWORD)
    assert ("Set up the code", {"code"}) == (shown.heading, shown.fields)
    assert re.search(
        r'<img class="picture" src="data:image/svg\+xml[^"]+" width="220" height="220" alt="[^"]+">', shown.raw
    )
    uri = re.search(r'href="(otpauth:[^"]+)"', shown.text)[1]
    assert f"secret={secret_of(shown)}" in uri
    assert "ada@gw.test:8443" in unquote(uri)
    assert 32 == len(secret_of(shown))


async def test_a_code_switches_it_on_and_recovery_codes_are_shown_once(ada, client, rig):
    other = await Browser(client, rig).sign_in()
    shown = await begin(ada)
    code = ada.code(secret_of(shown))
    made = await ada.press(shown, code=f"{code[:3]} {code[3:]}")
    assert (200, "Keep these recovery codes") == (made.status, made.heading)
    assert ([], 1, 1) == (shown.cookies, len(ada.devices(made)), len(made.cookies))
    codes = codes_of(made)
    assert (10, 10) == (len(codes), len(set(codes)))
    assert all(re.fullmatch(r"([A-Z2-7]{5}-){4}[A-Z2-7]{5}", each) for each in codes)
    assert (True, False) == (ada.is_signed_in, other.is_signed_in)
    assert rig.keeper.find_session(ada.session.id).has_second_factor
    for path in (PAGE, "/_nbgate/account", "/_nbgate/account/codes"):
        text = (await ada.go(path)).text
        assert not any(code in text for code in codes)


async def test_a_mistyped_code_keeps_the_picture(ada):
    shown = await begin(ada)
    again = await ada.press(shown, code="000000")
    assert (403, "Set up the code", secret_of(shown)) == (again.status, again.heading, secret_of(again))
    assert "This code is not the right one." in again.problem
    assert [] == again.cookies
    assert 200 == (await ada.press(again, code=ada.code(secret_of(again)))).status


async def test_after_ten_minutes_it_begins_again(ada, rig):
    shown = await begin(ada)
    rig.clock.advance(600)
    over = await ada.press(shown, code=ada.code(secret_of(shown)))
    assert (410, "Code from your phone", True) == (over.status, over.heading, "Begin again" in over.problem)


async def test_each_step_has_a_token_of_its_own(ada):
    asked, shown = await ada.go(PAGE), await begin(ada)
    code = ada.code(secret_of(shown))
    crossed = asked.hidden["form_token"]
    refused = await ada.send(PAGE, act="confirm", form_token=crossed, code=code)
    assert (403, True) == (refused.status, "too old" in refused.problem)
    refused = await ada.send(PAGE, act="begin", form_token=shown.hidden["form_token"], password=PASSWORD)
    assert (403, True) == (refused.status, "too old" in refused.problem)
    assert 400 == (await ada.send(PAGE, act="other", form_token=crossed)).status
    assert 400 == (await ada.send(PAGE, form_token=crossed)).status


async def test_a_wrong_password_shows_no_picture(ada):
    shown = await ada.fill(PAGE, password="wrong horse battery")
    assert (403, "Code from your phone", False) == (shown.status, shown.heading, "data:image" in shown.raw)


async def test_another_phone_needs_the_code_of_the_old_one(ada):
    secret, _ = await ada.set_up_totp()
    asked = await ada.go(PAGE)
    assert ({"password", "code"}, True) == (asked.fields, "begin again" in asked.text)
    assert 403 == (await ada.press(asked, password=PASSWORD, code="000000")).status
    shown = await ada.press(asked, password=PASSWORD, code=ada.code(secret))
    assert secret != secret_of(shown)
    ada.rig.clock.advance(30)
    assert 200 == (await ada.press(shown, code=ada.code(secret_of(shown)))).status


async def test_it_is_switched_off_after_password_and_code(ada, client, rig):
    secret, _ = await ada.set_up_totp()
    asked = await ada.go(f"{PAGE}?remove")
    assert "Switch the code off?" == asked.heading
    refused = await ada.press(asked, password=PASSWORD, code="000000")
    assert (403, "Switch the code off?") == (refused.status, refused.heading)
    done = await ada.press(asked, password=PASSWORD, code=ada.code(secret))
    assert (303, "/_nbgate/account?done=totp-off") == (done.status, done.location)
    assert ([], 1, 1) == (refused.cookies, len(ada.devices(done)), len(done.cookies))
    assert "The code is switched off." in (await ada.go(done.location)).text
    assert await Browser(client, rig).sign_in()
    assert "Code from your phone" == (await ada.go(f"{PAGE}?remove")).heading


async def test_who_has_no_password_cannot_switch_it_off(ada, rig):
    secret, _ = await ada.set_up_totp()
    await rig.keeper.factors.set_totp_alone("ada", "uid:0 root", keep=ada.session.id)
    asked = await ada.go(f"{PAGE}?remove")
    assert {"code"} == asked.fields
    shown = await ada.press(asked, code=ada.code(secret))
    assert (400, True) == (shown.status, "password" in shown.problem)


async def test_where_it_is_required_the_page_says_so_and_it_stays(ada, rig):
    with_config(rig, require_second_factor=("owner",))
    assert "the notebooks open once it is set up" in (await ada.go(PAGE)).text
    assert "Set it up" in (await ada.go("/_nbgate/account")).text
    secret, _ = await ada.set_up_totp()
    asked = await ada.go(f"{PAGE}?remove")
    assert ("Code from your phone", False) == (asked.heading, "Switch the code off" in asked.text)
    proof = {"password": PASSWORD, "code": ada.code(secret)}
    shown = await ada.send(PAGE, hidden=asked.hidden, **proof | {"act": "remove"})
    assert (403, True) == (shown.status, "cannot be switched off" in shown.problem)


@pytest.mark.parametrize(("secret", "said"), [("ABCDEFGH", "ABCD EFGH"), ("ABCDE", "ABCD E"), ("", "")])
def test_a_secret_is_shown_in_groups_of_four(secret, said):
    assert said == in_groups(secret)


def test_the_picture_is_in_the_page_itself_and_white_around():
    picture = picture_of("otpauth://totp/nbgate:ada?secret=ABCD&issuer=nbgate")
    assert picture.startswith("data:image/svg+xml;charset=utf-8,")
    assert "stroke='#000'" in unquote(picture)
    assert "fill='#fff'" in unquote(picture)
