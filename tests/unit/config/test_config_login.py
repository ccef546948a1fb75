"""What an operator may say of codes, second factors and how many logins may fail."""

import pytest

from nbgate.config.document import File, Source, build_config
from nbgate.config.login import judge_login
from nbgate.config.schema import Config, Sessions, Throttle
from nbgate.errors import ConfigError

ADDRESS = "one address could try more often than the whole network it is in"
ROTATION = "a cookie would be due to be replaced while the one before it is still good"
DEVICE = "a browser that has logged in before would wait longer than one that has not"


@pytest.mark.parametrize(
    "config",
    [
        Config(),
        Config(totp_window=(0,)),
        Config(totp_window=(-2, -1, 0, 1)),
        Config(require_second_factor=("all",)),
        Config(require_second_factor=("owner", "auditor")),
        Config(contact="Ada Lovelace, room 3: ada@example.org"),
        Config(sessions=Sessions(rotate_seconds=60.5)),
        Config(sessions=Sessions(rotate_grace_seconds=86399.0)),
        Config(throttle=Throttle(network_burst=10, factor_device_seconds=7200.0)),
    ],
)
def test_what_holds_together(config):
    assert [] == list(judge_login(config))


@pytest.mark.parametrize(
    ("config", "key", "text"),
    [
        (Config(totp_window=()), "totp_window", "the present code, 0, is not among those that are good"),
        (Config(totp_window=(-1,)), "totp_window", "the present code, 0, is not among those that are good"),
        (Config(totp_window=(0, 0)), "totp_window", "a code is named twice"),
        (Config(require_second_factor=("owner", "owner")), "require_second_factor", "a role is named twice"),
        (Config(require_second_factor=("all", "owner")), "require_second_factor", "a role is named twice"),
        (Config(contact="ada\nbob"), "contact", "it is not one line of text"),
        (Config(contact="ada\x1b[2J"), "contact", "it is not one line of text"),
        (Config(sessions=Sessions(rotate_seconds=60.0)), "sessions.rotate_seconds", ROTATION),
        (Config(sessions=Sessions(rotate_seconds=1.0)), "sessions.rotate_seconds", ROTATION),
        (Config(sessions=Sessions(rotate_grace_seconds=86400.0)), "sessions.rotate_grace_seconds", ROTATION),
        (Config(sessions=Sessions(rotate_seconds=9.0, rotate_grace_seconds=9.5)), "sessions.rotate_seconds", ROTATION),
        (Config(throttle=Throttle(network_burst=9)), "throttle.network_burst", ADDRESS),
        (Config(throttle=Throttle(address_burst=31)), "throttle.address_burst", ADDRESS),
        (Config(throttle=Throttle(address_burst=50, network_burst=40)), "throttle.network_burst", ADDRESS),
        (Config(throttle=Throttle(factor_device_seconds=7201.0)), "throttle.factor_device_seconds", DEVICE),
        (Config(throttle=Throttle(factor_seconds=299.0)), "throttle.factor_seconds", DEVICE),
    ],
)
def test_what_is_wrong(config, key, text):
    ((found, told, hint),) = judge_login(config)
    assert (key, text) == (found, told)
    assert hint


def test_what_is_wrong_is_told_with_its_place():
    text = "totp_window = [-1]\n[sessions]\nrotate_grace_seconds = 90000\n[throttle]\naddress_burst = 40\n"
    with pytest.raises(ConfigError) as caught:
        build_config(Source(environ={"HOME": "/home/ada"}), File(path="/x.toml", text=text))

    assert [
        "/x.toml:1: totp_window: the present code, 0, is not among those that are good",
        f"/x.toml:3: sessions.rotate_grace_seconds: {ROTATION}",
        f"/x.toml:5: throttle.address_burst: {ADDRESS}",
    ] == [str(problem) for problem in caught.value.problems]
