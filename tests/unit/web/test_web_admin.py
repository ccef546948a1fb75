import pytest
from browsing import Browser, with_config

from nbgate.model.session import Scope
from nbgate.testing.keeper_parts import PASSWORD

PAGE = "/_nbgate/admin"


def penalise(rig, *netblocks):
    for netblock in netblocks:
        for _ in range(10):
            rig.keeper.penalties.add_login(netblock)


async def test_it_is_for_owners_and_others_are_told_whom_to_ask(bob, ada, rig, stranger):
    shown = await bob.go(PAGE)
    assert (403, "Not allowed", True) == (shown.status, shown.heading, "Ask an owner: ada." in shown.text)
    assert 403 == (await bob.send(PAGE, act="clear", which="all", form_token="x")).status
    with_config(rig, contact="help@uni.example")
    assert "Ask help@uni.example." in (await bob.go(PAGE)).text
    bob.headers["X-Nbgate-Navigation"] = "0"
    assert 403 == (await bob.send(PAGE, act="clear", which="all", form_token="x")).status
    assert (303, "/_nbgate/login") == ((shown := await stranger.go(PAGE)).status, shown.location)


async def test_an_owner_without_the_code_that_is_required_sets_it_up_first(ada, rig):
    with_config(rig, require_second_factor=("all",))
    shown = await ada.go(PAGE)
    assert (303, "/_nbgate/account/totp") == (shown.status, shown.location)
    await ada.set_up_totp()
    assert 200 == (await ada.go(PAGE)).status


async def test_it_shows_everybody(ada, bob, rig, role_of):
    await rig.keeper.accounts.add("carol", PASSWORD, "uid:0 root")
    await role_of("carol", "auditor")
    await rig.keeper.accounts.add("mallory", PASSWORD, "uid:0 root")
    await rig.keeper.accounts.disable("mallory", "uid:0 root")
    await rig.keeper.tokens.add("bob", "nightly", Scope.READ, ("/lab1/",), rig.clock.unix() + 86400, "bob")
    penalise(rig, "198.51.100.9/32")
    shown = await ada.go(PAGE)
    for said in (
        "auditor (no notebooks)",
        "shut out",
        "in 1 place, 1 token",
        "nowhere",
        "bob: Firefox on Linux",
        "bob: nightly",
        "/lab1/",
        "198.51.100.9/32",
        "for another 50 seconds",
    ):
        assert said in shown.text, said
    assert "End sign-ins of ada" not in shown.text


async def test_it_says_how_each_signs_in(ada, bob, rig):
    with_config(rig, require_second_factor=("editor",))
    assert "a code is required and not set up yet" in (await ada.go(PAGE)).text
    await bob.set_up_totp()
    assert "password and code, 10 recovery codes left" in (await ada.go(PAGE)).text
    await rig.keeper.factors.set_totp_alone("bob", "uid:0 root")
    assert "code alone, 10 recovery codes left" in (await ada.go(PAGE)).text


async def test_without_penalties_it_says_so(ada):
    assert "None right now." in (await ada.go(PAGE)).text


async def test_it_ends_a_sign_in_of_anybody(ada, bob, rig):
    asked = await ada.go(f"{PAGE}?end={bob.session.label}")
    assert ("End this sign-in?", {"password"}) == (asked.heading, asked.fields)
    refused = await ada.press(asked, password="wrong horse battery")
    assert (403, "End this sign-in?", True) == (refused.status, refused.heading, bob.is_signed_in)
    done = await ada.press(refused, password=PASSWORD)
    assert (303, f"{PAGE}?done=end", False) == (done.status, done.location, bob.is_signed_in)
    assert "Ended." in (await ada.go(done.location)).text
    (record,) = rig.sink.records("session.end")
    assert "ada" == record["nbgate.actor"]
    gone = await ada.press(asked, password=PASSWORD)
    assert (404, True, True) == (gone.status, "Administration" == gone.heading, "over already" in gone.problem)


async def test_it_ends_a_token(ada, rig):
    stored, _ = await rig.keeper.tokens.add("ada", "nightly", Scope.READ, (), rig.clock.unix() + 86400, "ada")
    asked = await ada.go(f"{PAGE}?end={stored.session.label}")
    assert "End this token?" == asked.heading
    assert 303 == (await ada.press(asked, password=PASSWORD)).status
    assert rig.keeper.find_session(stored.session.id) is None


async def test_it_ends_all_sign_ins_of_somebody(ada, bob, client, rig):
    other = await Browser(client, rig).sign_in("bob")
    asked = await ada.go(f"{PAGE}?end-user=bob")
    assert ("End all sign-ins of bob?", True) == (asked.heading, "2 places" in asked.text)
    done = await ada.press(asked, password=PASSWORD)
    assert (303, False, False, True) == (done.status, bob.is_signed_in, other.is_signed_in, ada.is_signed_in)


@pytest.mark.parametrize(
    ("which", "heading", "left"),
    [
        ("198.51.100.9/32", "Clear the penalty of 198.51.100.9/32?", ["2001:db8:bad:1::/64"]),
        ("all", "Clear all penalties?", []),
    ],
)
async def test_it_clears_penalties(ada, rig, which, heading, left):
    penalise(rig, "198.51.100.9/32", "2001:db8:bad:1::/64")
    asked = await ada.go(f"{PAGE}?clear={which}")
    assert heading == asked.heading
    done = await ada.press(asked, password=PASSWORD)
    assert (303, f"{PAGE}?done=clear") == (done.status, done.location)
    assert left == [each.netblock for each in rig.keeper.penalties.shown()]
    assert "Cleared." in (await ada.go(done.location)).text


@pytest.mark.parametrize("query", ["end=zz", "end-user=nobody", "clear=192.0.2.1/32"])
async def test_what_is_over_already_is_said(ada, query):
    shown = await ada.go(f"{PAGE}?{query}")
    assert (404, True) == (shown.status, "over already" in shown.problem)


async def test_forms_of_another_purpose_or_shape_do_nothing(ada, bob, rig):
    token = (await ada.go(f"{PAGE}?end-user=bob")).hidden["form_token"]
    crossed = await ada.send(PAGE, act="end", which=bob.session.label, form_token=token, password=PASSWORD)
    assert (403, True, True) == (crossed.status, "too old" in crossed.problem, bob.is_signed_in)
    assert 404 == (await ada.send(PAGE, act="remove", which="bob", form_token=token, password=PASSWORD)).status
    assert 400 == (await ada.send(PAGE, act="end", form_token=token)).status
