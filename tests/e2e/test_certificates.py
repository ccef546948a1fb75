"""The certificate while people work: a new pair, a wrong pair, one that ends (F07, F08, F09)."""

import asyncio
import contextlib
import hashlib
import http.client
import re
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from steady_clients import echo_until, open_websocket

from nbgate.testing.gateway import CHEAP_LOGIN, prepare_gateway, running_gateway
from nbgate.testing.stub_upstream import StubUpstream
from nbgate.testing.wait import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

WEBSOCKETS = 200
CONNECTS = 1000
CONNECTS_AT_ONCE = 4
LATEST_SECONDS = 1.0
WATCH = CHEAP_LOGIN + "[probe]\ncertificate_seconds = 0.2\n[limits]\nsession_websockets = 300\n"


@pytest.fixture
def gateway(tmp_path):
    flags = ("--allow-open-upstream",)
    with (
        StubUpstream().in_thread() as stub,
        running_gateway(tmp_path, f"127.0.0.1:{stub.port}", flags=flags, config=WATCH) as running,
    ):
        yield running


def replace(path, data):
    newer = path.with_suffix(".new")
    newer.touch(mode=0o600)
    newer.write_bytes(data)
    newer.replace(path)


def new_pair(gateway, **options):
    return gateway.certificate.authority.issue_cert("localhost", **options)


def fingerprint(der):
    return hashlib.sha256(der).hexdigest()


def served(gateway):
    """Return the fingerprint that a new client sees."""
    with gateway.client() as client:
        return fingerprint(client.socket.getpeercert(binary_form=True))


def wanted(pair):
    return fingerprint(ssl.PEM_cert_to_DER_cert(pair.cert_chain_pems[0].bytes().decode()))


class Connects:
    """Handshakes one after the other, each on a connection of its own, until `CONNECTS` are done."""

    def __init__(self, gateway):
        self.seen = []
        self.failed = []
        self._port = gateway.port
        self._context = gateway.certificate.client_context()

    async def run(self):
        while len(self.seen) + len(self.failed) < CONNECTS:
            try:
                async with asyncio.timeout(10):
                    _, writer = await asyncio.open_connection("localhost", self._port, ssl=self._context)
            except (OSError, TimeoutError) as error:
                self.failed.append(repr(error))
                continue
            self.seen.append(fingerprint(writer.get_extra_info("ssl_object").getpeercert(binary_form=True)))
            writer.transport.abort()


async def typed_reload(gateway):
    done = await asyncio.to_thread(gateway.command, "reload")
    assert 0 == done.returncode, done.stderr


async def nothing_typed(_gateway):
    """The files are watched."""


@pytest.mark.parametrize("how", [typed_reload, nothing_typed])
async def test_a_new_pair_drops_no_websocket_and_fails_no_handshake(gateway, how):
    """F07."""
    cookie, workers, before = gateway.login(), gateway.processes("worker"), served(gateway)
    pair = new_pair(gateway)
    stopping, connects = asyncio.Event(), Connects(gateway)
    sockets = [await open_websocket(gateway, cookie) for _ in range(WEBSOCKETS)]
    async with asyncio.timeout(100), asyncio.TaskGroup() as group:
        echoes = [group.create_task(echo_until(each, stopping, 0.5)) for each in sockets]
        loops = [group.create_task(connects.run()) for _ in range(CONNECTS_AT_ONCE)]
        while len(connects.seen) < CONNECTS // 4:
            await asyncio.sleep(0.01)
        replace(gateway.certificate.pem, pair.private_key_and_cert_chain_pem.bytes())
        await how(gateway)
        begun = asyncio.get_running_loop().time()
        while await asyncio.to_thread(served, gateway) != wanted(pair):
            await asyncio.sleep(0.01)
        took = asyncio.get_running_loop().time() - begun
        await asyncio.gather(*loops)
        stopping.set()
    for each in sockets:
        await each.close()
    assert took < LATEST_SECONDS
    assert [] == connects.failed
    assert {before, wanted(pair)} == set(connects.seen)
    assert min(echo.result() for echo in echoes) > 0
    assert workers == gateway.processes("worker")
    assert wanted(pair) == gateway.status()["certificate_sha256"].replace(":", "").lower()


