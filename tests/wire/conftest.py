"""Fixtures of the single rows, and what this folder tells at the end: counts on the terminal, the rows in a file.

`NBGATE_TEST_WIRE_TABLE=FILE` writes the table (row, bytes sent, what the client got, what the STUB saw) as Markdown.
"""

import os
import re
from pathlib import Path

import pytest
from stub_saw import Watch
from talk import SHORT, TOKEN, guarded

from nbgate.testing.gateway import CHEAP_LOGIN, running_gateway
from nbgate.testing.raw_client import RawClient
from nbgate.testing.stub_upstream import StubUpstream

COUNTS = pytest.StashKey()
TABLE_HEAD = "| row | sent | the client got | the STUB saw |\n|---|---|---|---|\n"
SHOWN_BYTES = 90
EVERY_REFUSAL = "[probe]\ninterval_seconds = 86400.0\n[limits]\nnetblock_refusals_per_minute = 100000\n"


class Told:
    """Collects what is told at the end."""

    def __init__(self):
        self.counts = []
        self.rows = []

    def count(self, text):
        self.counts.append(text)

    def row(self, name, sent, got, saw):
        """Note one row of the table; `sent` is bytes, the rest is text."""
        sent = re.sub(rb"(nbgate[-0-9]*=)[A-Za-z0-9_-]+", rb"\1SESSION", sent)
        shown = sent[:SHOWN_BYTES].decode("latin-1") + ("…" if len(sent) > SHOWN_BYTES else "")
        cells = (
            name,
            f"`{ascii(shown)[1:-1].replace('|', chr(92) + '|').replace('`', chr(39))}` ({len(sent)} bytes)",
            got,
            saw,
        )
        self.rows.append("| " + " | ".join(cells) + " |\n")


def pytest_configure(config):
    config.stash[COUNTS] = Told()


@pytest.fixture(scope="session")
def told(pytestconfig):
    return pytestconfig.stash[COUNTS]


def pytest_terminal_summary(terminalreporter, config):
    told = config.stash[COUNTS]
    if told.rows:
        told.count(
            f"rows of tests/wire: {len(set(told.rows))} different ones of {len(told.rows)} runs, each with the bytes the STUB saw"
        )
    for text in told.counts:
        terminalreporter.write_line(text)
    if told.rows and (file := os.environ.get("NBGATE_TEST_WIRE_TABLE")):
        Path(file).write_text(TABLE_HEAD + "".join(sorted(set(told.rows))), encoding="utf-8")


@pytest.fixture(scope="module")
def upstream():
    """Give an upstream that wants its token."""
    with StubUpstream(respond=guarded).in_thread() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(TOKEN)
    flags = ("--upstream-token-file", str(token))
    with running_gateway(folder, f"127.0.0.1:{upstream.port}", flags=flags, config=CHEAP_LOGIN + SHORT) as running:
        yield running


@pytest.fixture(scope="module")
def context(gateway):
    return gateway.certificate.client_context()


@pytest.fixture(scope="module")
def session(gateway):
    """Give the header lines of a live session."""
    return b"Cookie: __Host-Http-nbgate=%b\r\nOrigin: https://gw.test\r\n" % gateway.login().partition("=")[2].encode()


@pytest.fixture
def client(gateway, context):
    with RawClient(gateway.port, context) as opened:
        yield opened


@pytest.fixture
def watch(upstream):
    upstream.plays.clear()
    upstream.early.clear()
    return Watch(upstream)


@pytest.fixture(scope="module")
def stub_gateway(stub, tmp_path_factory):
    """Give a gateway in front of `stub` that records every refusal by itself, however many there are."""
    folder = tmp_path_factory.mktemp("gateway")
    options = {"flags": ("--allow-open-upstream",), "config": CHEAP_LOGIN + EVERY_REFUSAL}
    with running_gateway(folder, f"127.0.0.1:{stub.port}", **options) as running:
        yield running
