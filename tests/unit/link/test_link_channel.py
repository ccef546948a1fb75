"""The link between keeper and worker, on asyncio and on uvloop."""

import asyncio
import socket

import pytest

from nbgate.errors import LinkError
from nbgate.link import channel
from nbgate.link.channel import open_link
from nbgate.link.messages import (
    MAX_TO_KEEPER_BYTES,
    MAX_TO_WORKER_BYTES,
    AuditState,
    Records,
    RecordsWritten,
    RevokeAck,
    ToKeeper,
    ToWorker,
)


class Heard:
    def __init__(self) -> None:
        self.messages: list[object] = []
        self.lost: list[LinkError | None] = []
        self.happened = asyncio.Event()

    def on_message(self, message: object) -> None:
        self.messages.append(message)
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
    at_keeper, at_worker = Heard(), Heard()
    keeper = await open_link(
        ours,
        receives=ToKeeper,
        max_bytes=MAX_TO_KEEPER_BYTES,
        on_message=at_keeper.on_message,
        on_lost=at_keeper.on_lost,
    )
    worker = await open_link(
        theirs,
        receives=ToWorker,
        max_bytes=MAX_TO_WORKER_BYTES,
        on_message=at_worker.on_message,
        on_lost=at_worker.on_lost,
    )
    yield keeper, at_keeper, worker, at_worker
    keeper.close()
    worker.close()


async def test_messages_pass_both_ways_in_order(wired):
    keeper, at_keeper, worker, at_worker = wired
    for number in range(50):
        keeper.send(RecordsWritten(upto=number))
    worker.send(RevokeAck(ack=1, closed=2))
    await at_worker.until(lambda heard: len(heard.messages) == 50)
    await at_keeper.until(lambda heard: heard.messages)

    assert [RecordsWritten(upto=number) for number in range(50)] == at_worker.messages
    assert [RevokeAck(ack=1, closed=2)] == at_keeper.messages


async def test_a_message_of_megabytes_passes(wired):
    _, at_keeper, worker, _ = wired
    records = Records(boot="b", first=0, bodies=(b"x" * (4 << 20),))
    worker.send(records)
    assert worker.queued_bytes > 0
    await at_keeper.until(lambda heard: heard.messages)

    assert [records] == at_keeper.messages


async def test_the_end_of_the_other_side_is_a_loss_without_a_cause(wired):
    keeper, _, worker, at_worker = wired
    keeper.close()
    await at_worker.until(lambda heard: heard.lost)

    assert [None] == at_worker.lost
    assert not worker.is_open
    assert 0 == worker.queued_bytes
    with pytest.raises(LinkError, match="closed"):
        worker.send(RevokeAck(ack=1, closed=2))


async def test_what_is_queued_is_sent_before_a_close(wired):
    _, at_keeper, worker, _ = wired
    records = Records(boot="b", first=0, bodies=(b"x" * (1 << 20),))
    worker.send(records)
    worker.close()
    worker.close()
    await at_keeper.until(lambda heard: heard.lost)

    assert [records] == at_keeper.messages


async def test_garbage_loses_the_link_with_its_cause_and_the_other_side_notices(wired):
    keeper, at_keeper, worker, at_worker = wired
    worker._transport.write(b"\xff" * 16)
    await at_keeper.until(lambda heard: heard.lost)
    await at_worker.until(lambda heard: heard.lost)

    assert [LinkError] == [type(cause) for cause in at_keeper.lost]
    assert not keeper.is_open


async def test_a_message_of_the_wrong_direction_loses_the_link(wired):
    _, at_keeper, worker, _ = wired
    worker.send(AuditState(failing_since_unix=0.0))
    await at_keeper.until(lambda heard: heard.lost)

    assert [LinkError] == [type(cause) for cause in at_keeper.lost]
    assert [] == at_keeper.messages


async def test_a_queue_over_its_bound_refuses_the_next_message(wired, monkeypatch):
    monkeypatch.setattr(channel, "MAX_QUEUED_BYTES", 100_000)
    keeper, _, worker, _ = wired
    keeper._transport.pause_reading()
    while worker.queued_bytes <= 100_000:
        worker.send(Records(boot="b", first=0, bodies=(b"x" * 10_000,)))

    with pytest.raises(LinkError, match="does not read"):
        worker.send(RevokeAck(ack=1, closed=1))
    assert worker.queued_bytes > 100_000


async def test_a_link_closed_by_a_message_hands_on_nothing_more():
    ours, theirs = socket.socketpair()
    heard, other = Heard(), Heard()

    def close(message: object) -> None:
        heard.on_message(message)
        link.close()

    link = await open_link(ours, receives=ToKeeper, max_bytes=4096, on_message=close, on_lost=heard.on_lost)
    worker = await open_link(
        theirs, receives=ToWorker, max_bytes=4096, on_message=other.on_message, on_lost=other.on_lost
    )
    worker.send(RevokeAck(ack=1, closed=1))
    worker.send(RevokeAck(ack=2, closed=1))
    await other.until(lambda heard: heard.lost)
    link.data_received(b"late")

    assert [RevokeAck(ack=1, closed=1)] == heard.messages
    assert [] == heard.lost


async def test_an_error_of_the_transport_is_the_cause(wired):
    keeper, at_keeper, _, _ = wired
    broken = OSError("broken")
    keeper.connection_lost(broken)

    assert [broken] == [cause.__cause__ for cause in at_keeper.lost]
    keeper._transport = None
