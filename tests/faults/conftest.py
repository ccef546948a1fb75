"""A real gateway with short deadlines in front of an upstream that does as it is told; each file has its own."""

import pytest
from books import QUIET_PROBE

from nbgate.testing.gateway import CHEAP_LOGIN, running_gateway
from nbgate.testing.stub_upstream import StubUpstream

SHORT = "[limits]\nupstream_idle_seconds = 0.2\nupstream_answer_seconds = 2.0\nkeepalive_seconds = 2.0\n"


@pytest.fixture(scope="module")
def stub():
    with StubUpstream().in_thread() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(stub, tmp_path_factory):
    folder, upstream = tmp_path_factory.mktemp("gateway"), f"127.0.0.1:{stub.port}"
    config = CHEAP_LOGIN + QUIET_PROBE + SHORT
    with running_gateway(folder, upstream, flags=("--allow-open-upstream",), config=config) as running:
        yield running


@pytest.fixture(scope="module")
def cookie(gateway):
    return gateway.login()
