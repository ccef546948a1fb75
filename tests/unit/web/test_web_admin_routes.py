"""The owners' page of servers that are added while the gateway runs."""

import re

import pytest

from nbgate.keeper.places import Source
from nbgate.keeper.route_list import ListedRoute
from nbgate.model.route import Condition
from nbgate.testing.keeper_parts import PASSWORD
from nbgate.web import admin_routes as subject

ADMIN = "/_nbgate/admin"
PAGE = "/_nbgate/admin/routes"
TYPED = {"at": "/lab9/", "upstream": "localhost:9009", "token": "", "allow": "", "base_url": "", "password": PASSWORD}
TOKEN = "5ecre7tokenofaserver"


def rows_of(shown):
    """Return what stands above the facts of each server on the owners' page."""
    section = re.search(r'<section aria-labelledby="servers">(.*?)</section>', shown.text, re.DOTALL)[1]
    return re.findall(r"<h3>([^< ]+)", section)


@pytest.fixture
def listed(rig, monkeypatch):
    """Have the keeper list these routes."""

    def put(*routes):
        monkeypatch.setattr(rig.keeper.route_book, "all", lambda: routes)

    return put


async def add(browser, **changes):
    return await browser.fill(PAGE, **(TYPED | changes))


async def test_it_is_for_owners(bob, stranger):
    for path in (PAGE, f"{PAGE}?remove=/lab9/"):
        assert 403 == (await bob.go(path)).status
    assert 403 == (await bob.send(PAGE, act="add", at="/lab9/", upstream="localhost:9009", form_token="x")).status
    assert (303, "/_nbgate/login") == ((shown := await stranger.go(PAGE)).status, shown.location)


async def test_a_server_is_added_and_removed(ada, rig):
    form = await ada.go(PAGE)
    assert {"at", "upstream", "token", "allow", "base_url", "allow_open", "password"} == form.fields
    added = await ada.press(form, **TYPED)
    assert (303, f"{ADMIN}?done=added") == (added.status, added.location)
    shown = await ada.go(added.location)
    assert ("Added." in shown.text, "/lab9/" in rows_of(shown)) == (True, True)
    assert "it was added while the gateway runs" in shown.text
    replaced = await add(ada, upstream="localhost:9010")
    assert f"{ADMIN}?done=replaced" == replaced.location
    assert "127.0.0.1:9010" in (await ada.go(replaced.location)).text

    asked = await ada.go(f"{PAGE}?remove=/lab9/")
    assert ("Remove the server at /lab9/?", {"password"}) == (asked.heading, asked.fields)
    refused = await ada.press(asked, password="wrong horse battery")
    assert (403, asked.heading) == (refused.status, refused.heading)
    done = await ada.press(refused, password=PASSWORD)
    assert (303, f"{ADMIN}?done=removed") == (done.status, done.location)
    shown = await ada.go(done.location)
    assert ("Removed." in shown.text, "/lab9/" in rows_of(shown)) == (True, False)
    gone = await ada.press(asked, password=PASSWORD)
    assert (404, True) == (gone.status, "removed already" in gone.problem)
    told = [(record["message"], record["nbgate.actor"]) for record in rig.sink.records("route.change")]
    assert [("added", "ada"), ("changed", "ada"), ("removed", "ada")] == told


async def test_nothing_is_added_without_the_password_or_the_form(ada, rig):
    before = rows_of(await ada.go(ADMIN))
    assert 403 == (await add(ada, password="wrong horse battery")).status
    token = (await ada.go(f"{ADMIN}?end-user=ada")).hidden["form_token"]
    crossed = await ada.send(PAGE, act="add", form_token=token, **TYPED)
    assert (403, True) == (crossed.status, "too old" in crossed.problem)
    assert 400 == (await ada.send(PAGE, act="add", form_token=token)).status
    assert 400 == (await ada.send(PAGE, hidden=(await ada.go(PAGE)).hidden | {"act": "x"}, **TYPED)).status
    assert before == rows_of(await ada.go(ADMIN))
    assert [] == rig.sink.records("route.change")


@pytest.mark.parametrize(
    ("typed", "status", "said"),
    [
        ({"at": "lab9"}, 400, "Did you mean /lab9/?"),
        ({"at": "/_nbgate/x/"}, 400, "nbgate's own pages"),
        ({"upstream": "9009"}, 400, "Did you mean localhost:9009?"),
        ({"upstream": "192.0.2.9:8888"}, 400, "another machine"),
        ({"base_url": "ipython"}, 400, "Did you mean /ipython/?"),
        ({"token": "a b"}, 400, "no token of a notebook server"),
        ({"allow": "ada, bob"}, 409, "for some people"),
    ],
)
async def test_what_cannot_be_is_said_and_what_was_typed_is_kept(ada, typed, status, said):
    shown = await add(ada, **typed)
    assert (status, True) == (shown.status, said in shown.problem), shown.problem
    kept = TYPED | typed
    assert all(f'value="{kept[name]}"' in shown.text for name in ("at", "upstream", "allow", "base_url") if kept[name])


