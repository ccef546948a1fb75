"""One connection to an upstream: who hears of what happens on it."""

import socket

import pytest

from nbgate.edge.upstream_connection import UpstreamConnection
from nbgate.model.route import Upstream, UpstreamTls


class Transport:
    """Remembers what it was told."""

    def __init__(self):
        self.told = []
        self.closing = False
        self.unsent = 0

    def is_closing(self):
        return self.closing

    def get_write_buffer_size(self):
        return self.unsent

    def set_write_buffer_limits(self, *, high):
        self.told.append(("limits", high))

    def write(self, data):
        self.told.append(("write", data))

    def get_extra_info(self, name):
        return getattr(self, name)

    def __getattr__(self, name):
        return lambda: self.told.append(name)


class User:
    def __init__(self):
        self.heard = []

    def upstream_data(self, data):
        self.heard.append(data)

    def upstream_lost(self, *, broken):
        self.heard.append(("lost", broken))

    def upstream_full(self, *, full):
        self.heard.append(("full", full))


@pytest.fixture
def lost():
    return []


@pytest.fixture
def connection(lost):
    made = UpstreamConnection(Upstream(host="127.0.0.1", port=1), 4096, lost.append)
    made.connection_made(Transport())
    return made


@pytest.fixture
def user(connection):
    connection.user = User()
    return connection.user


def test_its_write_buffer_is_bounded(connection):
    assert [("limits", 4096)] == connection.transport.told


def test_the_user_hears_everything_in_order(connection, user):
    connection.data_received(b"abc")
    connection.pause_writing()
    connection.resume_writing()
    assert not connection.eof_received()
    connection.connection_lost(None)
    assert [b"abc", ("full", True), ("full", False), ("lost", False)] == user.heard


@pytest.fixture
def socket_pair(connection):
    """Give the upstream's end; ours is the transport's."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    connection.transport.socket = ours
    with ours, theirs:
        yield theirs


def test_the_user_hears_that_it_broke(connection, user, socket_pair):
    connection.connection_lost(ConnectionResetError())
    assert [("lost", True)] == user.heard


def test_what_was_said_before_it_broke_is_heard_first(connection, user, socket_pair):
    """A server that refuses a body answers and closes: our writing fails while its answer is unread."""
    socket_pair.send(b"HTTP/1.1 413 Content Too Large\r\n\r\n")
    connection.connection_lost(BrokenPipeError())
    assert [b"HTTP/1.1 413 Content Too Large\r\n\r\n", ("lost", True)] == user.heard


def test_who_has_heard_enough_hears_no_more(connection, user, socket_pair):
    user.upstream_data = lambda data: (user.heard.append(data), connection.abort())
    socket_pair.send(b"all of it")
    connection.connection_lost(BrokenPipeError())
    assert [b"all of it"] == user.heard


def test_no_more_is_heard_than_may_be_held(connection, user, socket_pair):
    socket_pair.send(bytes(5000))
    connection.connection_lost(BrokenPipeError())
    assert [bytes(4096), ("lost", True)] == user.heard


def test_an_orderly_end_is_not_asked_for_more(connection, user, socket_pair):
    socket_pair.send(b"unread")
    connection.connection_lost(None)
    assert [("lost", False)] == user.heard


def test_an_idle_connection_that_says_something_is_ended(connection, lost):
    connection.data_received(b"HTTP/1.1 200 OK\r\n\r\n")
    assert "abort" == connection.transport.told[-1]
    connection.pause_writing()
    connection.resume_writing()
    connection.connection_lost(None)
    assert [connection] == lost


@pytest.mark.parametrize("end", ["abort", "close"])
def test_after_its_end_the_user_is_not_called_any_more(connection, user, lost, end):
    getattr(connection, end)()
    assert end == connection.transport.told[-1]
    connection.connection_lost(None)
    assert [] == user.heard
    assert [connection] == lost


def test_on_a_lost_connection_everything_is_void(connection):
    connection.connection_lost(None)
    connection.write(b"x")
    connection.pause_reading()
    connection.resume_reading()
    connection.abort()
    connection.close()
    assert not connection.is_open
    assert not connection.has_sent_all


def test_what_it_is_told_reaches_the_transport(connection):
    connection.write(b"x")
    connection.pause_reading()
    connection.resume_reading()
    assert [("write", b"x"), "pause_reading", "resume_reading"] == connection.transport.told[1:]


@pytest.mark.parametrize(
    ("closing", "unsent", "is_open", "sent"), [(False, 0, True, True), (True, 0, False, True), (False, 7, True, False)]
)
def test_whether_it_can_carry_another_request(connection, closing, unsent, is_open, sent):
    connection.transport.closing, connection.transport.unsent = closing, unsent
    assert (is_open, sent) == (connection.is_open, connection.has_sent_all)


@pytest.fixture
def over_tls(lost):
    tls = UpstreamTls(server_name="lab.test", pin="0" * 64)
    made = UpstreamConnection(Upstream(host="127.0.0.1", port=1, tls=tls), 4096, lost.append)
    made.connection_made(Transport())
    made.user = User()
    return made


@pytest.mark.parametrize(("said", "broken"), [(True, False), (False, True)])
def test_over_tls_only_the_upstream_can_say_that_this_was_all(over_tls, said, broken):
    user = over_tls.user
    if said:
        over_tls.eof_received()
    over_tls.connection_lost(None)
    assert [("lost", broken)] == user.heard


def test_over_tls_what_lies_in_the_socket_is_not_what_the_upstream_said(over_tls, connection, socket_pair):
    """A twin of what is done without TLS: there it is bytes of HTTP."""
    socket_pair.send(b"\x17\x03\x03\x00\x05hello")
    user, over_tls.transport.socket = over_tls.user, connection.transport.socket
    over_tls.connection_lost(ConnectionResetError())
    assert [("lost", True)] == user.heard
