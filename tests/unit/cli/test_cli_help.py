"""The pages of `--help`."""

import re
import sys

import pytest

from nbgate.cli.commands import COMMANDS
from nbgate.cli.help import maybe_help, page_of, render
from nbgate.cli.parser import make_app

COLOUR = re.compile(r"\x1b|[\u2500-\u257f]")


@pytest.fixture(scope="module")
def app():
    return make_app()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], None),
        (["status"], None),
        (["--help"], "nbgate"),
        (["-h"], "nbgate"),
        (["--port", "1", "--help"], "nbgate"),
        (["--port", "status", "--help"], "nbgate"),
        (["user"], "nbgate user"),
        (["user", "--help"], "nbgate user"),
        (["user", "ad", "--help"], "nbgate user"),
        (["user", "add", "ada", "-h"], "nbgate user add"),
        (["user", "ad"], None),
        (["launch", "--", "voila", "--help"], None),
        (["launch", "--help", "--", "voila"], "nbgate launch"),
    ],
)
def test_which_page_is_asked_for(app, words, expected):
    page = maybe_help(app, words)

    assert expected == (page and page.words)


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("", "nbgate [COMMAND] [FLAGS]"),
        ("user", "nbgate user COMMAND"),
        ("user add", "nbgate user add [FLAGS] NAME"),
        ("config check", "nbgate config check [FLAGS] [FILE]"),
        ("config default", "nbgate config default"),
        ("launch", "nbgate launch [FLAGS] [-- COMMAND...]"),
    ],
)
def test_how_a_command_is_typed(app, named, expected):
    assert expected == page_of(app, named).usage


def test_commands_and_flags_stand_in_groups(app):
    page = page_of(app, "")
    labels = {title: [entry.label for entry in entries] for title, entries in page.panels.items()}

    commands = ["Serving", "Accounts", "Sessions", "Configuration", "Shell"]
    assert [*commands, "Upstream", "Listening", "TLS", "Access", "Files", "Other"] == list(labels)
    assert ["launch", "status", "reload", "routes"] == labels["Serving"]
    assert ["--cert FILE", "--key FILE", "--tls-profile intermediate|modern", "--hsts, --no-hsts"] == labels["TLS"]
    assert "--hosts NAME" in labels["Listening"]
    assert ["--allow PREFIX=NAMES", "--require-second-factor ROLE", "--contact TEXT"] == labels["Access"]
    assert "--browser, --no-browser" in labels["Other"]
    assert "--log-level debug|info|warning|error" in labels["Other"]
    assert [
        "--upstream [AT=]ADDRESS",
        "--upstream-token-file FILE",
        "--upstream-password-file FILE",
        "--upstream-user NAME",
        "--upstream-ca-file FILE",
        "--upstream-pin SHA256",
        "--allow-open-upstream",
        "--allow-remote-upstream",
        "--server-proxy-ports PORT",
    ] == labels["Upstream"]
    assert "--base-url PATH" in labels["Listening"]


@pytest.mark.parametrize("named", ["", *(command.words for command in COMMANDS)])
def test_every_page_says_everything_in_the_width_there_is_and_without_colour(app, named):
    page = page_of(app, named)
    for width in (10, 50, 72, 400):
        text = render(page, width)
        prose = [line for line in text.splitlines() if not line.startswith(("  nbgate", "Usage"))]
        assert max(map(len, prose)) <= min(max(width, 50), 100)
        assert None is COLOUR.search(text)
    assert [] == [entry for entries in page.panels.values() for entry in entries if not entry.text]


def test_a_page_as_text(app):
    text = render(page_of(app, "profile create"), 72)

    assert (
        """\
Usage: nbgate profile create [FLAGS] NAME

Make a profile.

  nbgate profile create lab
  nbgate --profile lab --port 9443

Arguments:
  NAME  Name of the profile: letters, digits, hyphen, underscore.

Flags:
  --from FILE  Begin with a copy of this file.

Other:
  -h, --help  Show this page, or that of the command before it."""
        == text
    )


@pytest.mark.parametrize("words", [("--help",), ("user",), ("user", "add", "--help"), ("status", "--help")])
def test_help_is_plain_text_on_standard_output_even_where_colours_are_wished_for(run, monkeypatch, words):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "72")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    code, out, err = run(*words)

    assert (0, "") == (code, err)
    assert out.startswith("Usage: nbgate")
    assert None is COLOUR.search(out)
