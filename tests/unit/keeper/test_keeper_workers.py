import asyncio

import pytest

from nbgate.keeper.workers import Workers
from nbgate.link.messages import AuditState, SessionsRevoked, WorkerHello
from nbgate.reasons import Reason
from nbgate.testing.keeper_parts import FakeLink

IDS = (b"1" * 32, b"2" * 32)


@pytest.fixture
def killed():
    return []


@pytest.fixture
def workers(killed):
    return Workers(lambda *what: killed.append(what), ack_seconds=0.02)


def attach(workers, worker_id, pid=100):
    link = FakeLink()
    worker = workers.attach(worker_id, pid, link)
    link.answer = lambda message: worker.acknowledge(message.ack)
    return worker, link


async def test_a_revocation_is_done_when_every_worker_has_acknowledged(workers, killed):
    links = [attach(workers, number)[1] for number in range(3)]
    await workers.revoke(IDS, 7, Reason.LOGGED_OUT)
    expected = SessionsRevoked(ack=1, ids=IDS, generation=7, reason="logged-out")
    assert [[expected]] * 3 == [link.sent for link in links]
    assert [] == killed


async def test_a_revocation_waits_for_the_slowest_worker(workers, killed):
    worker, link = attach(workers, 0)
    link.slow = True
    under_way = asyncio.ensure_future(workers.revoke(IDS, 1, Reason.LOGGED_OUT))
    await asyncio.sleep(0)
    assert not under_way.done()
    worker.acknowledge(99)  # of nothing we asked for
    worker.acknowledge(1)
    await under_way
    assert [] == killed


async def test_a_worker_that_does_not_acknowledge_in_time_is_replaced(workers, killed):
    _, slow = attach(workers, 0, pid=10)
    _, good = attach(workers, 1, pid=11)
    slow.slow = True
    await workers.revoke(IDS, 1, Reason.LOGGED_OUT)
    assert [(0, 10, Reason.SLOW_REVOCATION)] == killed
    assert (True, False) == (slow.closed, good.closed)
    assert [1] == [worker.id for worker in workers]


async def test_a_worker_that_is_still_starting_is_told_and_not_waited_for(workers, killed):
    link = FakeLink()
    link.slow = True
    worker = workers.attach(0, 10, link, is_new=True)
    await workers.revoke(IDS, 1, Reason.LOGGED_OUT)
    assert ([1], []) == ([message.ack for message in link.of(SessionsRevoked)], killed)
    worker.hello = WorkerHello(pid=10, boot="b", confinement=())
    await workers.revoke(IDS, 1, Reason.LOGGED_OUT)
    assert [(0, 10, Reason.SLOW_REVOCATION)] == killed


async def test_a_worker_that_does_not_read_is_replaced_and_nobody_waits_for_it(workers, killed):
    _, full = attach(workers, 0, pid=10)
    full.full = True
    await workers.revoke(IDS, 1, Reason.LOGGED_OUT)
    assert [(0, 10, Reason.LINK_OVERFLOW)] == killed
    assert 0 == len(workers)


def test_a_broadcast_reaches_those_that_can_take_it(workers, killed):
    _, full = attach(workers, 0)
    _, good = attach(workers, 1)
    full.full = True
    workers.broadcast(AuditState(failing_since_unix=1.0))
    assert [AuditState(failing_since_unix=1.0)] == good.sent
    assert [(0, 100, Reason.LINK_OVERFLOW)] == killed


async def test_a_newer_link_of_a_worker_makes_the_older_one_void(workers, killed):
    older, old_link = attach(workers, 0, pid=10)
    old_link.slow = True
    under_way = asyncio.ensure_future(workers.revoke(IDS, 1, Reason.LOGGED_OUT))
    await asyncio.sleep(0)
    attach(workers, 0, pid=11)
    await under_way  # the process behind the older link is gone
    workers.lost(older)
    assert old_link.closed
    assert [] == killed
    assert [11] == [worker.pid for worker in workers]


def test_a_void_link_that_fails_takes_no_successor_with_it(workers, killed):
    older, old_link = attach(workers, 0, pid=10)
    attach(workers, 0, pid=11)
    old_link.full = True
    workers.send(older, AuditState(failing_since_unix=1.0))
    assert [11] == [worker.pid for worker in workers]
    assert [(0, 10, Reason.LINK_OVERFLOW)] == killed


def test_a_worker_whose_link_is_lost_is_replaced_once(workers, killed):
    worker, _ = attach(workers, 0, pid=10)
    workers.lost(worker)
    workers.lost(worker)
    assert [(0, 10, Reason.LINK_OVERFLOW)] == killed


async def test_closing_lets_nobody_wait(workers, killed):
    _, link = attach(workers, 0)
    link.slow = True
    under_way = asyncio.ensure_future(workers.revoke(IDS, 1, Reason.LOGGED_OUT))
    await asyncio.sleep(0)
    workers.close()
    await under_way
    assert link.closed
    assert [] == killed
