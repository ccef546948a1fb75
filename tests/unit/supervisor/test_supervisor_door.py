"""Which sockets listen, before and after there is a user."""

import socket

import pytest

from nbgate.errors import ExitCode, StartError
from nbgate.supervisor import sockets as listening
from nbgate.supervisor.door import Door
from nbgate.supervisor.sockets import bind_sockets


@pytest.fixture
def door():
    made: list[Door] = []

    def make(ip: str) -> Door:
        made.append(Door(ip, bind_sockets(ip, 0)))
        return made[-1]

    yield make
    for each in made:
        each.close()


def addresses(door: Door) -> list[str]:
    return [sock.getsockname()[0] for sock in door.sockets]


@pytest.mark.parametrize(
    ("ip", "has_user", "expected", "narrow"),
    [
        ("*", False, ["127.0.0.1", "::1"], True),
        ("0.0.0.0", False, ["127.0.0.1"], True),
        ("::", False, ["::1"], True),
        ("*", True, ["::", "0.0.0.0"], False),
        ("127.0.0.1", False, ["127.0.0.1"], False),
        ("localhost", False, ["127.0.0.1", "::1"], False),
        ("127.0.0.7", False, ["127.0.0.7"], False),
    ],
)
def test_it_opens_on_this_machine_alone_while_nobody_could_log_in(door, ip, has_user, expected, narrow):
    made = door(ip)
    assert not made.is_open
    made.open(has_user=has_user)

    assert (expected, narrow, True) == (addresses(made), made.is_narrow, made.is_open)
    assert {True} == {bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)) for sock in made.sockets}


@pytest.mark.parametrize(("ip", "expected"), [("*", ["::", "0.0.0.0"]), ("0.0.0.0", ["0.0.0.0"]), ("::", ["::"])])
def test_widening_listens_where_it_was_asked_for_whoever_holds_copies_of_the_older_sockets(door, ip, expected):
    made = door(ip)
    made.open(has_user=False)
    copies = [sock.dup() for sock in made.sockets]
    made.widen()

    assert (expected, False) == (addresses(made), made.is_narrow)
    for copy in copies:
        assert not copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        copy.close()


@pytest.mark.parametrize(
    ("ip", "narrow", "wide"),
    [("0.0.0.0", ["127.0.0.1"], ["0.0.0.0"]), ("*", ["127.0.0.1", "::1"], ["::", "0.0.0.0"])],
)
def test_it_stays_as_it_is_where_widening_fails_and_can_be_tried_again(door, ip, narrow, wide):
    made = door(ip)
    made.open(has_user=False)
    port = made.sockets[0].getsockname()[1]
    listening.share(made._wide)  # as if it had been taken between two of our own steps
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.9", port))
        other.listen()
        with pytest.raises(StartError) as caught:
            made.widen()
        socket.create_connection(("127.0.0.1", port)).close()
    assert (ExitCode.TRY_AGAIN, narrow, True) == (caught.value.exit_code, addresses(made), made.is_narrow)

    made.widen()
    assert wide == addresses(made)


def test_before_it_widens_nobody_takes_an_address_that_is_meant_for_it(door):
    made = door("*")
    port = made.sockets[0].getsockname()[1]
    assert not may_listen("127.0.0.9", port)
    made.open(has_user=False)

    assert not may_listen("127.0.0.9", port)


def may_listen(address: str, port: int) -> bool:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind((address, port))
            other.listen()
        except OSError:
            return False
        return True


def test_a_loopback_port_that_somebody_has_is_an_error(door):
    made = door("0.0.0.0")
    made._ip = "192.0.2.1"  # of which the port on loopback is no part
    listening.share(made._wide)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", made._ports[0]))
        other.listen()
        with pytest.raises(StartError, match=r"on 127\.0\.0\.1 is already in use"):
            made.open(has_user=False)
    assert not made.is_open


@pytest.mark.parametrize(
    ("ip", "narrow", "wide"),
    [
        ("*", ["localhost"], ["box", "localhost"]),
        ("0.0.0.0", ["localhost"], ["box", "localhost"]),
        ("127.0.0.1", ["127.0.0.1"], ["127.0.0.1"]),
    ],
)
def test_its_urls_end_with_one_of_this_machine(door, ip, narrow, wide):
    made = door(ip)
    made.open(has_user=False)
    port = made.sockets[0].getsockname()[1]
    assert tuple(f"https://{host}:{port}/" for host in narrow) == made.urls("box")
    if made.is_narrow:
        made.widen()
    assert tuple(f"https://{host}:{port}/" for host in wide) == made.urls("box")


@pytest.mark.parametrize(
    ("ip", "loopback", "covered"),
    [
        ("*", "localhost", True),
        ("0.0.0.0", "127.0.0.1", True),
        ("::", "::1", True),
        ("192.0.2.1", "127.0.0.1", False),
        ("2001:db8::1", "::1", False),
    ],
)
def test_loopback_of_an_address(ip, loopback, covered):
    assert (loopback, covered) == (listening.loopback_of(ip), listening.covers_loopback(ip))


def test_stopping_what_does_not_listen_does_nothing():
    sockets = bind_sockets("127.0.0.1", 0)
    listening.stop(sockets)
    listening.listen(sockets)
    assert sockets[0].getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    listening.close_all(sockets)


def test_once_it_stops_a_client_is_refused_at_once_whoever_holds_copies(door):
    opened = door("127.0.0.1")
    opened.open(has_user=True)
    address = opened.sockets[0].getsockname()
    copy = opened.sockets[0].dup()
    socket.create_connection(address, timeout=5).close()
    opened.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=5)
    copy.close()


@pytest.fixture
def two_ports():
    """A door on all addresses, of HTTPS and of plain HTTP."""
    made = Door("*", bind_sockets("*", 0) + bind_sockets("*", 0, flag="--http-port"))
    yield made
    made.close()


def ports(door):
    return [sock.getsockname()[1] for sock in door.sockets]


def test_both_ports_open_on_this_machine_alone_and_widen_together(two_ports):
    https, plain = dict.fromkeys(ports(two_ports))
    two_ports.open(has_user=False)
    assert ["127.0.0.1", "::1"] * 2 == addresses(two_ports)
    assert [https, https, plain, plain] == ports(two_ports)
    for port in (https, plain):
        assert not may_listen("127.0.0.9", port)
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    two_ports.widen()
    assert ["::", "0.0.0.0"] * 2 == addresses(two_ports)
    assert [https, https, plain, plain] == ports(two_ports)
    assert (f"https://box:{https}/", f"https://localhost:{https}/") == two_ports.urls("box")


def test_a_port_of_plain_http_that_is_taken_meanwhile_leaves_both_as_they_are(two_ports):
    two_ports.open(has_user=False)
    plain = ports(two_ports)[-1]
    listening.share(two_ports._wide)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.9", plain))
        other.listen()
        with pytest.raises(StartError):
            two_ports.widen()
    assert (["127.0.0.1", "::1"] * 2, True) == (addresses(two_ports), two_ports.is_narrow)
    for port in dict.fromkeys(ports(two_ports)):
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    two_ports.widen()
    assert ["::", "0.0.0.0"] * 2 == addresses(two_ports)
