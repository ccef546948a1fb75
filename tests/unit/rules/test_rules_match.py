"""Which paths a rule matches: in no spelling less, in no spelling more."""

import time

import pytest

from nbgate.http.target import parse_target
from nbgate.model.rule import Action, At, Pattern, Rule, Rules
from nbgate.rules.match import RuleTable


def rule(*paths, except_=(), at=At.MOUNT, name="r"):
    return Rule(id=name, action=Action.DENY, at=at, patterns=patterns(paths), exceptions=patterns(except_))


def patterns(paths):
    return tuple(Pattern(tuple(path.removesuffix("/**")[1:].split("/")), path.endswith("/**")) for path in paths)


def finds(table, path, at=At.MOUNT):
    target = parse_target(path.encode())
    return [found.id for found in table.find(at, target.segments, tuple(target.raw_path[1:].split("/")))]


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("/login", "/login", True),
        ("/login", "/login/", True),
        ("/login", "/LogIn", True),
        ("/login", "/%6cogin", True),
        ("/login", "/%4CoGi%6E/", True),
        ("/login", "/login?x=/a", True),
        ("/login", "/login;x", False),
        ("/login", "/login.", False),
        ("/login", "/a/login", False),
        ("/login", "/login/a", False),
        ("/login", "/logins", False),
        ("/login", "/logi", False),
        ("/login", "/%256cogin", False),
        ("/login", "/", False),
        ("/api/shutdown", "/api/shutdown", True),
        ("/api/shutdown", "/api/%73hutdown/", True),
        ("/api/shutdown", "/api", False),
        ("/api/shutdown", "/shutdown", False),
        ("/proxy/**", "/proxy", True),
        ("/proxy/**", "/proxy/", True),
        ("/proxy/**", "/proxy/a/b/c", True),
        ("/proxy/**", "/Proxy/%2561", True),
        ("/proxy/**", "/proxya/b", False),
        ("/*.php", "/a.php", True),
        ("/*.php", "/.php", True),
        ("/*.php", "/A.PHP", True),
        ("/*.php", "/a.php7", False),
        ("/*.php", "/a/b.php", False),
        ("/*/.env", "/x/.env", True),
        ("/*/.env", "/.env", False),
        ("/*/.env", "/x/y/.env", False),
        ("/wp-*/**", "/wp-admin/a/b", True),
        ("/wp-*/**", "/wp-", True),
        ("/wp-*/**", "/wp", False),
        ("/a*b*c", "/abc", True),
        ("/a*b*c", "/axbxbxc", True),
        ("/a*b*c", "/acb", False),
        ("/ab*ba", "/aba", False),
        ("/ab*ba", "/abba", True),
    ],
)
def test_a_path_matches_in_every_spelling_and_no_other_does(pattern, path, expected):
    assert (["r"] if expected else []) == finds(RuleTable(Rules(rules=(rule(pattern),))), path)


@pytest.mark.parametrize(
    ("path", "is_open"),
    [
        ("/proxy/8050", True),
        ("/proxy/8050/", True),
        ("/proxy/8050/a%20b/%70", True),
        ("/proxy/8051/", False),
        ("/proxy/08050/", False),
        ("/proxy/80500/", False),
        ("/proxy/%38050/", False),
        ("/PROXY/8050/", False),
        ("/%70roxy/8050/", False),
        ("/proxy/8050@evil/", False),
        ("/proxy/%EF%BC%980%35%30/", False),
        ("/proxy/9999/", False),
    ],
)
def test_an_exception_has_one_spelling_only(path, is_open):
    """THREATS T34; 9999 is listed and belongs to a notebook server."""
    rules = Rules(
        rules=(rule("/proxy/**", except_=("/proxy/{server_proxy_port}/**",)),), server_proxy_ports=(8050, 9999)
    )
    assert is_open is (finds(RuleTable(rules, {9999, 0}), path) == [])


def test_a_rule_holds_where_it_says():
    table = RuleTable(Rules(rules=(rule("/a", at=At.HOST, name="host"), rule("/a", "/*b", name="mount"))))
    assert (["host"], ["mount"]) == (finds(table, "/a", At.HOST), finds(table, "/a"))
    assert ([], ["mount"]) == (finds(table, "/xb", At.HOST), finds(table, "/xb"))


def test_all_rules_that_match_are_found_in_their_order():
    table = RuleTable(Rules(rules=(rule("/a/b", name="one"), rule("/a/**", name="two"), rule("/c", name="three"))))
    assert ["one", "two"] == finds(table, "/a/b")


def test_nothing_below_a_prefix_matches_nothing():
    assert () == RuleTable(Rules(rules=(rule("/**"), rule("/*")))).find(At.MOUNT, (), ())


def test_many_wildcards_take_no_time():
    """THREATS T33: what a pattern costs grows with the path, not with its power."""
    table = RuleTable(Rules(rules=(rule("/" + "*a" * 40 + "*b"),)))
    started = time.process_time()
    assert [] == finds(table, "/" + "a" * 8000)
    assert time.process_time() - started < 0.05


def test_ten_thousand_rules_cost_less_than_a_millisecond():
    """Fault F26."""
    table = RuleTable(Rules(rules=tuple(rule(f"/closed{number}/**", name=f"r{number}") for number in range(10_000))))
    started = time.process_time()
    for _ in range(100):
        finds(table, "/api/contents/a.ipynb")
    assert time.process_time() - started < 0.1
    assert ["r9999"] == finds(table, "/closed9999/a")


def test_ports_are_closed_anew_in_another_table_of_the_same_rules():
    exception = "/proxy/{server_proxy_port}/**"
    rules = Rules(rules=(rule("/proxy/**", except_=(exception,)),), server_proxy_ports=(8050, 9999))
    table = RuleTable(rules, (8050,))
    other = table.with_closed((9999, 1))
    assert [["r"], []] == [finds(table, f"/proxy/{port}/x") for port in (8050, 9999)]
    assert [[], ["r"]] == [finds(other, f"/proxy/{port}/x") for port in (8050, 9999)]
    plain = RuleTable(Rules(rules=rules.rules))
    assert plain is plain.with_closed((8050,))
