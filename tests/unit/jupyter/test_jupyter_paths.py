import pytest

from nbgate.http.target import parse_target
from nbgate.jupyter.paths import (
    DATA,
    UNTOUCHED,
    USER_CONTENT,
    has_data,
    is_message_channel,
    is_untouched,
    is_user_content,
)


def rest(path: str) -> tuple[str, ...]:
    return parse_target(path.encode()).segments


@pytest.mark.parametrize(
    ("path", "untouched", "data"),
    [
        ("/", False, False),
        ("/lab", False, False),
        ("/lab/tree/files/x.html", False, False),
        ("/lab/extensions/x/static/style.js", True, False),
        ("/lab/extensionsx", False, False),
        ("/lab/api/settings", False, True),
        ("/tree", False, False),
        ("/notebooks/a.ipynb", False, False),
        ("/view/x.html", False, False),
        ("/files/x.html", True, True),
        ("/files", True, True),
        ("/%66iles/x.html", True, True),
        ("/FILES/x.html", False, False),
        ("/filesx/x.html", False, False),
        ("/nbconvert/html/x.ipynb", True, True),
        ("/api", True, True),
        ("/api/contents/x", True, True),
        ("/apix/contents", False, False),
        ("/static/lab/main.js", True, False),
        ("/nbextensions/x/main.js", True, False),
        ("/custom/custom.css", True, False),
        ("/kernelspecs/python3/logo-64x64.png", True, False),
        ("/voila/files/x.png", True, False),
        ("/voila/static/voila.js", True, False),
        ("/voila/render/x.ipynb", False, True),
        ("/proxy/8080/", True, False),
        ("/@file/1-2.txt", True, False),
        ("/public/x.html", True, False),
        ("/assets/x.js", True, False),
        ("/terminals/websocket/1", False, True),
        ("/terminals/new", False, True),
        ("/terminals/new/x", False, True),
        ("/terminals/1", False, False),
    ],
)
def test_what_a_path_holds(path: str, untouched: bool, data: bool) -> None:
    assert untouched == is_untouched(rest(path))
    assert data == has_data(rest(path))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/kernels/2f3a/channels?session_id=1", True),
        ("/api/kernels/2f3a/%63hannels", True),
        ("/terminals/websocket/1", True),
        ("/api/kernels/2f3a", False),
        ("/api/kernels/2f3a/channels/", False),
        ("/api/kernels/2f3a/channels/x", False),
        ("/api/events/subscribe", False),
        ("/api/collaboration/room/json:notebook:1", False),
        ("/lsp/ws/pylsp", False),
        ("/terminals/websocket", False),
        ("/terminals/websocket/1/x", False),
        ("/", False),
    ],
)
def test_messages_pass_on_the_channels_of_kernels_and_terminals(path: str, expected: bool) -> None:
    assert expected == is_message_channel(rest(path))


def test_a_prefix_without_its_slash_is_nothing_yet() -> None:
    assert not any((is_untouched(()), has_data(()), is_message_channel(()), is_user_content(())))


def test_the_tables_are_sorted_and_every_row_has_its_reason() -> None:
    for table in (UNTOUCHED, DATA, USER_CONTENT):
        assert sorted(fact.segments for fact in table) == [fact.segments for fact in table]
        assert all(fact.why for fact in table)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/files/a.html", True),
        ("/%66iles/a/b.svg", True),
        ("/nbconvert/html/a.ipynb", True),
        ("/public/x.html", True),
        ("/voila/files/x.html", True),
        ("/voila/render/x.ipynb", False),
        ("/lab/tree/files/a.html", False),
        ("/notebooks/a.ipynb", False),
        ("/tree", False),
        ("/files2/x", False),
    ],
)
def test_user_content_is_what_somebody_s_files_hold(path: str, expected: bool) -> None:
    assert expected == is_user_content(rest(path))


def test_user_content_is_never_rewritten() -> None:
    assert all(is_untouched(fact.segments) for fact in USER_CONTENT)
