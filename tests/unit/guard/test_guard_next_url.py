import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbgate.guard.next_url import MAX_NEXT_BYTES, safe_next

GATEWAY = "https://gw.test:8443"
_SPECIAL = {"http", "https", "ftp", "ws", "wss", "file"}


def resolve_origin(text: str) -> str:
    """Say which origin a browser goes to for `text` on a page of the gateway, after the WHATWG URL standard.

    Written for this test alone: remove what the standard removes, then look for a scheme and an authority.
    """
    text = re.sub(r"[\t\n\r]", "", text.strip("".join(map(chr, range(0x21)))))
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", text)
    if scheme is not None:
        name = scheme[1].lower()
        if name not in _SPECIAL:
            return f"{name}:"
        rest = text[scheme.end() :]
        if name == "https" and not re.match(r"[/\\]", rest):
            return GATEWAY  # "https:path" is relative to a base of the same scheme
        return f"{name}://" + re.split(r"[/\\?#]", rest.lstrip("/\\"), maxsplit=1)[0].rpartition("@")[2].lower()
    if re.match(r"[/\\]{2}", text):
        return "https://" + re.split(r"[/\\?#]", text.lstrip("/\\"), maxsplit=1)[0].rpartition("@")[2].lower()
    return GATEWAY


@pytest.mark.parametrize(
    "text",
    [
        "/",
        "/?",
        "/lab",
        "/lab?reset",
        "/lab/tree/a.ipynb",
        "/lab/tree/a%20b.ipynb",
        "/lab/tree/%C3%A9t%C3%A9.ipynb?factory=Notebook&x=%2F%2Fy",
        "/lab?file=http://example.org//x",
        "/lab?x=/../y&z=%zz",
        "/lab/workspaces/auto-x/tree/100%2525.txt",
        "/tree/a..b/...",
        "/@file/1-2.txt",
        "/user/ada/_nbgate",
        "/_nbgatex",
        "/_NBGATE/x",
        "/a:b@c",
        "/lab/tree/a%2Fb.ipynb",
        "/" + "a" * (MAX_NEXT_BYTES - 1),
    ],
)
def test_a_path_of_an_upstream_passes_unchanged(text: str) -> None:
    assert text == safe_next(text)
    assert resolve_origin(text) == GATEWAY


