"""People with passwords and codes in front of the own pages: what they do with a mouse or with keys, and what they know.

Nothing waits for the next code. A code is good once, in its thirty seconds and the thirty after: who sets one up takes
the code before the present one, and has the present one left to sign in with.
"""

import base64
import contextlib
import io
import re
import secrets
import time
import urllib.parse
from dataclasses import dataclass, field

import pyotp
import zxingcpp
from PIL import Image
from playwright.sync_api import BrowserContext, Error, Page, expect

from nbgate.testing.browser import HOST

STEP_SECONDS = 30
MOST_TABS = 60
CODES_IN_A_SET = 10
SAYS_WRONG = "Wrong user name, password or code."
_RECOVERY_CODE = re.compile(r"(?:[A-Z2-7]{5}-){4}[A-Z2-7]{5}")
_DOCUMENT_REFUSED = re.compile(r"Failed to load resource: the server responded with a status of 40[13] ")
_LEFT = "net::ERR_ABORTED"  # the page was left before its picture had come
_IS_HERE = "element => element === document.activeElement"
_IS_SEEN = "element => element.matches(':focus-visible') && getComputedStyle(element).outlineStyle !== 'none'"


@dataclass(frozen=True)
class Phone:
    """An app that has read the picture on the page; `account` is what it shows above the code."""

    secret: str = field(repr=False)
    account: str

    @classmethod
    def scan(cls, page: Page) -> "Phone":
        """Read the one QR code in a photo of the whole page."""
        photo = Image.open(io.BytesIO(page.screenshot(full_page=True)))
        (seen,) = zxingcpp.read_barcodes(photo)
        uri = urllib.parse.urlsplit(seen.text)
        said = dict(urllib.parse.parse_qsl(uri.query))
        assert ("otpauth", "totp", "nbgate") == (uri.scheme, uri.netloc, said["issuer"])
        return cls(said["secret"], urllib.parse.unquote(uri.path).removeprefix("/nbgate:"))

    @property
    def in_groups(self) -> str:
        """Return the secret as the page writes it for people without a camera."""
        return " ".join(re.findall(r".{4}", self.secret))

    @staticmethod
    def step() -> int:
        return int(time.time() // STEP_SECONDS)

    def code(self, offset: int = 0) -> str:
        """Return the present code, or the one `offset` steps from it."""
        return pyotp.TOTP(self.secret).generate_otp(self.step() + offset)

    def wrong(self) -> str:
        """Return six digits that are no code now, nor in a minute."""
        near = {self.code(offset) for offset in range(-2, 4)}
        return next(code for number in range(len(near) + 1) if (code := f"{number:06}") not in near)


@dataclass
class Person:
    """Somebody with an account; `phone` and `codes` once they are set up."""

    name: str
    password: str = field(repr=False)
    phone: Phone | None = None
    codes: tuple[str, ...] = field(default=(), repr=False)

    def secrets(self) -> dict[str, str]:
        """Return everything that only this person is to know, by what it is."""
        known = {"password": self.password}
        if self.phone:
            raw = base64.b32decode(self.phone.secret)
            known |= {"TOTP secret": self.phone.secret, "TOTP secret in groups": self.phone.in_groups}
            known |= {"bytes of the TOTP secret": raw.hex()}
        known |= {f"recovery code {number}": code for number, code in enumerate(self.codes)}
        known |= {f"recovery code {number} bare": code.replace("-", "") for number, code in enumerate(self.codes)}
        return {f"{what} of {self.name}": text for what, text in known.items()}


class Mouse:
    """Somebody who clicks."""

    def __init__(self, page: Page):
        self.page = page

    def fill(self, label: str, text: str):
        self.page.get_by_label(label).fill(text)

    def press(self, button: str):
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=button, exact=True).click()

    def follow(self, link: str):
        with self.page.expect_navigation():
            self.page.get_by_role("link", name=link).first.click()

    def choose(self, option: str):
        self.page.get_by_label(option).check()

    def unfold(self, summary: str):
        self.page.locator("summary", has_text=summary).click()


class Keys:
    """Somebody who has a keyboard alone, and goes where Tab goes; every place it stops at is to be seen."""

    def __init__(self, page: Page):
        self.page = page

    def fill(self, label: str, text: str):
        self._go(self.page.get_by_label(label))
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(text)

    def press(self, button: str):
        self._go(self.page.get_by_role("button", name=button, exact=True))
        self._enter()

    def follow(self, link: str):
        self._go(self.page.get_by_role("link", name=link).first)
        self._enter()

    def unfold(self, summary: str):
        self._go(self.page.locator("summary", has_text=summary))
        self.page.keyboard.press("Enter")

    def _enter(self):
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def _go(self, place):
        place.wait_for()
        for _ in range(MOST_TABS):
            if place.evaluate(_IS_HERE):
                assert place.evaluate(_IS_SEEN)
                return
            self.page.keyboard.press("Tab")
        message = f"Tab does not lead to {place} on {self.page.url}"
        raise AssertionError(message)


