import pytest

from nbgate.testing.keeper_parts import PASSWORD, Rig


@pytest.fixture
async def rig():
    """A keeper in memory with one user, `ada`."""
    rig = Rig()
    await rig.keeper.accounts.add("ada", PASSWORD, "uid:0 root")
    yield rig
    await rig.close()
