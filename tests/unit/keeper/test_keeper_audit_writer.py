"""The audit of the keeper: one chain over faults, restarts and repeated sendings; nothing acknowledged that is not there."""

import asyncio
import errno
import json
import threading
from itertools import pairwise

import pytest

from nbgate.audit.chain import MAX_BODY_BYTES, verify_lines
from nbgate.audit.events import AuthLogin, HttpReject, HttpRequest, ProcessEvent, encode_event
from nbgate.clock import ManualClock
from nbgate.errors import AuditError, LinkError
from nbgate.keeper.audit_start import open_audit
from nbgate.sinks.segments import Disk

WORKER = "aaaaaaaaaaaaaaaa"


class BadDisk(Disk):
    """A disk that is full, or whose syncs fail or wait, when told so."""

    def __init__(self) -> None:
        self.room: int | None = None
        self.sync_fails = False
        self.syncs = 0
        self.sync_entered = threading.Event()
        self.sync_may_go = threading.Event()
        self.sync_may_go.set()

    def open(self, path, flags):
        if self.room == 0:
            raise OSError(errno.ENOSPC, "no space left")
        return super().open(path, flags)

    def write(self, descriptor, data):
        if self.room is None:
            return super().write(descriptor, data)
        if not self.room:
            raise OSError(errno.ENOSPC, "no space left")
        written = super().write(descriptor, data[: self.room])
        self.room -= written
        return written

    def sync(self, descriptor):
        self.syncs += 1
        self.sync_entered.set()
        assert self.sync_may_go.wait(20)
        if self.sync_fails:
            raise OSError(errno.EIO, "input/output error")
        super().sync(descriptor)


