"""The accept loop: other sockets in place of the first, the end, and what happens when no file can be opened."""

import asyncio
import errno
import socket

import pytest

from nbgate.edge import accept as module
from nbgate.edge.accept import AcceptLoop
from nbgate.testing.raw_client import RawClient

HEALTH = b"GET /_nbgate/health HTTP/1.1\r\nHost: gw.test\r\n\r\n"


def accepts(port) -> bool:
    """Say whether somebody answers there."""
    with RawClient(port) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: gw.test\r\n\r\n")
        return client.read_answer().status == 400


def test_other_sockets_take_the_place_of_the_first_and_connections_go_on(rig):
    before = rig.port
    listening = socket.create_server(("127.0.0.1", 0))
    with rig.client() as client:
        client.send(HEALTH)
        assert 200 == client.read_answer().status
        rig.call(lambda: rig.core.listen_on([listening]))
        rig.port = listening.getsockname()[1]

        assert accepts(rig.port)
        with pytest.raises(ConnectionRefusedError):
            accepts(before)
        client.send(HEALTH)
        assert 200 == client.read_answer().status


def test_what_the_supervisor_has_shut_is_let_go_of_as_soon_as_there_is_another(rig):
    (shut,) = rig.call(lambda: rig.core._listener._sockets)
    shut.shutdown(socket.SHUT_RDWR)
    port = shut.getsockname()[1]
    other = socket.create_server(("127.0.0.1", port))  # nobody waits for the worker's copy
    rig.call(lambda: rig.core.listen_on([other]))

    assert accepts(port)
    assert -1 == shut.fileno()


def test_a_socket_that_the_supervisor_has_shut_costs_nobody_their_connection(rig):
    """So it does when the first account is made, while the one who makes it waits for the answer."""
    (shut,) = rig.call(lambda: rig.core._listener._sockets)
    with rig.client() as client:
        client.send(HEALTH)
        assert 200 == client.read_answer().status
        shut.shutdown(socket.SHUT_RDWR)
        rig.call(lambda: rig.core._listener._accept(shut))
        client.send(HEALTH)
        assert 200 == client.read_answer().status


def test_sockets_that_come_after_the_end_are_closed(rig):
    listening = socket.create_server(("127.0.0.1", 0))
    rig.call(rig.core._listener.stop)
    rig.call(lambda: rig.core.listen_on([listening]))

    assert (-1, False) == (listening.fileno(), rig.call(lambda: rig.core._listener.is_accepting))


def test_sockets_that_come_before_the_beginning_wait_for_it():
    loop = asyncio.new_event_loop()
    first, second = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
    listener = AcceptLoop(loop, [first], print, print)
    listener.replace([second])

    assert (-1, False) == (first.fileno(), listener.is_accepting)
    assert second.fileno() not in loop._selector.get_map()
    listener.start()
    assert second.fileno() in loop._selector.get_map()
    listener.stop()
    loop.close()


def test_a_socket_that_went_while_it_paused_is_not_watched_again(rig):
    listener = rig.core._listener
    (first,) = rig.call(lambda: listener._sockets)
    other = socket.create_server(("127.0.0.1", 0))
    rig.call(lambda: rig.core.listen_on([other]))
    rig.call(lambda: listener._resume(first))
    rig.port = other.getsockname()[1]

    assert accepts(rig.port)


async def test_a_fault_of_ours_leaves_no_connection_open_and_the_others_are_accepted():
    arrived = []

    def take(sock, address):
        arrived.append(sock)
        if len(arrived) == 1:
            raise ZeroDivisionError

    loop = asyncio.get_running_loop()
    faults = []
    loop.set_exception_handler(lambda _, context: faults.append(context["exception"]))
    listening = socket.create_server(("127.0.0.1", 0))
    accepting = AcceptLoop(loop, [listening], take, print)
    accepting.start()
    with socket.create_connection(listening.getsockname()), socket.create_connection(listening.getsockname()):
        while len(arrived) < 2:
            await asyncio.sleep(0)
    assert [ZeroDivisionError] == [type(fault) for fault in faults]
    assert (-1, False) == (arrived[0].fileno(), arrived[1].fileno() == -1)
    accepting.stop()
    arrived[1].close()


class Exhausted:
    """A listening socket whose process may open no more files."""

    def __init__(self):
        self.whole = socket.create_server(("127.0.0.1", 0))
        self.tries = 0
        self.is_exhausted = True

    def __getattr__(self, name):
        return getattr(self.whole, name)

    def accept(self):
        self.tries += 1
        if self.is_exhausted:
            raise OSError(errno.EMFILE, "too many open files")
        return self.whole.accept()


@pytest.fixture
def paused(monkeypatch):
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.05)


async def test_without_descriptors_it_asks_for_room_pauses_and_goes_on_by_itself(paused):
    """THREATS F24: the socket stays readable all the while; a loop that went on looking would do nothing else."""
    listening, arrived, asked = Exhausted(), [], []
    loop = AcceptLoop(
        asyncio.get_running_loop(), [listening], lambda sock, _: arrived.append(sock), lambda: asked.append(1)
    )
    loop.start()
    with socket.create_connection(listening.getsockname()) as client:
        await asyncio.sleep(0.22)
        assert 2 <= listening.tries <= 6
        assert listening.tries == len(asked)
        listening.is_exhausted = False
        async with asyncio.timeout(5):
            while not arrived:
                await asyncio.sleep(0.01)
        assert client.getsockname() == arrived[0].getpeername()
        arrived[0].close()
    loop.stop()
