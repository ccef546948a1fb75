"""What each option is."""

import tomllib

import msgspec
import pytest

from nbgate.config.options import (
    all_options,
    default_of,
    flag_of,
    help_of,
    route_options,
    value_in,
    variable_of,
    written,
)
from nbgate.config.schema import Config, Limits, RouteOptions


@pytest.mark.parametrize(
    ("key", "flag", "variable"),
    [
        ("port", "--port", "NBGATE_PORT"),
        ("data_dir", "--data-dir", "NBGATE_DATA_DIR"),
        ("limits.head_bytes", "", "NBGATE_LIMITS__HEAD_BYTES"),
    ],
)
def test_the_ways_to_set_an_option(key, flag, variable):
    option = all_options()[key]

    assert (key, flag, variable) == (option.key, option.flag, option.variable)
    assert variable == variable_of(key)
    assert flag in {"", flag_of(key)}


def test_no_two_options_share_a_variable():
    assert len(all_options()) == len({option.variable for option in all_options().values()})


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("port", "Port to listen on; 0 lets the system choose. Default: 8443."),
        ("key", "PEM file with the private key; empty: it stands in the file of cert."),
        ("banner", "Add our script to notebook pages: it says when websockets are blocked or one is signed out."),
    ],
)
def test_what_the_help_page_says(key, expected):
    assert expected == help_of(key)


@pytest.mark.parametrize("key", all_options())
def test_a_default_is_written_as_toml(key):
    assert default_of(key) == (
        tuple(value) if isinstance(value := tomllib.loads(f"x = {all_options()[key].default}")["x"], list) else value
    )


def test_options_of_a_route_have_neither_variable_nor_flag():
    assert {("", "")} == {(option.variable, option.flag) for option in route_options().values()}
    assert {'""', ""} == {option.default for option in route_options().values()}


@pytest.mark.parametrize(
    "route",
    [
        RouteOptions(at="/a/", upstream="localhost:1"),
        RouteOptions(at="a.org/", upstream='unix:/a "b', allow=("ada", "bob"), allow_open=False, pin="ab" * 32),
    ],
)
def test_a_route_is_written_as_toml_on_one_line(route):
    assert [route] == msgspec.convert(tomllib.loads(f"x = {written((route,))}")["x"], list[RouteOptions])
    assert f"[{written(route)}, {written(route)}]" == written((route, route))
    assert "health" not in written(route)


def test_values_by_their_keys():
    config = Config(limits=Limits(headers=9))

    assert (9, '"*"') == (value_in(config, "limits.headers"), written("*"))
