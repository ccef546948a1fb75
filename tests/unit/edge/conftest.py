from collections.abc import Iterator

import pytest

from nbgate.testing.edge_rig import EdgeRig, edge_rig
from nbgate.testing.stub_upstream import StubUpstream


@pytest.fixture
def stub() -> Iterator[StubUpstream]:
    with StubUpstream().in_thread() as running:
        yield running


@pytest.fixture
def rig(stub: StubUpstream) -> Iterator[EdgeRig]:
    with edge_rig(stub.port) as running:
        yield running
