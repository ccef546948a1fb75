"""Load: the headers a browser would send, wrk for many small answers, a plain reader for one big one."""

import json
import socket
import ssl
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from bench.origin import BIG_BYTES, BIG_PATH, POLLED, SMALL_BYTES
from bench.side import Side

SCRIPT = Path(__file__).with_name("wrk.lua")
CHUNK_BYTES = 1 << 20
USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"


class FailedRunError(Exception):
    """The figures of this run mean nothing."""


def browser_headers(port: int) -> dict[str, str]:
    """Return the 13 headers that Chromium sends with a small request of JupyterLab, in its order."""
    return {
        "Host": f"localhost:{port}",
        "Connection": "keep-alive",
        "sec-ch-ua-platform": '"Linux"',
        "User-Agent": USER_AGENT,
        "Accept": "*/*",
        "sec-ch-ua": '"Chromium";v="156", "Not)A;Brand";v="24"',
        "sec-ch-ua-mobile": "?0",
        "Sec-Fetch-Site": "same-origin",
        "Sec-Fetch-Mode": "cors",
        "Sec-Fetch-Dest": "empty",
        "Referer": f"https://localhost:{port}/lab/tree/Untitled.ipynb",
        "Accept-Encoding": "gzip, deflate, br, zstd",
        "Accept-Language": "en-GB,en;q=0.9",
    }


@dataclass(frozen=True, slots=True)
class SmallRun:
    """What wrk saw."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class SmallLoad:
    """Many small requests: `kind` as in wrk.lua, on how many kept connections."""

    name: str
    kind: str
    connections: int


def run_small(side: Side, load: SmallLoad, seconds: int) -> SmallRun:
    """Send small requests for `seconds`.

    Raises:
        FailedRunError: An answer was not the origin's JSON.
    """
    headers = [f"{name}: {value}" for name, value in browser_headers(side.port).items()]
    command = ["wrk", "--threads", "1", "--connections", str(load.connections), "--duration", f"{seconds}s"]
    command += ["--script", str(SCRIPT), f"https://localhost:{side.port}/", "--", load.kind, *headers]
    done = subprocess.run([*command, f"Cookie: {side.cookie}"], capture_output=True, text=True, check=True)
    seen = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("JSON "))[5:])
    if seen["failed"] or seen["bytes"] < seen["requests"] * SMALL_BYTES or not seen["requests"]:
        raise FailedRunError(f"{side.name}: {seen}")
    return SmallRun(seen["requests"], seen["seconds"], seen["p50_ms"], seen["p99_ms"])


def _connect(port: int) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=60), server_hostname="localhost")


def fetch(side: Side, path: str, *, with_body: bool = False) -> tuple[int, int, bytes]:
    """Send one request; return status, body length and, when asked for, the body."""
    head = [f"GET {path} HTTP/1.1"] + [f"{name}: {value}" for name, value in browser_headers(side.port).items()]
    with _connect(side.port) as connection:
        connection.sendall("\r\n".join([*head, f"Cookie: {side.cookie}", "", ""]).encode())
        buffer, received = memoryview(bytearray(CHUNK_BYTES)), b""
        while b"\r\n\r\n" not in received:
            count = connection.recv_into(buffer)
            if not count:
                raise FailedRunError(f"{side.name}: closed after {received!r}")
            received += buffer[:count]
        answer, _, body = received.partition(b"\r\n\r\n")
        lines = [line.partition(b": ") for line in answer.lower().split(b"\r\n")]
        expected = int(next(value for name, _, value in lines if name == b"content-length"))
        length, kept = len(body), [body]
        while length < expected and (count := connection.recv_into(buffer)):
            length += count
            if with_body:
                kept.append(bytes(buffer[:count]))
    return int(answer.split(b" ", 2)[1]), length, b"".join(kept)


def check_small(side: Side, body: bytes) -> None:
    """Raise FailedRunError unless the session gets the origin's JSON, and a stranger nothing where anybody is asked."""
    status, _, seen = fetch(side, POLLED[0], with_body=True)
    if (status, seen) != (200, body):
        raise FailedRunError(f"{side.name}: {status} and {len(seen)} bytes instead of the origin's answer")
    stranger = Side(side.name, side.port, "a=b", side.roots, side.count_records)
    if side.asks_who and fetch(stranger, POLLED[0])[0] != 401:
        raise FailedRunError(f"{side.name}: a stranger was let in")


def run_download(side: Side) -> float:
    """Read the big file once; return the seconds it took."""
    begun = time.monotonic()
    status, length, _ = fetch(side, BIG_PATH)
    if (status, length) != (200, BIG_BYTES):
        raise FailedRunError(f"{side.name}: {status} and {length} bytes instead of the big file")
    return time.monotonic() - begun
