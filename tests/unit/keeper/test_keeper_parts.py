"""The doors of a keeper know each other where one needs the other."""

from nbgate.config.schema import Config
from nbgate.testing.keeper_parts import Rig


async def test_all_of_them_see_the_configuration_in_force(rig):
    rig.keeper.apply(Config(hosts=("gate.example",)), rig.keeper.material, rig.values["tables"], rig.values["rules"])
    assert "gate.example" in rig.keeper.factors.begin_totp("ada").uri


async def test_what_a_netblock_was_refused_for_is_forgotten_by_the_throttle_too():
    rig = Rig()
    assert rig.keeper.throttle.forget == rig.keeper.penalties.on_cleared
    await rig.close()
