"""The scenarios: each runs against a gateway of its own, and says what was seen; bounds.py says what of it may be."""

import asyncio
import contextlib
import json
import math
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from nbgate.cli.gateway import ask_running
from nbgate.config.schema import Limits
from nbgate.testing.gateway import CHEAP_LOGIN, USER, Gateway, running_gateway
from soak.clients import ANSWER_SECONDS, Requests, Websocket, connected, open_websockets, talking
from soak.watch import Watch, p99

MIXED = Path(__file__).with_name("mixed.lua")
SLICE_SECONDS = 10
CONNECTIONS = 32
GRACE_SECONDS = 5.0
CERTIFICATE_SECONDS = 0.5
"""How often the gateway looks at its certificate; it may take two looks to believe what it sees."""
IN_USE_SECONDS = 2 * CERTIFICATE_SECONDS + 2.0
CONNECT_LOOPS = 4
LOWEST = 19


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much of everything; `limits` are the deadlines that slow clients meet."""

    seconds: float = 300.0
    idle: int = 2000
    busy: int = 200
    message_seconds: float = 1.0
    per_second: float = 100.0
    requests: int = 2_000_000
    slow: int = 500
    slow_seconds: float = 60.0
    drip_seconds: float = 5.0
    sockets: int = 200
    swaps: int = 20
    reloads: int = 1000
    logins: int = 500
    idle_seconds: float = 10.0
    least_calm_seconds: float = 0.001
    limits: Limits = field(default_factory=Limits)


@contextlib.contextmanager
def gateway_of(folder: Path, origin: int, sizes: Sizes, *, login: str = CHEAP_LOGIN) -> Iterator[Gateway]:
    """Run a gateway whose deadlines are those of `sizes`; one session may hold all websockets.

    `login` is what its configuration says of logins; "" is what is shipped.
    """
    names = ("head_seconds", "body_idle_seconds", "body_grace_seconds", "write_stall_seconds", "keepalive_seconds")
    lines = [f"{name} = {getattr(sizes.limits, name)}" for name in names]
    config = login + f"[probe]\ncertificate_seconds = {CERTIFICATE_SECONDS}\n[limits]\n"
    config += "\n".join([*lines, "session_websockets = 8192", ""])
    flags = ("--allow-open-upstream",)
    with running_gateway(folder, f"127.0.0.1:{origin}", flags=flags, config=config) as gateway:
        yield gateway


async def steady(gateway: Gateway, sizes: Sizes) -> dict[str, float]:
    """Idle and busy websockets, and requests at a rate."""
    cookie = await asyncio.to_thread(gateway.login)
    idle = await open_websockets(gateway, cookie, sizes.idle)
    busy = await open_websockets(gateway, cookie, sizes.busy)
    requests, watch = Requests(gateway, cookie, per_second=sizes.per_second), Watch(gateway)
    async with watch.looking(sizes.seconds), requests.running(), talking(busy, sizes.message_seconds) as taken:
        await asyncio.sleep(sizes.seconds)
        lost = count_lost([*idle, *busy])
    end_all([*idle, *busy])
    return {
        **_of_requests(requests),
        **_of_lost(lost),
        "p99 of messages there and back, ms": p99(taken) * 1000,
        "messages": len(taken),
        **watch.seen(),
    }


async def mixed(gateway: Gateway, sizes: Sizes) -> dict[str, float]:
    """As many requests as there are to be, of all kinds, as fast as they are answered."""
    cookie = await asyncio.to_thread(gateway.login)
    watch, done, failed, seconds, slowest = Watch(gateway), 0, 0, 0.0, 0.0
    while done < sizes.requests:
        run = await asyncio.to_thread(_run_wrk, gateway, cookie, min(SLICE_SECONDS, sizes.seconds))
        done, failed, seconds = done + run["requests"], failed + run["failed"], seconds + run["seconds"]
        slowest = max(slowest, run["p99_ms"])
        watch.look()
    return {
        "requests that failed": failed,
        "requests": done,
        "requests per second": done / seconds,
        "worst p99 of a slice, ms": slowest,
        **watch.seen(),
    }


def _run_wrk(gateway: Gateway, cookie: str, seconds: float) -> dict[str, float]:
    command = ["wrk", "--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{max(1, int(seconds))}s"]
    command += ["--script", str(MIXED), f"{gateway.base_url}/", "--", gateway.host, cookie]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(next(line for line in done.stdout.splitlines() if line.startswith("JSON "))[5:])


async def slow(gateway: Gateway, sizes: Sizes) -> dict[str, float]:
    """Slow clients of three kinds from other addresses, while people work."""
    cookie = await asyncio.to_thread(gateway.login)
    requests, watch, logins = Requests(gateway, cookie, per_second=sizes.per_second), Watch(gateway), []
    refused = 0
    async with requests.running(), watch.looking(sizes.slow_seconds), _crowd(gateway, sizes) as telling:
        async with asyncio.timeout(sizes.slow_seconds + 300):
            while not telling.done():
                begun = time.monotonic()
                try:
                    await asyncio.to_thread(gateway.login)
                except (OSError, RuntimeError) as error:
                    print(f"a login failed: {error!r}", file=sys.stderr)
                    refused += 1
                logins.append(time.monotonic() - begun)
                await asyncio.wait([telling], timeout=sizes.drip_seconds / 2)
        told = json.loads(telling.result())
        (worker,) = gateway.processes("worker")
    may_last = deadlines(sizes.limits)
    stayed = sum(it["still_open"] + (it["longest_seconds"] > may_last[kind]) for kind, it in told.items())
    return {
        **_of_requests(requests),
        "logins that failed": refused,
        "logins": len(logins),
        "p99 of logins, ms": p99(logins) * 1000,
        "descriptors of the worker": max(watch.descriptors[worker], default=0),
        "slow ones that stayed too long": stayed,
        **{f"slow connections, {kind}": it["connections"] for kind, it in told.items()},
        **{f"the longest of them, {kind}, s": it["longest_seconds"] for kind, it in told.items()},
        **watch.seen(),
    }


@contextlib.asynccontextmanager
async def _crowd(gateway: Gateway, sizes: Sizes) -> AsyncIterator[asyncio.Task[bytes]]:
    """Run the slow clients; give the task that ends with what they tell."""
    numbers = (gateway.port, sizes.slow, sizes.slow_seconds, sizes.drip_seconds)
    crowd = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "soak.slow", *map(str, numbers)),
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parent.parent,
    )

    async def tell() -> bytes:
        said, _ = await crowd.communicate()
        return said

    telling = asyncio.get_running_loop().create_task(tell())
    try:
        yield telling
    finally:
        if crowd.returncode is None:
            crowd.kill()
        await asyncio.wait([telling])


def deadlines(limits: Limits) -> dict[str, float]:
    """Return how long a slow connection of each kind may last, handshake and all."""
    read = max(limits.write_stall_seconds, limits.keepalive_seconds)
    lasts = {"header": limits.head_seconds, "body": limits.body_grace_seconds, "read": read}
    return {kind: seconds + GRACE_SECONDS for kind, seconds in lasts.items()}


async def certificate(gateway: Gateway, sizes: Sizes) -> dict[str, float]:
    """New certificates while websockets are open and clients connect all the time; then one with the wrong key."""
    cookie = await asyncio.to_thread(gateway.login)
    sockets = await open_websockets(gateway, cookie, sizes.sockets)
    issue = gateway.certificate.authority.issue_cert
    late = wrong = 0
    async with connecting(gateway) as shaken:
        for _ in range(sizes.swaps):
            made = issue("localhost")
            put(gateway, made.private_key_and_cert_chain_pem.bytes())
            late += not await in_use(gateway, made)
        said = len(gateway.program.said().splitlines())
        mismatched = issue("localhost")
        put(gateway, issue("localhost").private_key_pem.bytes() + mismatched.cert_chain_pems[0].bytes())
        await asyncio.sleep(IN_USE_SECONDS)
        wrong += await served(gateway) != serial(made)
        lines = gateway.program.said().splitlines()[said:]
        put(gateway, made.private_key_and_cert_chain_pem.bytes())
        late += not await in_use(gateway, made)
        lost = count_lost(sockets)
    end_all(sockets)
    return {
        "handshakes that failed": len(shaken.failed),
        "handshakes": shaken.count,
        **_of_lost(lost),
        "certificates not in use in time": late,
        "certificates in use that should not be": wrong,
        "lines too few or too many about a bad pair": abs(len(lines) - 1),
    }


class Shaken:
    """Handshakes so far."""

    def __init__(self) -> None:
        self.count = 0
        self.failed: list[str] = []


@contextlib.asynccontextmanager
async def connecting(gateway: Gateway) -> AsyncIterator[Shaken]:
    """Connect, in full and verified, again and again for as long as the block takes."""
    shaken, stopping, context = Shaken(), asyncio.Event(), gateway.certificate.client_context()

    async def connect_often() -> None:
        while not stopping.is_set():
            try:
                async with connected(gateway, context):
                    shaken.count += 1
            except (OSError, TimeoutError) as error:
                shaken.failed.append(repr(error))

    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECT_LOOPS):
            group.create_task(connect_often())
        try:
            yield shaken
        finally:
            stopping.set()


def put(gateway: Gateway, pem: bytes) -> None:
    """Replace the gateway's certificate file as a client of an authority does: by a rename."""
    fresh = gateway.certificate.pem.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_bytes(pem)
    fresh.replace(gateway.certificate.pem)


