"""nginx and HAProxy in front of a gateway, with the words that docs/howto/behind-a-proxy.md tells people to write."""

import os
import re
import shutil
import socket
import ssl
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from nbgate.testing.gateway import CHEAP_LOGIN, running_gateway
from nbgate.testing.process import Program
from nbgate.testing.stub_upstream import StubUpstream
from nbgate.testing.wait import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "howto" / "behind-a-proxy.md").read_text(encoding="utf-8")
NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
HAPROXY = shutil.which("haproxy") or "/usr/sbin/haproxy"
CLIENT = "127.0.0.9"
AROUND = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log; {user}
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {pem}; ssl_certificate_key {pem}; {location} }}
}}
"""


def written(language):
    """Return what the page says to write in this language."""
    (text,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return text


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@contextmanager
def gateway_with(folder, *flags):
    with (
        StubUpstream().in_thread() as stub,
        running_gateway(
            folder, f"127.0.0.1:{stub.port}", flags=("--allow-open-upstream", "--hosts=localhost", *flags),
            config=CHEAP_LOGIN,
        ) as gateway,
    ):  # fmt: skip
        yield gateway


@contextmanager
def running(command, folder, port):
    program = Program(command, folder / "proxy.out")
    program.start()
    try:
        wait_until(lambda: is_open(port), what="the proxy")
        yield
    finally:
        program.end()


def is_open(port):
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def nginx(gateway, folder):
    port, authority = free_port(), folder / "nbgate.crt"
    gateway.certificate.authority.cert_pem.write_to_path(str(authority))
    location = written("nginx").replace("127.0.0.1:8443", f"127.0.0.1:{gateway.port}")
    location = location.replace("/etc/nginx/nbgate.crt", str(authority))
    config = folder / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    config.write_text(
        AROUND.format(folder=folder, port=port, pem=gateway.certificate.pem, location=location, user=user)
    )
    with running([NGINX, "-e", str(folder / "nginx.log"), "-c", str(config)], folder, port):
        yield port


@contextmanager
def haproxy(gateway, folder):
    port = free_port()
    config = folder / "haproxy.cfg"
    config.write_text(
        written("haproxy").replace("bind :443", f"bind 127.0.0.1:{port}").replace(":8443", f":{gateway.port}")
    )
    with running([HAPROXY, "-db", "-f", str(config)], folder, port):
        yield port


def ask(gateway, port, path, *headers):
    """Ask from another address of this machine; return the status."""
    lines = [f"GET {path} HTTP/1.1", f"Host: localhost:{port}", *headers, "Connection: close", "", ""]
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(CLIENT, 0)) as plain,
        gateway.certificate.client_context().wrap_socket(plain, server_hostname="localhost") as sock,
    ):
        sock.sendall("\r\n".join(lines).encode())
        return int(sock.recv(1000).split(b" ")[1])


def clients_of(gateway, path):
    return {record["client.ip"] for record in gateway.audit() if record.get("url.path") == path}


async def echoed(gateway, port, cookie):
    url = f"wss://localhost:{port}/api/kernels/1/channels"
    async with connect(
        url, ssl=gateway.certificate.client_context(), origin=f"https://localhost:{port}", compression=None, proxy=None,
        additional_headers={"Cookie": cookie},
    ) as websocket:  # fmt: skip
        await websocket.send("through both")
        return await websocket.recv()


@pytest.mark.skipif(not Path(NGINX).exists(), reason="needs nginx")
async def test_behind_nginx_the_client_is_known_and_websockets_pass(tmp_path):
    with gateway_with(tmp_path, "--trusted-proxies=127.0.0.1") as gateway, nginx(gateway, tmp_path) as port:
        cookie = gateway.login().replace(f"-{gateway.port}=", f"-{port}=", 1)  # the port is that of the Host people see
        assert 200 == ask(gateway, port, "/api/contents/a", f"Cookie: {cookie}")
        assert 200 == ask(gateway, port, "/api/contents/b", f"Cookie: {cookie}", "X-Forwarded-For: 192.0.2.66")
        wait_until(lambda: clients_of(gateway, "/api/contents/b"), what="the record")
        assert {CLIENT} == clients_of(gateway, "/api/contents/a") == clients_of(gateway, "/api/contents/b")
        assert "through both" == await echoed(gateway, port, cookie)


@pytest.mark.skipif(not Path(HAPROXY).exists(), reason="needs haproxy")
async def test_behind_haproxy_the_client_is_known_and_nobody_else_gets_in(tmp_path):
    flags = ("--trusted-proxies=127.0.0.1", "--proxy-protocol")
    with gateway_with(tmp_path, *flags) as gateway, haproxy(gateway, tmp_path) as port:
        assert 401 == ask(gateway, port, "/lab/a")
        assert 401 == ask(gateway, port, "/lab/b", "X-Forwarded-For: 192.0.2.66")
        wait_until(lambda: clients_of(gateway, "/lab/b"), what="the record")
        assert {CLIENT} == clients_of(gateway, "/lab/a") == clients_of(gateway, "/lab/b")
        with pytest.raises((ssl.SSLError, OSError)):
            ask(gateway, gateway.port, "/lab/c")
        assert set() == clients_of(gateway, "/lab/c")
