"""What passes between the supervisor and its children."""

import os
import select
import signal

import pytest

from nbgate.errors import ExitCode
from nbgate.supervisor import family as family_module
from nbgate.supervisor.family import MAX_WAITING_EVENTS


def test_events_wait_for_a_keeper_and_beyond_the_bound_the_oldest_is_forgotten(supervise, monkeypatch):
    house = supervise(keeper="forever()")
    house.until_logged("worker1 start")
    for number in range(MAX_WAITING_EVENTS + 5):
        house.family._note(house.family.workers[0], number, "started")

    assert list(range(5, MAX_WAITING_EVENTS + 5)) == [event.pid for event in house.family._waiting]


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("control.send(WorkerReady())", id="a keeper that says it is a worker"),
        pytest.param("control._sock.send(b'\\xff' * 8)", id="garbage"),
    ],
)
def test_a_child_that_breaks_the_protocol_is_killed(supervise, script):
    house = supervise(keeper=f"{script}\nforever()")

    assert ExitCode.FAILURE == house.until_over()
    assert "nbgate: keeper was ended by signal 9 (Killed) before it was ready" in house.said


def test_a_child_that_breaks_the_protocol_later_is_killed_and_replaced(supervise, tmp_path):
    gate = tmp_path / "gate"
    house = supervise(
        worker=f"""
        control.send(WorkerReady())
        while not os.path.exists({str(gate)!r}): pass
        control._sock.send(b"\\xff" * 8)
        forever()
        """
    )
    house.until_said("listening")
    gate.touch()
    house.until(lambda: house.family.workers[0].starts == 2)

    assert "nbgate: worker 1 was ended by signal 9 (Killed); starting another" in house.said


def test_a_child_that_shuts_its_link_and_stays_is_killed_after_a_moment(supervise, monkeypatch):
    monkeypatch.setattr(family_module, "SHUT_LINK_GRACE_SECONDS", 0.05)
    house = supervise(worker="control.send(WorkerReady())\ncontrol.close()\nforever()")
    house.until(lambda: house.family.workers[0].starts == 2)

    assert "nbgate: worker 1 was ended by signal 9 (Killed); starting another" in house.said


def test_a_child_that_shuts_its_link_and_then_ends_keeps_its_exit_code(supervise):
    house = supervise(keeper="control.close()\nsys.exit(73)")

    assert 73 == house.until_over()


def test_what_a_child_said_last_is_heard_before_its_end(supervise):
    house = supervise(worker="control.send(WorkerReady())\nsys.exit(78)")
    house.until(lambda: house.family.workers[0].starts == 2)

    assert house.family.workers[0].was_ever_ready


def test_what_a_child_said_last_is_heard_even_where_its_end_is_seen_first(supervise):
    house = supervise(worker="control.send(WorkerReady())\nsys.exit(0)")
    house.supervisor._converge()
    (slot,) = house.family.workers
    child = slot.child
    assert [child.pidfd] == select.select([child.pidfd], [], [], 20)[0]
    house.family._reap(slot, child)

    assert slot.was_ever_ready
    assert child.control.is_closed


def test_one_killed_by_what_it_says_is_not_listened_to_any_more(supervise):
    house = supervise(keeper="control.send(KeeperReady(users=1))\nforever()")
    house.until_said("listening")
    keeper = house.family.keeper
    child = keeper.child
    house.family._break(child)
    house.family._break(child)
    house.family._watch(keeper, child)
    house.until(lambda: keeper.starts == 2)


def test_one_that_does_not_read_is_killed_and_replaced(supervise):
    house = supervise(keeper="control.send(KeeperReady(users=1))\nforever()")
    house.until_said("listening")
    keeper = house.family.keeper
    while keeper.child and not keeper.child.control.is_closed:
        house.family._note(house.family.workers[0], 1, "started")
    house.until(lambda: keeper.starts == 2)


def test_what_a_child_does_not_read_at_once_it_reads_later(supervise, tmp_path):
    gate = tmp_path / "gate"
    house = supervise(
        keeper=f"""
        control.send(KeeperReady(users=1))
        while not os.path.exists({str(gate)!r}): pass
        list(heard())
        """
    )
    house.until_said("listening")
    child = house.family.keeper.child
    sent = 0
    while not child.control.wants_write:
        house.family._note(house.family.workers[0], sent, "waiting")
        sent += 1
    gate.touch()
    house.until_logged("what='waiting'", sent)

    assert not child.control.wants_write


def test_a_child_that_goes_while_something_waits_for_it_is_replaced(supervise):
    house = supervise(keeper="control.send(KeeperReady(users=1))\nforever()")
    house.until_said("listening")
    child = house.family.keeper.child
    while not child.control.wants_write:
        house.family._note(house.family.workers[0], 1, "waiting")
    os.kill(child.pid, signal.SIGKILL)
    house.until(lambda: house.family.keeper.starts == 2)


def test_nothing_can_be_sent_to_one_that_is_about_to_be_replaced(supervise):
    house = supervise(worker="control.send(WorkerReady())\nforever()")
    house.until_said("listening")
    child = house.family.keeper.child
    house.family._break(child)
    read, write = os.pipe()

    assert not house.family.send(house.family.keeper, child, family_module.LinkKeeper(), write)
    assert not house.family.send(house.family.keeper, child, family_module.LinkKeeper())
    assert b"" == os.read(read, 1)
    os.close(read)
