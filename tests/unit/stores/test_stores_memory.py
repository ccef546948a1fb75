"""The reference engine keeps its promises in tests/contract; here is only what no other engine has."""

from nbgate.model.account import User
from nbgate.stores.memory import MemoryState


def test_each_state_is_its_own():
    one, other = MemoryState(), MemoryState()
    one.users.add(User(name="ada", password_hash="$", created_unix=1.0))
    assert () == other.users.all()
