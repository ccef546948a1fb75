"""Who has a right to which place, who is expanded to whom, and what found servers are called."""

import pytest
from hypothesis import given
from hypothesis import strategies as some
from msgspec import structs

from nbgate.keeper import places as module
from nbgate.keeper.places import (
    FoundNames,
    Places,
    Source,
    expand,
    is_ours,
    public_prefix,
    rank_of,
    slug,
)
from nbgate.model.route import Upstream
from nbgate.model.route_spec import RouteSpec

ROOT, LAB = ("", "/"), ("", "/lab1/")
NAMED, ADDED, FOUND = Source
HERE = Upstream(host="127.0.0.1", port=8888)


def ranks(order, **options):
    return [rank_of(source, order, **options) for source in Source]


def test_the_configuration_has_the_first_right_and_what_is_known_stands_before_a_guess():
    assert [*ranks(1), *ranks(0, is_guess=True)] == sorted([*ranks(0, is_guess=True), *ranks(1)])
    assert rank_of(NAMED, 7) < rank_of(NAMED, 1, is_expanded=True) < rank_of(ADDED, 0)
    assert rank_of(FOUND, 1) < rank_of(FOUND, 2)


def test_a_place_is_had_by_one_and_passes_on_when_that_one_goes():
    places = Places()
    assert {LAB} == places.enter("added", LAB, rank_of(ADDED, 1))
    assert {LAB} == places.enter("named", LAB, rank_of(NAMED, 2))
    assert ("named", LAB, None) == (places.holder(LAB), places.wish("added"), places.place("added"))
    assert {LAB} == places.leave("named")
    assert ("added", LAB, None) == (places.holder(LAB), places.place("added"), places.place("named"))


def test_whoever_moves_concerns_two_places_and_whoever_stays_one():
    places = Places()
    places.enter("a", ROOT, rank_of(NAMED, 1, is_guess=True))
    assert {ROOT, LAB} == places.enter("a", LAB, rank_of(NAMED, 1))
    assert ({LAB}, None) == (places.enter("a", LAB, rank_of(NAMED, 1)), places.holder(ROOT))
    assert ({LAB}, set(), None) == (places.leave("a"), places.leave("a"), places.wish("a"))


WISHES = some.lists(
    some.tuples(
        some.integers(0, 5),
        some.none() | some.tuples(some.sampled_from(["/", "/a/", "/b/"]), some.sampled_from(Source), some.booleans()),
    ),
    max_size=30,
)


@given(WISHES)
def test_whatever_comes_and_goes_each_place_is_had_by_the_first_of_those_who_want_it(wishes):
    places, wanted = Places(), {}
    for who, wish in wishes:
        if wish is None:
            places.leave(who)
            wanted.pop(who, None)
        else:
            prefix, source, is_guess = wish
            wanted[who] = (("", prefix), rank_of(source, who, is_guess=is_guess))
            assert ("", prefix) in places.enter(who, *wanted[who])
        for prefix in ("/", "/a/", "/b/"):
            there = [(rank, each) for each, (where, rank) in wanted.items() if where == ("", prefix)]
            assert (min(there)[1] if there else None) == places.holder(("", prefix))


@pytest.mark.parametrize(
    ("base", "prefix", "expected"),
    [("/", "/lab1/", "/lab1/"), ("/ipython/", "/", "/ipython/"), ("/ipython/", "/lab1/", "/ipython/lab1/")],
)
def test_the_gateways_own_base_url_stands_before_every_place(base, prefix, expected):
    assert expected == public_prefix(base, prefix)


def test_our_own_pages_are_ours_alone():
    assert [True, True, False, False] == [is_ours(each) for each in ("/_nbgate/", "/_nbgate/x/", "/_nbgates/", "/")]


# one for each user

FOR_EACH = RouteSpec(upstream=Upstream(path="/run/lab/{user}.sock"), host="{user}.example.org", prefix="/", token="t")


