"""T06, F17, F18 in small: floods of logins from many addresses; how fast people work meanwhile is the soak's subject.

Pass: never more than two passwords are checked at once, at the lowest priority; memory is bounded; nothing but refusals
is said; whoever has logged in before gets in; made-up names fill neither tables nor logs.
"""

import asyncio
import json
import os
from pathlib import Path

import pytest
from books import resident_bytes

from nbgate.keeper.process import NICE as KEEPER_NICE
from nbgate.testing.gateway import running_gateway

PARALLEL = 500
ADDRESSES = 200
GROWTH_BYTES = 192 << 20
OWNER_SECONDS = 3.0
NICE = 19

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def gateway(stub, tmp_path):
    """Give a gateway with passwords at their full cost, and throttles as they are shipped."""
    upstream = f"127.0.0.1:{stub.port}"
    with running_gateway(tmp_path, upstream, flags=("--allow-open-upstream",), config="") as running:
        yield running


def nice_threads(pid):
    """Return how many threads of `pid` run at the lowest priority."""
    count = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        fields = (task / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        count += int(fields[16]) == NICE
    return count


async def attempt(gateway, context, address, offered, cookie=""):
    """Send one login from `address`; return the status, 0 where the connection was dropped, and the cookies."""
    body = json.dumps(offered).encode()
    lines = [
        "POST /_nbgate/api/login HTTP/1.1", f"Host: {gateway.host}", f"Origin: {gateway.base_url}", "Connection: close",
        "Content-Type: application/json", f"Content-Length: {len(body)}", *([f"Cookie: {cookie}"] if cookie else []),
    ]  # fmt: skip
    try:
        async with asyncio.timeout(60):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", gateway.port, ssl=context, server_hostname="localhost", local_addr=(address, 0)
            )
            writer.write("\r\n".join([*lines, "", ""]).encode() + body)
            answer = await reader.read()
            writer.close()
    except (OSError, EOFError):
        return 0, []
    head = answer.decode("latin-1").split("\r\n")
    cookies = [line.partition(": ")[2] for line in head if line.lower().startswith("set-cookie:")]
    return int(head[0].split()[1]), cookies


async def flood(gateway, context):
    """All at once, each from its own of the addresses; return how they were answered."""
    attempts = (
        attempt(
            gateway,
            context,
            f"127.0.{1 + number % ADDRESSES // 100}.{1 + number % 100}",
            {"username": f"user{number}", "password": "a wrong password"},
        )
        for number in range(PARALLEL)
    )
    return [status for status, _ in await asyncio.gather(*attempts)]


def test_f17_a_flood_of_logins_costs_two_hashes_at_a_time_and_keeps_no_owner_out(gateway):
    context = gateway.certificate.client_context()
    (keeper,) = gateway.processes("keeper")
    known = {"username": "ada", "password": gateway.password}

    async def play():
        status, cookies = await attempt(gateway, context, "127.0.0.1", known)
        assert 200 == status
        (device,) = [cookie.partition(";")[0] for cookie in cookies if "_dev" in cookie.partition("=")[0]]
        before = resident_bytes(keeper)
        flooding = asyncio.ensure_future(flood(gateway, context))
        peak, nice = 0, 0
        while not flooding.done():
            peak, nice = max(peak, resident_bytes(keeper)), max(nice, nice_threads(keeper))
            await asyncio.sleep(0.05)
            if nice == 2 and peak and not owners:
                async with asyncio.timeout(OWNER_SECONDS):
                    owners.append(await attempt(gateway, context, "127.0.0.1", known, device))
        return await flooding, peak - before, nice

    owners = []
    statuses, growth, nice = asyncio.run(play())
    assert [200] == [status for status, _ in owners]
    assert set(statuses) <= {0, 401, 429, 503}
    assert statuses.count(401) <= 20 + 5 * 60
    assert 2 == nice
    assert growth < GROWTH_BYTES
    assert 2 == nice_threads(keeper)
    (worker,) = gateway.processes("worker")
    assert KEEPER_NICE == os.getpriority(os.PRIO_PROCESS, keeper) - os.getpriority(os.PRIO_PROCESS, worker)
