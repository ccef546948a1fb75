"""A person's work in a notebook server, done twice: at the bare server, and through a gateway that has it elsewhere.

What the browser then did is judged: nothing asked for outside the server's place, no error on the console that
the bare server does not have, no secret of anybody's.
"""

import contextlib
import re
from dataclasses import dataclass, field
from types import ModuleType
from urllib.parse import urlsplit

import classic_steps
import lab_steps
import marimo_steps
import notebook7_steps
import secrets_hunt
import voila_steps
from playwright.sync_api import expect

from nbgate.testing import jupyter
from nbgate.testing.browser import ALONE, HOST, Recorder, recorded_context, running_chromium
from nbgate.testing.gateway import USER, running_gateway
from nbgate.testing.jupyter import Jupyter, Kind, running_jupyter

FLAGS = (ALONE, "--ignore-certificate-errors")
"""A context that accepts a certificate is not enough for a service worker: marimo has one."""
ICON = "/favicon.ico"
"""Browsers ask the host for it by themselves, where a page names no other."""
SOMETIMES = (
    "WebSocket is closed before the connection is established",
    "[yjs#509] Not same Y.Doc",
    "uncaught: Disposed",
    "uncaught: Cannot read properties of undefined (reading 'schema')",
)
"""Errors that bare servers have too, in some runs: of a page left at once, of two events that overtake each other.

The last two are Notebook 7's, on a machine that is busy.
"""
BY_ITSELF = re.compile(r"net::ERR_NAME_NOT_RESOLVED|net::ERR_BLOCKED_BY_RESPONSE")
"""What a page wants from another machine: judged by whom it asks."""


@dataclass(frozen=True, slots=True)
class Server:
    """One notebook server as people know it, and the steps for it."""

    kind: Kind
    steps: ModuleType

    @property
    def start(self) -> str:
        """Return where work begins, with the slash before it."""
        return self.steps.START


SERVERS = {
    "JupyterLab": Server(jupyter.LAB, lab_steps),
    "JupyterLab with collaboration and LSP": Server(jupyter.LAB_COLLABORATION, lab_steps),
    "Notebook 7": Server(jupyter.NOTEBOOK_7, notebook7_steps),
    "Notebook 6.5": Server(jupyter.NOTEBOOK_6, classic_steps),
    "nbclassic": Server(jupyter.NBCLASSIC, classic_steps),
    "Voila": Server(jupyter.VOILA, voila_steps),
    "Voila in a Jupyter server": Server(jupyter.VOILA_SERVER, voila_steps),
    "marimo": Server(jupyter.MARIMO, marimo_steps),
}


@dataclass(slots=True)
class Seen:
    """What the browser did at the server at `site`; below `base` are the gateway's own pages."""

    site: str
    base: str = "/"
    recorder: Recorder = field(default_factory=Recorder)
    errors: set[str] = field(default_factory=set)
    """As they were when the work was done: what follows the logout is an answer to it."""

    def work_is_done(self):
        """Keep the errors, each without what differs from run to run."""
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(self.site))
        said = [text.replace(self.site, "SITE").replace(origin, "ORIGIN") for text in self.recorder.errors]
        self.errors = {normal(text) for text in said if not BY_ITSELF.search(text)}

    def urls(self) -> list[str]:
        """Return everything that was asked for, answered or not, websockets too."""
        failed = [line.partition(" ")[2] for line in self.recorder.failed]
        asked = [answer.url for answer in self.recorder.answers] + self.recorder.unread + failed
        return asked + [re.sub(r"^ws", "http", url) for url in self.recorder.sockets]

    def sockets(self) -> set[str]:
        """Return where in the server websockets led."""
        start = self.site.replace("http", "ws", 1)
        return {normal(url.removeprefix(start)) for url in self.recorder.sockets}

    def strangers(self) -> set[str]:
        """Return the names of other machines that were asked."""
        own = urlsplit(self.site).netloc
        return {urlsplit(url).netloc for url in self.urls()} - {own, ""}

    def escapes(self) -> set[str]:
        """Return the paths that were asked of the gateway outside the site, but for its own pages."""
        place = urlsplit(self.site)
        inside = (f"{place.path}/", f"{self.base}_nbgate/")
        asked = {url.path for url in map(urlsplit, self.urls()) if url.netloc == place.netloc}
        return {path for path in asked - {place.path, ICON} if not path.startswith(inside)}


