from contextlib import asynccontextmanager

import aiohttp
import pytest

from nbgate.keeper.server import serving
from nbgate.testing.keeper_parts import PASSWORD, Rig


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
