"""The child's end on an event loop, asyncio's and uvloop's."""

import asyncio
import os
import socket

import pytest

from nbgate.errors import LinkError
from nbgate.link.control import ControlLink
from nbgate.link.descriptors import ControlSocket
from nbgate.link.messages import (
    DrainAsked,
    KeeperReady,
    KillWorker,
    LinkKeeper,
    ReloadAsked,
    ToSupervisor,
    ToWorkerFromSupervisor,
)


class Heard:
    """Collects what a link says; `happened` is set at every call."""

    def __init__(self) -> None:
        self.messages: list[object] = []
        self.lost: list[LinkError | None] = []
        self.happened = asyncio.Event()

    def on_message(self, message: object, descriptor: int | None) -> None:
        if descriptor is not None:
            os.close(descriptor)
        self.messages.append((message, descriptor is not None))
        self.happened.set()

    def on_lost(self, cause: LinkError | None) -> None:
        self.lost.append(cause)
        self.happened.set()

    async def until(self, condition) -> None:
        async with asyncio.timeout(5):
            while not condition(self):
                await self.happened.wait()
                self.happened.clear()


@pytest.fixture
async def wired():
    ours, theirs = socket.socketpair()
    supervisor = ControlSocket(ours, ToSupervisor)
    heard = Heard()
    link = ControlLink(theirs, receives=ToWorkerFromSupervisor, on_message=heard.on_message, on_lost=heard.on_lost)
    yield supervisor, link, heard
    link.close()
    supervisor.close()


async def test_messages_and_descriptors_are_called_back_in_order(wired):
    supervisor, _, heard = wired
    supervisor.send(LinkKeeper(), os.dup(0))
    supervisor.send(DrainAsked(deadline_seconds=2.5))
    await heard.until(lambda heard: len(heard.messages) == 2)

    assert [(LinkKeeper(), True), (DrainAsked(deadline_seconds=2.5), False)] == heard.messages


async def test_the_end_of_the_supervisor_is_a_loss_without_a_cause(wired):
    supervisor, link, heard = wired
    supervisor.close()
    await heard.until(lambda heard: heard.lost)

    assert [None] == heard.lost
    assert not link.is_open
    with pytest.raises(LinkError, match="closed"):
        link.send(KeeperReady(users=1))


async def test_a_message_that_is_not_for_this_end_loses_the_link_with_its_cause(wired):
    supervisor, _, heard = wired
    supervisor.send(ReloadAsked())
    await heard.until(lambda heard: heard.lost)

    assert [LinkError] == [type(cause) for cause in heard.lost]
    assert [] == heard.messages


async def test_what_the_socket_does_not_take_is_sent_when_it_does(wired):
    supervisor, link, _ = wired
    count = 600
    for worker in range(count):
        link.send(KillWorker(worker=worker, reason="r" * 1000))
    assert link._end.wants_write

    got: list[int] = []
    async with asyncio.timeout(5):
        while len(got) < count:
            got += [message.worker for message, _ in supervisor.receive()]
            await asyncio.sleep(0)
    assert list(range(count)) == got
    assert not link._end.wants_write


async def test_sending_to_a_supervisor_that_is_gone_raises_and_loses_the_link_once(wired):
    supervisor, link, heard = wired
    supervisor.close()
    with pytest.raises(LinkError, match="gone"):
        link.send(KeeperReady(users=1))

    assert [LinkError] == [type(cause) for cause in heard.lost]


async def test_a_supervisor_that_goes_while_something_waits_is_a_loss(wired):
    supervisor, link, heard = wired
    while not link._end.wants_write:
        link.send(KillWorker(worker=1, reason="r" * 1000))
    supervisor.close()
    await heard.until(lambda heard: heard.lost)

    assert 1 == len(heard.lost)


async def test_a_loss_seen_first_while_writing_is_a_loss_with_its_cause(wired):
    supervisor, link, heard = wired
    while not link._end.wants_write:
        link.send(KillWorker(worker=1, reason="r" * 1000))
    supervisor.close()
    link._write()

    assert [LinkError] == [type(cause) for cause in heard.lost]


async def test_after_close_nothing_is_called_back_and_closing_twice_is_fine(wired):
    supervisor, link, heard = wired
    link.close()
    link.close()
    with pytest.raises(LinkError, match="gone"):
        supervisor.send(ReloadAsked())

    assert ([], []) == (heard.messages, heard.lost)


async def test_a_link_closed_by_what_it_says_does_not_report_its_loss():
    ours, theirs = socket.socketpair()
    supervisor = ControlSocket(ours, ToSupervisor)
    said: list[object] = []
    done = asyncio.Event()

    def close(message, descriptor):
        link.close()
        done.set()

    link = ControlLink(theirs, receives=ToWorkerFromSupervisor, on_message=close, on_lost=said.append)
    supervisor.send(DrainAsked(deadline_seconds=1.0))
    async with asyncio.timeout(5):
        await done.wait()
    supervisor.close()

    assert [] == said
