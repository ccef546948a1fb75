"""What kind of values an option has, and what text means for it."""

from typing import Annotated, Literal

import pytest
from msgspec import Meta

from nbgate.config.check import option_types
from nbgate.config.kinds import documentation, in_words, shown, value_of

PORT = Annotated[int, Meta(ge=0, le=65535, description="A port.")]
WORKERS = Annotated[Annotated[int, Meta(ge=1, le=256)] | Literal["auto"], Meta(description="Workers.")]
BROWSER = Annotated[Literal["auto"] | bool, Meta(description="Browser.")]
LEVEL = Annotated[Literal["debug", "info"], Meta(description="Level.")]
SECONDS = Annotated[float, Meta(gt=0, description="Seconds.")]
PORTS = Annotated[tuple[Annotated[int, Meta(ge=1, le=65535)], ...], Meta(description="Ports.")]
LIST = Annotated[tuple[str, ...], Meta(description="List.")]
TEXT = Annotated[str, Meta(description="Text.")]
TRUTH = Annotated[bool, Meta(description="Truth.")]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (PORT, "an integer from 0 to 65535"),
        (Annotated[int, Meta(ge=8)], "an integer of at least 8"),
        (int, "an integer"),
        (SECONDS, "a number above 0"),
        (WORKERS, "an integer from 1 to 256 or auto"),
        (BROWSER, "auto or true or false"),
        (LEVEL, "one of debug, info"),
        (Literal["table", "json"] | None, "one of table, json"),
        (LIST, "a list of strings"),
        (PORTS, "a list of integers from 1 to 65535"),
        (TEXT, "a string"),
        (TRUTH, "true or false"),
        (Annotated[str, Meta(max_length=200)], "a string of at most 200 characters"),
        (Annotated[tuple[Literal["all", "owner"], ...], Meta(description="Roles.")], "a list of all, owner"),
    ],
)
def test_a_kind_in_words(kind, expected):
    assert expected == in_words(kind)


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (PORT, "8443", 8443),
        (PORT, "-1", -1),
        (PORT, "0x10", "0x10"),
        (PORT, "8443 ", "8443 "),
        (PORT, "1" * 5000, "1" * 5000),
        (PORT, "", ""),
        (SECONDS, "60", 60.0),
        (SECONDS, ".5e1", 5.0),
        (SECONDS, "nan", "nan"),
        (SECONDS, "1_0", "1_0"),
        (WORKERS, "3", 3),
        (WORKERS, "auto", "auto"),
        (BROWSER, "auto", "auto"),
        (BROWSER, "No", False),
        (TRUTH, "true", True),
        (TRUTH, "0", False),
        (TRUTH, "on", "on"),
        (LIST, "a, b,,c ", ["a", "b", "c"]),
        (LIST, "a", ["a"]),
        (PORTS, "8050, 5006", [8050, 5006]),
        (PORTS, "8050", [8050]),
        (PORTS, "8050,x,0x10", [8050, "x", "0x10"]),
        (PORTS, "", []),
        (TEXT, "8443", "8443"),
        (TEXT, "true", "true"),
    ],
)
def test_what_a_text_means(kind, text, expected):
    assert (expected, type(expected)) == (value_of(kind, text), type(value_of(kind, text)))


@pytest.mark.parametrize(
    ("value", "expected"),
    [("a\n", r"'a\n'"), (False, "false"), ({"secret": 1}, "a table"), (["secret"], "this list"), (1.5, "1.5")],
)
def test_how_a_value_is_shown(value, expected):
    assert expected == shown(value)


def test_every_kind_of_the_schema_has_words_and_documentation():
    for kind in option_types().values():
        assert in_words(kind)
        assert documentation(kind)
