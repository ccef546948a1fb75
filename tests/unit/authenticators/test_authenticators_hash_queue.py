"""So many hashes at once, so many waiting, for so long; first come, first served, in each of two lanes."""

import asyncio
import os
import threading

import pytest

from nbgate.authenticators.hash_queue import HashQueue
from nbgate.errors import LoginBusy
from nbgate.reasons import Reason


class Gate:
    """A call that lasts until it is let through; knows how many were in it at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._go = threading.Event()
        self.entered = threading.Semaphore(0)
        self.inside = self.most = 0
        self.order: list[int] = []

    def __call__(self, number: int = 0) -> int:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
            self.order.append(number)
        self.entered.release()
        self._go.wait(20)
        with self._lock:
            self.inside -= 1
        return number

    async def someone_inside(self) -> None:
        await asyncio.to_thread(self.entered.acquire, timeout=20)

    def open(self) -> None:
        self._go.set()


@pytest.fixture
def gate():
    gate = Gate()
    yield gate
    gate.open()


@pytest.fixture
def queue():
    queue = HashQueue(at_once=2, waiting=3, wait_seconds=20.0)
    yield queue
    queue.close()


async def test_results_and_errors_come_back(queue):
    assert 7 == await queue.run(int, "7")
    with pytest.raises(ValueError, match="invalid literal"):
        await queue.run(int, "x")
    assert 255 == await queue.run(int, "ff", base=16)


async def test_no_more_at_once_than_said_and_in_order(queue, gate):
    tasks = [asyncio.ensure_future(queue.run(gate, number)) for number in range(5)]
    await gate.someone_inside()
    await gate.someone_inside()
    gate.open()
    assert [0, 1, 2, 3, 4] == await asyncio.gather(*tasks)
    assert 2 == gate.most
    assert [2, 3, 4] == sorted(gate.order[2:])


async def test_one_over_the_queue_is_told_at_once(queue, gate):
    tasks = [asyncio.ensure_future(queue.run(gate, number)) for number in range(5)]
    await gate.someone_inside()
    await gate.someone_inside()
    with pytest.raises(LoginBusy) as caught:
        await queue.run(gate, 5)
    assert (503, Reason.LOGIN_BUSY) == (caught.value.status, caught.value.reason)
    gate.open()
    await asyncio.gather(*tasks)
    assert 5 not in gate.order
    assert 6 == await queue.run(gate, 6)


async def test_a_queue_of_none_still_serves_who_finds_a_free_place(gate):
    queue = HashQueue(at_once=1, waiting=0, wait_seconds=20.0)
    first = asyncio.ensure_future(queue.run(gate, 1))
    await gate.someone_inside()
    with pytest.raises(LoginBusy):
        await queue.run(gate, 2)
    gate.open()
    assert [1, 3] == [await first, await queue.run(gate, 3)]
    queue.close()


async def test_who_waits_too_long_is_told_so_and_nothing_is_hashed(gate):
    queue = HashQueue(at_once=1, waiting=1, wait_seconds=0.01)
    first = asyncio.ensure_future(queue.run(gate, 1))
    await gate.someone_inside()
    with pytest.raises(LoginBusy):
        await queue.run(gate, 2)
    gate.open()
    assert 1 == await first
    assert [1] == gate.order
    queue.close()


async def test_a_cancelled_caller_keeps_its_turn_until_its_hash_is_done(gate):
    queue = HashQueue(at_once=1, waiting=1, wait_seconds=20.0)
    first = asyncio.ensure_future(queue.run(gate, 1))
    await gate.someone_inside()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    second = asyncio.ensure_future(queue.run(gate, 2))
    await asyncio.wait([second], timeout=0.01)
    assert [1] == gate.order
    gate.open()
    assert 2 == await second
    assert 1 == gate.most
    queue.close()


async def test_a_cancelled_waiter_leaves_its_place_to_others(gate):
    queue = HashQueue(at_once=1, waiting=1, wait_seconds=20.0)
    first = asyncio.ensure_future(queue.run(gate, 1))
    await gate.someone_inside()
    waiter = asyncio.ensure_future(queue.run(gate, 2))
    await asyncio.wait([waiter], timeout=0)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    third = asyncio.ensure_future(queue.run(gate, 3))
    gate.open()
    assert [1, 3] == [await first, await third]
    assert [1, 3] == gate.order
    queue.close()


async def begun(*tasks):
    """Let the tasks get as far as they come by themselves."""
    for _ in range(3):
        await asyncio.wait(tasks, timeout=0)


async def test_the_first_lane_goes_before_all_who_wait(gate):
    queue = HashQueue(at_once=1, waiting=3, wait_seconds=20.0)
    tasks = [asyncio.ensure_future(queue.run(gate, number)) for number in (1, 2, 3)]
    await gate.someone_inside()
    tasks += [asyncio.ensure_future(queue.run_first(gate, number)) for number in (4, 5)]
    await begun(*tasks)
    gate.open()
    assert [1, 2, 3, 4, 5] == await asyncio.gather(*tasks)
    assert [1, 4, 5, 2, 3] == gate.order
    queue.close()


async def test_each_lane_has_places_of_its_own(gate):
    queue = HashQueue(at_once=1, waiting=1, wait_seconds=20.0)
    tasks = [asyncio.ensure_future(queue.run(gate, number)) for number in (1, 2)]
    await gate.someone_inside()
    with pytest.raises(LoginBusy):
        await queue.run(gate, 3)
    tasks.append(asyncio.ensure_future(queue.run_first(gate, 4)))
    await begun(*tasks)
    with pytest.raises(LoginBusy):
        await queue.run_first(gate, 5)
    gate.open()
    assert [1, 2, 4] == await asyncio.gather(*tasks)
    assert [1, 4, 2] == gate.order
    queue.close()


async def test_a_turn_that_came_to_somebody_who_had_just_gone_goes_to_the_next(gate):
    queue = HashQueue(at_once=1, waiting=3, wait_seconds=20.0)
    tasks = [asyncio.ensure_future(queue.run(gate, number)) for number in (1, 2, 3)]
    await gate.someone_inside()
    await begun(*tasks)
    queue._give_turn()  # to the second, which is cancelled before it can take it
    tasks[1].cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[1]
    gate.open()
    assert [1, 3] == [await tasks[0], await tasks[2]]
    assert [1, 3] == gate.order
    queue.close()


async def test_two_waiters_that_go_at_once_take_nobodys_turn(gate):
    """Their futures are cancelled, and still stand in the lane when a turn is given."""
    queue = HashQueue(at_once=1, waiting=3, wait_seconds=20.0)
    tasks = [asyncio.ensure_future(queue.run(gate, number)) for number in (1, 2, 3)]
    await gate.someone_inside()
    await begun(*tasks)
    tasks[1].cancel()
    queue._give_turn()
    await begun(*tasks)
    gate.open()
    assert [1, 3] == [await tasks[0], await tasks[2]]
    assert 2 == queue._free  # the one that was given here, and the one that came back
    queue.close()


async def test_turns_come_back_however_they_were_used(queue, gate):
    gate.open()
    for number in range(20):
        lane = queue.run if number % 2 else queue.run_first
        await lane(gate, number)
    with pytest.raises(ValueError, match="invalid literal"):
        await queue.run_first(int, "x")
    assert (2, 0, 0) == (queue._free, len(queue._first), len(queue._second))


async def test_a_queue_that_was_closed_says_so(queue):
    queue.close()
    for lane in (queue.run, queue.run_first):
        with pytest.raises(RuntimeError, match="after shutdown"):
            await lane(int, "7")
    assert 2 == queue._free


async def test_hashes_run_after_everything_else_of_the_machine(queue):
    """On threads of their own: the rest of the process keeps its priority."""
    before = os.getpriority(os.PRIO_PROCESS, 0)

    def priority():
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    assert [19, 19] == [await queue.run(priority), await queue.run_first(priority)]
    assert before == os.getpriority(os.PRIO_PROCESS, os.getpid()) == os.getpriority(os.PRIO_PROCESS, 0)


async def test_where_priorities_may_not_be_set_hashes_run_all_the_same(queue, monkeypatch):
    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", refuse)
    assert 7 == await queue.run(int, "7")


@pytest.mark.parametrize(
    ("allowed", "used"), [({0, 1}, {1}), ({2, 5, 7}, {5, 7}), ({3}, None)], ids=["two", "three", "one"]
)
async def test_one_processor_is_left_to_everybody_else_where_there_is_another(monkeypatch, allowed, used):
    given, priorities = [], []
    monkeypatch.setattr(os, "sched_getaffinity", lambda _thread: allowed)
    monkeypatch.setattr(os, "sched_setaffinity", lambda thread, processors: given.append((thread, processors)))
    monkeypatch.setattr(os, "setpriority", lambda *words: priorities.append(words[2]))
    queue = HashQueue(at_once=1, waiting=1, wait_seconds=5)
    assert 42 == await queue.run(lambda: 42)
    queue.close()
    assert ([] if used is None else [(0, used)], [19]) == (given, priorities)
