"""The gateway's own answers, as bytes: error pages for people, JSON for programs, fixed ones for strangers.

Pure: values in, a complete HTTP/1.1 response out. Nothing of the request is printed but its id, which is ours.
`always` are the header lines that every answer over TLS carries (`Policy.always_headers`).
"""

import base64
import hashlib
import html
import json
from http import HTTPStatus

from nbgate.access.paths import RequestKind
from nbgate.pipeline.explanations import explain
from nbgate.pipeline.times import timestamp
from nbgate.pipeline.verdict import Challenge, ChallengeKind, Respond
from nbgate.reasons import Reason

_STYLE = (
    ":root{color-scheme:light dark;--back:#eef1f5;--card:#fff;--text:#17202b;--dim:#5b6675;--line:#d5dae2}"
    "@media(prefers-color-scheme:dark){:root{--back:#12171e;--card:#1b222c;--text:#e6eaf0;--dim:#98a3b3;--line:#2c3643}}"
    "body{font:16px/1.5 system-ui,sans-serif;margin:0;display:grid;min-height:100vh;place-content:center;gap:1.5rem;"
    "background:var(--back);color:var(--text)}header{display:flex;gap:.6rem;align-items:center;justify-content:center;"
    "font-weight:700;font-size:1.25rem}main{box-sizing:border-box;width:min(30rem,100vw - 2rem);padding:2rem;"
    "background:var(--card);border:1px solid var(--line);border-radius:14px}h1{font-size:1.4rem;line-height:1.3;"
    "margin:0 0 .5rem}p{margin:.5rem 0}code{font-size:.9em;overflow-wrap:anywhere}p.id{color:var(--dim);"
    "font-size:.85rem;margin:1.5rem 0 0}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_PAGE = (
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
    'content="width=device-width,initial-scale=1">{refresh}\n<title>{title} · nbgate</title><style>{style}</style>'
    "</head>\n"
    '<body><header><svg width="36" height="36" viewBox="0 0 32 32" aria-hidden="true">'
    '<rect width="32" height="32" rx="7" fill="#1f4e79"/>'
    '<path d="M8 25V13a8 8 0 0 1 16 0v12" fill="none" stroke="#fff" stroke-width="3"/>'
    '<path d="M13 25v-9m6 9v-9" stroke="#f5a623" stroke-width="3"/></svg>nbgate</header>\n'
    '<main><h1>{title}</h1><p>{text}</p>{hint}<p class="id">{status} {reason} · error id {request_id}</p>'
    "</main></body></html>\n"
)
_COMMON = (
    "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: same-origin\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Resource-Policy: same-origin\r\n"
    f"Content-Security-Policy: default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'\r\n"
)
_REFRESH_SECONDS = 5
_COMES_BACK = frozenset({
    Reason.UPSTREAM_CHECKING, Reason.UPSTREAM_REFUSED, Reason.UPSTREAM_LOST, Reason.UPSTREAM_TIMEOUT,
    Reason.KEEPER_UNAVAILABLE, Reason.NO_SERVER, Reason.UPSTREAM_OPEN, Reason.UPSTREAM_TOKEN_UNKNOWN,
    Reason.UPSTREAM_UID_MISMATCH, Reason.UPSTREAM_CERTIFICATE, Reason.UPSTREAM_BUSY, Reason.OVERLOADED,
    Reason.WORKER_FULL,
})  # fmt: skip
_HTML = "text/html; charset=utf-8"
_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"