def test_a_key_that_does_not_fit_changes_nothing_and_is_told_in_one_line(gateway):
    """F08: loaded into the live context it would break every later handshake (THREATS fact 11)."""
    before = served(gateway)
    stranger, own = new_pair(gateway), gateway.certificate.pem.read_bytes()
    chain = own[own.index(b"-----BEGIN CERTIFICATE") :]
    replace(gateway.certificate.pem, stranger.private_key_pem.bytes() + chain)
    done = gateway.command("reload")
    assert 78 == done.returncode
    assert re.fullmatch(r"nbgate: the key in .* does not belong to the certificate in .*\n  hint: .*\n", done.stderr)
    line = r"^\S+ error +certificate refused, the old one stays problem=.*$"
    gateway.program.wait_for_line(line)
    records = wait_until(lambda: [r for r in gateway.audit() if r["event.action"] == "certificate.change"], what="it")
    for _ in range(10):
        assert before == served(gateway)
    with contextlib.closing(http.client.HTTPSConnection("localhost", gateway.port, timeout=5,
                                                        context=gateway.certificate.client_context())) as client:  # fmt: skip
        client.request("GET", "/_nbgate/health")
        assert 200 == client.getresponse().status
    assert 1 == len(re.findall(line, gateway.program.said(), re.MULTILINE))
    assert [("failure", before)] == [(r["event.outcome"], r["tls.server.hash.sha256"]) for r in records]
    replace(gateway.certificate.pem, own)
    assert 0 == gateway.command("reload").returncode


def test_a_certificate_that_has_ended_is_refused_at_the_start(tmp_path):
    """F09; that one which ends meanwhile is served on: test_keeper_certificate_watch.py."""
    gateway = prepare_gateway(tmp_path, "127.0.0.1:9")
    ended = new_pair(gateway, not_after=datetime.now(UTC) - timedelta(hours=1))
    replace(gateway.certificate.pem, ended.private_key_and_cert_chain_pem.bytes())
    gateway.add_user()
    gateway.program.start()
    assert 78 == gateway.program.wait()
    assert re.search(r"nbgate: the certificate .* ended on \d{4}-\d\d-\d\d\n  hint: renew it", gateway.program.said())


FAKETIME = "/usr/bin/faketime"


@pytest.mark.skipif(not Path(FAKETIME).exists(), reason="needs faketime")
def test_one_that_ends_while_the_gateway_runs_is_served_on_and_told(tmp_path):
    """F09 with a real clock that is set, as by `date`: three weeks before the end, then after it."""
    ends = datetime.now(UTC) + timedelta(days=20)
    clock = tmp_path / "clock"
    clock.write_text("+0d\n")
    library = subprocess.run([FAKETIME, "-f", "+0d", "sh", "-c", "echo $LD_PRELOAD"], capture_output=True, text=True)
    environment = {
        "LD_PRELOAD": library.stdout.strip(), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip
    with StubUpstream().in_thread() as stub:
        upstream, flags = f"127.0.0.1:{stub.port}", ("--allow-open-upstream",)
        gateway = prepare_gateway(tmp_path, upstream, flags=flags, config=WATCH, environment=environment)
        pair = new_pair(gateway, not_after=ends)
        replace(gateway.certificate.pem, pair.private_key_and_cert_chain_pem.bytes())
        gateway.add_user()
        gateway.program.start()
        try:
            gateway.port = int(gateway.program.wait_for_line(r"listening on https://\S+?:(\d+)")[1])
            gateway.program.wait_for_line(r"warning +the certificate ends on \S+ at \S+ UTC, in 19 days")
            clock.write_text("+21d\n")
            gateway.program.wait_for_line(r"warning +the certificate ended on \S+ at \S+ UTC: browsers refuse it")
            with gateway.client() as client:
                assert wanted(pair) == fingerprint(client.socket.getpeercert(binary_form=True))
            records = [r["message"] for r in gateway.audit() if r["event.action"] == "certificate.expiry"]
            assert ["ends", "ended"] == [message.split()[2] for message in records]
        finally:
            gateway.program.end()
