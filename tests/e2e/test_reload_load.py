"""Reloads under traffic: nobody is refused, no websocket is lost, and each of them is in force."""

import asyncio
import itertools
import os
import re
import signal
from pathlib import Path

import pytest
from steady_clients import Requests, echo_until, open_websocket

from bench.cpu import own_bytes
from nbgate.cli.gateway import ask_running
from nbgate.testing.gateway import CHEAP_LOGIN, running_gateway
from nbgate.testing.process import descendants
from nbgate.testing.stub_upstream import StubUpstream
from nbgate.testing.wait import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

RELOADS = 200
COMMANDS = 10
"""So many of the reloads are typed; a new Python each is the dearest part of one."""
REQUESTS_PER_SECOND = 200
LEAST_REQUESTS_PER_SECOND = 100
WEBSOCKETS = 20
ALL_SECONDS = 60.0
MORE_DESCRIPTORS, MORE_MIB = 20, 16
"""What a process may hold more after all of it: connections kept to the upstream, caches; nothing for each reload."""
CONFIG = CHEAP_LOGIN + "[probe]\ncertificate_seconds = 86400.0\n"
"""Each reload makes one new version, and nothing else does."""


@pytest.fixture(params=[1, 2], ids=["one worker", "two workers"])
def gateway(request, tmp_path):
    with StubUpstream().in_thread() as stub:
        flags, upstream = ("--allow-open-upstream",), f"127.0.0.1:{stub.port}"
        with running_gateway(tmp_path, upstream, flags=flags, workers=request.param, config=CONFIG) as running:
            yield running


def configurations(gateway):
    """Write another configuration and another certificate of the same authority, for ever."""
    pem = gateway.certificate.pem
    issued = [gateway.certificate.authority.issue_cert("localhost") for _ in range(2)]
    for number in itertools.count():
        fresh = pem.with_suffix(".new")
        fresh.touch(mode=0o600)
        issued[number % 2].private_key_and_cert_chain_pem.write_to_path(str(fresh))
        fresh.replace(pem)
        limits = f"[limits]\nheaders = {50 + number % 50}\n"
        (gateway.folder / "nbgate.toml").write_text(CONFIG + limits, encoding="utf-8")
        yield


async def version(gateway):
    return (await asyncio.to_thread(ask_running, gateway.data, "GET", "/status"))["policy_version"]


async def reload_by_signal(gateway, before):
    os.kill(gateway.program.pid, signal.SIGHUP)
    async with asyncio.timeout(10):
        while await version(gateway) == before:
            pass


async def reload_by_socket(gateway, _before):
    await asyncio.to_thread(ask_running, gateway.data, "POST", "/reload")


async def reload_by_command(gateway, _before):
    done = await asyncio.to_thread(gateway.command, "reload")
    assert 0 == done.returncode, done.stderr


async def reload_often(gateway):
    """Reload `RELOADS` times in all three ways, and see that each one made one new version."""
    changed = configurations(gateway)
    for number in range(RELOADS):
        before = await version(gateway)
        next(changed)
        if number % (RELOADS // COMMANDS) == 0:
            way = reload_by_command
        else:
            way = reload_by_signal if number % 2 else reload_by_socket
        await way(gateway, before)
        assert before + 1 == await version(gateway), f"reload {number} by {way.__name__}"


def held_by(gateway):
    """Return descriptors and MiB of each of the gateway's processes."""
    return {pid: (count_descriptors(pid), own_bytes(pid) >> 20) for pid in descendants(gateway.program.pid)}


def count_descriptors(pid):
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except PermissionError:  # only root may count those of most of our processes
        return 0


def grown(gateway, before):
    now = held_by(gateway)
    return {
        pid: (was, now[pid])
        for pid, was in before.items()
        if now[pid][0] > was[0] + MORE_DESCRIPTORS or now[pid][1] > was[1] + MORE_MIB
    }


async def test_no_request_fails_and_no_websocket_is_lost_over_many_reloads(gateway):
    cookie = gateway.login()
    workers, before = gateway.processes("worker"), held_by(gateway)
    stopping = asyncio.Event()
    requests = Requests(gateway, cookie, connections=10, per_second=REQUESTS_PER_SECOND, fresh_every=20)
    begun = asyncio.get_running_loop().time()
    async with asyncio.TaskGroup() as group:
        sockets = [await open_websocket(gateway, cookie) for _ in range(WEBSOCKETS)]
        echoes = [group.create_task(echo_until(socket, stopping, 0.5)) for socket in sockets]
        async with requests.running(), asyncio.timeout(ALL_SECONDS):
            await reload_often(gateway)
        took = asyncio.get_running_loop().time() - begun
        stopping.set()
    for socket in sockets:
        await socket.close()
    wait_until(lambda: not grown(gateway, before), what=f"no more held than before: {grown(gateway, before)}")
    assert [] == requests.failed
    assert requests.answered > LEAST_REQUESTS_PER_SECOND * took
    assert min(echo.result() for echo in echoes) > took / 2
    assert workers == gateway.processes("worker"), "a worker was replaced"
    loaded = [record["message"] for record in gateway.audit() if record["event.action"] == "config.loaded"]
    assert RELOADS == len([message for message in loaded if re.fullmatch(r"version \d+ in force", message)])
