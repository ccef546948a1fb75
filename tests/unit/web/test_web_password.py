import pytest
from browsing import Browser

from nbgate.testing.keeper_parts import PASSWORD
from nbgate.web.password import judge_chosen

PAGE = "/_nbgate/account/password"
NEW = "violet kettle 93 orbit"
WEAK = "ada12345678ada"


async def test_the_password_changes_and_everywhere_else_is_signed_out(ada, client, rig):
    other = await Browser(client, rig).sign_in()
    asked = await ada.go(PAGE)
    assert {"password", "new", "again"} == asked.fields
    done = await ada.press(asked, password=PASSWORD, new=NEW, again=NEW)
    assert (303, "/_nbgate/account?done=password") == (done.status, done.location)
    assert (True, False) == (ada.is_signed_in, other.is_signed_in)
    assert (1, 1) == (len(ada.devices(done)), len(done.cookies))
    assert "Your new password is set." in (await ada.go(done.location)).text
    assert await other.sign_in("ada", password=NEW)


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"password": "wrong horse battery"}, 403, "The password or the code is wrong."),
        ({"password": ""}, 403, "The password or the code is wrong."),
        ({"new": "short", "again": "short"}, 400, "This password cannot be set: use at least 12 characters."),
        ({"again": "another horse battery"}, 400, "The two passwords differ."),
        ({"new": WEAK, "again": WEAK}, 400, "This password is weak"),
        ({"new": "123456789012", "again": "123456789012", "anyway": "yes"}, 400, "every list of common passwords"),
    ],
)
async def test_what_is_wrong_is_said_and_nothing_changed(ada, client, rig, changes, status, said):
    filled = {"password": PASSWORD, "new": NEW, "again": NEW} | changes
    shown = await ada.fill(PAGE, **filled)
    assert (status, "Change your password", True) == (shown.status, shown.heading, said in shown.problem)
    assert (said == "This password is weak") == ('name="anyway"' in shown.raw)
    assert not any(f'value="{typed}"' in shown.raw for typed in filled.values())
    assert [] == shown.cookies
    assert await Browser(client, rig).sign_in()


async def test_a_weak_password_is_taken_from_who_means_it(ada):
    assert 303 == (await ada.fill(PAGE, password=PASSWORD, new=WEAK, again=WEAK, anyway="yes")).status


async def test_a_mistyped_new_password_uses_up_no_code(ada):
    secret, _ = await ada.set_up_totp()
    asked = await ada.go(PAGE)
    assert {"password", "code", "new", "again"} == asked.fields
    proof = {"password": PASSWORD, "code": ada.code(secret)}
    assert 400 == (await ada.press(asked, **proof, new=NEW, again="x")).status
    assert 303 == (await ada.press(asked, **proof, new=NEW, again=NEW)).status


async def test_a_form_of_another_purpose_changes_nothing(ada):
    token = (await ada.go("/_nbgate/logout")).hidden["form_token"]
    shown = await ada.send(PAGE, form_token=token, password=PASSWORD, new=NEW, again=NEW)
    assert (403, True) == (shown.status, "too old" in shown.problem)
    assert 400 == (await ada.send(PAGE, form_token=token)).status


async def test_who_came_by_a_link_sets_one_without_the_old_one_for_a_while(stranger, rig):
    token = await rig.keeper.links.make("ada", "uid:0 root")
    await stranger.fill(f"/_nbgate/link/{token}")
    (stored,) = rig.keeper.sessions_of("ada")
    asked = await stranger.use(stored.session).go(PAGE)
    assert ({"new", "again"}, True) == (asked.fields, "You came by a sign-in link" in asked.text)
    assert "You came by a sign-in link" in (await stranger.go("/_nbgate/account")).text
    rig.clock.advance(600)
    assert {"password", "new", "again"} == (await stranger.go(PAGE)).fields
    assert "You came by a sign-in link" not in (await stranger.go("/_nbgate/account")).text
    assert 403 == (await stranger.press(asked, new=NEW, again=NEW)).status


async def test_a_browser_whose_session_ended_with_the_change_is_not_known(ada, rig, monkeypatch):
    set_password = rig.keeper.accounts.set_password

    async def and_sign_out(*args, **kwargs):
        changed = await set_password(*args, **kwargs)
        await rig.keeper.revoke_user("ada", "uid:0 root")
        return changed

    monkeypatch.setattr(rig.keeper.accounts, "set_password", and_sign_out)
    done = await ada.fill(PAGE, password=PASSWORD, new=NEW, again=NEW)
    assert (303, []) == (done.status, done.cookies)


async def test_a_password_is_judged_by_length_repetition_and_strength():
    assert None is await judge_chosen("ada", NEW, NEW, is_meant=False)
    assert (await judge_chosen("ada", WEAK, WEAK, is_meant=False)).is_weak
    assert None is await judge_chosen("ada", WEAK, WEAK, is_meant=True)
    assert not (await judge_chosen("ada", "short", "short", is_meant=True)).is_weak
