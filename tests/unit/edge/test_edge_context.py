"""What the connections of one worker share."""

import asyncio
from types import SimpleNamespace

import pytest
from msgspec import structs
from structlog.testing import capture_logs

from nbgate.clock import ManualClock
from nbgate.edge.context import WorkerContext
from nbgate.model.route import Route, Upstream
from nbgate.policy import Policy
from nbgate.reasons import Reason
from nbgate.routing.table import RouteTable


class Outbox:
    full_since_unix = 0.0


class Admission:
    def leave(self, ticket):
        """Take note that a connection is gone."""


class Connection:
    """Stands for a `ClientConnection` by its place."""

    ticket = None


class FakePolicy:
    """Stands for a `Policy` by the two things that are asked of it."""

    def __init__(self, failing=0.0):
        self.audit_failing_since_unix = failing

    def with_audit(self, since):
        return FakePolicy(since)


def made(policy: Policy | FakePolicy):
    return WorkerContext(
        loop=asyncio.get_running_loop(),
        clock=ManualClock(),
        policy=policy,
        client_heads=None,
        outbox=Outbox(),
        sessions=None,
        pool=None,
        penalties=None,
        admission=Admission(),
        refusals=None,
        random=bytes,
        suspect=lambda _route: None,
        id_prefix="abc123",
    )


@pytest.fixture
async def context():
    return made(FakePolicy())


async def test_request_ids_count_up_behind_the_prefix(context):
    assert ["abc123000001", "abc123000002"] == [context.next_request_id(), context.next_request_id()]
    context.requests = 0xFFFFFF
    assert "abc1231000000" == context.next_request_id()


@pytest.mark.parametrize(
    ("failing", "full", "expected"), [(0.0, 0.0, 0.0), (0.0, 7.0, 7.0), (5.0, 7.0, 5.0), (5.0, 0.0, 5.0)]
)
async def test_too_many_events_unacknowledged_count_as_a_failing_audit(failing, full, expected):
    context = made(FakePolicy(failing))
    context.outbox.full_since_unix = full
    assert expected == context.policy_now().audit_failing_since_unix
    assert failing == context.policy.audit_failing_since_unix


async def test_waiting_for_the_last_connection(context):
    first, second = Connection(), Connection()
    context.connections |= {first, second}
    waiting = asyncio.ensure_future(context.all_gone(5))
    await asyncio.sleep(0)
    context.gone(first)
    await asyncio.sleep(0)
    assert not waiting.done()
    context.gone(second)
    await waiting


async def test_a_connection_that_comes_while_the_last_one_goes_is_waited_for(context):
    first, second = Connection(), Connection()
    context.connections.add(first)
    waiting = asyncio.ensure_future(context.all_gone(5))
    await asyncio.sleep(0)
    context.gone(first)
    context.connections.add(second)
    for _ in range(3):
        await asyncio.sleep(0)
    assert not waiting.done()
    context.gone(second)
    await waiting


async def test_waiting_ends_in_time(context):
    context.connections.add(1)
    await context.all_gone(0.01)
    assert {1} == context.connections


async def test_a_task_is_kept_until_it_ends(context):
    event = asyncio.Event()
    context.spawn(event.wait())
    assert 1 == len(context._tasks)
    event.set()
    async with asyncio.timeout(5):
        while context._tasks:
            await asyncio.sleep(0)


async def test_a_task_that_breaks_is_told_in_the_log(context):
    async def broken():
        raise RuntimeError("injected")

    with capture_logs() as logs:
        context.spawn(broken())
        async with asyncio.timeout(5):
            while context._tasks:
                await asyncio.sleep(0)
    assert [("internal error", "injected")] == [(entry["event"], str(entry["exc_info"])) for entry in logs]


ROUTE = Route(name="lab", prefix="/lab/", upstream=Upstream(host="127.0.0.1", port=1))


def forwarded(route):
    return SimpleNamespace(forward=SimpleNamespace(route=route))


def routes_in_force(context, *routes):
    context.policy.places = SimpleNamespace(routes=RouteTable(routes))


@pytest.mark.parametrize(
    ("now", "elsewhere"),
    [
        ((ROUTE,), False),
        ((structs.replace(ROUTE, upstream=Upstream(host="127.0.0.1", port=1), allowed=("ada",)),), False),
        ((structs.replace(ROUTE, upstream=Upstream(host="127.0.0.1", port=2)),), True),
        ((structs.replace(ROUTE, name="other"),), True),
        ((), True),
    ],
)
async def test_a_route_leads_on_as_long_as_its_upstream_is_the_same(context, now, elsewhere):
    routes_in_force(context, *now)
    assert elsewhere == context.leads_elsewhere(forwarded(ROUTE))
    assert not context.leads_elsewhere(SimpleNamespace(forward=None))


@pytest.mark.parametrize(
    ("draining", "now", "reason"),
    [(True, (ROUTE,), Reason.DRAINING), (False, (ROUTE,), None), (False, (), Reason.ROUTE_CHANGED)],
)
async def test_a_websocket_that_comes_late_is_not_kept_for_nothing(context, draining, now, reason):
    context.draining = draining
    routes_in_force(context, *now)
    assert reason is context.no_longer_wants(forwarded(ROUTE))
