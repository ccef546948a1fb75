import asyncio
import contextlib
import json
import os
import signal
import socket

import aiohttp
import msgspec
import pytest
import structlog
import trustme

from nbgate.config.document import Source
from nbgate.config.schema import Config, Login
from nbgate.errors import (
    AuditError,
    ConfigError,
    ExitCode,
    LinkError,
    LoginThrottled,
    Problem,
    StartError,
    StoreError,
)
from nbgate.keeper import process as subject
from nbgate.keeper.login import LoginAttempt
from nbgate.keeper.offline import offline_accounts
from nbgate.keeper.process import Apps, KeeperProcess, exit_code_of, link_worker, repeat, run_keeper
from nbgate.link.channel import open_link
from nbgate.link.control import ControlLink
from nbgate.link.messages import (
    MAX_TO_WORKER_BYTES,
    ChildEvent,
    DrainAsked,
    FirstUser,
    KeeperReady,
    KillWorker,
    LinkWorker,
    Listening,
    ReloadAsked,
    Reloaded,
    SessionAnswer,
    SessionAsk,
    Snapshot,
    ToSupervisor,
    ToWorker,
    WorkerHello,
)
from nbgate.reasons import Reason
from nbgate.testing.keeper_parts import PASSWORD, FakeLink
from nbgate.web.control import make_control_app
from nbgate.web.pages import make_pages_app

APPS = Apps(make_pages_app, make_control_app)
CHEAP = "[login]\nmemory_kib = 8192\ntime_cost = 1\n[probe]\nretry_seconds = 1000.0\n"


@pytest.fixture(autouse=True)
def plain_log():
    yield
    structlog.reset_defaults()


@pytest.fixture
def source(tmp_path, monkeypatch):
    """Return a configuration whose upstream is a port on which nothing listens."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "none"))
    pem = tmp_path / "gw.pem"
    pem.touch(mode=0o600)
    trustme.CA().issue_cert("gw.test").private_key_and_cert_chain_pem.write_to_path(str(pem))
    (tmp_path / "nbgate.toml").write_text(CHEAP)
    flags = {"upstream": "localhost:1", "cert": str(pem), "data_dir": str(tmp_path / "data")}
    return Source(config=str(tmp_path / "nbgate.toml"), flags=flags, folder=str(tmp_path))


class Supervisor:
    """The other end of a keeper's control link, and the keeper itself in a task."""

    def __init__(self, source):
        self.heard = asyncio.Queue()
        ours, theirs = socket.socketpair()
        self.link = ControlLink(
            ours, receives=ToSupervisor, on_message=lambda message, _: self.heard.put_nowait(message), on_lost=print
        )
        self.keeper = KeeperProcess(theirs)
        self.task = asyncio.ensure_future(self.keeper.run(msgspec.json.encode(source).decode(), APPS))

    async def hear(self):
        async with asyncio.timeout(10):
            said = asyncio.ensure_future(self.heard.get())
            await asyncio.wait([said, self.task], return_when=asyncio.FIRST_COMPLETED)
            if not said.done():
                said.cancel()
                await self.task
            return said.result()

    async def end(self):
        self.link.send(DrainAsked(deadline_seconds=0.0))
        async with asyncio.timeout(10):
            code = await self.task
        self.link.close()
        return code

    async def link_worker(self, number=1, pid=10):
        """Give the keeper a link to a worker; return the worker's end and what arrives there."""
        ours, theirs = socket.socketpair()
        self.link.send(LinkWorker(worker=number, pid=pid), theirs.detach())
        arrived = asyncio.Queue()
        link = await open_link(
            ours,
            receives=ToWorker,
            max_bytes=MAX_TO_WORKER_BYTES,
            on_message=arrived.put_nowait,
            on_lost=arrived.put_nowait,
        )
        return link, arrived


@pytest.fixture
async def supervisor(source):
    made = Supervisor(source)
    yield made
    if not made.task.done():
        await made.end()


