"""The tables [[route]] of a file."""

import pytest

from nbgate.config.check import Finding
from nbgate.config.schema import RouteOptions
from nbgate.config.tables import in_one_spelling, judge_routes, route_types, with_paths

GOOD = {"at": "/a/", "upstream": "localhost:1"}
ALL = GOOD | {
    "base_url": "/x/",
    "token_file": "t",
    "password_file": "p",
    "ca_file": "c",
    "pin": "A" * 64,
    "allow": ["ada"],
    "allow_open": False,
    "disabled_rules": [],
    "health": "api",
}


def test_every_option_can_be_said():
    assert set(ALL) == set(route_types())
    assert [] == list(judge_routes([]))
    assert [] == list(judge_routes([GOOD, ALL]))


@pytest.mark.parametrize("value", [GOOD, "/a/=localhost:1", ["/a/=localhost:1"], [GOOD, 1]])
def test_each_route_is_a_table_of_its_own(value):
    assert [Finding("route", "each route is a table of its own", "write [[route]] and its options below it")] == list(
        judge_routes(value)
    )


@pytest.mark.parametrize(
    ("said", "text", "hint"),
    [
        ({"upstrem": 1}, "unknown option", "did you mean 'upstream'?"),
        ({"base-url": "/"}, "unknown option", "did you mean 'base_url'?"),
        ({"xyzzy": 1}, "unknown option", "a route has at, upstream, base_url, "),
        ({"at": "lab1"}, "'lab1' does not say where", "did you mean /lab1/?"),
        ({"at": 1}, "1 is not a string", "where: /prefix/"),
        ({"upstream": "8888"}, "an upstream needs a host and a port", "did you mean localhost:8888?"),
        ({"upstream": "/a/=localhost:1"}, "an upstream needs a port", "did you mean localhost:8888?"),
        ({"upstream": ["localhost:1"]}, "this list is not a string", "its address: host:port"),
        ({"base_url": "x"}, "'x' is not a base URL", "did you mean /x/?"),
        ({"pin": "AB"}, "a pin has 64 hex digits, and this has 2 characters", "openssl x509"),
        ({"health": "/api"}, "'/api' is not a path below the server's base URL", "did you mean api?"),
        ({"allow": "ada"}, "'ada' is not a list of strings", 'in brackets: allow = ["ada"]'),
        ({"allow": []}, "nobody may use it", "name who may, or take it away: then all users may"),
        ({"allow": ["a b"]}, "'a b' is no user name", "use 1 to 64"),
        ({"allow_open": "yes"}, "'yes' is not true or false", "without quotes: allow_open = true"),
        ({"allow_open": 1}, "1 is not true or false", "accept it although"),
    ],
)
def test_what_is_wrong_with_an_option(said, text, hint):
    (finding,) = judge_routes([GOOD, GOOD | said])

    assert (f"route[1].{next(iter(said))}", text) == (finding.key, finding.text)
    assert finding.hint.lower().startswith(hint.lower())


def test_what_is_not_said_and_everything_else_at_once():
    assert [
        ("route[0]", "it has no 'at'"),
        ("route[0]", "it has no 'upstream'"),
        ("route[1]", "it has no 'upstream'"),
        ("route[1].pin", "a pin has hex digits alone"),
        ('route[1]."a.b"', "unknown option"),
    ] == [(one.key, one.text) for one in judge_routes([{}, {"at": "/a/", "pin": "x" * 64, "a.b": 1}])]


def test_paths_begin_at_the_folder():
    table = GOOD | {"ca_file": "c.pem", "token_file": "~/t", "password_file": ""}
    expected = GOOD | {"ca_file": "/etc/nbgate/c.pem", "token_file": "/home/ada/t", "password_file": ""}

    assert expected == with_paths(table, "/etc/nbgate", {"HOME": "/home/ada"})


def test_one_spelling_of_each():
    route = RouteOptions(at="Lab.Example.org/", upstream="localhost:1", pin="AB:" * 31 + "AB", allow=("Ada", "ada"))

    assert RouteOptions(
        at="lab.example.org/", upstream="localhost:1", pin="ab" * 32, allow=("ada",)
    ) == in_one_spelling(route)
    assert () == in_one_spelling(RouteOptions(at="/", upstream="localhost:1")).allow
