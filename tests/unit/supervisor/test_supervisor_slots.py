"""What a place remembers of those who filled it."""

from types import SimpleNamespace

import pytest

from nbgate.supervisor.child import Role
from nbgate.supervisor.slots import Slot


def child(started_monotonic=0.0):
    return SimpleNamespace(started_monotonic=started_monotonic, is_ready=False)


@pytest.mark.parametrize(("slot", "name"), [(Slot(Role.KEEPER), "keeper"), (Slot(Role.WORKER, 2), "worker 2")])
def test_a_place_has_a_name(slot, name):
    assert name == slot.name


def test_a_place_counts_how_often_it_was_filled_again():
    slot = Slot(Role.WORKER, 1)
    restarts = [slot.restarts]
    for _ in range(3):
        slot.fill(child())
        restarts.append(slot.restarts)

    assert [0, 0, 1, 2] == restarts


def test_a_place_that_was_filled_well_once_remembers_it():
    slot, first = Slot(Role.WORKER, 1), child()
    slot.fill(first)
    assert not slot.was_ever_ready
    slot.mark_ready(first)
    slot.vacate(first, 1.0)

    assert first.is_ready
    assert slot.was_ever_ready
    assert slot.child is None


def test_a_place_is_filled_again_at_once_and_then_later_and_later():
    slot = Slot(Role.WORKER, 1)
    starts = []
    for now in (10.0, 20.0, 30.0):
        slot.vacate(child(started_monotonic=now - 1), now)
        starts.append(slot.start_at_monotonic)
    slot.defer(40.0)
    starts.append(slot.start_at_monotonic)

    assert [10.0, 20.1, 30.2, 40.4] == starts
