"""Headless Chromium that finds the gateway under a name that is not localhost, and records every answer it gets.

Needs Playwright (extra `test`) and Debian's chromium; downloads no browser.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, BrowserContext, Error, Request, Response, sync_playwright

HOST = "gw.example.test"
EXECUTABLE = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--host-resolver-rules=MAP {HOST} 127.0.0.1",
)


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
    """Everything a browser context was answered, in order, and what pages said on their console."""

    answers: list[Recorded] = field(default_factory=list)
    frames: list[bytes] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    def attach(self, context: BrowserContext) -> None:
        """Record what happens in `context` from now on."""
        context.on("requestfinished", self._finished)
        context.on("requestfailed", lambda request: self.failed.append(f"{request.method} {request.url}"))
        context.on("console", lambda message: self.console.append(message.text))
        context.on("page", lambda page: page.on("websocket", self._websocket))

    def _finished(self, request: Request) -> None:
        response = request.response()
        if response is not None:
            headers = tuple((entry["name"], entry["value"]) for entry in response.headers_array())
            body = self._body(response)
            self.answers.append(Recorded(request.method, request.url, response.status, headers, body))

    def _body(self, response: Response) -> bytes | None:
        try:
            return response.body()
        except Error:  # a redirect has none, and a page that was left takes the bodies of its last requests with it
            self.unread.append(response.url)
            return None

    def _websocket(self, socket: object) -> None:
        def record(payload: str | bytes) -> None:
            self.frames.append(payload.encode() if isinstance(payload, str) else payload)

        socket.on("framereceived", record)  # type: ignore[attr-defined]


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