async def call(folder, method, path, body=None):
    key = (folder / "control.key").read_text().strip()
    headers = {"Authorization": f"control {key}", "Content-Type": "application/json"}
    connector = aiohttp.UnixConnector(str(folder / "control.sock"))
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.request(method, f"http://localhost{path}", data=body and json.dumps(body), headers=headers) as answer,
    ):
        return answer.status, await answer.json()


def cheap(folder) -> Config:
    """The configuration of commands, whose hashes cost little."""
    return Config(data_dir=str(folder), login=Login(memory_kib=8192, time_cost=1))


def records(folder, action):
    lines = [line for path in sorted((folder / "audit").glob("*.jsonl")) for line in path.read_text().splitlines()]
    return [record for record in map(json.loads, lines) if record["event.action"] == action]


async def test_a_keeper_lives_from_ready_to_drain(supervisor, tmp_path):
    folder = tmp_path / "data"
    assert KeeperReady(users=0) == await supervisor.hear()
    status, answer = await call(folder, "POST", "/users", {"name": "ada", "password": PASSWORD})
    assert (201, "added") == (status, answer["message"])
    supervisor.link.send(ChildEvent(role="keeper", worker=0, pid=9, what="started", at_unix=1.0))
    supervisor.link.send(Listening(urls=("https://localhost:8443/",)))
    link, arrived = await supervisor.link_worker()
    link.send(WorkerHello(pid=10, boot="b", confinement=("landlock",)))
    link.send(SessionAsk(id=b"?" * 32))
    snapshot = await arrived.get()
    assert isinstance(snapshot, Snapshot)
    assert (1, str(folder / "pages.sock")) == (snapshot.worker, snapshot.routes[1].upstream.path)
    assert SessionAnswer(id=b"?" * 32, session=None) == await arrived.get()
    _, shown = await call(folder, "GET", "/status")
    assert (["https://localhost:8443/"], 1, "down") == (
        shown["listening"],
        shown["users"],
        shown["upstreams"][0]["condition"],
    )
    assert ["keeper"] == [process["role"] for process in shown["processes"]]
    assert ExitCode.DONE == await supervisor.end()
    assert await arrived.get() is None  # the worker sees its link end, and goes on
    assert ["started"] == [record["message"] for record in records(folder, "process")]
    assert not (folder / "control.sock").exists()
    assert not (folder / "pages.sock").exists()


async def test_a_reload_by_signal_or_by_call_reaches_the_workers(supervisor, source, tmp_path, capsys):
    await supervisor.hear()
    _, arrived = await supervisor.link_worker()
    assert 1 == (await arrived.get()).version
    supervisor.link.send(ReloadAsked())
    assert 2 == (await arrived.get()).version
    assert (200, {"version": 3, "needs_restart": [], "changed": []}) == await call(tmp_path / "data", "POST", "/reload")
    assert 3 == (await arrived.get()).version
    (tmp_path / "nbgate.toml").write_text("prot = 1\n")
    status, answer = await call(tmp_path / "data", "POST", "/reload")
    assert (422, "did you mean 'port'?") == (status, answer["problems"][0]["hint"])
    supervisor.link.send(ReloadAsked())
    async with asyncio.timeout(10):
        while len(records(tmp_path / "data", "config.loaded")) < 5:
            await asyncio.sleep(0.01)
    (tmp_path / "gw.pem").unlink()
    (tmp_path / "nbgate.toml").write_text(CHEAP)
    supervisor.link.send(ReloadAsked())
    async with asyncio.timeout(10):
        while len(records(tmp_path / "data", "config.loaded")) < 6:
            await asyncio.sleep(0.01)
        said = capsys.readouterr().err
        while "gw.pem does not exist" not in said:  # it is recorded first and said then
            await asyncio.sleep(0.01)
            said += capsys.readouterr().err
    assert arrived.empty()
    assert "configuration in force version=2" in said
    assert "did you mean" in said


async def test_an_open_upstream_is_refused_at_the_first_start_only(source, monkeypatch, tmp_path):
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        source = msgspec.structs.replace(source, flags=source.flags | {"upstream": f"localhost:{port}"})
        refused = Supervisor(source)
        with pytest.raises(StartError) as caught:
            await refused.hear()
        assert ExitCode.CONFIGURATION == caught.value.exit_code
        assert "--allow-open-upstream" in caught.value.hint
        refused.link.close()
        (tmp_path / "data" / "lock").write_text(f"1\n{os.getppid()}\n")  # this one replaces one that died
        accepted = Supervisor(source)
        assert KeeperReady(users=0) == await accepted.hear()
        await accepted.end()


