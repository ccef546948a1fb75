import re

import pytest

from nbgate.testing.keeper_parts import PASSWORD


@pytest.fixture
async def path(rig):
    return f"/_nbgate/link/{await rig.keeper.links.make('ada', 'uid:0 root')}"


async def test_looking_at_the_link_changes_nothing_its_button_signs_in_once(stranger, path, rig):
    for _ in range(2):
        shown = await stranger.go(path)
        assert (200, "Sign in as ada?", path) == (shown.status, shown.heading, shown.action)
    assert () == rig.keeper.sessions_of("ada")
    done = await stranger.press(shown)
    assert (303, "/_nbgate/account", 2) == (done.status, done.location, len(done.cookies))
    (stored,) = rig.keeper.sessions_of("ada")
    assert (("login-link",), "192.0.2.7", "Firefox on Linux") == (stored.session.factors, stored.client, stored.label)
    for again in (await stranger.press(shown), await stranger.go(path)):
        assert (410, "This link is over") == (again.status, again.heading)


async def test_no_request_from_there_names_the_link(stranger, path):
    for shown in (await stranger.go(path), await stranger.send(path), await stranger.go(path)):
        assert "origin" == shown.headers["Referrer-Policy"]
    assert path not in (await stranger.go(path)).raw


@pytest.mark.parametrize("token", ["x", "A" * 43, "%00"])
async def test_what_is_no_link_is_over(stranger, token):
    for shown in (await stranger.go(f"/_nbgate/link/{token}"), await stranger.send(f"/_nbgate/link/{token}")):
        assert (410, "This link is over", True) == (shown.status, shown.heading, "new one" in shown.text)


async def test_it_takes_the_place_of_the_session_the_browser_had(ada, path):
    await ada.fill(path)
    assert not ada.is_signed_in


async def test_a_form_with_anything_in_it_is_refused_and_the_link_stays(stranger, path):
    assert 400 == (await stranger.send(path, username="bob")).status
    assert 303 == (await stranger.fill(path)).status


async def test_an_account_that_was_shut_out_since_gets_no_session(stranger, path, rig):
    shown = await stranger.go(path)
    await rig.keeper.accounts.disable("ada", "uid:0 root")
    refused = await stranger.press(shown)
    assert 400 <= refused.status < 500
    assert () == rig.keeper.sessions_of("ada")


async def test_while_the_audit_fails_the_page_says_so_and_the_link_stays(stranger, path, rig):
    shown = await stranger.go(path)
    rig.sink.broken = True
    refused = await stranger.press(shown)
    assert (503, "Sign in as ada?", True) == (refused.status, refused.heading, "few seconds" in refused.problem)


async def test_while_signing_in_is_closed_the_page_says_so(stranger, path, rig):
    await rig.keeper.lock_down("uid:0 root")
    assert 410 == (await stranger.go(path)).status  # what was made before is void
    shown = await stranger.fill(f"/_nbgate/link/{await rig.keeper.links.make('ada', 'uid:0 root')}")
    assert (503, True) == (shown.status, re.search("closed by the operator", shown.problem) is not None)


async def test_signing_in_by_link_leaves_the_password_as_it_was(stranger, path, rig, client):
    await stranger.fill(path)
    assert 303 == (await stranger.send("/_nbgate/login", username="ada", password=PASSWORD)).status
