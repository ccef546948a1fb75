"""Messages and descriptors over a socketpair: paired in order, closed when refused, never blocking."""

import os
import socket

import pytest

from nbgate.errors import LinkError
from nbgate.link import descriptors
from nbgate.link.descriptors import MAX_CONTROL_QUEUED_BYTES, ControlSocket
from nbgate.link.frames import encode
from nbgate.link.messages import (
    DrainAsked,
    KillWorker,
    LinkKeeper,
    LinkWorker,
    Listening,
    ReloadAsked,
    ToKeeperFromSupervisor,
    ToSupervisor,
    ToWorkerFromSupervisor,
)


@pytest.fixture
def raw_and_end():
    ours, theirs = socket.socketpair()
    end = ControlSocket(theirs, ToWorkerFromSupervisor)
    yield ours, end
    ours.close()
    end.close()


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    supervisor = ControlSocket(ours, ToSupervisor)
    keeper = ControlSocket(theirs, ToKeeperFromSupervisor)
    yield supervisor, keeper
    supervisor.close()
    keeper.close()


def a_descriptor() -> tuple[int, int]:
    """A descriptor to give away, and one that sees end of file when every copy of the first is closed."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    return write, read


def is_closed_everywhere(read: int) -> bool:
    """True when no copy of the write end is left."""
    try:
        return os.read(read, 1) == b""
    except BlockingIOError:
        return False
    finally:
        os.close(read)


def test_messages_arrive_in_order_and_each_descriptor_with_its_own(pair):
    supervisor, keeper = pair
    reads = []
    for worker in range(3):
        given, read = a_descriptor()
        reads.append(read)
        supervisor.send(ReloadAsked())
        supervisor.send(LinkWorker(worker=worker, pid=worker + 100), given)

    got = []
    while len(got) < 6:
        got += keeper.receive()

    linked = [(message.worker, descriptor) for message, descriptor in got if isinstance(message, LinkWorker)]
    assert [0, 1, 2] == [worker for worker, _ in linked]
    for worker, descriptor in linked:
        assert not os.get_inheritable(descriptor)
        os.write(descriptor, bytes([worker]))
        os.close(descriptor)
    assert [b"\x00", b"\x01", b"\x02"] == [os.read(read, 10) for read in reads]
    assert [True, True, True] == [is_closed_everywhere(read) for read in reads]


def test_nothing_there_is_no_message_and_not_the_end(pair):
    _, keeper = pair

    assert [] == keeper.receive()
    assert not keeper.ended


def test_the_end_is_seen_after_the_last_message(pair):
    supervisor, keeper = pair
    keeper.send(KillWorker(worker=1, reason="slow-revocation"))
    keeper.close()

    assert [(KillWorker(worker=1, reason="slow-revocation"), None)] == supervisor.receive()
    assert [] == supervisor.receive()
    assert supervisor.ended


def test_a_reset_by_the_other_end_is_an_end(raw_and_end):
    ours, end = raw_and_end
    end.send(KillWorker(worker=1, reason="crashed"))
    ours.close()  # with our message unread: the kernel answers ECONNRESET

    assert [] == end.receive()
    assert end.ended


def test_a_message_that_must_carry_a_descriptor_and_does_not_is_refused(raw_and_end):
    ours, end = raw_and_end
    ours.send(encode(LinkKeeper()))

    with pytest.raises(LinkError, match="without its descriptor"):
        end.receive()


def test_a_closed_end_has_no_descriptor_to_watch(pair):
    _, keeper = pair
    assert keeper.fileno() > 0
    assert not keeper.is_closed
    keeper.close()

    assert -1 == keeper.fileno()
    assert keeper.is_closed


def test_what_is_not_a_descriptor_beside_the_data_is_ignored(raw_and_end):
    ours, end = raw_and_end
    end._sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    ours.send(encode(DrainAsked(deadline_seconds=1.0)))

    assert [(DrainAsked(deadline_seconds=1.0), None)] == end.receive()


def test_descriptors_are_closed_when_their_message_is_refused(raw_and_end):
    ours, end = raw_and_end
    given, read = a_descriptor()
    socket.send_fds(ours, [encode(LinkKeeper()) + b"\x00\x00\x00\x01\xff"], [given])
    os.close(given)

    with pytest.raises(LinkError):
        end.receive()
    assert is_closed_everywhere(read)


def test_a_descriptor_paired_before_a_refusal_is_closed_too(raw_and_end):
    ours, end = raw_and_end
    given, read = a_descriptor()
    socket.send_fds(ours, [encode(LinkKeeper()) + encode(LinkKeeper())], [given])
    os.close(given)

    with pytest.raises(LinkError, match="without its descriptor"):
        end.receive()
    assert is_closed_everywhere(read)


def test_a_descriptor_nobody_announced_is_refused_and_closed(raw_and_end):
    ours, end = raw_and_end
    given, read = a_descriptor()
    socket.send_fds(ours, [encode(DrainAsked(deadline_seconds=1.0))], [given])
    os.close(given)

    with pytest.raises(LinkError, match="without its message"):
        end.receive()
    assert is_closed_everywhere(read)


def test_more_descriptors_than_a_link_carries_are_refused_and_closed(raw_and_end):
    ours, end = raw_and_end
    given, read = a_descriptor()
    socket.send_fds(ours, [encode(LinkKeeper())], [given] * 40)
    os.close(given)

    with pytest.raises(LinkError, match="more descriptors"):
        end.receive()
    assert is_closed_everywhere(read)


def test_a_descriptor_that_came_before_the_rest_of_its_message_waits_for_it(raw_and_end):
    ours, end = raw_and_end
    frame = encode(LinkKeeper())
    given, read = a_descriptor()
    socket.send_fds(ours, [frame[:3]], [given])
    os.close(given)

    assert [] == end.receive()
    ours.send(frame[3:])
    ((message, descriptor),) = end.receive()
    os.close(descriptor)
    assert LinkKeeper() == message
    assert is_closed_everywhere(read)


def test_what_the_socket_does_not_take_is_sent_later_in_order_with_its_descriptor(pair):
    supervisor, keeper = pair
    sent = 0
    while not supervisor.wants_write:
        supervisor.send(Listening(urls=("u" * 1000, str(sent))))
        sent += 1
    given, read = a_descriptor()
    supervisor.send(LinkWorker(worker=1, pid=2), given)

    got = []
    while len(got) < sent + 1:
        supervisor.flush()
        got += keeper.receive()

    assert [str(at) for at in range(sent)] == [message.urls[1] for message, _ in got[:-1]]
    message, descriptor = got[-1]
    assert LinkWorker(worker=1, pid=2) == message
    os.close(descriptor)
    assert is_closed_everywhere(read)


def test_one_who_does_not_read_ends_the_link_and_descriptors_in_the_queue_are_closed(pair):
    supervisor, _ = pair
    while not supervisor.wants_write:
        supervisor.send(Listening(urls=("u" * 4000,)))
    given, read = a_descriptor()
    supervisor.send(LinkWorker(worker=1, pid=2), given)

    fits = (MAX_CONTROL_QUEUED_BYTES - supervisor._queued_bytes) // len(encode(Listening(urls=("u" * 4000,))))
    for _ in range(fits):
        supervisor.send(Listening(urls=("u" * 4000,)))
    with pytest.raises(LinkError, match="does not read"):
        supervisor.send(Listening(urls=("u" * 4000,)))
    assert is_closed_everywhere(read)
    assert not supervisor.wants_write


def test_sending_to_one_who_is_gone_raises_and_closes_the_descriptor(pair):
    supervisor, keeper = pair
    keeper.close()
    given, read = a_descriptor()

    with pytest.raises(LinkError, match="gone"):
        supervisor.send(LinkWorker(worker=1, pid=2), given)
    assert is_closed_everywhere(read)


def test_a_socket_that_takes_only_a_part_gets_the_rest_and_the_descriptor_once(pair, monkeypatch):
    send = descriptors._send
    monkeypatch.setattr(descriptors, "_send", lambda sock, frame, descriptor: send(sock, frame[:5], descriptor))
    supervisor, keeper = pair
    given, read = a_descriptor()
    supervisor.send(LinkWorker(worker=1, pid=2), given)

    got = []
    while not got:
        got = keeper.receive()
    ((message, descriptor),) = got
    os.close(descriptor)
    assert LinkWorker(worker=1, pid=2) == message
    assert is_closed_everywhere(read)
