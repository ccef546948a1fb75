"""Start a real `python -m nbgate` in front of an upstream, with its own data folder and certificate, and end it by pid.

It uses the command line and the wire only: what a test learns here, an operator could have learnt too.
"""

import http.client
import json
import os
import secrets
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme

from nbgate.testing.process import Program, descendants
from nbgate.testing.raw_client import RawClient

NAMES = ("gw.example.test", "localhost", "127.0.0.1")
USER = "ada"
ANY_LOGINS = """[throttle]
address_burst = 1000000
network_burst = 1000000
account_burst = 1000000
device_burst = 1000000
factor_burst = 1000000
global_burst = 1000000
[sessions]
per_user = 1000
"""
"""For tests whose people log in again and again and are no subject of theirs."""
CHEAP_LOGIN = ANY_LOGINS + "[login]\nmemory_kib = 8192\ntime_cost = 1\n"
"""Also the lowest cost of a password, so that a test's login does not wait for argon2."""
START_SECONDS = 30.0
COMMAND_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate for `NAMES`, its key in the same file, and what a client needs to trust it."""

    pem: Path
    authority: trustme.CA

    def client_context(self) -> ssl.SSLContext:
        """Return a TLS context that trusts this certificate and nothing else."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context


def make_certificate(folder: Path) -> Certificate:
    """Make an authority and a certificate of it in `folder`."""
    authority = trustme.CA()
    made = authority.issue_cert(*NAMES)
    pem = folder / "gateway.pem"
    pem.touch(mode=0o600)
    made.private_key_and_cert_chain_pem.write_to_path(str(pem))
    return Certificate(pem, authority)


@dataclass(slots=True)
class Gateway:
    """A running gateway.

    Attributes:
        folder: Everything of this gateway; `data` is its data folder, `log` what it said.
        password: Of the user `USER`.
    """

    folder: Path
    certificate: Certificate
    program: Program
    password: str = field(repr=False)
    port: int = 0

    @property
    def data(self) -> Path:
        """Return the data folder."""
        return self.folder / "data"

    @property
    def base_url(self) -> str:
        """Return the URL for a client on this machine, without a slash at the end."""
        return f"https://localhost:{self.port}"

    @property
    def host(self) -> str:
        """Return the Host header that goes with `base_url`."""
        return f"localhost:{self.port}"

    def command(self, *words: str, input_text: str = "") -> subprocess.CompletedProcess[str]:
        """Run `nbgate WORDS` against this gateway's data folder."""
        return run_command(words, self.program.environment, input_text=input_text)

    def add_user(self, name: str = USER, password: str = "") -> None:
        """Add an account, whether or not the gateway runs."""
        done = self.command("user", "add", name, "--password-stdin", input_text=(password or self.password) + "\n")
        if done.returncode != 0:
            message = f"nbgate user add ended with {done.returncode}: {done.stderr}"
            raise RuntimeError(message)

    def status(self) -> dict[str, Any]:
        """Return what `nbgate status --format json` says."""
        done = self.command("status", "--format", "json")
        if done.returncode != 0:
            message = f"nbgate status ended with {done.returncode}: {done.stderr}"
            raise RuntimeError(message)
        return dict(json.loads(done.stdout))

    def processes(self, role: str) -> list[int]:
        """Return the ids of the running processes of `role` (`worker` or `keeper`)."""
        return [pid for pid in descendants(self.program.pid) if role in _command_line(pid)]

    def client(self, **options: Any) -> RawClient:
        """Return a raw TLS client to this gateway, to be used in a with block."""
        return RawClient(self.port, self.certificate.client_context(), **options)

    def request(
        self, method: str, path: str, *, body: str | bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request on a connection of its own; return status, headers (lower-case names, the first
        of each) and body."""
        context = self.certificate.client_context()
        connection = http.client.HTTPSConnection("localhost", self.port, timeout=20, context=context)
        try:
            connection.request(method, path, body=body or None, headers=dict(headers or {}))
            answer = connection.getresponse()
            fields: dict[str, str] = {}
            for name, value in answer.getheaders():  # the first of several: of cookies it is the session's
                fields.setdefault(name.lower(), value)
            return answer.status, fields, answer.read()
        finally:
            connection.close()

    def login(self, user: str = USER, password: str = "", *, base: str = "/") -> str:
        """Log in by the JSON endpoint below the base URL; return the `Cookie` header value of the new session."""
        body = json.dumps({"username": user, "password": password or self.password})
        headers = {"Content-Type": "application/json", "Origin": self.base_url}
        status, answer, _ = self.request("POST", f"{base}_nbgate/api/login", body=body, headers=headers)
        if status != http.HTTPStatus.OK:
            message = f"login was answered with {status}"
            raise RuntimeError(message)
        return answer["set-cookie"].split(";", 1)[0]

    def audit_lines(self) -> list[bytes]:
        """Return every line of the audit, oldest first, each with its line end."""
        segments = sorted((self.data / "audit").glob("*.jsonl"))
        return [line for segment in segments for line in segment.read_bytes().splitlines(keepends=True)]

    def audit(self) -> list[dict[str, Any]]:
        """Return every whole record of the audit, oldest first."""
        return [json.loads(line) for line in self.audit_lines() if line.endswith(b"\n")]


def run_command(
    words: Sequence[str], environment: Mapping[str, str], *, input_text: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run `nbgate WORDS` to its end with `environment` added to this process's own."""
    return subprocess.run(
        [sys.executable, "-m", "nbgate", *words],
        input=input_text,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        env={**os.environ, **environment},
        check=False,
    )


def prepare_gateway(
    folder: Path,
    upstream: str,
    *,
    flags: Sequence[str] = (),
    workers: int = 1,
    port: int = 0,
    config: str = CHEAP_LOGIN,
    environment: Mapping[str, str] | None = None,
    certificate: Certificate | None = None,
) -> Gateway:
    """Lay everything out in `folder` for a gateway in front of `upstream`, "" for what runs; start nothing yet."""
    folder.mkdir(parents=True, exist_ok=True)
    pair = certificate or make_certificate(folder)
    file = folder / "nbgate.toml"
    file.write_text(config, encoding="utf-8")
    own = {"NBGATE_DATA_DIR": str(folder / "data"), "NBGATE_CONFIG": str(file)}
    command = [sys.executable, "-m", "nbgate", "--cert", str(pair.pem), "--port", str(port)]
    command += [*(("--upstream", upstream) if upstream else ()), "--workers", str(workers), *flags]
    program = Program(command, folder / "nbgate.log", {**(environment or {}), **own})
    return Gateway(folder=folder, certificate=pair, program=program, password=secrets.token_urlsafe(18), port=port)


@contextmanager
def running_gateway(folder: Path, upstream: str, **options: Any) -> Iterator[Gateway]:
    """Run a gateway in front of `upstream` with the one user `USER`; end it at the end.

    `options` are those of `prepare_gateway`.

    Raises:
        RuntimeError: It ended instead of listening.
        TimeoutError: It did not listen in time.
    """
    gateway = prepare_gateway(folder, upstream, **options)
    gateway.add_user()
    gateway.program.start()
    try:
        said = gateway.program.wait_for_line(r"listening on https://\S+?:(\d+)", START_SECONDS)
        gateway.port = int(said[1])
        yield gateway
    finally:
        gateway.program.end()


def _command_line(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace").split("\0")
    except OSError:  # ended while we looked
        return []
