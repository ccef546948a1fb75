"""Events on their way to the keeper: numbered, kept until acknowledged, sent again on a new link."""

import asyncio

import pytest

from nbgate.audit.events import HttpReject, decode_worker_event, timestamp
from nbgate.clock import ManualClock
from nbgate.edge import outbox as module
from nbgate.edge.outbox import Outbox

FIELDS = {"client_ip": "192.0.2.1", "client_port": 1, "status": 400, "reason": "bad-host", "request_id": "x"}


@pytest.fixture
def sent():
    return []


@pytest.fixture
async def outbox(sent):
    return Outbox(loop=asyncio.get_running_loop(), clock=ManualClock(), boot="b", send=sent.append)


async def test_events_are_numbered_and_batched(outbox, sent):
    for _ in range(3):
        outbox.record(HttpReject, **FIELDS)
    outbox.flush()
    (message,) = sent
    assert ("b", 1, 3) == (message.boot, message.first, len(message.bodies))
    events = [decode_worker_event(body) for body in message.bodies]
    assert [1, 2, 3] == [event.n for event in events]
    assert timestamp(ManualClock().unix()) == events[0].timestamp


async def test_what_is_acknowledged_is_forgotten_and_the_rest_sent_again(outbox, sent):
    for _ in range(5):
        outbox.record(HttpReject, **FIELDS)
    outbox.flush()
    outbox.acknowledge(3)
    sent.clear()
    outbox.send_again()
    assert [(4, 2)] == [(message.first, len(message.bodies)) for message in sent]
    outbox.acknowledge(5)
    assert 0 == outbox.waiting
    await outbox.all_written(1)


async def test_a_large_backlog_goes_in_bounded_batches(outbox, sent):
    for _ in range(module.BATCH * 2 + 1):
        outbox.record(HttpReject, **FIELDS)
    outbox.flush()
    assert [1, module.BATCH + 1, 2 * module.BATCH + 1] == [message.first for message in sent]


async def test_a_full_outbox_says_since_when(outbox, monkeypatch):
    monkeypatch.setattr(module, "SOFT_LIMIT", 4)
    for _ in range(5):
        outbox.record(HttpReject, **FIELDS)
    assert ManualClock().unix() == outbox.full_since_unix
    outbox.acknowledge(4)
    assert 0.0 == outbox.full_since_unix


async def test_waiting_for_the_log_ends_in_time(outbox):
    outbox.record(HttpReject, **FIELDS)
    await outbox.all_written(0.01)
    assert 1 == outbox.waiting
