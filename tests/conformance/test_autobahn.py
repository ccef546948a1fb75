"""The Autobahn cases through the gateway, beside the same cases directly: none may fail that passes there.

On a kernel's channel the gateway takes extensions out of the handshake, elsewhere it passes them: both kinds of path.
"""

import asyncio
import collections
import json
import sys
from pathlib import Path

import pytest
from relay import running_echo, running_relay

from nbgate.testing.gateway import CHEAP_LOGIN, running_gateway

PROGRAM = Path(__file__).with_name("run_cases.py")
RUN_SECONDS = 100
LARGE_AND_COMPRESSED = "9.* 12.* 13.*"
COMPRESSED = "12.1.1 12.1.3 12.1.11 12.2.2 12.3.3 12.4.4 12.5.5 13.1.1 13.2.2 13.3.3 13.4.4 13.5.5 13.6.6 13.7.7"
LARGE = "9.1.* 9.2.* 9.3.3 9.3.9 9.4.3 9.4.9 9.5.6 9.6.6 9.7.1 9.7.6 9.8.1 9.8.6"
CHANNEL, ELSEWHERE = "/api/kernels/1/channels", "/api/events/subscribe"

pytestmark = pytest.mark.timeout(3 * RUN_SECONDS)


async def run_cases(port, path, *, excluded="", cases=""):
    """Return what the suite thinks of the server on `port`, by case."""
    command = (sys.executable, str(PROGRAM), f"ws://127.0.0.1:{port}{path}", excluded, cases)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        said, _ = await asyncio.wait_for(process.communicate(), RUN_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return json.loads(said)


def summary(name, results):
    counts = collections.Counter(f"{behaviour}/{close}" for behaviour, close, _ in results.values())
    failed = " ".join(case for case, (*_, passed) in results.items() if not passed)
    return f"autobahn {name}: {len(results)} cases, {dict(sorted(counts.items()))}, failed: {failed or 'none'}"


def failed_only_in(results, reference):
    return [case for case, (*_, passed) in reference.items() if passed and not results[case][-1]]


@pytest.mark.parametrize(
    ("path", "selection", "count"),
    [
        pytest.param(CHANNEL, {"excluded": LARGE_AND_COMPRESSED}, 247, id="channel"),
        pytest.param(ELSEWHERE, {"excluded": LARGE_AND_COMPRESSED}, 247, id="elsewhere"),
        pytest.param(CHANNEL, {"cases": LARGE}, 22, id="large"),
        pytest.param(ELSEWHERE, {"cases": COMPRESSED}, 14, id="compressed"),
    ],
)
async def test_what_passes_directly_passes_through_the_gateway(path, selection, count, tmp_path, capsys):
    async with running_echo() as echo_port:
        upstream, flags = f"127.0.0.1:{echo_port}", ("--allow-open-upstream",)
        start = running_gateway(tmp_path, upstream, flags=flags, config=CHEAP_LOGIN)
        gateway = await asyncio.to_thread(start.__enter__)
        try:
            cookie = await asyncio.to_thread(gateway.login)
            direct = await run_cases(echo_port, path, **selection)
            async with running_relay(gateway, cookie) as relay_port:
                through = await run_cases(relay_port, path, **selection)
                for case in failed_only_in(through, direct):  # most have half a second each; these get it alone
                    through |= await run_cases(relay_port, path, cases=case)
        finally:
            await asyncio.to_thread(start.__exit__, None, None, None)
    with capsys.disabled():  # the two side by side are the result
        sys.stdout.write(f"\n{summary('directly', direct)}\n{summary(f'through the gateway, {path}', through)}\n")
    assert (count, direct.keys()) == (len(direct), through.keys())
    assert [] == failed_only_in(through, direct)
