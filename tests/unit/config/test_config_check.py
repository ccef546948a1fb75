"""What is wrong with a value."""

import msgspec
import pytest

from nbgate.config.check import Finding, flatten, judge_option, option_types
from nbgate.config.schema import Config

PORT = "port to listen on; 0 lets the system choose"


def test_every_option_is_known_by_its_dotted_key():
    defaults = dict(flatten(msgspec.to_builtins(Config())))

    assert list(defaults) == list(option_types())
    assert [] == [finding for key, value in defaults.items() if (finding := judge_option(key, value))]


@pytest.mark.parametrize(
    ("key", "value", "text", "hint"),
    [
        ("port", "8443", "expected `int`, got `str`", PORT),
        ("port", 70000, "expected `int` <= 65535", PORT),
        ("workers", "some", "invalid enum value 'some'", "worker processes, or auto for one per core"),
        ("workers", 0, "expected `int` >= 1", "worker processes, or auto for one per core"),
        ("log_level", "loud", "invalid enum value 'loud'", "least level of messages on stderr"),
        (
            "allow_open_upstream",
            1,
            "expected `bool`, got `int`",
            "accept an upstream that asks for no credential of its own",
        ),
        ("limits.headers", 1, "expected `int` >= 8", "most header lines of a request"),
        ("limits", 4, "this is a table", "write [limits] and its options below it"),
        ("upstrem", "x", "unknown option", "did you mean 'upstream'?"),
        ("upstream-token-file", "x", "unknown option", "did you mean 'upstream_token_file'?"),
        ("idle_seconds", 1, "unknown option", "did you mean 'sessions.idle_seconds'?"),
        ("limit", {}, "unknown option", "did you mean 'limits'?"),
        ("limits.head_byte", 1, "unknown option", "did you mean 'limits.head_bytes'?"),
        ("xyzzy", 1, "unknown option", "docs/reference/configuration.md lists all options"),
    ],
)
def test_what_is_wrong_with_a_value(key, value, text, hint):
    assert Finding(key, text, hint) == judge_option(key, value)


def test_a_name_with_a_dot_in_it_is_no_option():
    ((key, value),) = flatten({"limits.head_bytes": 4096})

    assert ('"limits.head_bytes"', 4096) == (key, value)
    assert judge_option(key, value) is not None
