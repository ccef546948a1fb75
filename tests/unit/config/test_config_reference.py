"""What is to be read about the options."""

import re
import tomllib

import msgspec
import pytest

from nbgate.config.check import option_types
from nbgate.config.document import File, Source, build_config
from nbgate.config.options import all_options, route_options
from nbgate.config.reference import default_file, explained, find_options, guess_option, json_schema, reference_page
from nbgate.config.schema import Config, RouteOptions


def uncommented() -> str:
    return re.sub(r"^#(?=[a-z_]+ =|\[\[)", "", default_file(), flags=re.MULTILINE)


def load(text: str) -> Config:
    return build_config(Source(environ={"HOME": "/h"}), File(path="n.toml", text=text)).config


def test_the_default_file_sets_nothing_and_uncommented_the_defaults():
    expected = Config(data_dir="/h/.local/state/nbgate")

    assert expected == load(default_file())
    (route,) = load(uncommented()).route
    assert RouteOptions(at="/lab1/", upstream="localhost:8888", allow=("ada", "bob"), allow_open=False) == route
    assert expected == msgspec.structs.replace(load(uncommented()), route=())


def test_the_default_file_has_every_option_below_its_documentation():
    given = tomllib.loads(uncommented())
    (route,) = given.pop("route")
    assert list(route_options()) == [f"route.{name}" for name in route]
    keys = [f"{key}.{name}" for key, value in given.items() if isinstance(value, dict) for name in value]

    assert list(option_types()) == [key for key, value in given.items() if not isinstance(value, dict)] + keys
    for option in all_options().values():
        assert option.text in re.sub(r"\n# ", " ", default_file())
        assert f"{option.variable})" in re.sub(r"\n# ", " ", default_file())
    assert max(map(len, default_file().splitlines())) <= 120


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("port", ["port"]),
        ("--port", ["port"]),
        ("NBGATE_PORT", ["port"]),
        ("NBGATE_LIMITS__HEADERS", ["limits.headers"]),
        (
            "penalties",
            [f"penalties.{name}" for name in ("threshold_seconds", "longest_seconds", "login_seconds", "netblocks")],
        ),
        ("route", list(route_options())),
        ("route.pin", ["route.pin"]),
        ("", []),
        ("xyzzy", []),
    ],
)
def test_an_option_is_found_by_all_its_names(name, expected):
    assert expected == [option.key for option in find_options(name)]


@pytest.mark.parametrize(("name", "expected"), [("--prot", "port"), ("head_bytes", "limits.head_bytes"), ("xyz", "")])
def test_what_was_probably_meant(name, expected):
    assert expected == guess_option(name)


def test_an_option_is_explained():
    (port,) = find_options("port")

    assert {
        "option": "port",
        "meaning": "Port to listen on; 0 lets the system choose.",
        "values": "an integer from 0 to 65535",
        "default": "8443",
        "variable": "NBGATE_PORT",
        "flag": "--port",
        "changes take effect": "after a restart",
    } == explained(port, ["port"])


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("login.queue", "after a restart"),
        ("limits.headers", "at nbgate reload"),
        ("route.at", "at nbgate reload"),
    ],
)
def test_what_waits_for_a_restart(key, expected):
    (option,) = find_options(key)

    assert expected == explained(option, ["login", "port"])["changes take effect"]


def test_the_schema_knows_what_the_struct_knows():
    schema = json_schema()
    config = schema["$defs"]["Config"]

    assert {field.name for field in msgspec.structs.fields(Config)} == set(config["properties"])
    assert config["additionalProperties"] is False
    assert ["at", "upstream"] == schema["$defs"]["RouteOptions"]["required"]
    assert {"$ref": "#/$defs/RouteOptions"} == config["properties"]["route"]["items"]
    assert {"minimum": 0, "maximum": 65535, "default": 8443} == {
        name: config["properties"]["port"][name] for name in ("minimum", "maximum", "default")
    }
    assert [{"type": "string"}, {"type": "array", "items": {"type": "string"}}] == config["properties"]["upstream"][
        "anyOf"
    ]


def test_the_page_has_every_option_and_what_needs_a_restart():
    page = reference_page(["port", "ip", "login"])

    assert [] == [key for key in (*option_types(), *route_options()) if f"| `{key}` |" not in page]
    assert "| option | meaning | values | default |\n| --- | --- | --- | --- |\n| `route.at` |" in page
    assert "`nbgate reload` names those that differ: `ip`, `login` and `port`." in page
