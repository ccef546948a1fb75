"""Every engine that keeps state, one after the other."""

import pytest

from nbgate.ports import State
from nbgate.stores.memory import MemoryState
from nbgate.stores.sqlite import open_state


@pytest.fixture(params=["memory", "sqlite"])
def stores(request, tmp_path):
    state: State = MemoryState() if request.param == "memory" else open_state(tmp_path / "state.db")
    yield state
    state.close()
