"""The way of an answer: what is asked of an upstream's response head, and the head the client gets instead.

Pure; the body's bytes are relayed by `nbgate.edge`. The shape of the head was judged by the parser.
"""

from collections.abc import Callable
from functools import partial
from http import HTTPStatus

from msgspec import Struct

from nbgate.crypto.sealing import NONCE_BYTES, Keyring
from nbgate.errors import UpstreamProtocolError
from nbgate.http.head import RequestHead
from nbgate.http.response import BodyFraming, ResponseHead
from nbgate.jupyter.paths import is_voila, links_of
from nbgate.model.route import RouteKind
from nbgate.pipeline.verdict import Forward
from nbgate.reasons import Reason
from nbgate.rewrite.cookies import client_set_cookies
from nbgate.rewrite.html import PageRewriter
from nbgate.rewrite.inline_script import map_script
from nbgate.rewrite.kernelspecs import KernelspecsRewriter
from nbgate.rewrite.prefix import PrefixEdit
from nbgate.rewrite.response import BodyPlan, ClientHeads, plan_body
from nbgate.rewrite.token_scrub import names_token
from nbgate.routing.table import rest_of

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class ClientHead(Struct, frozen=True, gc=False):
    """The head for the client, complete, and what it promised of the body.

    Attributes:
        rewrite: The body is rewritten (`body_rewriter`).
        banner: Our script is added to that page.
        kernelspecs: The body is JSON that lists kernels.
    """

    data: bytes
    chunked: bool
    keep_alive: bool
    rewrite: bool
    banner: bool = False
    kernelspecs: bool = False


def judge_answer(response: ResponseHead, forward: Forward) -> Reason | None:
    """Say when the upstream does not take the credential it was sent: a redirect to its own login, or a 403."""
    if not forward.state.has_credential:
        return None
    if response.status == HTTPStatus.FORBIDDEN:
        return Reason.UPSTREAM_REJECTED_CREDENTIAL
    if response.status not in _REDIRECTS:
        return None
    location = response.value("location") or ""
    base = forward.route.base_url
    to_login = location.partition("?")[0] in {f"{base}login", f"{base}auth/login"}  # the second one is marimo's
    return Reason.UPSTREAM_REJECTED_CREDENTIAL if to_login else None


def answer_head(
    response: ResponseHead,
    request: RequestHead,
    forward: Forward,
    heads: ClientHeads,
    *,
    user: str,
    keyring: Keyring,
    random: Callable[[int], bytes],
    request_id: str,
    date: bytes,
    close: bool,
) -> ClientHead:
    """Return the head for the client.

    Args:
        response: What the upstream sent.
        request: What it answers.
        forward: The verdict by which it was asked.
        heads: Serialises it.
        user: Name of the person, for whom the upstream's cookies are sealed.
        keyring: Seals them.
        random: Returns that many random bytes.
        request_id: Sent along as X-Request-ID.
        date: The upstream's Date line, which `response` does not hold, or b"".
        close: The connection must end with this answer.

    Raises:
        UpstreamProtocolError: A page came in a form that cannot be rewritten, and could hide the token; or the head
            itself shows it.
    """
    plan = BodyPlan.PASS
    banner = forward.banner and response.status == HTTPStatus.OK
    if forward.state.token or banner or forward.route.is_moved:
        plan = plan_body(response, method=request.method, untouched=forward.untouched, kernelspecs=forward.kernelspecs)
    if plan is BodyPlan.REFUSE and (forward.state.token or forward.route.is_moved):  # else the page goes on as it is
        raise UpstreamProtocolError(Reason.UPSTREAM_BAD_RESPONSE)
    rewritten = plan is BodyPlan.REWRITE or plan is BodyPlan.KERNELSPECS
    lines = _build(response, request, forward, heads, user, keyring, random, request_id, rewritten=rewritten)
    how = response.framing  # compared by identity: hashing an enum member costs more than all the rest here
    unsized = how is BodyFraming.CHUNKED or how is BodyFraming.EOF or (rewritten and how is BodyFraming.LENGTH)
    chunked = unsized and request.minor == 1
    keep_alive = request.keep_alive and not close and (chunked or not unsized)
    if chunked:
        framing = b"Transfer-Encoding: chunked\r\n"
    elif response.length is not None and not unsized and response.status != HTTPStatus.NOT_MODIFIED:
        framing = b"Content-Length: %d\r\n" % response.length
    else:
        framing = b""
    if not keep_alive:
        framing += b"Connection: close\r\n"
    elif request.minor == 0:
        framing += b"Connection: keep-alive\r\n"
    return ClientHead(
        lines + date + framing + b"\r\n",
        chunked,
        keep_alive,
        rewritten,
        banner=banner and plan is BodyPlan.REWRITE,
        kernelspecs=plan is BodyPlan.KERNELSPECS,
    )


def body_rewriter(
    built: ClientHead, response: ResponseHead, request: RequestHead, forward: Forward, banner: bytes
) -> PageRewriter | KernelspecsRewriter | None:
    """Return what the body goes through, None when it passes as it is.

    Args:
        built: The head for the client.
        response: What the upstream sent.
        request: What it answers.
        forward: The verdict by which it was asked.
        banner: The element that brings our script into a page.
    """
    if not built.rewrite:
        return None
    route, state = forward.route, forward.state
    if built.kernelspecs:
        return KernelspecsRewriter(route)
    after_head = banner if built.banner else b""
    if not route.is_moved:
        return PageRewriter(state.token, after_head=after_head, secret=state.secret)
    rest = rest_of(route, request.target.segments)
    voila = response.status < HTTPStatus.BAD_REQUEST and is_voila(rest)  # no cell writes an error page
    return PageRewriter(
        state.token,
        (PrefixEdit(route, links_of(voila=voila)),),
        after_head=after_head,
        edit_script=None if voila else partial(map_script, route=route),  # Voila's page streams, and has none to edit
        secret=state.secret,
    )


def switch_head(
    response: ResponseHead,
    request: RequestHead,
    forward: Forward,
    heads: ClientHeads,
    *,
    user: str,
    keyring: Keyring,
    random: Callable[[int], bytes],
    request_id: str,
) -> bytes:
    """Return the 101 for the client; the arguments, and what is raised, are those of `answer_head`."""
    return _build(response, request, forward, heads, user, keyring, random, request_id, rewritten=False) + b"\r\n"


def _build(
    response: ResponseHead,
    request: RequestHead,
    forward: Forward,
    heads: ClientHeads,
    user: str,
    keyring: Keyring,
    random: Callable[[int], bytes],
    request_id: str,
    *,
    rewritten: bool,
) -> bytes:
    cookies = b""
    if (
        response.set_cookies and forward.route.kind is RouteKind.OWN
    ):  # the keeper's cookies are ours: they pass as they are
        cookies = b"".join(line for name, line, _ in response.lines if name == "set-cookie")
    elif response.set_cookies:
        cookies = client_set_cookies(
            response.set_cookies,
            route=forward.route,
            user=user,
            keyring=keyring,
            nonce=lambda: random(NONCE_BYTES),
            logged_in=bool(forward.state.cookie),
        )
    lines = heads.build(
        response,
        route=forward.route,
        public_origin=f"https://{request.fields.host}",
        rewritten=rewritten,
        user_content=forward.user_content,
        set_cookies=cookies,
        request_id=request_id,
    )
    if names_token(lines, forward.state.secret):
        raise UpstreamProtocolError(Reason.SECRET_IN_RESPONSE)
    return lines