def normal(text):
    """Return `text` of the console without ids, times, ports and places in minified scripts."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", text)
    text = re.sub(r"\?[^\s)]*|:\d+:\d+", "", text)
    return re.sub(r"\d+", "N", text)


@contextlib.contextmanager
def server_running(server: Server, folder, **options):
    """Run `server` with what its steps need in its root folder."""
    (folder / "root").mkdir(parents=True)
    if prepare := getattr(server.steps, "prepare", None):
        prepare(folder / "root")
    with running_jupyter(folder, kind=server.kind, **options) as running:
        yield running


def every_byte(folder):
    """Make a file to upload."""
    file = folder / "every byte.bin"
    file.write_bytes(bytes(range(256)) * 2000)
    return file


def do_at_the_bare_server(server: Server, folder) -> Seen:
    """Do the work at the server itself, with its token in the first address."""
    with server_running(server, folder) as running, running_chromium(*FLAGS) as browser:
        seen = Seen(f"http://127.0.0.1:{running.port}")
        with recorded_context(browser, seen.recorder) as context:
            page = context.new_page()
            name = "access_token" if server.kind is jupyter.MARIMO else "token"
            page.goto(f"{seen.site}{server.start.partition('?')[0]}?{name}={running.token}")
            server.steps.work(page, seen.site, running.root, every_byte(folder))
            seen.work_is_done()
    return seen


@contextlib.contextmanager
def gateway_to(running: Jupyter, at: str, folder, *flags, **options):
    """Run a gateway that has `running` at the prefix `at`, "" for its own place; it is told as little as it needs."""
    (folder / "token").touch(mode=0o600)
    (folder / "token").write_text(running.token, encoding="utf-8")
    address = f"127.0.0.1:{running.port}"
    if not list(running.runtime.glob(f"*server-{running.program.pid}.json")):  # nobody else could tell
        address = f"http://{address}{running.base_url}"
        flags = (*flags, "--upstream-token-file", str(folder / "token"))
    upstream = f"{at}={address}" if at else address
    environment = {"JUPYTER_RUNTIME_DIR": str(running.runtime)}
    with running_gateway(folder / "gateway", upstream, flags=flags, environment=environment, **options) as gateway:
        yield gateway


def log_in(page, gateway, url):
    """Ask for `url`, be asked to log in, and arrive there."""
    page.goto(url)
    expect(page).to_have_url(re.compile(r"/_nbgate/login"))
    page.get_by_label("User name").fill(USER)
    page.get_by_label("Password").fill(gateway.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile(re.escape(url.partition("?")[0])))


def do_through_the_gateway(server: Server, running: Jupyter, gateway, place: str, folder, *, base: str = "/") -> Seen:
    """Log in at the gateway, do the work below `place`, log out by the server's own button; return what was seen."""
    seen = Seen(f"https://{HOST}:{gateway.port}{place.rstrip('/')}", base)
    with running_chromium(*FLAGS) as browser, recorded_context(browser, seen.recorder) as context:
        page = context.new_page()
        log_in(page, gateway, f"{seen.site}{server.start}")
        try:
            server.steps.work(page, seen.site, running.root, every_byte(folder))
        except BaseException:
            context.pages[-1].screenshot(path=folder / "last-sight.png")
            raise
        seen.work_is_done()
        check_cookies(context.cookies(), gateway, place)
        log_out(server, page, seen.site)
        page.goto(f"{seen.site}{server.start}")
        expect(page).to_have_url(re.compile(r"/_nbgate/login"))
    return seen


def log_out(server: Server, page, site):
    """Press what the server's pages have for it, or go to its logout; the gateway's own page asks."""
    if leave := getattr(server.steps, "leave", None):
        leave(page)
    else:
        page.goto(f"{site}/logout")
    page.get_by_role("button", name="Sign out", exact=True).click(timeout=lab_steps.STEP_MS)
    expect(page).to_have_url(re.compile(r"/_nbgate/"))


def check_cookies(cookies, gateway, *places):
    """See that of a server's cookies the browser has none as it was sent, but the one its scripts read, for its place."""
    plain = {(cookie["name"], cookie["path"]) for cookie in cookies if not cookie["name"].startswith("nbg-")}
    others = {(name, path) for name, path in plain if not name.startswith("__Host-Http-nbgate")}
    assert set() == others - {("_xsrf", place) for place in places}
    assert f"__Host-Http-nbgate-{gateway.port}" in {name for name, _ in plain}


def check(seen: Seen, bare: Seen, gateway, running: Jupyter):
    """See that nothing left the prefix, nothing went wrong that is right without the gateway, and no secret is out."""
    assert set() == seen.escapes()
    assert seen.strangers() <= bare.strangers()
    assert bare.sockets() <= seen.sockets()
    assert [] == sorted(text for text in seen.errors - bare.errors if not any(some in text for some in SOMETIMES))
    check_no_secret(seen.recorder, {"token": running.token})
    assert [] == [record for record in gateway.audit() if "rule.id" in record]


def check_no_secret(recorder, secrets):
    """Look through every answer and every frame."""
    places = [(f"frame {number}", frame) for number, frame in enumerate(recorder.frames)]
    for answer in recorder.answers:
        head = "\n".join(f"{name}: {value}" for name, value in answer.headers)
        places.append((f"{answer.method} {answer.url}", answer.url.encode() + head.encode() + (answer.body or b"")))
    assert [] == secrets_hunt.find(secrets, places)