SLASHES = [
    "/",
    "\\",
    "%2f",
    "%2F",
    "%5c",
    "%5C",
    "/%09",
    "/%0a",
    "/%0d",
    "/\t",
    "/\n",
    "/\r",
    "/.",
    "/./",
    "/%2e",
    "/../",
]
AUTHORITIES = ["evil.example", "evil.example/", "@evil.example", "gw.test:8443@evil.example", "evil%2eexample", "[::1]"]
DOUBLE = [
    f"{lead}{first}{second}{authority}"
    for lead, first, second, authority in product(["", " ", "\t"], SLASHES, ["/", "\\", "%2f", "%5c"], AUTHORITIES)
]
SINGLE = [
    "",
    " ",
    " /lab",
    "/lab ",
    "/lab x",
    "/lab\t",
    "/lab\n",
    "/lab\r\nSet-Cookie: x=1",
    "/lab\x00",
    "/lab\x7f",
    "/lab\x85",
    "/\u2028",
    "/\u3002",
    "/\uff0f/evil.example",
    "/\u2215/evil.example",
    "\u2044/evil.example",
    "lab",
    "?lab",
    "#lab",
    "/#lab",
    "/lab#//evil.example",
    ".",
    "..",
    "./lab",
    "../lab",
    "//",
    "///",
    "////evil.example",
    "/////evil.example",
    "\\",
    "\\\\evil.example",
    "\\/evil.example",
    "/\\evil.example",
    "/\\/evil.example",
    "\\/\\evil.example",
    "http://evil.example",
    "https://evil.example",
    "HTTPS://EVIL.EXAMPLE",
    "https:evil.example",
    "https:/evil.example",
    "https:///evil.example",
    "https:\\\\evil.example",
    "https:\\/evil.example",
    "https://gw.test:8443/lab",
    "https://gw.test:8443//evil.example",
    "https://gw.test:8443@evil.example/",
    "hTTp:evil.example",
    "ftp://evil.example",
    "javascript:1",
    "JavaScript:alert(1)",
    " javascript:1",
    "java\tscript:1",
    "data:text/html,x",
    "vbscript:x",
    "blob:https://gw.test/x",
    "mailto:x@evil.example",
    "file:///etc/passwd",
    "x-evil:",
    "evil.example",
    "@evil.example",
    ":evil.example",
    "/.",
    "/..",
    "/./",
    "/../",
    "/./lab",
    "/../lab",
    "/lab/..",
    "/lab/.",
    "/lab/../..//evil.example",
    "/..//evil.example",
    "/.//evil.example",
    "/%2e",
    "/%2E%2e",
    "/%2e/lab",
    "/.%2e/lab",
    "/%2e%2e//evil.example",
    "/%2e%2e/%2e%2e/lab",
    "/a%2f..%2fb",
    "/lab%2f%2e%2e%2f%2fevil.example",
    "/lab//x",
    "/lab/%2fx",
    "/lab%2f/x",
    "/lab%2f%2fx",
    "/%2f%2fevil.example",
    "/%2f%2f%2fevil.example",
    "/%5cevil.example",
    "/%5c%5cevil.example",
    "/.%2f/evil.example",
    "/%09/evil.example",
    "/%0a/evil.example",
    "/%0d/evil.example",
    "/%0d%0aLocation:%20https://evil.example",
    "/%00/evil.example",
    "/%7f",
    "/%c2%85",
    "/lab?x=a b",
    "/lab?x=\\",
    "/lab?x=\x01",
    "/lab?x=\u00e9",
    "/lab\\x",
    "/lab%5cx",
    "/%",
    "/%z",
    "/%zz",
    "/lab%2",
    "/%u002f",
    "/%ff",
    "/%c0%af",
    "/%c0%ae%c0%ae/",
    "/%ed%a0%80",
    "/_nbgate",
    "/_nbgate/",
    "/_nbgate/logout",
    "/_nbgate?x",
    "/_nbgate/login?next=//evil.example",
    "/%5fnbgate/logout",
    "/_nbgat%65/logout",
    "/_nbgate%2flogout",
    "/lab/../_nbgate/logout",
    "/./_nbgate/logout",
    "/%2e/_nbgate/logout",
    "/" + "a" * MAX_NEXT_BYTES,
]


@pytest.mark.parametrize("text", DOUBLE + SINGLE)
def test_every_other_spelling_is_refused(text: str) -> None:
    assert safe_next(text) is None


def test_the_table_is_some_hundred_spellings_long_and_the_resolver_knows_the_bad_ones() -> None:
    assert len(set(DOUBLE + SINGLE)) > 500
    for text in (
        "//evil.example",
        "/\t/evil.example",
        "\\/evil.example/x",
        "https:\\evil.example",
        "///u:p@evil.example",
    ):
        assert resolve_origin(text) == "https://evil.example"
    assert resolve_origin("java\nscript:1") == "javascript:"


def test_own_pages_are_where_the_base_url_puts_them() -> None:
    assert safe_next("/gate/_nbgate/logout", own_prefix="/gate/_nbgate/") is None
    assert safe_next("/_nbgate/logout", own_prefix="/gate/_nbgate/") == "/_nbgate/logout"


PIECES = ["/", "\\", ".", "..", "%2f", "%5c", "%2e", "%09", "%0a", "%00", "%25", "\t", "\n", "\r", " ", "@", ":", "?", "#", "%", "evil.example", "gw.test:8443", "https:", "javascript:", "_nbgate", "lab", "\u2028", "\uff0f", "é"]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join) | st.text(max_size=30))
def test_what_passes_stays_on_the_gateway(text: str) -> None:
    for candidate in (text, f"/{text}", f"/lab/{text}"):
        passed = safe_next(candidate)
        if passed is not None:
            assert candidate == passed
            assert resolve_origin(passed) == GATEWAY
            path = re.split(r"[?#]", passed, maxsplit=1)[0]
            assert re.fullmatch(r"/([!-~]*)", path)
            assert "//" not in path
            assert "\\" not in passed
