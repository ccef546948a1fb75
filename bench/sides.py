"""The sides of the comparison by name, and nbgate's own: as it comes, with one worker and its audit."""

import contextlib
import http.client
import time
from collections.abc import Iterator
from pathlib import Path

from bench.cpu import cores, on_core
from bench.origin import API, free_port
from bench.proxies import caddy_side, chp_side, haproxy_side, nginx_side
from bench.side import Side, count_lines
from nbgate.testing.gateway import Certificate, Gateway, prepare_gateway, running_gateway
from nbgate.testing.wait import wait_until

CONFIG = """\
# The load is one person's, from one address: what one may hold at once would be measured instead.
[limits]
session_websockets = 4096
netblock_connections = 4096
stranger_connections = 4096
"""


@contextlib.contextmanager
def nbgate_side(folder: Path, origin: int, certificate: Certificate) -> Iterator[Side]:
    """Run nbgate with one worker and its audit; log in once."""
    flags, upstream = ("--allow-open-upstream",), f"127.0.0.1:{origin}"
    with running_gateway(folder, upstream, flags=flags, config=CONFIG, certificate=certificate) as it:

        def count() -> int:
            segments = (it.data / "audit").glob("*.jsonl")
            return sum(count_lines(segment, f'"url.path":"{API}') for segment in segments)

        yield Side("nbgate", it.port, it.login(), [it.program.pid], count, asks_who=True)


SIDES = {"nbgate": nbgate_side, "nginx": nginx_side, "haproxy": haproxy_side, "caddy": caddy_side, "chp": chp_side}


def start_milliseconds(folder: Path, origin: int, certificate: Certificate) -> float:
    """Start a gateway on a new data folder; return the milliseconds to the first 200 of its login page."""
    port = free_port()
    flags = ("--allow-open-upstream",)
    gateway = prepare_gateway(folder, f"127.0.0.1:{origin}", flags=flags, port=port, config="", certificate=certificate)
    gateway.add_user()
    with on_core(cores()[0]):
        begun = time.monotonic()
        gateway.program.start()
    try:
        wait_until(lambda: _shows_login(gateway), what="the login page", deadline_seconds=30)
        return (time.monotonic() - begun) * 1000
    finally:
        gateway.program.end()


def _shows_login(gateway: Gateway) -> bool:
    gateway.program.check_running()
    with contextlib.suppress(OSError, http.client.HTTPException):
        return gateway.request("GET", "/_nbgate/login")[0] == http.HTTPStatus.OK
    return False
