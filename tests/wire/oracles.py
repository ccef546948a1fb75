"""Debian's nginx and HAProxy in front of an upstream, as they come: two readers whose opinion of HTTP others rely on.

Plain HTTP on a Unix socket each, so that no port is raced for; deadlines are short, so that what waits for ever ends.
They are started here, and ended by their process id. Nothing is compared here.
"""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from nbgate.testing.wait import wait_until

NGINX = """\
daemon off;
master_process off;
{user}
pid {folder}/nginx.pid;
error_log {folder}/nginx.log warn;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  large_client_header_buffers 4 32k;
  client_max_body_size 0;
  client_header_timeout {milliseconds}ms;
  client_body_timeout {milliseconds}ms;
  lingering_timeout {milliseconds}ms;
  server {{
    listen unix:{folder}/nginx.sock;
    location / {{
      proxy_pass http://127.0.0.1:{port};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection "";
      proxy_next_upstream off;
      proxy_ignore_client_abort on;
    }}
  }}
}}
"""
HAPROXY = """\
global
  maxconn 1024
  tune.bufsize 65536
defaults
  mode http
  timeout connect 5s
  timeout server 10s
  timeout client {milliseconds}ms
  timeout http-request {milliseconds}ms
  timeout http-keep-alive {milliseconds}ms
frontend front
  bind unix@{folder}/haproxy.sock
  default_backend back
backend back
  server upstream 127.0.0.1:{port}
"""
ORACLES = ("nginx", "haproxy")


def program(name: str) -> str:
    """Return where `name` is installed, "" if it is not; Debian keeps both out of a user's PATH."""
    return shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin") or ""


@contextlib.contextmanager
def running_oracle(name: str, folder: Path, port: int, *, seconds: float, root: bool) -> Iterator[str]:
    """Run `name` in front of the upstream at `port`; give the path of its socket."""
    values = {
        "folder": folder,
        "port": port,
        "milliseconds": int(seconds * 1000),
        "user": "user root;" if root else "",
    }
    file, path = folder / f"{name}.cfg", folder / f"{name}.sock"
    file.write_text((NGINX if name == "nginx" else HAPROXY).format(**values), encoding="utf-8")
    options = ["-e", str(folder / "nginx.err"), "-c", str(file)] if name == "nginx" else ["-db", "-f", str(file)]
    with (folder / f"{name}.out").open("wb") as said:
        process = subprocess.Popen([program(name), *options], stdout=said, stderr=said)
        try:
            wait_until(lambda: path.exists() or process.poll() is not None, what=f"{name} listens")
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended with {process.returncode}: {(folder / f'{name}.out').read_text()}")
            yield str(path)
        finally:
            process.kill()
            process.wait(10)
