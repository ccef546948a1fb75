"""The list of servers: links to what is mounted, in words, and nothing that only the operator needs."""

import pytest
from msgspec import structs

from nbgate.keeper.guarded import Upstreams
from nbgate.keeper.probe import Finding, Guard
from nbgate.keeper.setup import Setup
from nbgate.model.route import Condition
from nbgate.testing.keeper_parts import TOKEN, Rig, runtime_file
from nbgate.web import servers as subject
from nbgate.web.pages import make_pages_app

SEVERAL = (
    runtime_file(port=1, base_url="/a/"),
    runtime_file(port=2, base_url="/b/"),
    runtime_file(port=3, base_url="/a/"),
)


@pytest.fixture
async def town():
    rig = Rig(upstreams=Upstreams())
    yield rig
    await rig.close()


async def page(rig, tmp_path, client_of):
    setup = Setup(folder=tmp_path, accounts=rig.keeper.accounts, clock=rig.clock, random_bytes=rig.random_bytes)
    async with (
        client_of(make_pages_app(rig.keeper, setup), tmp_path / "pages.sock") as client,
        client.get("/_nbgate/servers", headers={"X-Nbgate-Navigation": "1"}) as answer,
    ):
        assert 200 == answer.status
        assert "no-store" == answer.headers["Cache-Control"]
        return await answer.text()


async def test_what_is_mounted_is_linked_and_what_is_not_is_not(town, tmp_path, client_of):
    town.upstream.servers = SEVERAL
    await town.keeper.mounts.look_once()
    text = await page(town, tmp_path, client_of)
    assert [1, 1] == [text.count(f'<a href="{prefix}">JupyterLab at {prefix}</a>') for prefix in ("/a/", "/b/")]
    assert 2 == text.count("ready")
    assert [] == [secret for secret in (TOKEN, "127.0.0.1", "--upstream") if secret in text]


async def test_a_server_that_cannot_be_used_says_so(town, tmp_path, client_of):
    town.upstream.servers = SEVERAL[:2]
    town.upstream.guard = Finding(Guard.OPEN, 200)
    await town.keeper.mounts.look_once()
    assert 2 == (await page(town, tmp_path, client_of)).count("it asks for no credential of its own")


async def test_without_servers_it_says_what_to_do(town, tmp_path, client_of):
    town.upstream.servers = ()
    await town.keeper.mounts.look_once()
    assert "None is running" in await page(town, tmp_path, client_of)


@pytest.mark.parametrize("condition", list(Condition))
def test_every_condition_has_its_words(condition):
    assert subject._SAID[condition]


async def test_a_base_url_is_escaped(town, tmp_path, client_of):
    town.upstream.servers = (structs.replace(SEVERAL[0], base_url="/a&b/"),)
    await town.keeper.mounts.look_once()
    assert '<a href="/a&amp;b/">' in await page(town, tmp_path, client_of)
