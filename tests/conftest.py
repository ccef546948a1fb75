"""Fixtures for everything that runs a real gateway or a real JupyterLab; unit tests need none of them."""

import pytest

from nbgate.testing.gateway import CHEAP_LOGIN, running_gateway
from nbgate.testing.stub_upstream import StubUpstream

pytest.register_assert_rewrite("lab_steps", "server_runs")  # what they check is told as a test's own asserts are

QUIET_PROBE = "[probe]\ninterval_seconds = 86400.0\n"
"""The keeper looks at the stub once, at the start: every later byte there came through the gateway from a test."""


@pytest.fixture(scope="module")
def stub():
    """Give an upstream that records every byte, on a thread of its own."""
    with StubUpstream().in_thread() as running:
        yield running


@pytest.fixture(scope="module")
def stub_gateway(stub, tmp_path_factory):
    """Give a gateway with one worker in front of `stub`."""
    folder = tmp_path_factory.mktemp("gateway")
    flags = ("--allow-open-upstream",)
    with running_gateway(folder, f"127.0.0.1:{stub.port}", flags=flags, config=CHEAP_LOGIN + QUIET_PROBE) as gateway:
        yield gateway
