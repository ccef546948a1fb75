"""The server behind every side: nginx on loopback without TLS; 1 KB of JSON that may not be stored, and 256 MiB.

Websockets it hands on to an echo (`bench.echo_service`).
"""

import contextlib
import json
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from nbgate.testing.process import Program
from nbgate.testing.wait import wait_until

POLLED = ("/api/kernels", "/api/sessions", "/api/terminals", "/api/contents")
"""What JupyterLab asks for every ten seconds; all small answers are the same 1,024 bytes."""
API, SMALL_FILE, BIG_PATH = "/api/", "small.json", "/files/big.bin"
SMALL_BYTES, BIG_BYTES = 1024, 256 << 20

CONFIG = """\
daemon off; master_process off; worker_processes 1; pid {folder}/origin.pid; error_log {folder}/origin.log;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 1h;
  {temporary}
  server {{
    listen 127.0.0.1:{port};
    root {folder}/www; add_header Cache-Control no-store; default_type application/json;
    # head and body of a small answer in one packet, as notebook servers send them
    location /api/ {{ sendfile off; rewrite ^ /small.json break; }}
    error_page 405 =200 /small.json;  # a write is answered like a read
    location /files/ {{ sendfile on; tcp_nopush on; }}
    location /terminals/ {{
      proxy_pass http://127.0.0.1:{echo}; proxy_http_version 1.1; proxy_read_timeout 1h;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
    }}
  }}
}}
"""


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def nginx_temporary(folder: Path) -> str:
    """Return the directives that keep nginx's temporary files in `folder`, so that it needs no root."""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)


def nginx_command(config: Path) -> list[str]:
    """Return the command that runs nginx with `config`; as root its workers stay root, to read the folder."""
    stay = ["-g", "user root;"] if os.geteuid() == 0 else []
    return [shutil.which("nginx") or "/usr/sbin/nginx", "-e", f"{config}.log", "-c", str(config), *stay]


def wait_for_port(port: int, program: Program) -> None:
    """Wait until somebody listens on `port`."""

    def look():
        program.check_running()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    wait_until(look, what=f"{program.command[0]} on port {port}", deadline_seconds=20)


@contextlib.contextmanager
def running_origin(folder: Path) -> Iterator[int]:
    """Run the origin; give its port."""
    folder.mkdir()
    port, echo = free_port(), free_port()
    big = folder / "www" / BIG_PATH.lstrip("/")
    big.parent.mkdir(parents=True)
    with big.open("wb") as out:
        out.truncate(BIG_BYTES)
    (folder / "www" / SMALL_FILE).write_bytes(small_body())
    config = folder / "origin.conf"
    config.write_text(CONFIG.format(folder=folder, port=port, echo=echo, temporary=nginx_temporary(folder)))
    program = Program(nginx_command(config), folder / "origin.out")
    service = Program([sys.executable, "-m", "bench.echo_service", str(echo)], folder / "echo.log")
    program.start()
    service.start()
    try:
        wait_for_port(port, program)
        wait_for_port(echo, service)
        yield port
    finally:
        service.end()
        program.end()


def small_body() -> bytes:
    """Return exactly `SMALL_BYTES` of JSON."""
    empty = json.dumps({"name": SMALL_FILE, "content": ""}).encode()
    return empty[:-2] + b"x" * (SMALL_BYTES - len(empty)) + empty[-2:]