async def test_a_token_of_a_server_is_never_shown_again(ada):
    refused = await add(ada, token=TOKEN, at="lab9")
    added = await add(ada, token=TOKEN)
    assert 303 == added.status
    for shown in (refused, await ada.go(added.location), await ada.go(f"{PAGE}?remove=/lab9/"), await ada.go(PAGE)):
        assert TOKEN not in shown.raw


async def test_what_is_typed_arrives(ada, rig, monkeypatch):
    seen = []

    async def take(spec, actor):
        seen.append((spec, actor))
        return False

    monkeypatch.setattr(rig.keeper.route_book, "add", take)
    await add(ada, at=" lab9.example.org/ ", token=TOKEN, allow="ada,  bob", base_url="/told/", allow_open="yes")
    ((spec, actor),) = seen
    assert ("lab9.example.org/", "/told/", TOKEN, ("ada", "bob"), True, "ada") == (
        spec.at,
        spec.base_url,
        spec.token,
        spec.allowed,
        spec.allow_open,
        actor,
    )
    await add(ada)
    assert (None, ()) == (seen[1][0].allow_open, seen[1][0].allowed)


async def test_owners_see_where_each_server_is_who_wanted_it_and_how_it_is(ada, rig, listed):
    listed(
        ListedRoute(
            at="/found/",
            upstream="127.0.0.1:8889",
            base_url="/",
            source=Source.FOUND,
            product="JupyterLab",
            condition=Condition.GUARDED,
            since_unix=rig.clock.unix() - 3600,
        ),
        ListedRoute(
            at="/a/",
            upstream="127.0.0.1:8888",
            base_url="",
            source=Source.CONFIGURATION,
            condition=Condition.DOWN,
            since_unix=rig.clock.unix() - 60,
            allow=("ada", "bob"),
            hint="look at <it>",
        ),
        ListedRoute(at="", upstream="127.0.0.1:8890", base_url="/a/", source=Source.FOUND, hint="another is there"),
    )
    shown = await ada.go(ADMIN)
    assert ["/a/", "/found/", "127.0.0.1:8890"] == rows_of(shown)
    for said in (
        "the configuration names it",
        "it was found running",
        "not answering",
        "not mounted",
        "ada, bob",
        "everybody",
    ):
        assert said in shown.text, said
    assert "Look at &lt;it&gt;." in shown.raw
    assert 1 == shown.text.count("tag good")
    assert "?remove=" not in shown.raw
    assert "share one address" in shown.text
    assert 404 == (await ada.go(f"{PAGE}?remove=/a/")).status


async def test_a_place_is_escaped(ada, listed):
    listed(ListedRoute(at='/a&"b/', upstream="127.0.0.1:1", base_url="/", source=Source.RUNTIME))
    assert "?remove=/a%26%22b/" in (await ada.go(ADMIN)).raw


async def test_no_more_are_listed_than_a_page_can_hold(ada, listed):
    listed(
        *(
            ListedRoute(at=f"/{number:05}/", upstream="127.0.0.1:1", base_url="/", source=Source.RUNTIME)
            for number in range(subject.MAX_SHOWN + 3)
        )
    )
    shown = await ada.go(ADMIN)
    assert (subject.MAX_SHOWN, True) == (len(rows_of(shown)), "And 3 more" in shown.text)
    assert 200 == (await ada.go(f"{PAGE}?remove=/00202/")).status


async def test_without_servers_it_says_so(ada, listed):
    listed()
    assert "found by itself, unless the configuration names servers" in (await ada.go(ADMIN)).text


async def test_a_server_for_each_user_says_so(ada, rig, listed):
    listed(
        ListedRoute(at="{user}.gw.test/", upstream="unix:/run/{user}/s", base_url="", source=Source.CONFIGURATION),
        ListedRoute(
            at="{user}.b.test/", upstream="unix:/b/{user}", base_url="", source=Source.RUNTIME, hint="not mounted: x"
        ),
        ListedRoute(
            at="/new/", upstream="127.0.0.1:1", base_url="/", source=Source.RUNTIME, since_unix=rig.clock.unix()
        ),
    )
    shown = await ada.go(ADMIN)
    for said in ("one for each user", "each their own", "not mounted", "Not mounted: x.", "being looked at"):
        assert 1 <= shown.text.count(said) <= 2, said
    assert 1 == shown.text.count('class="wrong"')


@pytest.mark.parametrize("source", list(Source))
def test_every_source_has_its_words(source):
    assert subject.SOURCES[source]
