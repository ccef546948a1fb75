"""What the workers are told of the configuration, the people to ask and who needs a second factor."""

import pytest

from nbgate.config.schema import Config
from nbgate.keeper.guarded import Upstreams
from nbgate.keeper.snapshots import second_factor_roles
from nbgate.link.messages import Snapshot
from nbgate.model.route import RouteKind
from nbgate.model.route_spec import RouteSpec
from nbgate.model.session import Role
from nbgate.testing.keeper_parts import PASSWORD, UPSTREAM, Rig

ROOT = "uid:0 root"


def configure(rig, **options):
    rig.keeper.apply(Config(**options), rig.keeper.material, rig.values["tables"], rig.values["rules"])


@pytest.mark.parametrize(
    ("wanted", "roles"),
    [
        ((), ()),
        (("owner",), ("owner",)),
        (("auditor", "owner"), ("owner", "auditor")),
        (("all",), ("owner", "editor", "viewer", "auditor")),
        (("viewer", "all"), ("owner", "editor", "viewer", "auditor")),
    ],
)
async def test_the_roles_that_need_a_second_factor_are_told_one_by_one(rig, wanted, roles):
    config = Config(require_second_factor=wanted)
    assert roles == second_factor_roles(config)
    configure(rig, require_second_factor=wanted)
    assert roles == rig.keeper.snapshot(0).second_factor_roles
    assert ("owner" in roles) == rig.keeper.is_second_factor_required(await rig.keeper.accounts.get("ada"))


async def test_people_ask_whom_the_operator_names_or_the_owners(rig):
    link = rig.attach()
    assert "the owner: ada" == link.of(Snapshot)[-1].contact
    await rig.keeper.accounts.add("bob", PASSWORD, ROOT, Role.OWNER)
    assert (2, "the owners: ada, bob") == (link.of(Snapshot)[-1].version, link.of(Snapshot)[-1].contact)
    await rig.keeper.accounts.add("eve", PASSWORD, ROOT)
    assert 2 == len(link.of(Snapshot))  # an editor is nobody to ask
    await rig.keeper.accounts.disable("ada", ROOT)
    assert "the owner: bob" == link.of(Snapshot)[-1].contact
    await rig.keeper.accounts.set_role("bob", Role.EDITOR, ROOT)
    assert "" == link.of(Snapshot)[-1].contact
    await rig.keeper.accounts.enable("ada", ROOT)
    await rig.keeper.accounts.remove("ada", ROOT)
    assert ["the owner: ada", ""] == [snapshot.contact for snapshot in link.of(Snapshot)[-2:]]
    configure(rig, contact="the IT desk")
    assert "the IT desk" == link.of(Snapshot)[-1].contact


async def test_of_many_owners_a_few_are_named(rig):
    for number in range(6):
        await rig.keeper.accounts.add(f"bob{number}", PASSWORD, ROOT, Role.OWNER)
    assert "the owners: ada, bob0, bob1, bob2, bob3" == rig.keeper.snapshot(0).contact


async def test_a_route_says_who_may_use_it(rig):
    configure(rig, allow=("/=ada,bob", "/elsewhere/=eve"))
    notebook, own = rig.keeper.routes()
    assert (("ada", "bob"), (), RouteKind.OWN) == (notebook.allowed, own.allowed, own.kind)
    configure(rig)
    assert () == rig.keeper.routes()[0].allowed


async def test_an_allow_list_for_no_server_is_told(rig):
    configure(rig, allow=("/=ada,bob", "/elsewhere/=eve"))
    rig.keeper.routes()
    assert ("/elsewhere/",) == rig.keeper.mounts.allow_unused()


async def test_everything_of_ours_is_below_the_base_url(rig):
    moved = Rig(state=rig.state, upstreams=Upstreams(named=(RouteSpec(upstream=UPSTREAM),), base_url="/ipython/"))
    snapshot = moved.keeper.snapshot(0)
    own = snapshot.routes[-1]
    assert ("/ipython/", "/ipython/_nbgate/", "/_nbgate/", "own") == (
        snapshot.base_url,
        own.prefix,
        own.base_url,
        own.name,
    )
    assert ["/ipython/"] == [route.prefix for route in snapshot.routes[:-1]]
    assert ("/", "/_nbgate/") == (rig.keeper.snapshot(0).base_url, rig.keeper.snapshot(0).routes[-1].prefix)
    await moved.close()
