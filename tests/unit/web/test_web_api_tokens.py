import re

import pytest
from browsing import with_config
from houses import Town

from nbgate.model.session import Scope
from nbgate.testing.keeper_parts import PASSWORD

PAGE = "/_nbgate/account/tokens"
GOOD = {"name": "VS Code", "scope": "execute", "days": "30", "routes": "", "password": PASSWORD}


def token_of(rig, user="ada"):
    (stored,) = [each for each in rig.keeper.sessions_of(user) if each.session.is_token]
    return stored


async def make(browser, **changes):
    return await browser.fill(PAGE, **GOOD | changes)


async def test_a_token_is_shown_once(ada, rig):
    asked = await ada.go(PAGE)
    assert {"name", "scope", "days", "routes", "password"} == asked.fields
    made = await ada.press(asked, **GOOD)
    text = re.search(r'aria-label="Token">([^<]+)</pre>', made.raw)[1]
    assert ("Your new token", True) == (made.heading, re.fullmatch(r"nbgp_[\w-]{43}", text) is not None)
    listed = await ada.go(PAGE)
    assert (True, False) == ("VS Code" in listed.text, text in listed.raw)
    stored = token_of(rig)
    session = stored.session
    assert ("VS Code", Scope.EXECUTE, ()) == (stored.label, session.scope, session.routes)
    assert 30 * 86400 == session.absolute_unix - rig.clock.unix()
    assert "(in 30 days)" in listed.text


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ("", "gw.test:8443/a/api/status"),
        ("/b/", "gw.test:8443/b/"),
        ("/c/ /d/", "gw.test:8443/d/api/status"),
        ("lab.test/", "lab.test:8443/api/status"),
        ("/c/", "gw.test:8443/_nbgate/api/session"),  # it is bob's
        ("/nothing/", "gw.test:8443/_nbgate/api/session"),
    ],
)
async def test_the_example_is_an_address_that_the_token_opens(ada, rig, routes, expected):
    town = Town(rig).add("/d/", product="Jupyter Notebook").add("/a/").add("/b/", product="Voilà")
    town.add("/c/", allowed=("bob",)).add("/", host="lab.test")
    made = await make(ada, routes=routes)
    assert [f"https://{expected}"] == re.findall(r"https://[^\s<]+", made.text)
    assert (["/nothing/"] if "nothing" in routes else []) == re.findall(
        r"no notebook server at <code>(.*?)<", made.text
    )


async def test_routes_are_places_with_spaces_between(ada, rig):
    await make(ada, routes=" /lab1/  Lab2.example.org/ ", scope="read")
    stored = token_of(rig)
    assert (("/lab1/", "lab2.example.org/"), Scope.READ) == (stored.session.routes, stored.session.scope)
    assert "/lab1/, lab2.example.org/" in (await ada.go(PAGE)).text


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"name": ""}, 400, "Give the token a name"),
        ({"name": "  "}, 400, "Give the token a name"),
        ({"name": "x" * 65}, 400, "Give the token a name"),
        ({"name": "a\nb"}, 400, "Give the token a name"),
        ({"scope": "login"}, 400, "Choose what the token may do."),
        ({"scope": "all"}, 400, "Choose what the token may do."),
        ({"scope": ""}, 400, "Choose what the token may do."),
        ({"days": "0"}, 400, "1 to 90 days"),
        ({"days": "91"}, 400, "1 to 90 days"),
        ({"days": "1e1"}, 400, "1 to 90 days"),
        ({"days": "٣"}, 400, "1 to 90 days"),
        ({"routes": "lab1"}, 400, "no place of a notebook server"),
        ({"password": "wrong horse battery"}, 403, "The password or the code is wrong."),
    ],
)
async def test_what_is_wrong_is_said_and_what_was_typed_kept(ada, rig, changes, status, said):
    shown = await make(ada, **{"name": "laptop", "days": "31"} | changes)
    assert (status, "Tokens for programs", True) == (shown.status, shown.heading, said in shown.problem)
    assert not any(each.session.is_token for each in rig.keeper.sessions_of("ada"))
    kept = re.search(r'name="days" [^>]*value="([^"]*)"', shown.raw)[1]
    assert changes.get("days", "31") == kept
    assert f'value="{PASSWORD}"' not in shown.raw


async def test_a_field_that_is_missing_is_wrong_too(ada):
    token = (await ada.go(PAGE)).hidden["form_token"]
    assert 400 == (await ada.send(PAGE, form_token=token, password=PASSWORD)).status
    assert 400 == (await ada.send(PAGE, form_token=token, other="x")).status


async def test_ending_one_asks_for_the_password(ada, rig):
    await make(ada)
    label = token_of(rig).session.label
    asked = await ada.go(f"{PAGE}?end={label}")
    assert ("End this token?", {"password"}) == (asked.heading, asked.fields)
    refused = await ada.press(asked, password="wrong horse battery")
    assert (403, "End this token?") == (refused.status, refused.heading)
    done = await ada.press(refused, password=PASSWORD)
    assert (303, f"{PAGE}?done=ended") == (done.status, done.location)
    assert "The token is ended." in (await ada.go(done.location)).text
    assert [ada.session] == [each.session for each in rig.keeper.sessions_of("ada")]
    gone = await ada.press(asked, password=PASSWORD)
    assert (404, "This token has ended already.") == (gone.status, gone.problem)
    assert 404 == (await ada.go(f"{PAGE}?end={label}")).status


async def test_nobody_ends_a_login_or_somebody_else_s_here(ada, bob, rig):
    await make(bob)
    label = token_of(rig, "bob").session.label
    for each in (label, ada.session.label):
        shown = await ada.send(PAGE, end=each, form_token="x", password=PASSWORD)
        assert 404 == shown.status
    assert 2 == len(rig.keeper.sessions_of("bob"))


async def test_a_form_of_another_purpose_makes_and_ends_none(ada, rig):
    crossed = (await ada.go("/_nbgate/logout")).hidden["form_token"]
    assert 403 == (await ada.send(PAGE, form_token=crossed, **GOOD)).status
    await make(ada)
    label = token_of(rig).session.label
    adding = (await ada.go(PAGE)).hidden["form_token"]
    assert 403 == (await ada.send(PAGE, form_token=adding, end=label, password=PASSWORD)).status


async def test_a_token_opens_no_door_that_its_maker_s_sign_in_does_not(ada, rig):
    with_config(rig, require_second_factor=("owner",))
    shown = await make(ada)
    assert (403, True) == (shown.status, "Set it up first" in shown.problem)
    await ada.set_up_totp()
    ada.use(rig.keeper.find_session(ada.session.id))
    assert "code" in (await ada.go(PAGE)).fields
