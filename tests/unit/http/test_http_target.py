"""Targets are read once, and only when they can be read in one way (THREATS T31)."""

import pytest

from nbgate.errors import ProtocolError
from nbgate.http.target import Target, parse_target
from nbgate.reasons import Reason


@pytest.mark.parametrize(
    ("raw", "path", "query", "segments"),
    [
        (b"/", "/", "", ("",)),
        (b"/lab", "/lab", "", ("lab",)),
        (b"/a/b/", "/a/b/", "", ("a", "b", "")),
        (b"/x?", "/x", "", ("x",)),
        (b"/x?a=//../%zz", "/x", "a=//../%zz", ("x",)),
        (b"/x?a?b", "/x", "a?b", ("x",)),
        (b"/api/contents/%61.txt", "/api/contents/a.txt", "", ("api", "contents", "a.txt")),
        (b"/100%2525.txt", "/100%25.txt", "", ("100%25.txt",)),
        (b"/%C3%A9", "/é", "", ("é",)),
        (b"/%3F%23", "/?#", "", ("?#",)),
        (b"/a;b=c", "/a;b=c", "", ("a;b=c",)),
        (b"/.bashrc", "/.bashrc", "", (".bashrc",)),
        (b"/a/...", "/a/...", "", ("a", "...")),
        (
            b"/api/collaboration/session/a%2Fb%20c.ipynb",
            "/api/collaboration/session/a/b c.ipynb",
            "",
            ("api", "collaboration", "session", "a", "b c.ipynb"),
        ),
        (
            b"/u/api/collaboration/session/a%2fb",
            "/u/api/collaboration/session/a/b",
            "",
            ("u", "api", "collaboration", "session", "a", "b"),
        ),
    ],
)
def test_a_clear_target_is_decoded_once(raw, path, query, segments):
    raw_path = raw.decode().partition("?")[0]
    assert Target(raw, raw_path, query, path, segments) == parse_target(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"*",
        b"x",
        b"http://gw.test/x",
        b"/a#b",
        b"/a?b#c",
        b"/a b",
        b"/a\tb",
        b"/\xff",
        b"/a\n",
        b"/a/../b",
        b"/a/%2e%2e/b",
        b"/a/%2e./b",
        b"/a/..",
        b"/.",
        b"/..",
        b"/a/./b",
        b"//",
        b"//a/b",
        b"/a//b",
        b"/a\\b",
        b"/a%5cb",
        b"/a%2fb",
        b"/a/..%2fb",
        b"/a%00b",
        b"/a%1fb",
        b"/a%7Fb",
        b"/a%zz",
        b"/a%2",
        b"/a%",
        b"/%u002e",
        b"/a%c0%ae/b",
        b"/a%e9",
        b"/api/collaboration/session/%2Fa",
        b"/api/collaboration/session/a%2F%2Fb",
        b"/api/collaboration/session/..%2Fb",
        b"/api/collaboration/session/a%2F..",
        b"/api/collaboration/session/a%5Cb",
        b"/api/collaboration/session/a%2Fb%5Cc",
        b"/api/collaboration/session/a%2Fb/c",
        b"/api/collaboration/session%2Fa",
        b"/api/collaboration/sessio%6e/a%2Fb",
        b"/myapi/collaboration/sessions/a%2Fb",
        b"/xapi/collaboration/session/a%2Fb",
    ],
)
def test_an_unclear_target_is_refused(raw):
    with pytest.raises(ProtocolError) as caught:
        parse_target(raw)
    assert (Reason.BAD_TARGET, 400) == (caught.value.reason, caught.value.status)
