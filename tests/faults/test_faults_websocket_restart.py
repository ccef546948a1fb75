"""F03: the notebook server dies under 50 websockets and comes back. F04: it accepts, and never answers again.

Pass: every websocket is closed with 1012 within a second, so that pages come back by themselves; requests meanwhile are
told at once when to ask again; the gateway itself does not hammer on the door; the first request after the return is
answered. What is only silent is noticed by pings, and other notebook servers do not feel it.
"""

import asyncio
import collections
import contextlib
import http.client
import itertools
import signal
import statistics
import time

from open_websockets import close_code, echo_upstream, echoes, open_websocket

from nbgate.testing.gateway import CHEAP_LOGIN, running_gateway
from nbgate.testing.jupyter import free_port
from nbgate.testing.wait import wait_until

WEBSOCKETS = 50
CLOSED_SECONDS = 1.0
TOLD_SECONDS = 0.1
RETRY_SECONDS = 0.5
LOOKS = 8
KNOCKS = 2  # a look at a door that is slammed: aiohttp asks a second time when an answer breaks off before it begins
SERVICE_RESTART = 1012
PROBE = f"[probe]\ninterval_seconds = 86400.0\nretry_seconds = {RETRY_SECONDS}\n"
FLAGS = ("--allow-open-upstream",)


@contextlib.contextmanager
def asking(gateway, cookie):
    """Give a function that asks on one kept connection and returns status, Retry-After and seconds."""
    context = gateway.certificate.client_context()
    connection = http.client.HTTPSConnection("localhost", gateway.port, timeout=20, context=context)

    def ask(path):
        begun = time.monotonic()
        connection.request("GET", path, headers={"Cookie": cookie})
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.getheader("Retry-After"), time.monotonic() - begun

    with contextlib.closing(connection):
        yield ask


def closes(gateway):
    return [record for record in gateway.audit() if record["event.action"] == "websocket.close"]


@contextlib.asynccontextmanager
async def slammed_door(port):
    """Listen where the server was, and close on everybody who comes; give when they came."""
    came = []

    async def slam(_reader, writer):
        came.append(time.monotonic())
        writer.close()

    async with await asyncio.start_server(slam, "127.0.0.1", port):
        yield came


async def test_f03_a_restart_of_the_upstream_is_a_1012_and_a_retry_after(tmp_path):
    port = free_port()
    with (
        echo_upstream(tmp_path, port) as upstream,
        running_gateway(tmp_path / "gateway", f"127.0.0.1:{port}", flags=FLAGS, config=CHEAP_LOGIN + PROBE) as gateway,
        asking(gateway, cookie := gateway.login()) as ask,
    ):
        async with contextlib.AsyncExitStack() as stack:
            websockets = [await stack.enter_async_context(open_websocket(gateway, cookie)) for _ in range(WEBSOCKETS)]
            for websocket in websockets:
                await echoes(websocket)
            upstream.process.kill()
            begun = time.monotonic()
            codes = await asyncio.gather(*map(close_code, websockets))
            assert time.monotonic() - begun < CLOSED_SECONDS
        assert {SERVICE_RESTART: WEBSOCKETS} == collections.Counter(codes)
        upstream.wait()

        told = [await asyncio.to_thread(ask, "/api/contents") for _ in range(20)]
        assert {(503, "2")} == {(status, retry) for status, retry, _ in told}
        assert statistics.median(seconds for *_, seconds in told) < TOLD_SECONDS

        async with slammed_door(port) as looks:
            told = [await asyncio.to_thread(ask, "/api/contents/x") for _ in range(20)]
            await asyncio.to_thread(wait_until, lambda: len(looks) >= LOOKS, what="looks of the keeper")
        assert {(503, "2")} == {(status, retry) for status, retry, _ in told}
        starts = looks[::KNOCKS]
        assert min(later - earlier for earlier, later in itertools.pairwise(starts)) > RETRY_SECONDS * 0.8

        upstream.start()
        upstream.wait_for_line("ready(?s:.*)ready")
        back = time.monotonic()
        while (await asyncio.to_thread(ask, "/api/contents"))[0] != 200:
            assert time.monotonic() - back < RETRY_SECONDS + CLOSED_SECONDS
        async with open_websocket(gateway, cookie) as websocket:
            await echoes(websocket)
    ended = closes(gateway)
    assert WEBSOCKETS + 1 == len(ended)
    assert {("upstream-lost", SERVICE_RESTART): WEBSOCKETS} == collections.Counter(
        (record["event.reason"], record["nbgate.websocket.close_code"]) for record in ended if "event.reason" in record
    )


SILENT = (
    "[limits]\nupstream_answer_seconds = 0.5\nupstream_connect_seconds = 0.5\n"
    "websocket_ping_seconds = 0.3\nwebsocket_silence_seconds = 0.6\n"
)


async def test_f04_an_upstream_that_never_answers_is_a_504_and_a_1012_and_no_trouble_for_others(tmp_path):
    one, two = free_port(), free_port()
    with (
        echo_upstream(tmp_path, one) as stuck,
        echo_upstream(tmp_path, two),
        running_gateway(
            tmp_path / "gateway",
            f"http://127.0.0.1:{one}/one/",
            flags=(*FLAGS, "--upstream", f"http://127.0.0.1:{two}/two/"),
            config=CHEAP_LOGIN + PROBE + SILENT,
        ) as gateway,
        asking(gateway, cookie := gateway.login()) as ask,
        asking(gateway, cookie) as ask_other,
    ):
        async with (
            open_websocket(gateway, cookie, "/one/") as websocket,
            open_websocket(gateway, cookie, "/two/") as other,
        ):
            await echoes(websocket)
            stuck.process.send_signal(signal.SIGSTOP)
            try:
                waiting = asyncio.create_task(asyncio.to_thread(ask, "/one/api/contents"))
                seconds = [(await asyncio.to_thread(ask_other, "/two/api/contents"))[::2] for _ in range(20)]
                assert {200} == {status for status, _ in seconds}
                assert statistics.median(took for _, took in seconds) < TOLD_SECONDS
                status, _, took = await waiting
                assert (504, True) == (status, 0.4 < took < 2.0)
                async with asyncio.timeout(3):
                    assert SERVICE_RESTART == await close_code(websocket)
            finally:
                stuck.process.send_signal(signal.SIGCONT)
            await echoes(other)
            assert 200 == (await asyncio.to_thread(ask, "/one/api/contents"))[0]
    (record,) = [record for record in closes(gateway) if "event.reason" in record]
    assert ("websocket-silent", SERVICE_RESTART) == (record["event.reason"], record["nbgate.websocket.close_code"])
