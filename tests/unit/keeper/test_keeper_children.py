import pytest

from nbgate import __version__
from nbgate.keeper.children import Children
from nbgate.link.messages import ChildEvent


@pytest.fixture
def children(rig):
    return Children(rig.audit)


def started(role="worker", worker=1, pid=100, restarts=0):
    return ChildEvent(role=role, worker=worker, pid=pid, what="started", restarts=restarts, at_unix=1_800_000_000.0)


def exited(pid=100, status=0):
    return ChildEvent(role="worker", worker=1, pid=pid, what="exited", status=status, at_unix=1_800_000_000.0)


async def test_who_runs_is_remembered_the_keeper_first(children):
    for event in (started(worker=2, pid=102), started("keeper", 0, 99), started(pid=101)):
        children.take(event)
    assert [99, 101, 102] == [event.pid for event in children.running()]
    children.take(exited(pid=101))
    children.take(exited(pid=55))
    assert [99, 102] == [event.pid for event in children.running()]


async def test_the_process_in_a_workers_place_is_known(children):
    assert not children.is_running(1, 100)
    children.take(started(pid=100))
    assert (True, False) == (children.is_running(1, 100), children.is_running(1, 101))


async def test_an_end_told_late_removes_no_successor(children):
    children.take(started(pid=100))
    children.take(started(pid=101, restarts=1))
    children.take(exited(pid=100, status=137))
    assert [101] == [event.pid for event in children.running()]


@pytest.mark.parametrize(("status", "reason"), [(0, "ended"), (1, "crashed"), (137, "killed")])
async def test_an_end_is_recorded_with_its_reason_and_its_own_time(rig, children, status, reason):
    rig.clock.advance(100)
    children.take(exited(status=status))
    (record,) = rig.sink.records("process")
    assert ("worker", 100, 1, "exited", status, reason, "2027-01-15T08:00:00.000000Z") == (
        record["nbgate.process.role"],
        record["process.pid"],
        record["nbgate.process.worker"],
        record["message"],
        record["process.exit_code"],
        record["event.reason"],
        record["@timestamp"],
    )


async def test_a_beginning_is_recorded_with_the_version(rig, children):
    children.take(ChildEvent(role="keeper", worker=0, pid=9, what="started"))
    (record,) = rig.sink.records("process")
    assert (__version__, "started") == (record["nbgate.version"], record["message"])
    assert not {"nbgate.process.worker", "process.exit_code", "event.reason"} & set(record)


async def test_one_that_runs_since_an_earlier_keeper_is_remembered_and_not_recorded_again(rig, children):
    children.take(ChildEvent(role="worker", worker=1, pid=100, what="running"))

    assert [100] == [event.pid for event in children.running()]
    assert [] == rig.sink.records("process")
