"""A session's label tells sessions apart and gives nothing away; its keys find it, the newest first."""

import math

import msgspec
import pytest

from nbgate.model.session import LABEL_HEX, Scope, Session

SESSION = Session(id=bytes(range(32)), user="ada", created_unix=1.0, absolute_unix=2.0)
KEY, FORMER = b"k" * 32, b"f" * 32


def test_the_label_is_the_beginning_of_the_id():
    assert "000102030405" == SESSION.label
    assert LABEL_HEX == len(SESSION.label)
    assert SESSION.label == msgspec.structs.replace(SESSION, key=KEY).label


@pytest.mark.parametrize(
    ("key", "former", "keys"),
    [
        (b"", b"", (SESSION.id,)),
        (KEY, b"", (KEY,)),
        (KEY, SESSION.id, (KEY, SESSION.id)),
        (KEY, FORMER, (KEY, FORMER)),
        (b"", FORMER, (SESSION.id, FORMER)),
    ],
)
def test_a_session_is_found_by_its_newest_secret_and_the_one_before(key, former, keys):
    assert keys == msgspec.structs.replace(SESSION, key=key, former=former).keys


@pytest.mark.parametrize("scope", Scope)
def test_all_but_a_login_are_tokens(scope):
    assert (scope != "login") is msgspec.structs.replace(SESSION, scope=scope).is_token


@pytest.mark.parametrize(
    ("factors", "proven"),
    [
        ((), False),
        (("password",), False),
        (("login-link",), False),
        (("password", "totp"), True),
        (("totp",), True),
        (("password", "recovery"), True),
    ],
)
def test_a_second_factor_is_what_was_proven_beside_a_password_or_a_link(factors, proven):
    assert proven is msgspec.structs.replace(SESSION, factors=factors).has_second_factor


def test_a_session_is_the_same_after_the_link():
    """Also when it is never due: infinity is a number there."""
    assert math.inf == SESSION.rotate_unix
    assert SESSION == msgspec.msgpack.decode(msgspec.msgpack.encode(SESSION), type=Session)
