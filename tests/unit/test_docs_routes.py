"""The page on routes that are added says what the program does: its fields, its commands, its answers."""

import json
import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest

from nbgate.cli.commands import command_of
from nbgate.config.schema import Config
from nbgate.keeper.places import Source
from nbgate.keeper.route_list import of_spec
from nbgate.keeper.route_request import RouteRequest, parse_request
from nbgate.web.bodies import MAX_BODY_BYTES
from nbgate.web.control_values import route_value
from nbgate.web.routes_api import API_ROUTES, SCOPES

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "howto" / "routes-api.md").read_text(encoding="utf-8")
PRIVILEGES = (DOCS / "explanation" / "privileges.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"(?m)^ {4}(nbgate .*)$", PAGE)
BODIES = [shlex.split(block)[-1] for block in re.findall(r"(?m)^ {4}curl .*\n(?: {6}.*\n)+", PAGE)]


def flags_of(words):
    return dict(pairwise(words))


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_is_one_and_what_it_adds_can_be(line):
    words = shlex.split(line)[1:]
    assert command_of(words) is not None
    if words[:2] == ["routes", "add"]:
        pin = flags_of(words).get("--pin", "")
        parse_request({"at": words[2], "upstream": words[3], "pin": pin}, Config())


def test_what_is_sent_is_answered_so():
    (body,) = map(json.loads, BODIES)
    answer = re.search(r"(?ms)^ {4}(\{\n.*?^ {4}\})$", PAGE)[1]
    assert json.loads(answer) == route_value(of_spec(parse_request(body, Config()), Source.RUNTIME))


def test_every_field_has_its_row():
    table = PAGE.partition("| field | says |")[2].partition("\n\n")[0]
    assert set(RouteRequest.__struct_fields__) == set(re.findall(r"(?m)^\| `(\w+)` \|", table))


def test_addresses_scopes_and_bounds_are_these():
    assert {API_ROUTES} == set(re.findall(r"https://gw\.example\.org(/[\w/]+)", PAGE))
    assert all(f"`{scope}`" in PAGE for scope in SCOPES)
    assert f"{MAX_BODY_BYTES >> 10} KiB" in PAGE
    assert all(f"`{source.value}`" in PAGE for source in Source)


@pytest.mark.parametrize("path", [API_ROUTES, "/routes"])
def test_the_table_of_who_may_do_what_has_a_row_for_it(path):
    assert re.search(rf"(?m)^\| `GET {path}`, `POST [^|]+`, `DELETE [^|]+` \|", PRIVILEGES)
