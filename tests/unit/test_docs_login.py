"""The pages on signing in say what the program does: its commands, its flags, its numbers."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from nbgate.cli.commands import command_of
from nbgate.cli.help import page_of
from nbgate.cli.parser import make_app
from nbgate.config.document import File, Source, build_config
from nbgate.config.options import all_options
from nbgate.config.schema import Throttle
from nbgate.guard.throttle import MAX_KEYS, SLOTS, VOID_FAILURES
from nbgate.keeper.api_tokens import LONGEST_SECONDS
from nbgate.keeper.links import LIFE_SECONDS
from nbgate.model.session import Role, Scope

DOCS = Path(__file__).parents[2] / "docs"
HOWTO = (DOCS / "howto" / "login.md").read_text(encoding="utf-8")
THROTTLING = (DOCS / "explanation" / "throttling.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"(?m)^    nbgate (.+)$|`nbgate ([^`]+)`", HOWTO + THROTTLING)))


@pytest.mark.parametrize("typed", [indented or quoted for indented, quoted in COMMANDS])
def test_every_command_on_the_pages_is_one(typed):
    words = shlex.split(typed)
    command = command_of(words)
    assert command is not None
    labels = [entry.label for entries in page_of(make_app(), command.words).panels.values() for entry in entries]
    known = {name.strip(",") for label in labels for name in label.split() if name.startswith("-")}
    assert set() == {word for word in words if word.startswith("--")} - known


@pytest.mark.parametrize("text", re.findall(r"(?m)(?:^    [a-z_]+ = .*\n)+", HOWTO))
def test_every_piece_of_configuration_on_the_page_is_good(text):
    assert tomllib.loads(text)
    build_config(Source(environ={"HOME": "/home/ada"}), File(path="/x.toml", text=text))


def test_every_role_and_every_scope_has_its_row():
    rows = set(re.findall(r"(?m)^\| ([a-z-]+) \|", HOWTO))
    assert {role.value for role in Role} | {scope.value for scope in Scope if scope is not Scope.LOGIN} <= rows


def test_every_option_the_pages_name_exists():
    dotted = re.findall(r"`([a-z]+\.[a-z_]+)`", HOWTO + THROTTLING)
    assert [] == [key for key in dotted if key not in all_options() and key != "auth.throttled"]


@pytest.mark.parametrize(
    ("bucket", "burst", "seconds"),
    [
        ("address", Throttle().address_burst, "30 s"),
        ("network", Throttle().network_burst, "10 s"),
        ("account", Throttle().account_burst, "60 s"),
        ("everybody", Throttle().global_burst, "0.2 s"),
        ("device", Throttle().device_burst, "60 s"),
        ("second factor", Throttle().factor_burst, "2 h"),
        ("second factor, device", Throttle().factor_burst, "5 min"),
    ],
)
def test_the_table_of_buckets_has_the_defaults(bucket, burst, seconds):
    (row,) = re.findall(rf"(?m)^\| {bucket} \|.*$", THROTTLING)
    assert (str(burst), True) == (row.split(" | ")[2], row.split(" | ")[3].startswith(seconds))


def test_the_seconds_of_the_table_are_the_defaults():
    throttle = Throttle()
    assert (30.0, 10.0, 60.0, 60.0) == (
        throttle.address_seconds,
        throttle.network_seconds,
        throttle.account_seconds,
        throttle.device_seconds,
    )
    assert (5.0, 7200.0, 300.0) == (
        throttle.global_per_second,
        throttle.factor_seconds,
        throttle.factor_device_seconds,
    )
    assert (65_536, 1024, 50) == (MAX_KEYS, SLOTS, VOID_FAILURES)
    assert (90 * 86400, 600) == (LONGEST_SECONDS, LIFE_SECONDS)


def test_what_guessing_can_achieve_follows_from_the_buckets():
    """The numbers of the page, worked out again."""
    fast, slow, slowest = 60, 5 * 60, 15 * 60
    until_50 = (50 - Throttle().account_burst) * fast
    until_500 = until_50 + 450 * slow
    day, year = 86400, 365 * 86400
    a_day = 50 + (day - until_50) // slow

    assert (1440, 330, 96) == (day // fast, a_day, day // slowest)
    assert (40, 1.6) == (until_50 // 60, round(until_500 / day, 1))
    assert (120, 35) == (round(a_day * 365 / 1000), round((500 + (year - until_500) / slowest) / 1000))
    assert (12, 2.4e-5) == (day // 7200, 12 * 2e-6)
    assert (2880, 8640, 432_000) == (day // 30, day // 10, day * 5)
    for figure in ("1,440 a day", "330 a day, 120,000 a year", "96 a day in the end, 35,000 a year", "0.9 % a year"):
        assert figure in THROTTLING
