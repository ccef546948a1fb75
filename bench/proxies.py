"""The others of the comparison: how each is set up and started, which processes are its own, where it logs requests."""

import contextlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.origin import API, free_port, nginx_command, nginx_temporary, wait_for_port
from bench.side import Side, count_lines, random_cookie
from nbgate.testing.gateway import Certificate
from nbgate.testing.process import Program

TOP = Path(__file__).resolve().parent.parent
CHP = "configurable-http-proxy"

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
    location /terminals/ {{
      auth_request /_auth;
      proxy_pass http://origin; proxy_http_version 1.1; proxy_read_timeout 1h;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
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

HAPROXY_CONFIG = """\
global
  nbthread 1
  maxconn 8192
  log stdout format raw local0 info
  ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
  mode http
  log global
  option httplog
  option forwardfor
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
  http-reuse always
frontend tls
  bind 127.0.0.1:{port} ssl crt {pem}
  default_backend origin
backend origin
  server origin 127.0.0.1:{origin}
"""


@contextlib.contextmanager
def _running(program: Program, port: int) -> Iterator[Program]:
    program.start()
    try:
        wait_for_port(port, program)
        yield program
    finally:
        program.end()


@contextlib.contextmanager
def nginx_side(folder: Path, origin: int, certificate: Certificate) -> Iterator[Side]:
    """Run nginx with auth_request, the auth service it asks, and an access log."""
    folder.mkdir()
    port, auth = free_port(), free_port()
    name, value = random_cookie(port)
    service = Program([sys.executable, "-m", "bench.auth_service", str(auth), name, value], folder / "auth.log")
    config = folder / "nginx.conf"
    texts = {"folder": folder, "port": port, "origin": origin, "auth": auth, "pem": certificate.pem}
    config.write_text(NGINX_CONFIG.format(temporary=nginx_temporary(folder), **texts))
    nginx = Program(nginx_command(config), folder / "nginx.out")
    log = folder / "access.log"
    with _running(service, auth), _running(nginx, port):
        roots = [service.pid, nginx.pid]
        yield Side("nginx", port, f"{name}={value}", roots, lambda: count_lines(log, f"GET {API}"), asks_who=True)


@contextlib.contextmanager
def caddy_side(folder: Path, origin: int, certificate: Certificate) -> Iterator[Side]:
    """Run Caddy with its JSON access log; it asks nobody who is there."""
    folder.mkdir()
    port = free_port()
    name, value = random_cookie(port)
    config = folder / "Caddyfile"
    config.write_text(CADDY_CONFIG.format(folder=folder, port=port, origin=origin, pem=certificate.pem))
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder / "data"), "XDG_CONFIG_HOME": str(folder / "config")}
    caddy = Program(["caddy", "run", "--config", str(config), "--adapter", "caddyfile"], folder / "caddy.out", home)
    log = folder / "access.log"
    with _running(caddy, port):
        yield Side("caddy", port, f"{name}={value}", [caddy.pid], lambda: count_lines(log, f'"uri":"{API}'))


@contextlib.contextmanager
def haproxy_side(folder: Path, origin: int, certificate: Certificate) -> Iterator[Side]:
    """Run HAProxy with its access log, on its standard output; it asks nobody who is there."""
    folder.mkdir()
    port = free_port()
    name, value = random_cookie(port)
    config = folder / "haproxy.cfg"
    config.write_text(HAPROXY_CONFIG.format(port=port, origin=origin, pem=certificate.pem))
    log = folder / "access.log"
    haproxy = Program([shutil.which("haproxy") or "/usr/sbin/haproxy", "-db", "-f", str(config)], log)
    with _running(haproxy, port):
        yield Side("haproxy", port, f"{name}={value}", [haproxy.pid], lambda: count_lines(log, f"GET {API}"))


def chp_program() -> str:
    """Return configurable-http-proxy: what the Makefile installed, or the one on the path; "" without one."""
    ours = TOP / ".make" / "npm" / "node_modules" / ".bin" / CHP
    return str(ours) if ours.exists() else shutil.which(CHP) or ""


@contextlib.contextmanager
def chp_side(folder: Path, origin: int, certificate: Certificate) -> Iterator[Side]:
    """Run configurable-http-proxy; it logs no requests and asks nobody who is there."""
    folder.mkdir()
    port = free_port()
    name, value = random_cookie(port)
    command = [chp_program(), "--ip", "127.0.0.1", "--port", str(port), "--api-ip", "127.0.0.1"]
    command += ["--api-port", str(free_port()), "--ssl-key", str(certificate.pem), "--ssl-cert", str(certificate.pem)]
    command += ["--default-target", f"http://127.0.0.1:{origin}"]
    chp = Program(command, folder / "chp.out", {"CONFIGPROXY_AUTH_TOKEN": value})
    with _running(chp, port):
        yield Side("chp", port, f"{name}={value}", [chp.pid], None)
