"""A worker and the keeper as one gateway under a clock that the test moves, with accounts of every kind."""

import pytest
from people import Browser

from nbgate.testing.one_loop import OneLoop
from nbgate.testing.stub_upstream import StubUpstream


@pytest.fixture
def stub():
    with StubUpstream().in_thread() as running:
        yield running


@pytest.fixture
def gateway(stub, tmp_path):
    """Give a gateway whose user is `ada`; it counts the passwords it checks in `hashed`."""
    with OneLoop(tmp_path, stub.port) as running:
        running.hashed = counted(running.rig.hashes)
        running.add_user()
        running.hashed.clear()
        yield running


@pytest.fixture
def browser(gateway):
    return Browser(gateway)


def counted(hashes):
    """Have `hashes` note what it runs, and return where."""
    seen, run = [], hashes.run

    async def noting(call, *args, **options):
        seen.append((call.__name__, args))
        return await run(call, *args, **options)

    hashes.run = noting
    return seen
