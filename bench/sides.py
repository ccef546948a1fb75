"""The sides of the comparison: how each is started, which processes are its own, and where it logs requests."""

import contextlib
import http.client
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.cpu import cores, on_core
from bench.origin import API, free_port, nginx_command, nginx_temporary, wait_for_port
from nbgate.testing.gateway import Certificate, Gateway, prepare_gateway, running_gateway
from nbgate.testing.process import Program
from nbgate.testing.wait import wait_until

COOKIE_VALUE_CHARS = 43

NGINX_CONFIG = """\
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log {folder}/access.log combined; keepalive_requests 100000000; keepalive_timeout 1h;
  {temporary}
  proxy_max_temp_file_size 0;
  upstream origin {{ server 127.0.0.1:{origin}; keepalive 64; keepalive_requests 100000000; }}
  upstream auth {{ server 127.0.0.1:{auth}; keepalive 64; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {pem}; ssl_certificate_key {pem}; ssl_protocols TLSv1.2 TLSv1.3;
    client_max_body_size 0;
    location / {{
      auth_request /_auth;
      proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto https;
    }}
    location = /_auth {{
      internal; proxy_pass http://auth; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_pass_request_body off; proxy_set_header Content-Length "";
    }}
  }}
}}
"""

CADDY_CONFIG = """\
{{
  admin off
  auto_https off
}}
https://localhost:{port} {{
  bind 127.0.0.1
  tls {pem} {pem}
  log {{
    output file {folder}/access.log {{
      roll_disabled
    }}
    format json
  }}
  reverse_proxy 127.0.0.1:{origin}
}}
"""


@dataclass(frozen=True, slots=True)
class Side:
    """One running side.

    Attributes:
        roots: Its processes; their descendants count too.
        count_records: Says how many small requests its log holds.
    """

    name: str
    port: int
    cookie: str
    roots: list[int]
    count_records: Callable[[], int]


def _random_cookie(port: int) -> tuple[str, str]:
    return f"__Host-Http-nbgate-{port}", secrets.token_urlsafe(32)[:COOKIE_VALUE_CHARS]


def _count_lines(file: Path, mark: str) -> int:
    needle = mark.encode()
    with file.open("rb") as lines:
        return sum(needle in line for line in lines)


@contextlib.contextmanager
def nginx_side(folder: Path, origin: int, certificate: Certificate) -> Iterator[Side]:
    """Run nginx with auth_request, the auth service it asks, and an access log."""
    folder.mkdir()
    port, auth = free_port(), free_port()
    name, value = _random_cookie(port)
    service = Program([sys.executable, "-m", "bench.auth_service", str(auth), name, value], folder / "auth.log")
    config = folder / "nginx.conf"
    texts = {"folder": folder, "port": port, "origin": origin, "auth": auth, "pem": certificate.pem}
    config.write_text(NGINX_CONFIG.format(temporary=nginx_temporary(folder), **texts))
    nginx = Program(nginx_command(config), folder / "nginx.out")
    service.start()
    nginx.start()
    try:
        wait_for_port(auth, service)
        wait_for_port(port, nginx)
        log = folder / "access.log"
        yield Side("nginx", port, f"{name}={value}", [service.pid, nginx.pid], lambda: _count_lines(log, f"GET {API}"))
    finally:
        nginx.end()
        service.end()


@contextlib.contextmanager
def caddy_side(folder: Path, origin: int, certificate: Certificate) -> Iterator[Side]:
    """Run Caddy with its JSON access log; it asks nobody who is there."""
    folder.mkdir()
    port = free_port()
    name, value = _random_cookie(port)
    config = folder / "Caddyfile"
    config.write_text(CADDY_CONFIG.format(folder=folder, port=port, origin=origin, pem=certificate.pem))
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder / "data"), "XDG_CONFIG_HOME": str(folder / "config")}
    caddy = Program(["caddy", "run", "--config", str(config), "--adapter", "caddyfile"], folder / "caddy.out", home)
    caddy.start()
    try:
        wait_for_port(port, caddy)
        log = folder / "access.log"
        yield Side("caddy", port, f"{name}={value}", [caddy.pid], lambda: _count_lines(log, f'"uri":"{API}'))
    finally:
        caddy.end()


@contextlib.contextmanager
def nbgate_side(folder: Path, origin: int, certificate: Certificate) -> Iterator[Side]:
    """Run nbgate as it comes, one worker, with its audit; log in once."""
    upstream = f"127.0.0.1:{origin}"
    with running_gateway(folder, upstream, flags=("--allow-open-upstream",), config="", certificate=certificate) as it:

        def count() -> int:
            segments = (it.data / "audit").glob("*.jsonl")
            return sum(_count_lines(segment, f'"url.path":"{API}') for segment in segments)

        yield Side("nbgate", it.port, it.login(), [it.program.pid], count)


SIDES = {"nbgate": nbgate_side, "nginx": nginx_side, "caddy": caddy_side}


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
