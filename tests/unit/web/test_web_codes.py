from browsing import Browser, codes_of

from nbgate.testing.keeper_parts import PASSWORD

PAGE = "/_nbgate/account/codes"


async def test_without_a_code_from_the_phone_there_are_none(ada):
    shown = await ada.go(PAGE)
    assert (303, "/_nbgate/account/totp") == (shown.status, shown.location)


async def test_new_ones_make_the_old_ones_void(ada, client, rig):
    secret, old = await ada.set_up_totp()
    asked = await ada.go(PAGE)
    assert ({"password", "code"}, True) == (asked.fields, "You have 10 left" in asked.text)
    made = await ada.press(asked, password=PASSWORD, code=ada.code(secret))
    new = codes_of(made)
    assert (200, 10, set()) == (made.status, len(new), set(new) & set(old))
    assert "signing in asks for it" not in made.text
    signed_in = []
    for code in (old[0], new[0], new[0]):
        shown = await Browser(client, rig).send("/_nbgate/login", username="ada", password=PASSWORD, code=code)
        signed_in.append(shown.status == 303)
    assert [False, True, False] == signed_in
    assert "9 left" in (await ada.go("/_nbgate/account")).text


async def test_a_recovery_code_proves_it_is_you(ada):
    _, codes = await ada.set_up_totp()
    shown = await ada.fill(PAGE, password=PASSWORD, code=codes[3].lower().replace("-", " "))
    assert (200, "Keep these recovery codes") == (shown.status, shown.heading)


async def test_a_wrong_password_or_form_makes_none(ada):
    secret, _ = await ada.set_up_totp()
    shown = await ada.fill(PAGE, password="wrong horse battery", code=ada.code(secret))
    assert (403, "New recovery codes", True) == (shown.status, shown.heading, "wrong" in shown.problem)
    shown = await ada.send(PAGE, form_token="x", password=PASSWORD, code=ada.code(secret))
    assert (403, True) == (shown.status, "too old" in shown.problem)