def serial(made) -> bytes:
    """Return what tells a certificate of trustme from another."""
    return ssl.PEM_cert_to_DER_cert(made.cert_chain_pems[0].bytes().decode())


async def served(gateway: Gateway) -> bytes:
    """Return the certificate that a new connection is shown."""
    async with connected(gateway, gateway.certificate.client_context()) as (_, writer):
        return writer.get_extra_info("ssl_object").getpeercert(binary_form=True)


async def in_use(gateway: Gateway, made) -> bool:
    """Say whether the certificate is served within `IN_USE_SECONDS`."""
    end = time.monotonic() + IN_USE_SECONDS
    while time.monotonic() < end:
        if await served(gateway) == serial(made):
            return True
        await asyncio.sleep(0.05)
    return False


async def reloads(gateway: Gateway, sizes: Sizes) -> dict[str, float]:
    """Reload again and again under requests."""
    cookie = await asyncio.to_thread(gateway.login)
    requests, watch, failed = Requests(gateway, cookie, per_second=2 * sizes.per_second), Watch(gateway), 0
    async with requests.running():
        await requests.all_connected()
        for number in range(sizes.reloads):
            try:
                await asyncio.to_thread(ask_running, gateway.data, "POST", "/reload")
            except OSError:
                failed += 1
            if number % max(sizes.reloads // 50, 1) == 0:
                watch.look()
    return {**_of_requests(requests), "reloads that failed": failed, "reloads": sizes.reloads, **watch.seen()}


async def logins(gateway: Gateway, sizes: Sizes) -> dict[str, float]:
    """A flood of wrong logins from many addresses, while people work and one of them logs in again."""
    context = gateway.certificate.client_context()
    cookie, device = await _log_in(gateway, context)
    (keeper,) = gateway.processes("keeper")
    often = 4 * sizes.per_second  # a flood is over soon, and a hundredth of few requests would be two or three
    calm = Requests(gateway, cookie, per_second=often)
    async with calm.running():
        await asyncio.sleep(sizes.idle_seconds)
    before = resident_bytes(keeper)
    requests, hashing, most, owner = Requests(gateway, cookie, per_second=often), 0, before, math.inf
    words = ("-m", "soak.flood", str(gateway.port), gateway.host, str(sizes.logins))
    async with requests.running():
        flooding = await asyncio.create_subprocess_exec(
            *(sys.executable, *words), stdout=subprocess.PIPE, cwd=Path(__file__).parent.parent
        )
        telling = asyncio.get_running_loop().create_task(flooding.communicate())
        while not telling.done():
            checking, most = nice_threads(keeper), max(most, resident_bytes(keeper))
            hashing = max(hashing, len(checking))
            if "R" in checking and owner == math.inf:  # passwords are being checked: now one comes who belongs here
                begun = time.monotonic()
                await _log_in_at_last(gateway, context, device)
                owner = time.monotonic() - begun
            await asyncio.wait([telling], timeout=0.05)
    said = json.loads(telling.result()[0])
    idle, busy = p99(calm.taken), p99(requests.taken)
    return {
        **_of_requests(requests),
        "p99 before the flood, ms": idle * 1000,
        "p99 in the flood, times that": busy / max(idle, sizes.least_calm_seconds),
        "passwords checked at once": hashing,
        "memory of the keeper grown, MiB": (most - before) / (1 << 20),
        "login of a known browser meanwhile, s": owner,
        "answers that are no refusal": sum(n for status, n in said.items() if status not in {"0", "401", "429", "503"}),
        **{f"logins answered with {status}": n for status, n in sorted(said.items())},
    }


async def _log_in(gateway: Gateway, context: ssl.SSLContext, cookie: str = "") -> list[str]:
    """Log in as a browser that has `cookie`; return the cookies of the session and of the device.

    On the loop that measures: a thread would hold it up.
    """
    body = json.dumps({"username": USER, "password": gateway.password})
    lines = ["POST /_nbgate/api/login HTTP/1.1", f"Host: {gateway.host}", f"Origin: {gateway.base_url}"]
    lines += [f"Cookie: {cookie}"] if cookie else []
    lines += ["Content-Type: application/json", f"Content-Length: {len(body)}", "Connection: close", "", body]
    async with connected(gateway, context) as (reader, writer), asyncio.timeout(ANSWER_SECONDS):
        writer.write("\r\n".join(lines).encode())
        status, *fields = (await reader.read()).decode().partition("\r\n\r\n")[0].split("\r\n")
    if not status:
        raise ConnectionResetError("dropped before it was answered")
    if not status.startswith("HTTP/1.1 200 "):
        raise RuntimeError(f"login was answered with {status}")
    given = [
        value.partition(";")[0]
        for name, _, value in (it.partition(": ") for it in fields)
        if name.lower() == "set-cookie"
    ]
    if len(given) != 2:
        raise RuntimeError(f"a login gave the cookies {given}")
    return given


async def _log_in_at_last(gateway: Gateway, context: ssl.SSLContext, cookie: str) -> None:
    """Log in, and again when the connection was dropped, as browsers do."""
    async with asyncio.timeout(ANSWER_SECONDS):
        while True:
            with contextlib.suppress(OSError):
                await _log_in(gateway, context, cookie)
                return


def nice_threads(pid: int) -> list[str]:
    """Return the states of the threads of a process at the lowest priority, those that check passwords: R is running."""
    states = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it ended meanwhile
            fields = (task / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            states += fields[:1] if int(fields[16]) == LOWEST else []
    return states


def resident_bytes(pid: int) -> int:
    """Return the memory of a process that is in use."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1]) << 10


def count_lost(websockets: list[Websocket]) -> dict[int, int]:
    """Return how many were closed, by their close codes."""
    codes = [it.closed for it in websockets if it.closed]
    return {code: codes.count(code) for code in set(codes)}


def end_all(websockets: list[Websocket]) -> None:
    """End the connections."""
    for it in websockets:
        it.transport.abort()


def _of_lost(lost: dict[int, int]) -> dict[str, float]:
    return {"websockets lost": sum(lost.values()), **{f"websockets closed with {k}": v for k, v in lost.items()}}


def _of_requests(requests: Requests) -> dict[str, float]:
    for text in dict.fromkeys(requests.failed):
        print(f"a request failed: {text}", file=sys.stderr)
    return {
        "requests that failed": len(requests.failed),
        "requests": len(requests.taken),
        "p99 of requests, ms": p99(requests.taken) * 1000,
    }


Scenario = Callable[[Gateway, Sizes], Awaitable[dict[str, float]]]
SCENARIOS: dict[str, Scenario] = {
    "steady": steady,
    "mixed": mixed,
    "slow": slow,
    "certificate": certificate,
    "reloads": reloads,
    "logins": logins,
}
