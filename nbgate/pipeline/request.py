"""The way of a request: what is asked of it, in this order, until it has a verdict. This file is the architecture.

Pure: who is asking, the session found for the cookie, and the time are arguments. It opens nothing and answers nothing;
`nbgate.edge` performs the verdict. The shape of the request (framing, sizes, target form) was judged by the parser.
"""

import math

from msgspec import Struct

from nbgate.access.paths import Page, RequestKind, judge_login
from nbgate.guard.origin import is_of_another_site, judge_document, judge_origin
from nbgate.http.head import RequestHead
from nbgate.model.client import Client
from nbgate.model.route import Condition, Route, UpstreamState
from nbgate.model.rule import Action, Rule
from nbgate.model.session import Session
from nbgate.pipeline.fixed import fixed_answer
from nbgate.pipeline.upstream_heads import ConnectionHeads
from nbgate.pipeline.verdict import Challenge, ChallengeKind, Forward, Respond, Verdict
from nbgate.places import Place
from nbgate.policy import Policy
from nbgate.reasons import Reason
from nbgate.routing.table import slash_redirect, upstream_target
from nbgate.sessions.judge import judge_session

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_SOCKETS = frozenset({"/_nbgate/diagnose/socket"})
AUDIT_GRACE_SECONDS = 600.0


class Asker(Struct, frozen=True, gc=False):
    """Who is asking: the connection's client, the live session if there is one, and why there is none.

    `refused_seconds`: for how long the client's netblock is refused everything that has no live session.
    """

    client: Client
    session: Session | None
    no_session: Reason = Reason.LOGIN_REQUIRED
    refused_seconds: float = 0.0


def decide(
    head: RequestHead,
    kind: RequestKind,
    asker: Asker,
    policy: Policy,
    heads: ConnectionHeads,
    request_id: str,
    now: float,
) -> Verdict:
    """Return what happens to the request `head`.

    Args:
        head: The parsed request.
        kind: Navigation, API call or websocket handshake: how a refusal must look.
        asker: Who is asking.
        policy: The snapshot this request began with.
        heads: Serialises the head for the upstream.
        request_id: Goes into the upstream's log and ours.
        now: Seconds since the epoch.
    """
    session, no_session = _live(asker, now)
    if session is None and asker.refused_seconds > 0:
        return Respond(429, Reason.PENALTY, headers=(("Retry-After", str(math.ceil(asker.refused_seconds))),))
    place = policy.places.find(head.target)
    page, route = place.page, place.route
    if page is not None and (fixed := fixed_answer(page, head.method)) is not None:
        return fixed
    refused = judge_origin(
        method=head.method,
        websocket=kind is RequestKind.WEBSOCKET,
        fields=head.fields,
        has_session=session is not None,
        own_page=place.is_own,
        has_data=place.has_data,
    )
    if refused is not None:
        return Respond(403, refused)
    if place.findings and (closed := place.finding(Action.DENY, head.method)) is not None:
        return Respond(403, Reason.RULE, says=closed.says, hint=f"rule {closed.id}", rule=closed.id)
    if judge_login(page, has_session=session is not None) is not None:
        return _ask_for_login(head, kind, no_session, _judge_stranger(head, place))
    if head.fields.service_worker and not place.may_be_worker:
        return Respond(403, Reason.SERVICE_WORKER)
    if route is None:
        return _nowhere(head, policy)
    if policy.audit_failing_since_unix and (stopped := _audit_stance(head, kind, policy, now)) is not None:
        return stopped
    request = _Judged(head, kind, asker.client, session, policy, heads, request_id)
    if place.is_own:
        if kind is RequestKind.WEBSOCKET and head.target.path not in OWN_SOCKETS:
            return Respond(404, Reason.NO_ROUTE)
        reads = place.is_document and head.method in SAFE_METHODS  # a script may act here, and log its person out
        if reads and (unseen := judge_document(head.fields)) is not None:
            return Respond(403, unseen)
        target = b"/_nbgate/logout" if page is Page.MOUNT_LOGOUT else head.target.raw
        return _forward(request, policy.own_route, policy.own_state, target, place)
    if page is Page.MOUNT_LOGIN:  # the upstream's own login would know nothing of our session (PREFIX 2)
        return _see_other("/_nbgate/login" if session is None else route.prefix)
    if place.lacks_slash:
        return Respond(308, Reason.REDIRECT, headers=(("Location", slash_redirect(route, head.target) or "/"),))
    state = policy.upstreams[route.name]
    if (unavailable := _judge_upstream(state)) is not None:
        return unavailable
    return _forward(request, route, state, upstream_target(route, head.target), place)