def sign_in(hand: Mouse | Keys, person: Person, code: str = ""):
    """Fill in the login page and send it."""
    expect(hand.page).to_have_url(re.compile(r"/_nbgate/login"))
    hand.fill("User name", person.name)
    hand.fill("Password", person.password)
    if code:
        hand.fill("Code", code)
    hand.press("Sign in")


def expect_refused(page: Page):
    """See that the sign-in was refused, and that the page does not say why."""
    expect(page.get_by_role("alert")).to_contain_text(SAYS_WRONG)
    expect(page).to_have_url(re.compile(r"/_nbgate/login"))


def sign_out(hand: Mouse | Keys):
    """Sign out, from the account page."""
    hand.follow("Sign out")
    hand.press("Sign out")
    expect(hand.page.get_by_role("status")).to_have_text("You are signed out.")


def begin(hand: Mouse | Keys, person: Person):
    """On the page of the code, ask for a picture, and scan it."""
    hand.fill("Your password", person.password)
    hand.press("Begin")
    expect(hand.page.locator("img.picture")).to_be_visible()
    person.phone = Phone.scan(hand.page)


def confirm(hand: Mouse | Keys, person: Person):
    """Type the code before the present one, and keep the recovery codes that are shown then."""
    shown = hand.page.get_by_label("Recovery codes", exact=True)
    began = person.phone.step()
    _type_code(hand, person.phone.code(-1))
    if not shown.count() and began < person.phone.step():  # half a minute was over in between: so was the code
        _type_code(hand, person.phone.code(-1))
    person.codes = tuple(_RECOVERY_CODE.findall(shown.inner_text()))
    assert CODES_IN_A_SET == len(set(person.codes))


def mistype(hand: Mouse | Keys, person: Person):
    """Type a wrong code: the picture is still the same, and nothing is set up."""
    _type_code(hand, person.phone.wrong())
    expect(hand.page.get_by_role("alert")).to_contain_text("This code is not the right one.")
    assert person.phone == Phone.scan(hand.page)


def _type_code(hand: Mouse | Keys, code: str):
    hand.fill("Code from your phone", code)
    hand.press("Switch the code on")


@dataclass
class Scene:
    """The browsers and people of one test, what own pages said on their consoles, and which secrets came to be."""

    gateway: object
    browser: object
    contexts: list[BrowserContext] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def base_url(self) -> str:
        return f"https://{HOST}:{self.gateway.port}"

    def person(self, name: str, role: str) -> Person:
        """Make an account."""
        person = Person(name, secrets.token_urlsafe(18))
        words = ("user", "add", name, "--role", role, "--password-stdin")
        done = self.gateway.command(*words, input_text=f"{person.password}\n")
        assert 0 == done.returncode, done.stderr
        self.people.append(person)
        return person

    def context(self, **options) -> BrowserContext:
        """Open a browser that knows nothing of the others."""
        context = self.browser.new_context(ignore_https_errors=True, **options)
        context.on("console", self._said)
        context.on("weberror", lambda error: self.complaints.append(f"{error.page.url}: {error.error}"))
        context.on("requestfailed", self._failed)
        self.contexts.append(context)
        return context

    def page(self, **options) -> Page:
        return self.context(**options).new_page()

    def cookies(self, page: Page) -> str:
        """Return the `Cookie` header that the page's browser would send."""
        return "; ".join(f"{each['name']}={each['value']}" for each in page.context.cookies(self.base_url))

    def close(self):
        """Close the browsers; keep in mind what they held."""
        for number, context in enumerate(self.contexts):
            with contextlib.suppress(Error):
                self.secrets |= {f"{each['name']} {number}": each["value"] for each in context.cookies()}
            context.close()
        for person in self.people:
            self.secrets |= person.secrets()

    def _said(self, message):
        page = message.page.url if message.page else ""
        is_own = "/_nbgate/" in page
        if _DOCUMENT_REFUSED.match(message.text) and message.location["url"] == page:
            return  # the browser's own words for the status of a page that says why
        if "Content Security Policy" in message.text or (is_own and message.type in {"error", "warning"}):
            self.complaints.append(f"{page}: {message.type}: {message.text} ({message.location['url']})")

    def _failed(self, request):
        if "/_nbgate/" in request.frame.url and request.failure != _LEFT:
            self.complaints.append(f"{request.method} {request.url}: {request.failure}")
