import pytest

from nbgate.http.target import parse_target
from nbgate.jupyter.paths import (
    DATA,
    EFFECTS,
    LINKED,
    LINKED_BY_VOILA,
    READABLE,
    UNTOUCHED,
    USER_CONTENT,
    Socket,
    has_data,
    has_effect,
    is_kernel,
    is_kernelspecs,
    is_untouched,
    is_user_content,
    is_voila,
    links_of,
    socket_of,
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
        ("/api/kernels/2f3a/channels?session_id=1", Socket.CHANNEL),
        ("/api/kernels/2f3a/%63hannels", Socket.CHANNEL),
        ("/terminals/websocket/1", Socket.CHANNEL),
        ("/api/collaboration/room/json:notebook:1", Socket.ROOM),
        ("/api/collaboration/room/JupyterLab:globalAwareness", Socket.ROOM),
        ("/api/collaboration/room", Socket.ROOM),
        ("/api/events/subscribe", Socket.EVENTS),
        ("/api/collaboration/session/x", Socket.OTHER),
        ("/api/events", Socket.OTHER),
        ("/api/events/subscribe/x", Socket.OTHER),
        ("/api/kernels/2f3a", Socket.OTHER),
        ("/api/kernels/2f3a/channels/", Socket.OTHER),
        ("/api/kernels/2f3a/channels/x", Socket.OTHER),
        ("/lsp/ws/pylsp", Socket.OTHER),
        ("/terminals/websocket", Socket.OTHER),
        ("/terminals/websocket/1/x", Socket.OTHER),
        ("/", Socket.OTHER),
    ],
)
def test_what_is_said_on_a_websocket(path: str, expected: Socket) -> None:
    assert expected is socket_of(rest(path))


def test_the_frames_of_channels_and_rooms_are_looked_into() -> None:
    assert {Socket.CHANNEL, Socket.ROOM} == {socket for socket in Socket if socket.is_read}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/kernels/2f3a", True),
        ("/api/k%65rnels/2f3a?x", True),
        ("/api/kernels/", False),
        ("/api/kernels", False),
        ("/api/kernels/2f3a/", False),
        ("/api/kernels/2f3a/channels", False),
        ("/api/sessions/2f3a", False),
        ("/x/kernels/2f3a", False),
        ("/", False),
    ],
)
def test_the_state_of_a_kernel(path: str, expected: bool) -> None:
    assert expected == is_kernel(rest(path))


@pytest.mark.parametrize(
    ("path", "kernelspecs", "voila"),
    [
        ("/api/kernelspecs", True, False),
        ("/api/kernelspecs/python3", True, False),
        ("/api/kernelspecs/", True, False),
        ("/api/kernelspecs/python3/x", False, False),
        ("/api/kernels", False, False),
        ("/kernelspecs/python3", False, False),
        ("/x/kernelspecs", False, False),
        ("/", False, True),
        ("/voila", False, True),
        ("/voila/render/a.ipynb", False, True),
        ("/voilax", False, False),
        ("/lab/voila", False, False),
    ],
)
def test_which_answers_hold_addresses_and_whose_pages_hold_output(path: str, kernelspecs: bool, voila: bool) -> None:
    assert kernelspecs == is_kernelspecs(rest(path))
    assert voila == is_voila(rest(path))


def test_what_servers_link_to() -> None:
    assert frozenset({"voila"}) == links_of(voila=True)
    assert links_of(voila=True) < links_of(voila=False)
    assert {"", "static", "tree", "custom", "login"} < links_of(voila=False)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/terminals/new", True),
        ("/terminals/new/x", True),
        ("/voila/render/x.ipynb", True),
        ("/terminals/1", False),
        ("/terminals", False),
        ("/voila/tree", True),
        ("/voila/static/x.js", False),
        ("/lab/tree/x.ipynb", False),
        ("/git-pull/api", True),
        ("/panel-preview/render/x.ipynb", True),
        ("/proxy/8000/", True),
        ("/Lab", True),
        ("/api/contents/x", False),
        ("/nbconvert/html/x.ipynb", False),
        ("/", False),
    ],
)
def test_what_reading_does(path: str, expected: bool) -> None:
    assert expected == has_effect(rest(path))


def test_a_prefix_without_its_slash_is_nothing_yet() -> None:
    assert not any((is_untouched(()), has_data(()), is_user_content(()), is_kernel(()), is_kernelspecs(())))
    assert Socket.OTHER is socket_of(())


def test_the_tables_are_sorted_and_every_row_has_its_reason() -> None:
    for table in (UNTOUCHED, DATA, USER_CONTENT, READABLE, EFFECTS, LINKED, LINKED_BY_VOILA):
        assert sorted(fact.segments for fact in table) == [fact.segments for fact in table]
        assert all(fact.why for fact in table)


def test_what_has_an_effect_is_guarded_as_data_is() -> None:
    assert {fact.segments for fact in EFFECTS} <= {fact.segments for fact in DATA}
