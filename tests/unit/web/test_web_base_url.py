"""Below a base URL: no page leads out of it; at "/" each is, byte for byte, what it is there without it.

What our own handlers answer with stays at `/_nbgate/`: the worker maps it, as it does for every upstream.
"""

import re

import pytest
from browsing import Browser
from houses import House, Town, session

from nbgate.config.schema import Config
from nbgate.keeper.guarded import Upstreams
from nbgate.keeper.setup import Setup
from nbgate.model.route_spec import RouteSpec
from nbgate.model.session import Scope
from nbgate.testing.keeper_parts import PASSWORD, UPSTREAM, Rig
from nbgate.web.answers import FOLDER, Pages
from nbgate.web.pages import make_pages_app

NEW = "violet kettle 93 orbit"


class Walk:
    """One walk through all pages of a gateway at `home`; `pages` holds what was shown, by name."""

    def __init__(self, home, folder):
        self.home = home
        mounted = Upstreams(named=(RouteSpec(upstream=UPSTREAM, prefix="/lab1/"),), base_url=home)
        self.rig = Rig(config=Config(base_url=home), upstreams=mounted)
        self.house = House()
        keeper, clock = self.rig.keeper, self.rig.clock
        self.setup = Setup(folder=folder, accounts=keeper.accounts, clock=clock, random_bytes=self.rig.random_bytes)
        self.app = make_pages_app(keeper, self.setup, clock, read=self.house)
        self.pages = {}
        self.locations = set()

    def see(self, name, shown):
        """Take note of a page."""
        self.pages[name] = shown
        if shown.location:
            self.locations.add(shown.location)
        return shown

    async def all(self, client):
        """Go everywhere."""
        stranger = Browser(client, self.rig)
        await self._begin(stranger)
        ada = await Browser(client, self.rig).sign_in()
        await self._account(ada)
        await self._factors(ada)
        await self._administration(ada)
        await self._servers(ada)
        self.see("diagnose", await ada.go("/_nbgate/diagnose"))
        self.see("signed-in", await ada.go("/_nbgate/signed-in"))
        self.see("logout", await ada.go("/_nbgate/logout"))
        self.see("not-found", await ada.go("/_nbgate/nothing"))

    async def _begin(self, stranger):
        file = await self.setup.offer(f"https://gw.test:8443{self.home}")
        link = file.read_text().strip().removeprefix("https://gw.test:8443")
        self.see("setup", await stranger.go(link))
        self.see("setup-weak", await stranger.fill(link, username="ada", password="a", again="b"))
        self.see("setup-made", await stranger.fill(link, username="ada", password=PASSWORD, again=PASSWORD))
        self.see("link-over", await stranger.go(link))
        token = await self.rig.keeper.links.make("ada", "uid:0 root")
        self.see("link", await stranger.go(f"{self.home}_nbgate/link/{token}"))
        self.see("link-used", await stranger.fill(f"{self.home}_nbgate/link/{token}"))
        self.see("login", await stranger.go(f"/_nbgate/login?next={self.home}lab"))
        self.see("login-window", await stranger.go("/_nbgate/login?window"))
        self.see("login-failed", await stranger.fill("/_nbgate/login", username="ada", password="no"))
        self.see("logged-in", await stranger.fill("/_nbgate/login", username="ada", password=PASSWORD))
        self.see("strangers-account", await stranger.go("/_nbgate/account"))

    async def _account(self, ada):
        self.see("account", await ada.go("/_nbgate/account"))
        self.see("account-end", await ada.go("/_nbgate/account?end=others"))
        self.see("account-ended", await ada.fill("/_nbgate/account?end=others", password=PASSWORD))
        self.see("password", await ada.go("/_nbgate/account/password"))
        self.see("password-set", await ada.fill("/_nbgate/account/password", password=PASSWORD, new=NEW, again=NEW))
        self.see("tokens", await ada.go("/_nbgate/account/tokens"))
        typed = {"name": "nightly", "scope": "read", "days": "30", "routes": "", "password": NEW}
        self.see("token-made", await ada.fill("/_nbgate/account/tokens", **typed))
        until = self.rig.clock.unix() + 86400
        stored, _ = await self.rig.keeper.tokens.add("ada", "x", Scope.READ, (), until, "ada")
        self.see("token-end", await ada.go(f"/_nbgate/account/tokens?end={stored.session.label}"))

    async def _factors(self, ada):
        self.see("totp", await ada.go("/_nbgate/account/totp"))
        begun = self.see("totp-confirm", await ada.fill("/_nbgate/account/totp", password=NEW))
        secret = re.search(r'class="secret"><code>([A-Z2-7 ]+)</code>', begun.raw)[1].replace(" ", "")
        self.see("codes-made", await ada.press(begun, code=ada.code(secret)))
        self.see("account-with-code", await ada.go("/_nbgate/account"))
        self.see("codes", await ada.go("/_nbgate/account/codes"))
        self.see("totp-remove", await ada.go("/_nbgate/account/totp?remove"))

    async def _administration(self, ada):
        for _ in range(10):
            self.rig.keeper.penalties.add_login("198.51.100.9/32")
        self.see("admin", await ada.go("/_nbgate/admin"))
        self.see("admin-clear", await ada.go("/_nbgate/admin?clear=all"))
        self.see("admin-end-user", await ada.go("/_nbgate/admin?end-user=ada"))
        self.see("route-add", await ada.go("/_nbgate/admin/routes"))
        spec = {"at": "/lab9/", "upstream": "localhost:9009", "base_url": "", "allow": "", "token": ""}
        self.see("route-wrong", await ada.fill("/_nbgate/admin/routes", password="no", code="1", **spec))
        self.rig.clock.advance(60)
        await self.rig.keeper.factors.remove_totp("ada", "uid:0 root", keep=ada.session.id)
        self.see("route-added", await ada.fill("/_nbgate/admin/routes", password=NEW, **spec))
        self.see("admin-added", await ada.go("/_nbgate/admin?done=added"))
        self.see("route-end", await ada.go("/_nbgate/admin/routes?remove=/lab9/"))

    async def _servers(self, ada):
        Town(self.rig).add(f"{self.home}a/").add(f"{self.home}b/")
        self.house.answers["api/sessions"] = [session("work/a.ipynb")]
        self.see("servers", await ada.go("/_nbgate/servers"))


