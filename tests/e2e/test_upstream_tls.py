"""A real JupyterLab that speaks HTTPS, behind a real gateway: keeper and workers believe what was named, and no other.

The workers are confined: what they believe has come with their configuration, not from a file.
"""

import asyncio
import json
import ssl

import pytest
import trustme
from websockets.asyncio.client import connect

from nbgate.link.upstream_tls import pin_of
from nbgate.testing.gateway import CHEAP_LOGIN, running_gateway
from nbgate.testing.jupyter import running_jupyter

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

AUTHORITY = trustme.CA()
ISSUED = AUTHORITY.issue_cert("localhost")
PIN = pin_of(ssl.PEM_cert_to_DER_cert(ISSUED.cert_chain_pems[0].bytes().decode("ascii")))


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory):
    folder = tmp_path_factory.mktemp("jupyter")
    pem = folder / "server.pem"
    pem.touch(mode=0o600)
    ISSUED.private_key_and_cert_chain_pem.write_to_path(str(pem))
    flags = (f"--ServerApp.certfile={pem}", f"--ServerApp.keyfile={pem}")
    with running_jupyter(folder, flags=flags) as running:
        yield running


def believing(folder, how):
    """Return the flags that say whom to believe."""
    file = folder / "authority.pem"
    (trustme.CA() if how == "another authority" else AUTHORITY).cert_pem.write_to_path(str(file))
    by_pin = {"pin": PIN, "another pin": "0" * 64}
    return ("--upstream-pin", by_pin[how]) if how in by_pin else ("--upstream-ca-file", str(file))


def run_gateway(folder, jupyter, how):
    return running_gateway(
        folder / "gateway",
        f"https://localhost:{jupyter.port}",
        flags=believing(folder, how),
        environment={"JUPYTER_RUNTIME_DIR": str(jupyter.runtime)},
        config=CHEAP_LOGIN,
    )


async def first_message(gateway, cookie, kernel):
    address = f"wss://localhost:{gateway.port}/api/kernels/{kernel}/channels"
    options = {"ssl": gateway.certificate.client_context(), "origin": gateway.base_url, "proxy": None}
    async with asyncio.timeout(30), connect(address, additional_headers={"Cookie": cookie}, **options) as websocket:
        return await websocket.recv()


@pytest.mark.parametrize("how", ["pin", "authority"])
def test_a_kernel_is_reached(jupyter, tmp_path, how):
    with run_gateway(tmp_path, jupyter, how) as gateway:
        cookie = gateway.login()
        assert 200 == gateway.request("GET", "/lab", headers={"Cookie": cookie})[0]
        headers = {"Cookie": cookie, "Origin": gateway.base_url}
        status, _, body = gateway.request("POST", "/api/kernels", headers=headers, body="{}")
        assert 201 == status, body
        assert asyncio.run(first_message(gateway, cookie, json.loads(body)["id"]))


@pytest.mark.parametrize("how", ["another pin", "another authority"])
def test_one_that_is_not_believed_is_asked_nothing(jupyter, tmp_path, how):
    asked_before = jupyter.program.said().count("GET")
    with run_gateway(tmp_path, jupyter, how) as gateway:
        assert 502 == gateway.request("GET", "/lab", headers={"Cookie": gateway.login()})[0]
        assert "foreign" == gateway.status()["upstreams"][0]["condition"]
    assert asked_before == jupyter.program.said().count("GET")
