"""Routes are added, changed and removed while people work, and processes are killed meanwhile.

Pass: nobody on another route notices anything; a new route is there on every worker at once; what was answered with yes
is so after kill -9 of the keeper, of a worker and of everything; ten thousand routes are no matter.
"""

import asyncio
import contextlib
import os
import random
import signal
import statistics
import threading
import time

import msgspec
import pytest
from books import QUIET_PROBE, resident_bytes
from open_websockets import close_code, echoes, open_websocket
from routes_client import UPSTREAM_TOKEN, RoutesClient, asking, new_token, notebook_server
from steady import Steady

from nbgate.keeper.folder import load_route_keyring
from nbgate.model.route import Upstream
from nbgate.model.route_spec import RouteSpec
from nbgate.stores.sqlite import open_state
from nbgate.testing.gateway import CHEAP_LOGIN, prepare_gateway, running_gateway
from nbgate.testing.process import descendants
from nbgate.testing.wait import wait_until

KILLS = int(os.environ.get("NBGATE_TEST_KILLS", "5"))
ROUNDS = 30
ADDED = 20
AT_ONCE_SECONDS = 0.05
CONNECTIONS = 8
PER_SECOND, LEAST_PER_SECOND = 200, 100
MANY = 10_000
MANY_START_SECONDS, MANY_CHANGE_SECONDS, MANY_MIB = 60.0, 1.0, 150
SERVICE_RESTART = 1012
CONFIG = CHEAP_LOGIN + QUIET_PROBE
WEBSOCKETS = 10

pytestmark = pytest.mark.timeout(180 + 10 * KILLS)


@pytest.fixture
def stub():
    with notebook_server(b"ok").in_thread() as running:
        yield running


@pytest.fixture
def other():
    with notebook_server(b"other").in_thread() as running:
        yield running


def options(folder):
    """Return how a gateway is run: one route of the configuration, for the people who are not to notice."""
    file = folder / "token"
    file.touch(mode=0o600)
    file.write_text(UPSTREAM_TOKEN)
    return {"flags": ("--upstream-token-file", str(file)), "config": CONFIG, "workers": 2}


@pytest.fixture
def gateway(stub, tmp_path):
    with running_gateway(tmp_path, f"/main/=127.0.0.1:{stub.port}", **options(tmp_path)) as running:
        yield running


def change_often(gateway, cookie, token, ports, opened_on):
    """Add, change and remove a route again and again, and see each in force; `opened_on` opens a websocket there."""
    with RoutesClient(gateway, token) as routes, asking(gateway, cookie) as ask:
        for number in range(ROUNDS):
            at = f"/r{number}/"
            assert 201 == routes.add(at, ports[0])
            wait_until(lambda at=at: ask(f"{at}api/x") == (200, b"ok"), what=f"{at} is there")
            code = opened_on(at)
            assert 200 == routes.add(at, ports[1])
            wait_until(lambda at=at: ask(f"{at}api/x") == (200, b"other"), what=f"{at} leads elsewhere")
            assert SERVICE_RESTART == code()
            assert 204 == routes.remove(at)
            assert 404 == ask(f"{at}api/x")[0]


async def test_nobody_notices_what_happens_to_other_routes(gateway, stub, other):
    loop = asyncio.get_running_loop()
    cookie, token = gateway.login(), new_token(gateway)
    websockets = [await open_websocket(gateway, cookie, base="/main/") for _ in range(WEBSOCKETS)]

    def opened_on(at):
        opened = asyncio.run_coroutine_threadsafe(_opened(gateway, cookie, at), loop).result(20)
        return lambda: asyncio.run_coroutine_threadsafe(_closed(opened), loop).result(20)

    with Steady(gateway, cookie, "/main/api/contents", per_second=PER_SECOND) as steady:
        await asyncio.to_thread(change_often, gateway, cookie, token, (stub.port, other.port), opened_on)
        rate = steady.per_second()
    for websocket in websockets:
        await echoes(websocket)
        await websocket.close()
    assert [] == steady.failed
    assert rate > LEAST_PER_SECOND


async def _opened(gateway, cookie, at):
    websocket = await open_websocket(gateway, cookie, base=at)
    await echoes(websocket)
    return websocket


async def _closed(websocket):
    code = await close_code(websocket)
    await websocket.close()
    return code


def connections_by_worker(gateway):
    return [process["connections"] for process in gateway.status()["processes"] if process["role"] == "worker"]


def seconds_until_all_answer(asks, path):
    """Return how long it took from now until the route answered on every one of these connections."""
    begun = time.monotonic()
    for ask in asks:
        while ask(path)[0] != 200:
            assert time.monotonic() - begun < 10
    return time.monotonic() - begun


def test_a_new_route_answers_at_once_on_all_workers(gateway, stub, other, capsys):
    cookie, token = gateway.login(), new_token(gateway)
    with contextlib.ExitStack() as stack:
        asks = [stack.enter_context(asking(gateway, cookie)) for _ in range(CONNECTIONS)]
        for ask in asks:
            assert 200 == ask("/main/api/x")[0]
        while min(connections_by_worker(gateway)) == 0:  # who gets a connection is the kernel's choice
            asks.append(stack.enter_context(asking(gateway, cookie)))
            asks[-1]("/main/api/x")
        routes, took = stack.enter_context(RoutesClient(gateway, token)), []
        for number in range(ADDED):
            assert 201 == routes.add(f"/r{number}/", stub.port)
            took.append(seconds_until_all_answer(asks, f"/r{number}/api/x"))
        assert 201 == routes.add("/fresh/", other.port)
        fresh = seconds_until_all_answer(asks, "/fresh/api/x")
    with capsys.disabled():
        print(f"\na new route answers after {_ms(took)}, with a server that nobody knew {fresh * 1000:.0f} ms")  # noqa: T201
    assert statistics.median(took) < AT_ONCE_SECONDS


