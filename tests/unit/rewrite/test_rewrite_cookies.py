from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbgate.crypto.sealing import Keyring
from nbgate.model.keys import SealingKey
from nbgate.model.route import Route, Upstream
from nbgate.rewrite.cookies import MAX_COOKIES, PURPOSE, client_set_cookies, upstream_cookie

LAB = Route(name="lab", prefix="/", upstream=Upstream(host="127.0.0.1", port=8888))
ADA = Route(name="ada", prefix="/user/ada/", upstream=Upstream(host="127.0.0.1", port=8889))
RING = Keyring((SealingKey(id=1, secret=bytes(32)),), purpose=PURPOSE)
LOGIN = "username-127-0-0-1-8888"
SIGNED = '"2|1:0|10:1764000000|23:username-127-0-0-1-8888|44:eyJ1c2VybmFtZSI6ICIx|0f3c"'


class Nonces:
    """Counts instead of drawing."""

    def __init__(self) -> None:
        self._count = count()

    def __call__(self) -> bytes:
        return next(self._count).to_bytes(12, "big")


def to_client(*values: str, route: Route = LAB, user: str = "ada") -> list[str]:
    lines = client_set_cookies(values, route=route, user=user, keyring=RING, nonce=Nonces())
    assert lines == b"" or lines.endswith(b"\r\n")
    return [line.removeprefix("Set-Cookie: ") for line in lines.decode("ascii").split("\r\n")[:-1]]


def to_upstream(header: str | None, route: Route = LAB, user: str = "ada") -> str | None:
    return upstream_cookie(header, route=route, user=user, keyring=RING)


def pair_of(line: str) -> str:
    return line.partition(";")[0]


@pytest.mark.parametrize(
    ("value", "attributes"),
    [
        ("sid=abc", "; Path=/; HttpOnly; Secure; SameSite=Lax"),
        ("sid=abc; Path=/ipython/; HttpOnly", "; Path=/; HttpOnly; Secure; SameSite=Lax"),
        ("sid=abc; Domain=.example.com; SameSite=None", "; Path=/; HttpOnly; Secure; SameSite=Lax"),
        ("sid=abc; Max-Age=3600", "; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax"),
        ("sid=abc; max-age=-1; Partitioned", "; Path=/; Max-Age=-1; HttpOnly; Secure; SameSite=Lax"),
        (
            "sid=abc; expires=Wed, 23 Dec 2026 04:22:07 GMT; Path=/",
            "; Path=/; Expires=Wed, 23 Dec 2026 04:22:07 GMT; HttpOnly; Secure; SameSite=Lax",
        ),
        ("sid=abc; Max-Age=1e9; Expires=\x80", "; Path=/; HttpOnly; Secure; SameSite=Lax"),
        ("sid=abc;;; =x; Max-Age", "; Path=/; HttpOnly; Secure; SameSite=Lax"),
    ],
)
def test_a_cookie_is_renamed_sealed_and_gets_our_attributes(value: str, attributes: str) -> None:
    (line,) = to_client(value)
    pair, _, _ = line.partition(";")
    assert line == pair + attributes
    assert pair.startswith("nbg-lab-sid=")
    assert "abc" not in pair
    assert to_upstream(pair) == "sid=abc"


def test_xsrf_stays_readable_under_the_prefix() -> None:
    (line,) = to_client("_xsrf=2|a1b2|c3; expires=Wed, 23 Dec 2026 04:22:07 GMT; Path=/", route=ADA)
    assert line == ("_xsrf=2|a1b2|c3; Path=/user/ada/; Expires=Wed, 23 Dec 2026 04:22:07 GMT; Secure; SameSite=Lax")


def test_the_login_cookie_of_tornado_comes_back_with_its_quotes() -> None:
    (line,) = to_client(f"{LOGIN}={SIGNED}; HttpOnly; Path=/")
    assert to_upstream(f"other=1; {pair_of(line)}; _xsrf=2|a|b") == f"{LOGIN}={SIGNED}; _xsrf=2|a|b"


@pytest.mark.parametrize("value", ["", '""'])
def test_a_deletion_passes(value: str) -> None:
    (line,) = to_client(f"{LOGIN}={value}; expires=Sun, 23 Nov 2025 04:22:07 GMT; Path=/", route=ADA)
    assert line == (
        f"nbg-ada-{LOGIN}=; Path=/user/ada/; Expires=Sun, 23 Nov 2025 04:22:07 GMT; HttpOnly; Secure; SameSite=Lax"
    )


@pytest.mark.parametrize(
    "value",
    [
        "=__Host-Http-nbgate=x",
        "= x",
        "",
        "nameless",
        ";sid=abc",
        "__Host-Http-nbgate=x; Secure; Path=/",
        "__HOST-HTTP-nbgate=x; Secure; Path=/",
        " \t__Host-x=1; Secure; Path=/",
        "__Secure-x=1; Secure",
        "__sEcUrE-x=1; Secure",
        "__Http-x=1",
        "__\u017fecure-x=1",
        "nbgate=1",
        "my-NBGate_dev=1",
        "a b=1",
        "a\tb=1",
        "a\x00b=1",
        "caf\u00e9=1",
        "a,b=1",
        'a"b=1',
        "a=b c",
        "a=b,c",
        "a=b\\c",
        'a=b"c',
        'a="b',
        "a=b\x7f",
        "a=caf\u00e9",
        "a=b\x01",
        "a=" + "x" * 4095,
        "a=" + "x" * 3100,
        "_xsrf=" + "x" * 4091,
    ],
)
def test_a_hostile_or_broken_cookie_does_not_reach_the_browser(value: str) -> None:
    assert to_client(value, "good=1")[0].startswith("nbg-lab-good=")
    assert to_client(value) == []