class World:
    """A log in a folder, and the keepers that write it one after the other."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self.disk = BadDisk()
        self.changes: list[float] = []
        self.keepers = 0
        self.writer = None

    def start(self, **options):
        self.keepers += 1
        self.writer = open_audit(
            self.folder,
            clock=self.clock,
            boot=f"keeper{self.keepers}",
            random=bytes(32),
            version="1.2.3",
            on_change=self.changes.append,
            disk=self.disk,
            **options,
        )
        return self.writer

    def lines(self):
        paths = sorted(self.folder.glob("*.jsonl"))
        return [line + b"\n" for path in paths for line in path.read_bytes().split(b"\n")[:-1]]

    def records(self):
        """All records; their chain is whole from genesis to the end, over all segments."""
        assert self.writer.next_seq == verify_lines(self.lines()).seq
        return [json.loads(line) for line in self.lines()]

    def actions(self):
        return [record["event.action"] for record in self.records()]

    def login(self, user="ada"):
        return AuthLogin(**self.writer.stamp(), client_ip="127.0.0.1", user=user)


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path / "audit")
    yield world
    world.disk.sync_may_go.set()


def requests(first, count, boot=WORKER):
    return [
        encode_event(
            HttpRequest(
                timestamp="t",
                monotonic_us=n,
                boot=boot,
                n=n,
                request_id=f"r{n}",
                client_ip="127.0.0.1",
                client_port=1,
                method="GET",
                path="/é",
                status=200,
                duration_ns=5,
            )
        )
        for n in range(first, first + count)
    ]


def numbers(world):
    return [record["nbgate.n"] for record in world.records() if record["nbgate.boot"] == WORKER]


# how a log begins and goes on


async def test_a_log_begins_with_genesis(world):
    await world.start().close()
    assert [
        {
            "seq": 0,
            "prev": "0" * 64,
            "event.action": "audit.genesis",
            "@timestamp": "2027-01-15T08:00:00.000000Z",
            "nbgate.monotonic_us": 1_000_000_000,
            "nbgate.boot": "keeper1",
            "nbgate.n": 1,
            "nbgate.audit.format": 1,
            "nbgate.audit.random": "00" * 32,
            "nbgate.version": "1.2.3",
        }
    ] == world.records()
    assert world.disk.syncs >= 1


async def test_a_new_keeper_goes_on_with_the_same_chain(world):
    await world.start().close()
    world.start().append(world.login())
    await world.writer.close()
    assert ["audit.genesis", "audit.continue", "auth.login"] == world.actions()
    assert "audit-000000000000.jsonl" == world.records()[1]["nbgate.audit.segment"]


async def test_a_torn_line_is_put_aside_and_said(world):
    await world.start().close()
    with (world.folder / "audit-000000000000.jsonl").open("ab") as file:
        file.write(b'{"seq":1,"pr')
    await world.start().close()
    assert ["audit.genesis", "audit.continue", "audit.recovered"] == world.actions()
    assert 12 == world.records()[2]["nbgate.audit.count"]
    assert b'{"seq":1,"pr' == (world.folder / "audit-000000000000.torn").read_bytes()


async def test_a_torn_genesis_is_begun_again(world):
    world.folder.mkdir(mode=0o700)
    path = world.folder / "audit-000000000000.jsonl"
    path.write_bytes(b'{"seq":0')
    path.chmod(0o600)
    await world.start().close()
    assert ["audit.genesis", "audit.recovered"] == world.actions()


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace(b"ada", b"eve", 1),
        lambda text: text.split(b"\n", 1)[1],
        lambda text: text + b"hello\n",
        lambda text: b"".join(sorted(text.splitlines(keepends=True), reverse=True)),
    ],
    ids=["edited", "first line gone", "foreign line", "order"],
)
async def test_no_keeper_writes_after_an_end_that_does_not_hold(world, damage):
    writer = world.start()
    writer.append(world.login())
    writer.append(world.login("bob"))
    await writer.close()
    path = world.folder / "audit-000000000000.jsonl"
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    with pytest.raises(AuditError, match="does not continue its own chain"):
        world.start()
    assert damaged == path.read_bytes()


async def test_a_log_that_cannot_be_opened_or_written_stops_the_start(world):
    world.folder.mkdir(mode=0o755)
    world.folder.chmod(0o755)
    with pytest.raises(AuditError, match="cannot be opened") as caught:
        world.start()
    assert "chmod 700" in caught.value.hint
    world.folder.chmod(0o700)
    world.disk.room = 10
    with pytest.raises(AuditError, match="cannot be written"):
        world.start()
    world.disk.room, world.disk.sync_fails = None, True
    with pytest.raises(AuditError, match="cannot be opened"):
        world.start()


# records of workers


async def test_worker_records_are_written_once_and_acknowledged(world):
    writer = world.start()
    assert 3 == writer.append_worker_records(WORKER, 1, requests(1, 3))
    assert 3 == writer.append_worker_records(WORKER, 2, requests(2, 2))
    assert 5 == writer.append_worker_records(WORKER, 2, requests(2, 4))
    assert 5 == writer.append_worker_records(WORKER, 6, [])
    assert [1, 2, 3, 4, 5] == numbers(world)
    assert "/é" == world.records()[1]["url.path"]
    await writer.close()


async def test_records_are_not_taken_twice_by_the_next_keeper(world):
    first = world.start()
    first.append_worker_records(WORKER, 1, requests(1, 3))
    await first.close()
    writer = world.start()
    assert 4 == writer.append_worker_records(WORKER, 1, requests(1, 4))
    assert [1, 2, 3, 4] == numbers(world)
    await writer.close()


async def test_records_are_not_taken_twice_after_a_new_segment_and_a_new_keeper(world):
    writer = world.start(max_segment_bytes=100)
    writer.append_worker_records(WORKER, 1, requests(1, 3))
    writer.append(world.login())
    await writer.close()
    writer = world.start()
    assert 3 == writer.append_worker_records(WORKER, 1, requests(1, 3))
    assert [1, 2, 3] == numbers(world)
    await writer.close()


async def test_records_that_come_before_others_that_are_missing_wait_for_them(world):
    writer = world.start()
    assert 2 == writer.append_worker_records(WORKER, 1, requests(1, 2))
    assert 2 == writer.append_worker_records(WORKER, 4, requests(4, 2))
    assert 5 == writer.append_worker_records(WORKER, 3, requests(3, 3))
    assert [1, 2, 3, 4, 5] == numbers(world)
    await writer.close()


async def test_a_worker_unknown_to_the_log_begins_where_it_says(world):
    writer = world.start()
    assert 6 == writer.append_worker_records(WORKER, 7, [])
    assert 8 == writer.append_worker_records(WORKER, 7, requests(7, 2))
    assert [7, 8] == numbers(world)
    await writer.close()


LOGIN = AuthLogin(timestamp="t", monotonic_us=1, boot=WORKER, n=2, client_ip="127.0.0.1", user="ada")
PROCESS = ProcessEvent(timestamp="t", monotonic_us=1, boot=WORKER, n=2, role="worker", pid=1, message="started")
LONG = HttpReject(
    timestamp="t",
    monotonic_us=1,
    boot=WORKER,
    n=2,
    client_ip="127.0.0.1",
    client_port=1,
    status=400,
    reason="x" * MAX_BODY_BYTES,
    request_id="1",
)
BAD_BODIES = {
    "no JSON": b"hello",
    "not UTF-8": requests(2, 1)[0].replace(b"GET", b"\xff\xff\xff"),
    "nested without end": requests(2, 1)[0][:-1] + b',"x":' + b"[" * 10000,
    "half a surrogate": requests(2, 1)[0].replace(b"GET", b"\\ud800"),
    "an event of the keeper's": encode_event(LOGIN),
    "the end of a process, which the supervisor tells": encode_event(PROCESS),
    "another number": requests(3, 1)[0],
    "another process": requests(2, 1, boot="bbbb")[0],
    "a field too many": requests(2, 1)[0][:-1] + b',"seq":5}',
    "too long": encode_event(LONG),
    "two at once": requests(2, 1)[0] + requests(3, 1)[0],
}


@pytest.mark.parametrize("bad", BAD_BODIES.values(), ids=BAD_BODIES)
async def test_a_worker_that_sends_anything_else_loses_its_link(world, bad):
    writer = world.start()
    good = requests(1, 3)
    with pytest.raises(LinkError):
        writer.append_worker_records(WORKER, 1, [good[0], bad, good[2]])
    assert [1] == numbers(world)
    assert ["audit.genesis", "http.request"] == world.actions()
    await writer.close()


async def test_no_worker_speaks_in_the_keepers_name(world):
    writer = world.start()
    with pytest.raises(LinkError, match="keeper's name"):
        writer.append_worker_records("keeper1", 9, requests(9, 1, boot="keeper1"))
    await writer.close()


async def test_what_a_worker_sends_is_written_as_we_would_have_written_it(world):
    writer = world.start()
    body = requests(1, 1)[0]
    spaced = body.replace(b'","', b'" , "').replace(b"GET", b"\\u0047ET")
    writer.append_worker_records(WORKER, 1, [spaced])
    assert world.lines()[1].endswith(body[1:].replace("é".encode(), b"\\u00e9") + b"\n")
    await writer.close()


# durable


async def test_a_durable_record_is_on_the_disk_before_the_call_returns(world):
    writer = world.start()
    world.disk.sync_may_go.clear()
    world.disk.sync_entered.clear()
    task = asyncio.ensure_future(writer.append_durable(world.login()))
    await asyncio.to_thread(world.disk.sync_entered.wait, 20)
    assert not task.done()
    assert "auth.login" == world.actions()[-1]
    world.disk.sync_may_go.set()
    await task
    await writer.close()


async def test_all_who_wait_share_a_sync(world):
    writer = world.start()
    before = world.disk.syncs
    world.disk.sync_may_go.clear()
    world.disk.sync_entered.clear()
    first = asyncio.ensure_future(writer.append_durable(world.login()))
    await asyncio.to_thread(world.disk.sync_entered.wait, 20)
    others = [asyncio.ensure_future(writer.append_durable(world.login())) for _ in range(20)]
    await asyncio.sleep(0)
    others[3].cancel()
    world.disk.sync_may_go.set()
    done = await asyncio.gather(first, *others, return_exceptions=True)
    assert [asyncio.CancelledError] == [type(result) for result in done if result is not None]
    assert before + 2 == world.disk.syncs
    await writer.close()


async def test_the_rest_is_made_durable_by_the_next_tick(world):
    writer = world.start()
    before = world.disk.syncs
    await writer.tick()
    await writer.tick()
    writer.append(world.login())
    assert before + 1 == world.disk.syncs  # the start's own records
    await writer.tick()
    await writer.tick()
    assert before + 2 == world.disk.syncs
    await writer.close()
    assert before + 2 == world.disk.syncs


async def test_run_ticks_when_there_is_something_to_do(world):
    writer = world.start()
    await writer.tick()
    before = world.disk.syncs
    world.disk.sync_entered.clear()
    task = asyncio.ensure_future(writer.run(interval_seconds=0.001))
    writer.append(world.login())
    await asyncio.to_thread(world.disk.sync_entered.wait, 20)
    assert before + 1 == world.disk.syncs
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await writer.close()


async def test_run_tries_again_until_it_can_write(world):
    writer = world.start()
    tried, recovered, tick = asyncio.Event(), asyncio.Event(), writer.tick

    async def counted():
        await tick()
        (tried if writer.failing_since_unix else recovered).set()

    writer.tick = counted
    world.disk.room = 0
    writer.append(world.login())
    task = asyncio.ensure_future(writer.run(interval_seconds=0.001))
    await asyncio.wait_for(tried.wait(), 20)
    world.disk.room = None
    world.clock.advance(1.0)
    await asyncio.wait_for(recovered.wait(), 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await writer.close()
    assert ["audit.genesis", "audit.continue", "audit.gap"] == world.actions()


async def test_run_makes_durable_what_was_written_during_a_sync(world):
    writer = world.start()
    await writer.tick()
    before = world.disk.syncs
    world.disk.sync_may_go.clear()
    world.disk.sync_entered.clear()
    durable = asyncio.ensure_future(writer.append_durable(world.login()))
    await asyncio.to_thread(world.disk.sync_entered.wait, 20)
    writer.append(world.login())
    task = asyncio.ensure_future(writer.run(interval_seconds=0.0))
    for _ in range(4):
        await asyncio.sleep(0)
    world.disk.sync_entered.clear()
    world.disk.sync_may_go.set()
    await durable
    await asyncio.to_thread(world.disk.sync_entered.wait, 20)
    assert before + 2 == world.disk.syncs
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await writer.close()


async def test_what_is_written_during_the_last_sync_is_made_durable_too(world):
    writer = world.start()
    world.disk.sync_may_go.clear()
    world.disk.sync_entered.clear()
    closing = asyncio.ensure_future(writer.close())
    await asyncio.to_thread(world.disk.sync_entered.wait, 20)
    before = world.disk.syncs
    writer.append(world.login())
    world.disk.sync_may_go.set()
    await closing
    assert before + 1 == world.disk.syncs


# when the disk fails


@pytest.mark.parametrize("room", [0, 1, 100, 300])
async def test_a_full_disk_is_told_survived_and_counted(world, room):
    writer = world.start()
    writer.append(world.login("before"))
    failed_at = world.clock.unix()
    world.disk.room = room
    assert 0 == writer.append_worker_records(WORKER, 1, requests(1, 3))
    writer.append(world.login("lost"))
    with pytest.raises(AuditError, match="cannot be written"):
        await writer.append_durable(world.login("refused"))
    assert (failed_at, [failed_at]) == (writer.failing_since_unix, world.changes)

    world.clock.advance(30.0)
    assert 0 == writer.append_worker_records(WORKER, 1, requests(1, 3))
    world.disk.room = None
    assert 0 == writer.append_worker_records(WORKER, 1, requests(1, 3))  # tried less than a second ago
    world.clock.advance(1.0)
    assert 3 == writer.append_worker_records(WORKER, 1, requests(1, 3))
    assert (0.0, [failed_at, 0.0]) == (writer.failing_since_unix, world.changes)
    writer.append(world.login("after"))
    await writer.close()

    assert ["audit.genesis", "auth.login", "audit.continue", "audit.gap", *["http.request"] * 3, "auth.login"] == (
        world.actions()
    )
    gap = world.records()[3]
    assert 2 == gap["nbgate.audit.count"]
    assert gap["message"].startswith("not writable since 2027-01-15T08:00:00.000000Z: [Errno 28] no space left; ")
    assert b'{"seq":2,' == (world.folder / "audit-000000000002.jsonl").read_bytes()[:9]


async def test_a_log_that_failed_goes_on_in_a_new_segment(world):
    writer = world.start()
    world.disk.room = 0
    writer.append(world.login())
    world.disk.room = None
    world.clock.advance(1.0)
    await writer.tick()
    assert "audit-000000000001.jsonl" == writer.segment
    assert "audit-000000000000.jsonl" == world.records()[1]["nbgate.audit.segment"]
    await writer.close()
    await world.start().close()
    assert ["audit.genesis", "audit.continue", "audit.gap", "audit.continue"] == world.actions()


async def test_an_event_that_comes_first_after_the_outage_is_kept(world):
    writer = world.start()
    world.disk.room = 0
    writer.append(world.login("lost"))
    world.disk.room = None
    world.clock.advance(1.0)
    await writer.append_durable(world.login("kept"))
    assert ["audit.genesis", "audit.continue", "audit.gap", "auth.login"] == world.actions()
    assert "kept" == world.records()[-1]["user.name"]
    await writer.close()


async def test_a_failed_sync_refuses_all_who_wait_and_leaves_the_segment_for_ever(world):
    """F21: the kernel reports a lost write once; a second sync of the same file would report success."""
    writer = world.start()
    world.disk.sync_fails = True
    waiting = [asyncio.ensure_future(writer.append_durable(world.login())) for _ in range(3)]
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [AuditError] * 3 == [type(result) for result in results]
    assert world.clock.unix() == writer.failing_since_unix
    world.disk.sync_fails = False
    with pytest.raises(AuditError):
        await writer.append_durable(world.login())
    world.clock.advance(1.0)
    await writer.append_durable(world.login())
    gap = next(record for record in world.records() if record["event.action"] == "audit.gap")
    assert 1 == gap["nbgate.audit.count"]
    assert gap["message"].endswith("[Errno 5] input/output error; 4 records before that may be lost too")
    assert "audit-000000000004.jsonl" == writer.segment
    await writer.close()


async def test_a_new_segment_that_cannot_be_made_durable_is_not_believed(world):
    writer = world.start()
    world.disk.room = 0
    writer.append(world.login())
    world.disk.room, world.disk.sync_fails = None, True
    world.clock.advance(1.0)
    await writer.tick()
    assert writer.failing_since_unix
    world.disk.sync_fails = False
    world.clock.advance(1.0)
    await writer.tick()
    assert 0.0 == writer.failing_since_unix
    assert ["audit.genesis", "audit.continue", "audit.gap"] == world.actions()
    assert ["audit-000000000001.torn"] == [path.name for path in world.folder.glob("*.torn")]
    await writer.close()


async def test_a_write_that_fails_refuses_those_who_wait_for_an_earlier_sync(world):
    writer = world.start()
    world.disk.sync_may_go.clear()
    world.disk.sync_entered.clear()
    waiting = asyncio.ensure_future(writer.append_durable(world.login()))
    cancelled = asyncio.ensure_future(writer.append_durable(world.login()))
    await asyncio.to_thread(world.disk.sync_entered.wait, 20)
    cancelled.cancel()
    await asyncio.wait([cancelled])
    world.disk.room = 0
    writer.append(world.login())
    with pytest.raises(AuditError):
        await waiting
    world.disk.room = None
    world.disk.sync_may_go.set()
    world.clock.advance(1.0)
    await writer.tick()
    await writer.append_durable(world.login())
    await writer.close()
    assert "auth.login" == world.actions()[-1]


async def test_a_sync_of_a_segment_given_up_says_nothing_of_the_next(world):
    writer = world.start()
    world.disk.sync_may_go.clear()
    world.disk.sync_entered.clear()
    world.disk.sync_fails = True
    waiting = asyncio.ensure_future(writer.append_durable(world.login()))
    await asyncio.to_thread(world.disk.sync_entered.wait, 20)
    world.disk.room = 0
    writer.append(world.login())
    assert 1 == len(world.changes)
    world.disk.sync_may_go.set()
    with pytest.raises(AuditError):
        await waiting
    await asyncio.wait([writer._syncing] if writer._syncing else [asyncio.ensure_future(asyncio.sleep(0))])
    await asyncio.sleep(0)
    assert 1 == len(world.changes)
    world.disk.room, world.disk.sync_fails = None, False
    await writer.close()


async def test_closing_while_the_disk_is_full_ends(world):
    writer = world.start()
    world.disk.room = 0
    writer.append(world.login())
    await writer.close()
    assert ["audit.genesis"] == [json.loads(line)["event.action"] for line in world.lines()]


# rotation


async def test_a_full_segment_is_followed_by_another(world):
    writer = world.start(max_segment_bytes=1000)
    for _ in range(12):
        writer.append(world.login())
    await writer.close()
    names = sorted(path.name for path in world.folder.iterdir())
    assert len(names) >= 3
    by_seq = {record["seq"]: record for record in world.records()}
    for before, name in pairwise(names):
        first = by_seq[int(name[6:18])]
        assert ("audit.continue", before) == (first["event.action"], first["nbgate.audit.segment"])


async def test_rotation_owes_nothing_to_the_segment_it_leaves(world):
    writer = world.start(max_segment_bytes=100)
    world.disk.sync_fails = True
    writer.append(world.login())
    assert writer.failing_since_unix
    assert ["audit.genesis"] == [json.loads(line)["event.action"] for line in world.lines()]
    world.disk.sync_fails = False
    world.clock.advance(1.0)
    await writer.append_durable(world.login())
    assert ["audit.genesis", "audit.continue", "audit.gap", "audit.continue", "auth.login"] == world.actions()
    await writer.close()