def _ms(seconds):
    return f"{statistics.median(seconds) * 1000:.0f} ms (at most {max(seconds) * 1000:.0f})"


# kept


class Changes:
    """Adds and removes routes in a thread, and remembers what was answered with yes."""

    def __init__(self, gateway, token, port):
        self.there, self.gone, self.unknown = set(), set(), set()
        self._gateway, self._token, self._port = gateway, token, port
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._number = 0

    def __enter__(self):
        self._stop.clear()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self._stop.set()
        self._thread.join()

    def _run(self):
        with RoutesClient(self._gateway, self._token) as routes:
            while not self._stop.is_set():
                self._number += 1
                at = f"/k{self._number}/"
                status = routes.maybe(routes.add, at, self._port)
                (self.there if status == 201 else self.unknown).add(at)
                if status == 201 and self._number % 2:
                    status = routes.maybe(routes.remove, at)
                    self.there.discard(at)
                    (self.gone if status == 204 else self.unknown).add(at)


def check_kept(gateway, token, changes):
    """See by the list and by asking that yes means yes."""
    with RoutesClient(gateway, token) as routes:
        added = wait_until(lambda: routes.maybe(routes.added), what="the list of routes", deadline_seconds=20)
    assert changes.there <= added
    assert not changes.gone & added
    cookie = wait_until(lambda: _try_login(gateway), what="a login", deadline_seconds=20)
    with asking(gateway, cookie) as ask:
        for at in sorted(changes.there)[-3:]:
            wait_until(lambda at=at: ask(f"{at}api/x") == (200, b"other"), what=f"{at} answers")


def _try_login(gateway):
    with contextlib.suppress(OSError, RuntimeError):
        return gateway.login()
    return None


@pytest.mark.parametrize("role", ["keeper", "worker"])
def test_what_was_answered_with_yes_is_so_after_a_kill(gateway, other, role):
    token = new_token(gateway)
    changes = Changes(gateway, token, other.port)
    for _ in range(KILLS):
        with changes:
            known = len(changes.there)
            few = known + random.randint(2, 6)
            wait_until(lambda few=few: len(changes.there) >= few, what="some routes", deadline_seconds=20)
            pid = gateway.processes(role)[0]
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda pid=pid: _is_replaced(gateway, role, pid), what=f"another {role}", deadline_seconds=20)
        check_kept(gateway, token, changes)
    assert len(changes.gone) > KILLS


def _is_replaced(gateway, role, pid):
    now = gateway.processes(role)
    return pid not in now and len(now) == {"keeper": 1, "worker": 2}[role]


def test_what_was_answered_with_yes_is_so_after_everything_was_killed(gateway, other):
    token = new_token(gateway)
    changes = Changes(gateway, token, other.port)
    for _ in range(2):
        with changes:
            known = len(changes.there)
            wait_until(lambda known=known: len(changes.there) > known + 3, what="some routes", deadline_seconds=20)
            for pid in descendants(gateway.program.pid):
                os.kill(pid, signal.SIGKILL)
        gateway.program.wait()
        gateway.program.log.write_bytes(b"")
        gateway.program.start()
        gateway.port = int(gateway.program.wait_for_line(r"listening on https://\S+?:(\d+)")[1])
        check_kept(gateway, token, changes)


# many


def fill(folder, port):
    """Store `MANY` routes as if each had been added."""
    keyring, state = load_route_keyring(folder, os.urandom), open_state(folder / "state.db")
    with contextlib.closing(state):
        for number in range(MANY):
            upstream = Upstream(host="127.0.0.1", port=port)
            spec = RouteSpec(upstream=upstream, prefix=f"/m{number}/", base_url="/", token=UPSTREAM_TOKEN)
            sealed = keyring.seal(msgspec.json.encode(spec), spec.at.encode(), os.urandom(12))
            state.routes.put(spec.at, sealed.encode("ascii"))


def test_ten_thousand_routes_are_no_matter(stub, other, tmp_path, capsys):
    gateway = prepare_gateway(tmp_path, f"/main/=127.0.0.1:{stub.port}", **options(tmp_path))
    gateway.add_user()
    fill(gateway.data, other.port)
    begun = time.monotonic()
    gateway.program.start()
    try:
        said = gateway.program.wait_for_line(r"listening on https://\S+?:(\d+)", MANY_START_SECONDS)
        started, gateway.port = time.monotonic() - begun, int(said[1])
        cookie, took, in_force = gateway.login(), [], []
        with asking(gateway, cookie) as ask, RoutesClient(gateway, new_token(gateway)) as routes:
            wait_until(
                lambda: ask(f"/m{MANY - 1}/api/x") == (200, b"other"), what="the last route", deadline_seconds=30
            )
            for number in range(ADDED):
                begun = time.monotonic()
                assert 201 == routes.add(f"/r{number}/", other.port)
                took.append(time.monotonic() - begun)
                in_force.append(seconds_until_all_answer([ask], f"/r{number}/api/x"))
                assert 204 == routes.remove(f"/r{number}/")
        held = {
            role: max(resident_bytes(pid) for pid in gateway.processes(role)) >> 20 for role in ("keeper", "worker")
        }
    finally:
        gateway.program.end()
    with capsys.disabled():
        print(  # noqa: T201
            f"\nwith {MANY} routes: listening after {started:.1f} s, keeper {held['keeper']} MiB, worker "
            f"{held['worker']} MiB, a change takes {_ms(took)}, and is in force {_ms(in_force)} after"
        )
    assert statistics.median(took) + statistics.median(in_force) < MANY_CHANGE_SECONDS
    assert max(held.values()) < MANY_MIB
