import asyncio

import pytest
from structlog.testing import capture_logs

from nbgate.errors import StoreError
from nbgate.keeper.errands import Errands


@pytest.fixture
def errands():
    return Errands()


async def test_what_is_begun_is_done_beside_everything_else(errands):
    done, may_go_on = [], asyncio.Event()

    async def errand(number):
        await may_go_on.wait()
        done.append(number)
        if number == 1:
            errands.run(errand(2))

    errands.run(errand(1))
    assert [] == done
    may_go_on.set()
    await errands.done()
    assert [1, 2] == done
    await errands.done()


async def test_a_failure_of_ours_is_said_and_ends_there(errands):
    async def failing():
        raise StoreError("the store cannot be written", hint="is the disk full?")

    with capture_logs() as said:
        errands.run(failing())
        await errands.done()
    assert [("the store cannot be written", "is the disk full?")] == [(each["error"], each["hint"]) for each in said]
