import json

import pytest

from nbgate.testing.keeper_parts import PASSWORD

CLEARED = "__Host-Http-nbgate-8443=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"


async def call(client, **headers):
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.post("/_nbgate/api/logout", headers=sent) as answer:
        return answer, await answer.text()


async def test_a_link_to_the_page_ends_nothing_its_button_does(ada):
    shown = await ada.go("/_nbgate/logout")
    assert (200, "Sign out?", True) == (shown.status, shown.heading, ada.is_signed_in)
    done = await ada.press(shown)
    assert (303, "/_nbgate/login?signed-out", [CLEARED]) == (done.status, done.location, done.cookies)
    assert not ada.is_signed_in


async def test_a_page_that_was_too_old_says_so(ada):
    refused = await ada.send("/_nbgate/logout", form_token="other")
    assert (403, True, True) == (refused.status, "too old" in refused.problem, ada.is_signed_in)
    assert 303 == (await ada.press(refused)).status


async def test_the_token_of_one_session_or_another_form_ends_none(ada, bob):
    for token in (
        (await bob.go("/_nbgate/logout")).hidden["form_token"],
        (await ada.go("/_nbgate/account/password")).hidden["form_token"],
    ):
        assert 403 == (await ada.send("/_nbgate/logout", form_token=token)).status
    assert ada.is_signed_in


async def test_who_is_signed_out_already_is_shown_the_login_page(stranger):
    shown = await stranger.go("/_nbgate/logout")
    assert (303, "/_nbgate/login") == (shown.status, shown.location)
    shown = await stranger.send("/_nbgate/logout", form_token="x")
    assert (303, "/_nbgate/login?signed-out") == (shown.status, shown.location)


async def test_the_call_signs_out(client, ada):
    answer, text = await call(client, X_Nbgate_Session=ada.session.id.hex())
    assert (200, {}, CLEARED) == (answer.status, json.loads(text), answer.headers["Set-Cookie"])
    assert not ada.is_signed_in


@pytest.mark.parametrize("sent", ["", "zz", "00" * 32])
async def test_a_call_without_a_live_session_is_done_already(client, sent):
    answer, _ = await call(client, X_Nbgate_Session=sent)
    assert (200, CLEARED) == (answer.status, answer.headers["Set-Cookie"])


async def test_a_form_of_another_shape_is_refused(ada):
    assert 400 == (await ada.send("/_nbgate/logout", password=PASSWORD)).status
