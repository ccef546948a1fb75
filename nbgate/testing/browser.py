"""Headless Chromium that finds the gateway under a name that is not localhost, and records every answer it gets.

Needs Playwright (extra `test`) and Debian's chromium; downloads no browser.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Request,
    Response,
    WebSocket,
    sync_playwright,
)

HOST = "gw.example.test"
EXECUTABLE = "/usr/bin/chromium"
RESOLVER_RULES = f"MAP {HOST} 127.0.0.1"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--host-resolver-rules={RESOLVER_RULES}",
)
ALONE = f"--host-resolver-rules={RESOLVER_RULES}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
"""A flag with which the browser finds nobody else: what a page wants from elsewhere fails alike on every machine."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One answer as the browser got it: `body` decoded from its content encoding, None where there is none to have."""

    method: str
    url: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes | None


@dataclass  # without slots: Playwright marks the object whose methods it calls
class Recorder:
    """Everything a browser context was answered, in order, and what pages said on their console.

    Attributes:
        frames: Of websockets, as they came; `sockets` are the URLs of these.
        console: Every text; `errors` only those said as an error, each with where, and errors no script caught.
        failed: Requests without an answer, method and URL; `unread` are URLs of answers nobody can have the body of.
    """

    answers: list[Recorded] = field(default_factory=list)
    frames: list[bytes] = field(default_factory=list)
    sockets: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    def attach(self, context: BrowserContext) -> None:
        """Record what happens in `context` from now on."""
        context.on("requestfinished", self._finished)
        context.on("requestfailed", lambda request: self.failed.append(f"{request.method} {request.url}"))
        context.on("console", self._said)
        context.on("weberror", lambda error: self.errors.append(f"uncaught: {error.error}"))
        context.on("page", lambda page: page.on("websocket", self._websocket))

    def _said(self, message: ConsoleMessage) -> None:
        self.console.append(message.text)
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location['url']})")

    def _finished(self, request: Request) -> None:
        try:
            response = request.response()
            headers = tuple((entry["name"], entry["value"]) for entry in response.headers_array()) if response else ()
        except Error:  # its page was closed meanwhile
            self.unread.append(request.url)
            return
        if response is not None:
            body = self._body(response)
            self.answers.append(Recorded(request.method, request.url, response.status, headers, body))

    def _body(self, response: Response) -> bytes | None:
        try:
            return response.body()
        except Error:  # a redirect has none, and a page that was left takes the bodies of its last requests with it
            self.unread.append(response.url)
            return None

    def _websocket(self, socket: WebSocket) -> None:
        self.sockets.append(socket.url)

        def record(payload: str | bytes) -> None:
            self.frames.append(payload.encode() if isinstance(payload, str) else payload)

        socket.on("framereceived", record)


@contextmanager
def running_chromium(*flags: str) -> Iterator[Browser]:
    """Run a headless Chromium, with `flags` beside its usual ones; end it at the end."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=[*FLAGS, *flags])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def recorded_context(browser: Browser, recorder: Recorder) -> Iterator[BrowserContext]:
    """Open a fresh profile that accepts the test's certificate, recording into `recorder`."""
    context = browser.new_context(ignore_https_errors=True, accept_downloads=True)
    recorder.attach(context)
    try:
        yield context
    finally:
        context.close()