def test_what_is_named_once_is_itself():
    spec = RouteSpec(upstream=HERE, prefix="/lab1/", allowed=("ada",))
    assert {"": spec} == expand(spec, ("ada",), ())


def test_each_user_has_a_host_and_a_socket_of_their_own_where_nobody_else_may_go():
    made = expand(FOR_EACH, ("ada", "bob-2"), ())
    assert ["ada", "bob-2"] == list(made)
    ada = made["ada"]
    assert ("ada.example.org", "/run/lab/ada.sock", ("ada",), "t") == (
        ada.host,
        ada.upstream.path,
        ada.allowed,
        ada.token,
    )


@pytest.mark.parametrize("user", ["ada.lovelace", "a_b", "ada@example.org", "-ada", "ada-", "..", "a" * 64, "", "Ada"])
def test_a_name_that_is_no_label_of_a_host_has_none(user):
    assert {} == expand(FOR_EACH, (user,), ())


def test_a_host_where_people_log_in_is_nobodys_whatever_they_are_called():
    """Whoever is called like the gateway's own host would serve their pages to everybody who logs in there."""
    assert ["ada"] == list(expand(FOR_EACH, ("ada", "gate"), {"gate.example.org"}))


def test_a_host_that_is_too_long_for_a_name_is_none():
    long = structs.replace(FOR_EACH, host="{user}." + ".".join(["a" * 60] * 4))
    assert ["short"] == list(expand(long, ("a" * 10, "short"), ()))


# servers that are found


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        ("/home/ada/Project One", "project-one"),
        ("/home/ada/__x__/", "x"),
        ("/home/ada/naïve", "na-ve"),
        ("/", "server"),
        ("", "server"),
        ("/home/ada/数据", "server"),
        ("/home/ada/" + "a" * 99, "a" * 40),
        ("/home/ada/" + "a" * 39 + " b", "a" * 39),
        ("C:\\Users\\ada", "c-users-ada"),
    ],
)
def test_a_server_is_called_after_its_root_folder(root, expected):
    assert expected == slug(root)


def chooser(names, taken):
    """Return what chooses a place, and then takes it."""

    def choose(root, address, base_url="/"):
        prefix = names.choose(root, address, base_url, lambda place: place not in taken)
        taken.add(prefix)
        return prefix

    return choose


def test_who_is_found_first_keeps_the_base_url_and_the_others_get_names():
    choose = chooser(FoundNames(), set())
    chosen = [choose(f"/home/{user}/work", f"127.0.0.1:{port}") for port, user in enumerate(("ada", "bob", "cy"), 8888)]
    assert ["/", "/work/", "/work-2/"] == chosen
    assert "/jl/" == choose("/home/ada/work", "127.0.0.1:9999", "/jl/")


@pytest.mark.parametrize("folder", ["lab", "notebooks", "api", "_nbgate", "static"])
def test_no_folder_hides_the_pages_of_a_server_at_the_root(folder):
    choose = chooser(FoundNames(), {"/"})
    expected = "/nbgate/" if folder == "_nbgate" else f"/{folder}-2/"
    assert expected == choose(f"/home/ada/{folder}", "127.0.0.1:1")


def test_a_server_that_comes_back_gets_the_place_it_had():
    names, taken = FoundNames(), set()
    choose = chooser(names, taken)
    choose("/a", "127.0.0.1:1"), choose("/b", "127.0.0.1:2")
    taken.remove("/")
    taken.remove("/b/")
    assert "/b/" == choose("/b", "127.0.0.1:2")
    taken.remove("/b/")
    taken.add("/b/")  # somebody else is there
    assert "/b-2/" == choose("/b", "127.0.0.1:2")


def test_no_more_places_are_remembered_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(module, "MAX_REMEMBERED", 2)
    names, taken = FoundNames(), {"/"}
    choose = chooser(names, taken)
    for port in (1, 2, 3):
        choose("/x", f"127.0.0.1:{port}")
    taken.clear()
    assert ["/", "/x-3/"] == [choose("/x", "127.0.0.1:1"), choose("/x", "127.0.0.1:3")]
