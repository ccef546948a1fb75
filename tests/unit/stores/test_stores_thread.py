"""Calls of a store run in order, on one thread that is not the loop's."""

import asyncio
import threading

import pytest

from nbgate.errors import StoreError
from nbgate.stores.thread import StoreThread


async def test_calls_run_in_order_on_one_other_thread():
    thread = StoreThread()
    seen = []

    def call(number, *, name):
        seen.append((number, name, threading.get_ident()))
        return number

    assert [0, 1, 2] == await asyncio.gather(*(thread.run(call, n, name="x") for n in range(3)))
    assert [(0, "x"), (1, "x"), (2, "x")] == [entry[:2] for entry in seen]
    assert 1 == len({ident for *_, ident in seen} - {threading.get_ident()})
    thread.close()


async def test_errors_reach_the_caller():
    thread = StoreThread()

    def call():
        raise StoreError("broken")

    with pytest.raises(StoreError):
        await thread.run(call)
    thread.close()


async def test_a_cancelled_caller_leaves_the_call_whole():
    thread = StoreThread()
    begun, go, done = threading.Event(), threading.Event(), threading.Event()

    def call():
        begun.set()
        go.wait(10)
        done.set()

    task = asyncio.ensure_future(thread.run(call))
    await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go.set()
    thread.close()
    assert done.is_set()
