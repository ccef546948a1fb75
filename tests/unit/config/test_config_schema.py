"""The options: each one documented, and every default one that would be accepted."""

from typing import get_args

import msgspec
import pytest
from msgspec import Meta

from nbgate.config.check import option_types
from nbgate.config.schema import Config
from nbgate.config.tables import route_types


@pytest.mark.parametrize(("key", "kind"), (option_types() | route_types()).items())
def test_every_option_says_in_one_line_what_it_is(key, kind):
    (text,) = [note.description for note in get_args(kind)[1:] if isinstance(note, Meta)]

    assert text.endswith(".")
    assert "\n" not in text


def test_the_defaults_are_accepted():
    assert Config() == msgspec.convert(msgspec.to_builtins(Config()), Config, strict=True)


def test_the_default_is_closed():
    config = Config()

    assert ("127.0.0.1", False, False) == (config.ip, config.allow_open_upstream, config.allow_remote_upstream)