async def test_an_upstream_that_does_not_answer_delays_the_start_only_so_long(source, monkeypatch):
    async def hang(reader, writer):
        await reader.read()
        writer.close()

    monkeypatch.setattr(subject, "FIRST_LOOK_SECONDS", 0.05)
    async with await asyncio.start_server(hang, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        supervisor = Supervisor(msgspec.structs.replace(source, flags=source.flags | {"upstream": f"localhost:{port}"}))
        assert KeeperReady(users=0) == await supervisor.hear()
        await supervisor.end()


async def test_the_own_certificate_is_named_at_the_start(source, capsys):
    flags = {name: value for name, value in source.flags.items() if name != "cert"}
    supervisor = Supervisor(msgspec.structs.replace(source, flags=flags))
    await supervisor.hear()
    await supervisor.end()
    assert "SHA-256 fingerprint " in capsys.readouterr().err


async def test_a_worker_that_must_go_is_named_to_the_supervisor(supervisor):
    await supervisor.hear()
    supervisor.keeper._kill(1, 10, Reason.SLOW_REVOCATION)
    assert KillWorker(worker=1, reason="slow-revocation", pid=10) == await supervisor.hear()


async def test_without_its_supervisor_a_keeper_ends(source):
    supervisor = Supervisor(source)
    await supervisor.hear()
    supervisor.link.close()
    async with asyncio.timeout(10):
        assert ExitCode.FAILURE == await supervisor.task
    supervisor.keeper._kill(1, 10, Reason.SLOW_REVOCATION)  # there is nobody to tell


async def test_a_keeper_can_be_ended_before_it_began(source):
    supervisor = Supervisor(source)
    supervisor.link.send(Listening(urls=()))
    await supervisor.link_worker()
    assert ExitCode.DONE == await supervisor.end()


@pytest.fixture
async def linked(rig):
    """Give a worker's end of a link to the keeper of `rig`."""
    ours, theirs = socket.socketpair()
    lost = []
    link = await open_link(
        ours,
        receives=ToWorker,
        max_bytes=MAX_TO_WORKER_BYTES,
        on_message=lambda message: None,
        on_lost=lost.append,
    )
    await link_worker(rig.keeper, LinkWorker(worker=1, pid=10), theirs, is_new=False)
    yield link
    link.close()


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


async def test_what_a_worker_says_before_it_is_attached_is_heard_afterwards(rig, monkeypatch):
    async def eager(sock, *, on_message, on_lost, **_):
        on_message(SessionAsk(id=b"?" * 32))
        on_lost(None)
        sock.close()
        return FakeLink()

    monkeypatch.setattr(subject, "open_link", eager)
    ours, theirs = socket.socketpair()
    await link_worker(rig.keeper, LinkWorker(worker=1, pid=10), theirs, is_new=False)
    ours.close()
    (worker,) = rig.keeper.workers
    assert [SessionAnswer(id=b"?" * 32, session=None)] == worker.link.of(SessionAnswer)


async def test_a_worker_that_lives_on_without_a_link_is_replaced(rig, linked, monkeypatch):
    monkeypatch.setattr(subject, "RELINK_SECONDS", 0.01)
    linked.close()
    await until(lambda: rig.killed)
    assert [(1, 10, Reason.LINK_OVERFLOW)] == rig.killed


async def test_a_worker_whose_successor_is_linked_in_time_is_not_blamed_on_it(rig, linked, monkeypatch):
    monkeypatch.setattr(subject, "RELINK_SECONDS", 0.01)
    calls = []
    monkeypatch.setattr(type(rig.keeper.workers), "lost", lambda self, worker: calls.append(worker.pid))
    linked.close()
    await until(lambda: calls)
    monkeypatch.undo()
    rig.attach(1, pid=11)
    assert ([10], []) == (calls, rig.killed)


async def test_a_worker_that_speaks_another_language_is_replaced_at_once(rig, linked):
    linked._transport.write(b"\x00\x00\x00\x02xx")
    await until(lambda: rig.killed)
    assert [(1, 10, Reason.LINK_OVERFLOW)] == rig.killed


async def test_housekeeping_that_fails_is_done_again(capsys):
    calls = []

    async def fail():
        calls.append(1)
        raise StoreError("the state cannot be used")

    task = asyncio.ensure_future(repeat(fail, 0.001))
    await until(lambda: len(calls) > 2)
    task.cancel()


async def test_every_second_what_is_over_ends_and_refused_logins_are_summed_up(rig):
    assert 1.0 >= subject.SWEEP_SECONDS
    attempt = LoginAttempt(username="ada", password=PASSWORD, client="192.0.2.7", request_id="r")
    session = (await rig.keeper.log_in(attempt)).session
    for _ in range(20):
        with contextlib.suppress(LoginThrottled):
            await rig.keeper.log_in(attempt)
    rig.clock.advance(rig.keeper.config.sessions.absolute_seconds)
    await subject._sweep(rig.keeper)
    assert rig.keeper.find_session(session.id) is None
    assert [1, 10] == [record.get("nbgate.audit.count", 1) for record in rig.sink.records("auth.throttled")]


async def test_at_the_end_all_is_stored_that_can_be(rig, monkeypatch):
    stored = []

    def store(name, *, fails=False):
        async def run(**_options):
            stored.append(name)
            if fails:
                raise StoreError("the state cannot be used")

        return run

    monkeypatch.setattr(rig.keeper, "flush_activity", store("activity", fails=True))
    monkeypatch.setattr(rig.keeper.notices, "flush", store("notices", fails=True))
    monkeypatch.setattr(rig.keeper.throttle, "store", store("throttle"))
    await subject._write_down(rig.keeper)
    assert ["activity", "notices", "throttle"] == stored


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError((Problem("", "no upstream"),), ExitCode.USAGE), ExitCode.USAGE),
        (StoreError("the state is damaged"), ExitCode.CONFIGURATION),
        (AuditError("broken", hint="at 7"), ExitCode.CONFIGURATION),
        (StartError("held", exit_code=ExitCode.TRY_AGAIN), ExitCode.TRY_AGAIN),
        (LinkError("gone"), ExitCode.FAILURE),
    ],
)
def test_a_failed_start_has_an_exit_code(error, code):
    assert code == exit_code_of(error)


