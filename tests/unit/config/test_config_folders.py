"""Where things are when nobody says where."""

import pytest

from nbgate.config.folders import (
    absolute,
    default_config,
    default_data_dir,
    is_profile_name,
    profile_config,
    profile_data_dir,
)

HOME = {"HOME": "/home/ada"}


@pytest.mark.parametrize(
    ("environ", "is_root", "config", "data"),
    [
        (HOME, False, "/home/ada/.config/nbgate", "/home/ada/.local/state/nbgate"),
        (HOME | {"XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s"}, False, "/c/nbgate", "/s/nbgate"),
        (
            HOME | {"XDG_CONFIG_HOME": "c", "XDG_STATE_HOME": "s"},
            False,
            "/home/ada/.config/nbgate",
            "/home/ada/.local/state/nbgate",
        ),
        (HOME | {"XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s"}, True, "/etc/nbgate", "/var/lib/nbgate"),
    ],
)
def test_the_folders(environ, is_root, config, data):
    assert f"{config}/nbgate.toml" == default_config(environ, is_root=is_root)
    assert f"{config}/profiles/lab.toml" == profile_config("lab", environ, is_root=is_root)
    assert f"{config}/profiles" == profile_config("", environ, is_root=is_root)
    assert data == default_data_dir(environ, is_root=is_root)


def test_a_profile_has_a_data_folder_of_its_own():
    assert "/s/nbgate/profiles/lab" == profile_data_dir("/s/nbgate", "lab")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("lab", True), ("Lab-2_x", True), ("2", True), ("a" * 32, True), ("a" * 33, False), ("", False), ("-a", False),
     ("a/b", False), ("..", False), ("a.b", False), ("a\n", False), ("ä", False)],
)  # fmt: skip
def test_what_a_profile_can_be_called(name, expected):
    assert expected == is_profile_name(name)


@pytest.mark.parametrize(
    ("path", "environ", "expected"),
    [
        ("a", HOME, "/srv/a"),
        ("/a", HOME, "/a"),
        ("~", HOME, "/home/ada"),
        ("~/a", HOME, "/home/ada/a"),
        ("~bob/a", HOME, "/srv/~bob/a"),
        ("~/a", {}, "/srv/~/a"),
    ],
)
def test_a_path_as_seen_from_a_folder(path, environ, expected):
    assert expected == absolute(path, "/srv", environ)
