"""The page on several servers says what the program does: its options, its commands, its words."""

import re
import shlex
from pathlib import Path

import pytest

from nbgate.cli.commands import command_of
from nbgate.config.document import File, Source, build_config
from nbgate.config.routes import specs_of
from nbgate.config.tables import route_types
from nbgate.errors import ConfigError, told
from nbgate.resources import data_path

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "servers.md").read_text(encoding="utf-8")
BLOCKS = [re.sub(r"(?m)^ {4}", "", block) for block in re.findall(r"(?m)(?:^ {4}.*\n|^\n(?= {4}))+", PAGE)]
SETTINGS = [block.strip() for block in BLOCKS if re.match(r"\n*(\[\[|[a-z_]+ =)", block)]
COMMANDS = [line for block in BLOCKS for line in block.splitlines() if re.match(r"nbgate (?!.*: )", line)]


def build(text, **flags):
    return build_config(Source(environ={"HOME": "/home/ada"}, flags=flags), File(path="nbgate.toml", text=text))


@pytest.mark.parametrize("text", SETTINGS)
def test_every_piece_of_configuration_on_the_page_is_good(text):
    build(text, allow_remote_upstream=True)


def test_there_are_pieces_and_commands():
    assert 9 == len(SETTINGS)
    assert 4 == len(COMMANDS)


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_on_the_page_is_one(line):
    words = shlex.split(line)[1:]
    if words[0].startswith("--"):
        build("", upstream=[word for word in words if word != "--upstream"])
    else:
        assert command_of(words) is not None


def test_every_option_of_a_route_has_its_row():
    cells = re.findall(r"(?m)^\| (`[a-z_`, ]+`) \|", PAGE)
    assert set(route_types()) == {name for cell in cells for name in re.findall("[a-z_]+", cell)}


def test_what_is_refused_is_told_in_these_words():
    text = next(text for text in SETTINGS if "shared_origin" in text).replace("shared_origin = true", "")
    with pytest.raises(ConfigError) as caught:
        build(text)

    for line in told(caught.value):
        assert line in PAGE


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "team",
            {"/lab/": "127.0.0.1:8888", "/dash/": "unix:/run/dash/voila.sock", "/gpu/": "gpu.example.org:8888"},
        ),
        (
            "hosts",
            {
                "{user}.jupyter.example.org/": "unix:/run/jupyter/{user}/jupyter.sock",
                "course.example.org/": "127.0.0.1:8888",
                "grades.example.org/": "127.0.0.1:8889",
            },
        ),
    ],
)
def test_the_examples_mount_what_they_say(name, expected):
    text = data_path("deploy", "examples", f"{name}.toml").read_text(encoding="utf-8")

    assert expected == {spec.at: str(spec.upstream) for spec in specs_of(build(text).config)}
    for at in expected:
        assert f"https://{at.replace('{user}', 'ada')}" in text or f"https://jupyter.example.org{at}" in text