def test_an_audit_that_cannot_be_written_is_a_matter_of_the_disk():
    error = AuditError("the audit log cannot be opened")
    error.__cause__ = OSError(28, "No space left on device")
    assert ExitCode.CANNOT_CREATE == exit_code_of(error)


@pytest.mark.parametrize("kind", [AuditError, StoreError])
def test_state_that_is_open_to_others_is_a_matter_of_permissions(kind):
    error = kind("it cannot be opened")
    error.__cause__ = PermissionError("state.db is open to other users: chmod 600 state.db")
    assert ExitCode.PERMISSION == exit_code_of(error)


def test_a_failed_start_of_the_process_is_an_exit_code(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    monkeypatch.setattr(subject, "keep_secrets", lambda: None)
    given: list[int] = []
    monkeypatch.setattr(subject.os, "nice", given.append)
    ours, theirs = socket.socketpair()
    source = Source(flags={"data_dir": str(tmp_path), "port": "many"}, folder=str(tmp_path))
    code = run_keeper(theirs.detach(), msgspec.json.encode(source).decode(), APPS)
    ours.close()
    assert (ExitCode.USAGE, [subject.NICE]) == (code, given)
    assert "nbgate: --port" in capsys.readouterr().err


async def test_accounts_changed_offline_are_there_at_the_next_start(source, tmp_path):
    async with offline_accounts(cheap(tmp_path / "data")) as accounts:
        await accounts.add("ada", PASSWORD, "uid:0 root")
    supervisor = Supervisor(source)
    assert KeeperReady(users=1) == await supervisor.hear()
    await supervisor.end()


LOCAL = "https://localhost:8443/"


async def link_in(folder):
    """Wait for a setup link; return what it says."""
    file = folder / "setup-link"
    await until(file.exists)
    return file.read_text()


async def page_status(folder, link):
    connector = aiohttp.UnixConnector(str(folder / "pages.sock"))
    async with aiohttp.ClientSession(connector=connector) as session, session.get(link) as answer:
        return answer.status


async def test_without_a_user_there_is_a_link_for_the_first_account_and_its_path_is_said(supervisor, tmp_path, capsys):
    folder = tmp_path / "data"
    await supervisor.hear()
    assert not (folder / "setup-link").exists()  # nobody listens yet
    supervisor.link.send(Listening(urls=("https://box:8443/", LOCAL)))
    link = await link_in(folder)
    assert link.startswith(f"{LOCAL}_nbgate/setup/")
    token = link.strip().rpartition("/")[2]
    path = f"http://localhost/_nbgate/setup/{token}"
    assert 200 == await page_status(folder, path)
    said = capsys.readouterr().err
    assert f"nbgate: no user yet: the link that makes the first account is in {folder}/setup-link\n  hint: " in said
    assert "within 15 minutes, or type nbgate user add NAME" in said

    await call(folder, "POST", "/users", {"name": "ada", "password": PASSWORD})
    assert FirstUser() == await supervisor.hear()
    await until(lambda: not (folder / "setup-link").exists())
    assert 410 == await page_status(folder, path)
    await supervisor.end()
    audit = b"".join(path.read_bytes() for path in (folder / "audit").glob("*.jsonl"))
    assert (False, False) == (token.encode() in audit, token in said + capsys.readouterr().err)


async def test_a_reload_makes_a_new_link_while_there_is_no_user_and_is_told_to_the_supervisor(supervisor, tmp_path):
    folder = tmp_path / "data"
    await supervisor.hear()
    status, answer = await call(folder, "POST", "/reload")
    assert (200, False, Reloaded()) == (status, "setup_link" in answer, await supervisor.hear())
    supervisor.link.send(Listening(urls=(LOCAL,)))
    first = await link_in(folder)
    _, answer = await call(folder, "POST", "/reload")
    assert (str(folder / "setup-link"), Reloaded()) == (answer["setup_link"], await supervisor.hear())
    second = await link_in(folder)
    assert [410, 200] == [
        await page_status(folder, link.strip().replace(LOCAL, "http://localhost/")) for link in (first, second)
    ]
    supervisor.link.send(ReloadAsked())
    assert Reloaded() == await supervisor.hear()
    assert second != await link_in(folder)
    (tmp_path / "nbgate.toml").write_text("prot = 1\n")
    assert 422 == (await call(folder, "POST", "/reload"))[0]
    assert Reloaded() == await supervisor.hear()
    await call(folder, "POST", "/users", {"name": "ada", "password": PASSWORD})
    assert FirstUser() == await supervisor.hear()
    (tmp_path / "nbgate.toml").write_text(CHEAP)
    assert "setup_link" not in (await call(folder, "POST", "/reload"))[1]


async def test_a_link_that_was_left_over_goes_when_there_is_a_user(source, tmp_path):
    folder = tmp_path / "data"
    async with offline_accounts(cheap(folder)) as accounts:
        await accounts.add("ada", PASSWORD, "uid:0 root")
    (folder / "setup-link").write_text("of a start before\n")
    supervisor = Supervisor(source)
    assert KeeperReady(users=1) == await supervisor.hear()
    supervisor.link.send(Listening(urls=(LOCAL,)))
    await until(lambda: not (folder / "setup-link").exists())
    await supervisor.end()


async def test_a_link_that_cannot_be_written_is_said_and_the_gateway_goes_on(supervisor, tmp_path, capsys):
    await supervisor.hear()
    (tmp_path / "data" / "setup-link").mkdir()
    said = []
    supervisor.link.send(Listening(urls=(LOCAL,)))
    await until(lambda: said.append(capsys.readouterr().err) or "cannot write the link" in "".join(said))
    assert "hint: make the account with nbgate user add NAME" in "".join(said)
