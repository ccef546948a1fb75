"""The records of refusals, and how many of them strangers can cause (THREATS T40)."""

import asyncio

import pytest

from nbgate.audit.events import HttpReject, decode_worker_event
from nbgate.clock import ManualClock
from nbgate.edge.outbox import Outbox
from nbgate.edge.refusals import Refusals
from nbgate.model.client import make_client
from nbgate.reasons import Reason

ADA, EVE = make_client("192.0.2.1", 5), make_client("2001:db8:1:2:3::4", 6)


class Rig:
    """Refusals with the bodies of their events."""

    def __init__(self, told):
        self.clock = ManualClock()
        self.outbox = Outbox(
            loop=asyncio.get_running_loop(), clock=self.clock, boot="0" * 16, send=lambda _records: None
        )
        self.refusals = Refusals(self.outbox, self.clock, told)

    def events(self):
        found = [decode_worker_event(body) for _, body in self.outbox._unacked]
        assert all(isinstance(event, HttpReject) and event.outcome == "failure" for event in found)
        return [(event.client_ip, event.client_port, event.reason, event.status, event.count) for event in found]


@pytest.fixture
async def rig():
    return Rig(told=2)


def refuse(rig, client=ADA, reason=Reason.HANDSHAKE_FAILED, status=0, *, is_stranger=True):
    rig.refusals.reject(client, reason, status, "id", is_stranger=is_stranger)


async def test_the_first_are_told_and_the_others_summed_up_by_reason_and_status(rig):
    for status in (400, 400, 400, 431, 400):
        refuse(rig, reason=Reason.BAD_HEADER, status=status)
    refuse(rig, client=EVE)
    assert 3 == len(rig.events())
    rig.clock.advance(60)
    rig.refusals.sum_up()
    assert [("192.0.2.1", "bad-header", 400, 2), ("192.0.2.1", "bad-header", 431, 1)] == [
        (ip, reason, status, count) for ip, _, reason, status, count in rig.events()[3:]
    ]
    assert 6 == sum(event[-1] for event in rig.events()) == rig.refusals.count


async def test_a_sum_of_an_ipv6_netblock_names_where_it_begins(rig):
    for _ in range(3):
        refuse(rig, client=EVE)
    rig.refusals.sum_up(everything=True)
    assert "2001:db8:1:2::" == rig.events()[-1][0]


async def test_what_somebody_with_a_session_did_is_told_one_by_one(rig):
    for _ in range(5):
        refuse(rig, is_stranger=False)
    assert 5 == len(rig.events())
    assert 0 == rig.refusals.count


async def test_before_the_minute_is_over_nothing_is_summed_up_and_at_the_end_everything(rig):
    for _ in range(4):
        refuse(rig)
    rig.refusals.sum_up()
    assert 2 == len(rig.events())
    rig.refusals.sum_up(everything=True)
    assert 2 == rig.events()[-1][-1]


async def test_another_bound_counts_from_the_next_refusal(rig):
    rig.refusals.load(4)
    for _ in range(5):
        refuse(rig)
    assert 4 == len(rig.events())


async def test_a_million_refusals_are_a_handful_of_records(rig):
    for _ in range(100_000):
        refuse(rig)
    rig.refusals.sum_up(everything=True)
    assert 3 == len(rig.events())
    assert 99_998 == rig.events()[-1][-1]