class _Judged(Struct, frozen=True, gc=False):
    """A request that may be forwarded."""

    head: RequestHead
    kind: RequestKind
    client: Client
    session: Session | None
    policy: Policy
    heads: ConnectionHeads
    request_id: str


def _live(asker: Asker, now: float) -> tuple[Session | None, Reason]:
    if asker.session is None:
        return None, asker.no_session
    reason = judge_session(asker.session, now)
    return (asker.session, Reason.LOGIN_REQUIRED) if reason is None else (None, reason)


def _nowhere(head: RequestHead, policy: Policy) -> Verdict:
    """Where no server is mounted at `/`, `/` leads to the one there is, or to the page that lists them."""
    if not policy.front:
        return Respond(503, Reason.NO_SERVER)
    return _see_other(policy.front) if head.target.path == "/" else Respond(404, Reason.NO_ROUTE)


def _see_other(location: str) -> Respond:
    return Respond(303, Reason.REDIRECT, headers=(("Location", location),))


def _judge_stranger(head: RequestHead, place: Place) -> Rule | None:
    """Return the rule by which this costs a penalty, unless another site's page made a browser ask for it.

    Else any page could have its visitors refused. A scanner that sends such a header is only spared what it costs.
    """
    if not place.findings or is_of_another_site(head.fields):
        return None
    return place.finding(Action.PENALISE, head.method)


def _ask_for_login(head: RequestHead, kind: RequestKind, reason: Reason, penalised_by: Rule | None) -> Verdict:
    if kind is RequestKind.NAVIGATION:
        return Challenge(ChallengeKind.PAGE, reason, location=login_location(head), penalised_by=penalised_by)
    how = ChallengeKind.API if kind is RequestKind.API else ChallengeKind.WEBSOCKET
    return Challenge(how, reason, penalised_by=penalised_by)


def _audit_stance(head: RequestHead, kind: RequestKind, policy: Policy, now: float) -> Verdict | None:
    """THREATS 5.6: while the audit cannot be written nothing is changed, and after ten minutes nothing is read.

    A new websocket counts as a change: what is said on it executes.
    """
    if head.method not in SAFE_METHODS or kind is RequestKind.WEBSOCKET or audit_grace_is_over(policy, now):
        return Respond(503, Reason.AUDIT_UNAVAILABLE)
    return None


def audit_grace_is_over(policy: Policy, now: float) -> bool:
    """Say whether the audit cannot be written for so long that nothing may go on."""
    since = policy.audit_failing_since_unix
    return since > 0 and now - since > AUDIT_GRACE_SECONDS


def _judge_upstream(state: UpstreamState) -> Verdict | None:
    condition = state.condition
    if condition is Condition.GUARDED or condition is Condition.OPEN_ALLOWED:
        return None
    match condition:
        case Condition.OPEN:
            return Respond(503, Reason.UPSTREAM_OPEN, hint="nbgate --allow-open-upstream")
        case Condition.TOKEN_UNKNOWN:
            hint = "nbgate --upstream-token-file FILE, or --upstream-password-file FILE"
            return Respond(502, Reason.UPSTREAM_TOKEN_UNKNOWN, hint=hint)
        case Condition.FOREIGN:
            return Respond(502, Reason.UPSTREAM_UID_MISMATCH, hint="nbgate --upstream-user NAME")
        case Condition.DOWN:
            return Respond(503, Reason.UPSTREAM_REFUSED)
        case Condition.UNKNOWN:
            return Respond(503, Reason.UPSTREAM_CHECKING)


def _forward(request: _Judged, route: Route, state: UpstreamState, target: bytes, place: Place) -> Forward:
    is_page = request.kind is RequestKind.NAVIGATION and not (place.is_own or place.untouched)
    banner = is_page and request.policy.banner
    data = request.heads.build(
        request.head,
        target,
        route=route,
        state=state,
        session=request.session,
        client=request.client,
        keyring=request.policy.cookie_keys,
        page=banner or (bool(state.token) and not place.untouched),
        channel=place.channel,
        navigation=request.kind is RequestKind.NAVIGATION,
        request_id=request.request_id,
    )
    return Forward(route, state, data, place.channel, place.untouched, banner, place.user_content)


def login_location(head: RequestHead) -> str:
    """Return the login page's address that comes back to where this navigation was going."""
    path = head.target.raw.decode("ascii")
    return "/_nbgate/login" if path == "/" else f"/_nbgate/login?next={_quote(path)}"


def _quote(text: str) -> str:
    keep = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/"
    return "".join(char if char in keep else f"%{ord(char):02X}" for char in text)
