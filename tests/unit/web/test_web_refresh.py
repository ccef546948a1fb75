import re

import pytest

PAGE = "/_nbgate/refresh"


def key_of(session):
    return (session.key or session.id).hex()


async def test_a_session_that_is_due_gets_another_secret_and_goes_on(ada, rig):
    rig.clock.advance(rig.keeper.config.sessions.rotate_seconds)
    ada.rig.keeper.live.touch((ada.session.id,), rig.clock.unix())
    shown = await ada.go(f"{PAGE}?next=/lab/tree/a.ipynb", X_Nbgate_Session_Key=key_of(ada.session))
    assert (303, "/lab/tree/a.ipynb") == (shown.status, shown.location)
    (cookie,) = shown.cookies
    assert re.fullmatch(r"__Host-Http-nbgate-8443=[\w-]{43}; Path=/; Secure; HttpOnly; SameSite=Lax", cookie)
    session = rig.keeper.find_session(ada.session.id)
    assert (ada.session.id, key_of(ada.session)) == (session.id, session.former.hex())
    again = await ada.go(f"{PAGE}?next=/lab", X_Nbgate_Session_Key=key_of(ada.session))
    assert (303, "/lab", []) == (again.status, again.location, again.cookies)


@pytest.mark.parametrize(
    ("query", "location"),
    [("", "/"), ("?next=//evil.example", "/"), ("?next=/_nbgate/logout", "/"), ("?next=/a&next=/b", "/")],
)
async def test_it_leads_nowhere_else(ada, query, location):
    shown = await ada.go(f"{PAGE}{query}", X_Nbgate_Session_Key=key_of(ada.session))
    assert (303, location, []) == (shown.status, shown.location, shown.cookies)


@pytest.mark.parametrize("key", ["", "zz", "00" * 32])
async def test_a_secret_that_is_not_its_own_gets_none(ada, rig, key):
    rig.clock.advance(rig.keeper.config.sessions.rotate_seconds)
    ada.rig.keeper.live.touch((ada.session.id,), rig.clock.unix())
    assert [] == (await ada.go(PAGE, X_Nbgate_Session_Key=key)).cookies


async def test_who_is_signed_out_signs_in(stranger):
    shown = await stranger.go(f"{PAGE}?next=/lab")
    assert (303, "/_nbgate/login") == (shown.status, shown.location)