def test_no_more_than_fifty_cookies_pass() -> None:
    lines = to_client(*(f"c{number}=1" for number in range(MAX_COOKIES + 5)))
    assert len(lines) == MAX_COOKIES
    assert lines[-1].startswith("nbg-lab-c49=")


def test_each_value_is_sealed_with_a_nonce_of_its_own() -> None:
    first, second = to_client("a=1", "a=1")
    assert first != second


def test_what_was_sealed_for_another_person_route_or_name_is_as_if_not_sent() -> None:
    (mine,) = to_client("sid=abc")
    (theirs,) = to_client("sid=abc", user="bob")
    (elsewhere,) = to_client("sid=abc", route=ADA)
    _, _, sealed = pair_of(mine).partition("=")
    assert to_upstream(pair_of(theirs)) is None
    assert to_upstream(pair_of(elsewhere)) is None
    assert to_upstream(pair_of(elsewhere).replace("nbg-ada-", "nbg-lab-")) is None
    assert to_upstream(f"nbg-lab-other={sealed}") is None
    assert to_upstream(f"sid={sealed}; nbg-lab-={sealed}") is None


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ("sid=abc", None),
        (f"{LOGIN}={SIGNED}", None),
        ("__Host-Http-nbgate=secret; __Host-Http-nbgate_dev=secret; theme=dark", None),
        ("nbg-lab-sid=abc", None),
        ("nbg-lab-sid=", None),
        ("_xsrf", None),
        ("_xsrf=a b", None),
        ("_xsrf=", "_xsrf="),
        ("_xsrf=2|a|b", "_xsrf=2|a|b"),
        ("_xsrf=mine; _xsrf=theirs", "_xsrf=mine"),
        ("_XSRF=x", None),
    ],
)
def test_nothing_but_the_upstreams_own_cookies_goes_up(header: str | None, expected: str | None) -> None:
    assert expected == to_upstream(header)


def test_of_two_with_one_name_the_first_that_unseals_counts() -> None:
    first, second = (pair_of(line) for line in to_client("sid=one", "sid=two"))
    assert to_upstream(f"{first}; {second}") == "sid=one"
    assert to_upstream(f"nbg-lab-sid=forged; {second}; {first}") == "sid=two"


NAMES = st.text("abcXYZ09!#$%&'*+-.^_`|~", min_size=1, max_size=20).filter(lambda name: name != "_xsrf")
VALUES = st.text("abcXYZ09!#$%&'()*+-./:<=>?@[]^_`{|}~", min_size=1, max_size=60)


@given(NAMES, VALUES, st.booleans())
def test_there_and_back_is_identity(name: str, value: str, quoted: bool) -> None:
    value = f'"{value}"' if quoted else value
    lines = to_client(f"{name}={value}", route=ADA)
    if not name.casefold().startswith(("__host-", "__http-", "__secure-")):
        (line,) = lines
        assert to_upstream(pair_of(line), route=ADA) == f"{name}={value}"


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_text_makes_one_clean_line_or_none(set_cookie: str, cookie: str) -> None:
    for line in to_client(set_cookie, f"a={set_cookie}", f"{set_cookie}=a"):
        assert line.isprintable()
        assert "nbgate" not in line.casefold()
    header = to_upstream(f"_xsrf={cookie}; nbg-lab-x={cookie}; {cookie}")
    assert header is None or header.startswith("_xsrf=")


OURS = f"{LOGIN}=ours; _xsrf=2|o|o"


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        (None, OURS),
        ("", OURS),
        ("_xsrf=mine", OURS),
        ("theme=dark", OURS),
        (f"{LOGIN}={SIGNED}", OURS),
    ],
)
def test_where_we_are_logged_in_the_login_is_ours_alone(client: str | None, expected: str) -> None:
    assert expected == upstream_cookie(client, route=LAB, user="ada", keyring=RING, login=OURS)


def test_beside_our_login_the_clients_other_cookies_pass() -> None:
    lines = to_client("sid=abc", f"{LOGIN}=old")
    header = "; ".join(pair_of(line) for line in lines)
    assert f"sid=abc; {OURS}" == upstream_cookie(header, route=LAB, user="ada", keyring=RING, login=OURS)


@pytest.mark.parametrize("value", [f"{LOGIN}=x; HttpOnly", "_xsrf=2|a|b; Path=/", f" {LOGIN} =x", "\t_xsrf=x"])
def test_no_cookie_of_our_login_reaches_a_browser(value: str) -> None:
    nonce = Nonces()
    lines = client_set_cookies((value, "sid=1"), route=LAB, user="ada", keyring=RING, nonce=nonce, logged_in=True)
    assert lines.startswith(b"Set-Cookie: nbg-lab-sid=")
    assert 1 == lines.count(b"Set-Cookie")
