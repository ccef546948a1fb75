from contextlib import asynccontextmanager, contextmanager

import aiohttp
import pytest
from browsing import Browser
from houses import House

from nbgate.keeper.server import serving
from nbgate.keeper.setup import Setup
from nbgate.model.session import Role
from nbgate.testing.keeper_parts import PASSWORD, Rig
from nbgate.web.pages import make_pages_app


@pytest.fixture
async def rig():
    """A keeper in memory with one user, `ada`."""
    rig = Rig()
    await rig.keeper.accounts.add("ada", PASSWORD, "uid:0 root")
    yield rig
    await rig.close()


@pytest.fixture
def client_of():
    """Return what serves an application on a Unix socket and brings a client without cookies and redirects."""
    return _client_of


@asynccontextmanager
async def _client_of(app, path):
    """Serve `app` on a Unix socket and bring a client that neither keeps cookies nor follows redirects."""
    async with (
        serving(app, path),
        aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(str(path)),
            cookie_jar=aiohttp.DummyCookieJar(),
            base_url="http://gw.test:8443",
        ) as session,
    ):
        yield session


@pytest.fixture
async def client(rig, tmp_path, client_of, house):
    """A client of the own pages."""
    setup = Setup(folder=tmp_path, accounts=rig.keeper.accounts, clock=rig.clock, random_bytes=rig.random_bytes)
    app = make_pages_app(rig.keeper, setup, rig.clock, read=house)
    async with client_of(app, tmp_path / "pages.sock") as client:
        yield client


@pytest.fixture
def house():
    """What the notebook servers answer who asks what runs in them."""
    return House()


@pytest.fixture
def stranger(client, rig):
    """A browser that is not signed in."""
    return Browser(client, rig)


@pytest.fixture
async def ada(client, rig):
    """A browser in which ada, the owner, is signed in."""
    return await Browser(client, rig).sign_in()


@pytest.fixture
async def bob(client, rig):
    """A browser in which bob, an editor, is signed in."""
    await rig.keeper.accounts.add("bob", PASSWORD, "uid:0 root")
    return await Browser(client, rig).sign_in("bob")


@pytest.fixture
def role_of(rig):
    """Return what gives somebody another role, which signs them out."""

    async def change(name, role):
        await rig.keeper.accounts.set_role(name, Role(role), "uid:0 root")

    return change


@pytest.fixture
def full(rig):
    """Return what takes every place where a password could be checked, as a context."""

    @contextmanager
    def taken():
        queue = rig.hashes
        before, queue._free, queue._max_waiting = (queue._free, queue._max_waiting), 0, 0
        try:
            yield
        finally:
            queue._free, queue._max_waiting = before

    return taken