@pytest.fixture
def rendered(monkeypatch):
    """The names of the templates that were filled in."""
    names = set()
    answer = Pages.answer

    def noted(pages, template, *args, **values):
        names.add(template)
        return answer(pages, template, *args, **values)

    monkeypatch.setattr(Pages, "answer", noted)
    return names


@pytest.fixture
def walked(tmp_path, client_of):
    """Return what walks through all pages of a gateway at a base URL."""

    async def walk(home):
        folder = tmp_path / str(len(home))
        folder.mkdir()
        made = Walk(home, folder)
        async with client_of(made.app, folder / "pages.sock") as client:
            await made.all(client)
        await made.rig.close()
        return made

    return walk


async def test_no_page_leads_out_of_the_base_url(walked, rendered):
    walk = await walked("/house/")
    assert {path.name for path in (FOLDER / "templates").iterdir()} - {"base.html", "parts.html"} == rendered
    for name, shown in walk.pages.items():
        assert not re.search(r'\b(?:href|src|action|content|srcset|poster|formaction)="/(?!house/)', shown.raw), name
        assert not re.search(r"(?<!/house)/_nbgate", shown.raw), name
    assert "https://gw.test:8443/house/lab1/" in walk.pages["token-made"].raw
    assert 'href="/house/a/lab/tree/work/a.ipynb"' in walk.pages["servers"].raw
    assert 'value="/house/lab"' in walk.pages["login"].raw


async def test_what_handlers_answer_with_is_mapped_by_the_worker_or_public_already(walked):
    walk = await walked("/house/")
    assert all(re.match(r"/_nbgate/|/house/", location) for location in walk.locations)
    assert "/house/" == walk.pages["setup-made"].location == walk.pages["logged-in"].location
    assert "/_nbgate/login" == walk.pages["strangers-account"].location
    assert all("Path=/;" in cookie for shown in walk.pages.values() for cookie in shown.cookies)


async def test_a_page_at_the_root_is_the_same_but_for_the_base_url(walked):
    below, root = await walked("/house/"), await walked("/")
    assert list(below.pages) == list(root.pages)
    for name, shown in below.pages.items():
        at_root = shown.raw.replace("/house/", "/").replace(", below <code>/</code>", "")
        assert _without_tokens(at_root) == _without_tokens(root.pages[name].raw), name


def _without_tokens(raw):
    """Return a page without the numbers that are drawn anew for each."""
    return re.sub(r'(?:Error id <code>)[^<]*|(?<=name="form_token" value=")[^"]*|/(?:link|setup)/[^"]*', "", raw)
