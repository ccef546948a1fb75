"""Browsers in front of the own pages, as a worker passes on what they do; every page they are shown is looked over."""

import html
import re
from dataclasses import dataclass
from urllib.parse import urlencode

import msgspec
import pyotp

from nbgate.crypto.devices import verify_device_cookie
from nbgate.keeper.login import LoginAttempt
from nbgate.testing.keeper_parts import PASSWORD

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@dataclass
class Shown:
    """What a browser was answered; `text` is a page with its entities resolved."""

    status: int
    headers: object
    raw: str

    @property
    def text(self):
        return html.unescape(self.raw)

    @property
    def location(self):
        return self.headers.get("Location", "")

    @property
    def cookies(self):
        return self.headers.getall("Set-Cookie", [])

    @property
    def heading(self):
        return html.unescape(re.search(r"<h1[^>]*>(.*?)</h1>", self.raw, re.DOTALL)[1])

    @property
    def problem(self):
        found = re.search(r'role="alert"[^>]*>(.*?)</p>', self.raw, re.DOTALL)
        return "" if found is None else html.unescape(found[1])

    @property
    def hidden(self):
        found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', self.raw)
        return {name: html.unescape(value) for name, value in found}

    @property
    def action(self):
        return re.search(r'<form method="post" action="([^"]+)">', self.raw)[1]

    @property
    def fields(self):
        return set(re.findall(r'<input [^>]*name="(\w+)"', self.raw)) - set(self.hidden)


class Browser:
    """Somebody in front of the own pages, as a worker passes on what they do; every page shown is looked over."""

    def __init__(self, client, rig):
        self.client = client
        self.rig = rig
        self.session = None
        self.headers = {"X-Nbgate-Navigation": "1", "X-Nbgate-Client": "192.0.2.7", "User-Agent": FIREFOX}

    async def sign_in(self, name="ada", **offered):
        """Begin a session and use it."""
        logged_in = await self.rig.keeper.log_in(attempt(name, **offered))
        return self.use(logged_in.session)

    def use(self, session):
        self.session = session
        self.headers["X-Nbgate-Session"] = session.id.hex()
        return self

    async def go(self, path, **headers):
        """Go to a page."""
        return await self._ask("GET", path, None, headers)

    async def send(self, path, *, hidden=None, **fields):
        """Send a form."""
        return await self._ask("POST", path, urlencode((hidden or {}) | fields), {})

    async def fill(self, path, **fields):
        """Go to a page, fill in its form and press its button."""
        return await self.press(await self.go(path), **fields)

    async def press(self, shown, **fields):
        """Fill in the form of a page and press its button."""
        assert 200 <= shown.status, shown.text
        return await self.send(shown.action, hidden=shown.hidden, **fields)

    async def set_up_totp(self, **proof):
        """Set up a code from a phone; return its secret and the recovery codes."""
        begun = await self.fill("/_nbgate/account/totp", **(proof or {"password": PASSWORD}))
        secret = re.search(r'class="secret"><code>([A-Z2-7 ]+)</code>', begun.raw)[1].replace(" ", "")
        made = await self.press(begun, code=self.code(secret))
        assert 200 == made.status, made.problem
        self.rig.clock.advance(30)
        return secret, codes_of(made)

    def code(self, secret):
        """Return the code that the phone shows now."""
        return pyotp.TOTP(secret).at(int(self.rig.clock.unix()))

    def devices(self, shown):
        """Return the device ids in the cookies of an answer, which the account as it is now has to accept."""
        epoch, key = self.rig.state.users.get(self.session.user).cred_epoch, self.rig.values["device_key"]
        texts = [cookie.partition("=")[2].partition(";")[0] for cookie in shown.cookies if "nbgate_dev" in cookie]
        return [verify_device_cookie(key, self.session.user, text, self.rig.clock.unix(), epoch) for text in texts]

    @property
    def is_signed_in(self):
        return self.rig.keeper.find_session(self.session.id) is not None

    async def _ask(self, method, path, body, headers):
        path = inward(path, self.rig.keeper.config.base_url)
        sent = self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        async with self.client.request(method, path, data=body, headers=sent, allow_redirects=False) as answer:
            shown = Shown(answer.status, answer.headers, await answer.text())
        if answer.content_type == "text/html" and shown.raw:
            look_over(shown, self.rig.keeper.config.base_url)
        return shown


def inward(path, home):
    """Return a public path as a worker asks for it here."""
    own = f"{home}_nbgate/"
    return f"/_nbgate/{path.removeprefix(own)}" if path.startswith(own) else path


def attempt(name="ada", **offered):
    values = {"password": PASSWORD, "client": "192.0.2.7", "request_id": "r1234567", "user_agent": FIREFOX}
    return LoginAttempt(username=name, **(values | offered))


def with_config(rig, **changes):
    """Put a configuration into force that differs so."""
    keeper = rig.keeper
    keeper._in_force = msgspec.structs.replace(
        keeper._in_force, config=msgspec.structs.replace(keeper.config, **changes)
    )


def codes_of(shown):
    """Return the recovery codes of a page."""
    return re.search(r'<pre class="codes"[^>]*>(.*?)</pre>', shown.raw, re.DOTALL)[1].split()


def look_over(shown, home="/"):
    """Judge what holds for every page: nothing inline, one heading, every field named for who cannot see it.

    Whatever leads somewhere leads below `home`, where the gateway is reached.
    """
    raw = shown.raw
    own = re.escape(f"{home}_nbgate/")
    for target in re.findall(r'(?:href|src|action)="([^"]*)"', raw):
        assert re.match(rf"{re.escape(html.escape(home))}|data:|otpauth:|https://|#", target), target
    assert "default-src 'none'" in shown.headers["Content-Security-Policy"]
    assert "no-store" == shown.headers["Cache-Control"]
    assert not re.search(rf'<style|\sstyle=|\son\w+=|"javascript:|<script(?! src="{own}static/)', raw)
    assert 1 == len(re.findall(r"<h1", raw))
    assert re.search(r"<title>[^<·]+ · nbgate</title>", raw)
    ids = re.findall(r'\sid="([^"]+)"', raw)
    assert len(ids) == len(set(ids))
    for field in re.findall(r"<input [^>]+>", raw):
        assert _is_named(field, raw), field
    for named in re.findall(r'aria-(?:describedby|labelledby)="([^"]+)"', raw):
        assert set(named.split()) <= set(ids), named
    for form in re.findall(r"<form[^>]*>.*?</form>", raw, re.DOTALL):
        assert form.count('<button type="submit">') == 1
        assert re.search(rf'action="{own}', form)
    assert ("Error: " in raw) == ('id="problem"' in raw)


def _is_named(field, raw):
    if re.search(r'type="hidden"|\shidden>', field):
        return True
    if re.search(r'type="(?:checkbox|radio)"', field):
        return re.search(rf'<label class="tick">{re.escape(field)} \S', raw) is not None
    return f'<label for="{re.search(r"id=.([a-z]+)", field)[1]}">' in raw