def phrase(status: int) -> str:
    """Return the reason phrase of `status`; statuses without one get an empty phrase (RFC 9112 section 4)."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def rejection(status: int, always: bytes = b"") -> bytes:
    """Return the fixed answer to bytes that are no request: it repeats not one byte of them (THREATS fact 5)."""
    body = f"{status} {phrase(status)}\n".encode()
    if status == HTTPStatus.UPGRADE_REQUIRED:  # RFC 9110 section 15.5.22, RFC 6455 section 4.4
        wanted = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        return _closing(status, _COMMON + wanted, body, always, options="close, Upgrade")
    allow = "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n" if status == HTTPStatus.METHOD_NOT_ALLOWED else ""
    return _closing(status, _COMMON + allow, body, always)


def broken(error_id: str, always: bytes = b"") -> bytes:
    """Return the fixed answer to a request on which our own code failed; the id leads to the log line."""
    body = f"500 Internal Server Error\nerror id {error_id}\n".encode()
    return _closing(500, f"{_COMMON}X-Request-ID: {error_id}\r\n", body, always)


def not_tls(https_url: str) -> bytes:
    """Return the answer to plain HTTP on the TLS port: people who typed http:// took the server for dead.

    It carries no HSTS: browsers believe that over TLS only (RFC 6797 section 8.1).
    """
    body = f"This port speaks HTTPS only. Open {https_url}\n".encode()
    return _closing(400, _COMMON, body)


def _closing(status: int, lines: str, body: bytes, always: bytes = b"", options: str = "close") -> bytes:
    """Return a plain text answer with which the connection ends."""
    return (
        f"HTTP/1.1 {status} {phrase(status)}\r\n{lines}Content-Type: {_TEXT}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: {options}\r\n"
    ).encode() + b"%b\r\n%b" % (always, body)


def respond(
    verdict: Respond, kind: RequestKind, *, request_id: str, close: bool, head_only: bool, always: bytes = b""
) -> bytes:
    """Return the response for `verdict`, in the form that a request of this `kind` can use.

    Args:
        verdict: What was decided; an empty body means: explain the reason.
        kind: Navigation gets a page, a program JSON, a websocket handshake only the status.
        request_id: Printed on the page and sent as X-Request-ID; leads to the audit record.
        close: Whether the connection ends with this answer.
        head_only: The request was HEAD.
        always: Further header lines.
    """
    body, content_type = verdict.body, verdict.content_type
    if not body and verdict.status not in {204, 303, 304, 308}:
        body, content_type = _explained(verdict, kind, request_id)
    retry = "Retry-After: 2\r\n" if verdict.status == HTTPStatus.SERVICE_UNAVAILABLE else ""
    lines = "".join(f"{name}: {value}\r\n" for name, value in verdict.headers)
    ending = "Connection: close\r\n" if close else ""
    typed = f"Content-Type: {content_type}\r\n" if body else ""
    return (
        f"HTTP/1.1 {verdict.status} {phrase(verdict.status)}\r\n{_COMMON}{retry}{lines}{typed}"
        f"X-Request-ID: {request_id}\r\nContent-Length: {len(body)}\r\n{ending}"
    ).encode() + b"%b\r\n%b" % (always, b"" if head_only else body)


def challenge(verdict: Challenge, *, request_id: str, close: bool, head_only: bool, always: bytes = b"") -> bytes:
    """Return the request for a login: never a redirect that a script or a websocket cannot see (FIELD 3.17)."""
    if verdict.kind is ChallengeKind.PAGE:
        answer = Respond(verdict.status, verdict.reason, headers=(("Location", verdict.location),))
        kind = RequestKind.NAVIGATION
    else:
        answer = Respond(verdict.status, verdict.reason)
        kind = RequestKind.WEBSOCKET if verdict.kind is ChallengeKind.WEBSOCKET else RequestKind.API
    return respond(answer, kind, request_id=request_id, close=close, head_only=head_only, always=always)


def _explained(verdict: Respond, kind: RequestKind, request_id: str) -> tuple[bytes, str]:
    title, text = explain(verdict.reason)
    text = verdict.says or text
    if kind is RequestKind.NAVIGATION:
        comes_back = verdict.reason in _COMES_BACK
        page = _PAGE.format(
            refresh=f'<meta http-equiv="refresh" content="{_REFRESH_SECONDS}">' if comes_back else "",
            style=_STYLE,
            title=html.escape(title),
            text=html.escape(text),
            hint=f"<p><code>{html.escape(verdict.hint)}</code></p>" if verdict.hint else "",
            status=verdict.status,
            reason=verdict.reason.value,
            request_id=html.escape(request_id),
        )
        return page.encode(), _HTML
    if kind is RequestKind.WEBSOCKET:
        return f"{verdict.status} {verdict.reason.value}\n".encode(), _TEXT
    answer = {"message": text, "reason": verdict.reason.value, "error_id": request_id}
    if verdict.hint:
        answer["hint"] = verdict.hint
    if verdict.last_seen_unix:
        answer["last_seen"] = timestamp(verdict.last_seen_unix)
    return json.dumps(answer).encode() + b"\n", _JSON
