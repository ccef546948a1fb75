"""What a pack must look like to be loaded, and that the shipped one does."""

import msgspec
import pytest

from nbgate.errors import ConfigError
from nbgate.model.rule import Action, At, Rules
from nbgate.resources import data_path
from nbgate.rules.pack import LEAST_PASSING, PACKS, compile_row, in_force, load_pack, shipped_pack

GOOD = {
    "id": "a-rule",
    "severity": "low",
    "why": "because",
    "reference": "somewhere",
    "action": "deny",
    "says": "This is closed.",
    "equals": ["/a"],
    "match": ["GET /a"],
    "pass": ["GET /b", "GET /a/b"],
}
ROWS = shipped_pack()


def pack(*rows):
    return "".join("[[rule]]\n" + "".join(f"{key} = {written(value)}\n" for key, value in row.items()) for row in rows)


def written(value):
    return msgspec.json.encode(value).decode()


def problems(*rows):
    with pytest.raises(ConfigError) as caught:
        load_pack("x.toml", pack(*rows))
    return [str(problem) for problem in caught.value.problems]


def test_a_good_row_becomes_a_rule():
    (row,) = load_pack("x.toml", pack(GOOD | {"prefix": ["/c"], "glob": ["/d*/**"], "methods": ["GET"]}))
    rule = compile_row(row)
    assert ("a-rule", Action.DENY, At.MOUNT, frozenset({"GET"}), "This is closed.") == (
        rule.id,
        rule.action,
        rule.at,
        rule.methods,
        rule.says,
    )
    assert [(("a",), False), (("c",), True), (("d*",), True)] == [(p.segments, p.below) for p in rule.patterns]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"id": ""}, "rule (nameless): '' is no id"),
        ({"id": "A"}, "'A' is no id"),
        ({"id": "a_b"}, "'a_b' is no id"),
        ({"why": " "}, "why is empty"),
        ({"reference": ""}, "reference is empty"),
        ({"says": ""}, "a rule that denies has a sentence"),
        ({"seconds": 1.0}, "a rule that denies has a sentence"),
        ({"action": "penalise", "seconds": 1.0}, "a rule that penalises costs seconds"),
        ({"action": "penalise", "says": ""}, "a rule that penalises costs seconds"),
        ({"methods": ["get"]}, "'get' is no method"),
        ({"equals": []}, "it names no path"),
        ({"equals": ["/A"]}, "'/A' is no path of a rule"),
        ({"equals": ["a"]}, "'a' is no path of a rule"),
        ({"equals": ["/"]}, "'/' is no path of a rule"),
        ({"equals": ["/a/"]}, "'/a/' is no path of a rule"),
        ({"equals": ["/a//b"]}, "'/a//b' is no path of a rule"),
        ({"equals": ["/a*"]}, "'/a*' is no path of a rule"),
        ({"equals": ["/%61"]}, "'/%61' is no path of a rule"),
        ({"prefix": ["/a/**"]}, "'/a/**' is no path of a rule"),
        ({"glob": ["/a**"]}, "'/a**' is no path of a rule"),
        ({"glob": ["/**/a"]}, "'/**/a' is no path of a rule"),
        ({"glob": ["/{server_proxy_port}"]}, "'/{server_proxy_port}' is no path of a rule"),
        ({"except": ["/{other}"]}, "'/{other}' is no path of a rule"),
        ({"match": []}, "match holds 0 cases"),
        ({"pass": ["GET /b"]}, "pass holds 1 cases"),
        ({"match": ["GET /c"]}, "'GET /c' is not matched"),
        ({"methods": ["POST"]}, "'GET /a' is not matched"),
        ({"except": ["/a"]}, "'GET /a' is not matched"),
        ({"pass": ["GET /b", "GET /A/"]}, "'GET /A/' is matched"),
        ({"match": ["GET /a", "GET /../a"]}, "the case 'GET /../a' never gets this far: bad-target"),
        ({"match": ["GET"]}, "the case 'GET' never gets this far: bad-target"),
    ],
)
def test_a_row_that_cannot_be_trusted_is_told(change, told):
    (problem, *_) = problems(GOOD | change)
    assert told in problem
    assert problem.startswith("rules/x.toml: rule ")


@pytest.mark.parametrize(
    "change", [{"severity": "dire"}, {"action": "allow"}, {"at": "path"}, {"regex": "a"}, {"why": 1}]
)
def test_what_is_no_row_at_all_is_refused(change):
    (problem,) = problems(GOOD | change)
    assert problem.startswith("rules/x.toml: ")


def test_what_is_no_toml_is_refused():
    with pytest.raises(ConfigError, match=r"rules/x\.toml"):
        load_pack("x.toml", "[[rule]")


def test_rules_are_sorted_and_their_problems_told_all_at_once():
    told = problems(GOOD | {"id": "b"}, GOOD, GOOD, GOOD | {"id": "c", "why": "", "match": []})
    assert [
        "rules/x.toml: rule a-rule: stands after b",
        "rules/x.toml: rule a-rule: stands after a-rule",
        "rules/x.toml: rule c: why is empty",
        "rules/x.toml: rule c: match holds 0 cases",
    ] == told


def test_what_is_disabled_is_not_in_force():
    rules = in_force(ROWS, disabled=("server-proxy",), server_proxy_ports=(8050,))
    assert [row.id for row in ROWS if row.id != "server-proxy"] == [rule.id for rule in rules.rules]
    assert (8050,) == rules.server_proxy_ports


def test_rules_survive_the_link_to_a_worker():
    rules = in_force(ROWS, disabled=(), server_proxy_ports=(8050,))
    assert rules == msgspec.msgpack.decode(msgspec.msgpack.encode(rules), type=Rules)


@pytest.mark.parametrize("file", PACKS)
def test_every_shipped_pack_is_ascii_with_a_comment_on_top(file):
    assert data_path("rules", file).read_bytes().decode("ascii").startswith("# ")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_a_shipped_rule_has_more_cases_than_it_must(row):
    assert len(row.matching) > 1
    assert len(row.passing) >= LEAST_PASSING
