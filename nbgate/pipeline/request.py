"""The way of a request: what is asked of it, in this order, until it has a verdict. This file is the architecture.

Pure: who is asking, the session found for the cookie, and the time are arguments. It opens nothing and answers nothing;
`nbgate.edge` performs the verdict. The shape of the request (framing, sizes, target form) was judged by the parser.
"""

import math

from msgspec import Struct

from nbgate.access.judge import judge_access, judge_token
from nbgate.access.paths import OWN, Page, RequestKind, judge_login, may_pass_penalty
from nbgate.guard.origin import is_of_another_site, judge_document, judge_origin
from nbgate.http.head import RequestHead
from nbgate.jupyter.paths import is_kernel, socket_of
from nbgate.model.client import Client
from nbgate.model.route import Condition, Route, UpstreamState
from nbgate.model.rule import Action, Rule
from nbgate.model.session import Session
from nbgate.pipeline.claims import device_cookie_of
from nbgate.pipeline.explanations import explain_down, explain_to
from nbgate.pipeline.fixed import fixed_answer
from nbgate.pipeline.upstream_heads import ConnectionHeads
from nbgate.pipeline.verdict import Challenge, ChallengeKind, Forward, Respond, Verdict
from nbgate.places import Place
from nbgate.policy import Policy
from nbgate.reasons import Reason
from nbgate.routing.table import rest_of, slash_redirect, upstream_target
from nbgate.sessions.judge import judge_session

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_SOCKETS = frozenset({(OWN, "diagnose", "socket")})
AUDIT_GRACE_SECONDS = 600.0
LOGIN_PAGE = "/login"  # below `Policy.own`, as the others
ROTATION_PAGE = "/refresh"
SECOND_FACTOR_PAGE = "/account/totp"
# Looking a member up costs more than comparing with it, and this runs for every request.
_NAVIGATION, _WEBSOCKET = RequestKind.NAVIGATION, RequestKind.WEBSOCKET
_GUARDED = Condition.GUARDED
_LOGOUT = f"/{OWN}/logout".encode()
_OF_TOKENS = frozenset({Reason.TOKEN_INVALID, Reason.TOKEN_WITH_COOKIE})


class Asker(Struct, frozen=True, gc=False):
    """Who is asking.

    Attributes:
        client: The connection's.
        session: The one that was claimed, if there is such a one.
        no_session: Why there is none.
        refused_seconds: For how long the client's netblock is refused everything that has no live session.
        key: The digest by which the session was found.
        is_token: Which a token named.
    """

    client: Client
    session: Session | None
    no_session: Reason = Reason.LOGIN_REQUIRED
    refused_seconds: float = 0.0
    key: bytes = b""
    is_token: bool = False


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
    place = policy.places.find(head.target, head.fields.host)
    if session is None and asker.refused_seconds > 0 and not _has_a_way_in(head, place):
        if kind is RequestKind.API and head.method == "GET" and _is_kernel(head, place):
            return Challenge(ChallengeKind.KERNEL, Reason.PENALTY)  # 429 would be a dead kernel to JupyterLab, for ever
        return Respond(429, Reason.PENALTY, headers=(("Retry-After", str(math.ceil(asker.refused_seconds))),))
    page, route = place.page, place.route
    if page is not None and (fixed := fixed_answer(page, head.method, policy.own)) is not None:
        return fixed
    if asker.is_token and session is not None and place.is_own:
        if page is None and (unfit := judge_token(session, place.own, head.method)) is not None:
            return _unfit(unfit, policy)
        session = session if page is None else None  # a page for everybody is the same with a token
    refused = judge_origin(
        method=head.method,
        websocket=kind is _WEBSOCKET,
        fields=head.fields,
        has_session=session is not None,
        own_page=place.is_own,
        has_data=place.has_data,
        has_token=asker.is_token and session is not None,
    )
    if refused is not None:
        return Respond(403, refused)
    if place.findings and (closed := place.finding(Action.DENY, head.method)) is not None:
        return Respond(403, Reason.RULE, says=closed.says, hint=f"rule {closed.id}", rule=closed.id)
    if judge_login(page, has_session=session is not None) is not None:
        return _ask_for_login(head, kind, no_session, place, policy)
    if head.fields.service_worker and not place.may_be_worker:
        return Respond(403, Reason.SERVICE_WORKER)
    if route is None:
        return _nowhere(head, policy)
    if policy.audit_failing_since_unix and (stopped := _audit_stance(head, kind, policy, now)) is not None:
        return stopped
    request = _Judged(head, kind, asker, session, policy, heads, request_id)
    return _own_page(request, place) if place.is_own else _notebook(request, route, place, now)


class _Judged(Struct, frozen=True, gc=False):
    """A request that may be forwarded."""

    head: RequestHead
    kind: RequestKind
    asker: Asker
    session: Session | None
    policy: Policy
    heads: ConnectionHeads
    request_id: str


def _own_page(request: _Judged, place: Place) -> Verdict:
    head, policy = request.head, request.policy
    if request.kind is _WEBSOCKET and place.own not in OWN_SOCKETS:
        return Respond(404, Reason.NO_ROUTE)
    if place.is_document and (unseen := judge_document(head.fields)) is not None:  # a refused form shows a token too
        return Respond(403, unseen)
    target = _LOGOUT if place.page is Page.MOUNT_LOGOUT else head.target.raw
    if place.own and policy.home != "/":
        if place.lacks_slash:
            return _with_slash(policy.own_route, head)
        target = upstream_target(policy.own_route, head.target)
    return _forward(request, policy.own_route, policy.own_state, target, place)


def _notebook(request: _Judged, route: Route, place: Place, now: float) -> Verdict:
    head, session, policy = request.head, request.session, request.policy
    if session is None:  # only a mount's own login is open; it would know nothing of our session (PREFIX 2)
        return _see_other(policy.own + LOGIN_PAGE)
    refused = judge_access(
        session,
        route,
        method=head.method,
        websocket=request.kind is _WEBSOCKET,
        has_effect=place.has_effect,
        second_factor_roles=policy.second_factor_roles,
    )
    if refused is Reason.SECOND_FACTOR_REQUIRED and request.kind is _NAVIGATION:
        return _see_other(policy.own + SECOND_FACTOR_PAGE, refused)
    if refused is not None:
        return _forbidden(refused, policy)
    if place.page is not None:  # the same login, for who is signed in
        return _see_other(route.prefix)
    if place.lacks_slash:
        return _with_slash(route, head)
    if now >= session.rotate_unix and _may_rotate(request):
        return _see_other(_with_next(ROTATION_PAGE, head, policy))
    state = policy.upstreams[route.name]
    if (unavailable := _judge_upstream(route, state, now)) is not None:
        return unavailable
    return _forward(request, route, state, upstream_target(route, head.target), place)


def _may_rotate(request: _Judged) -> bool:
    """Say whether a person can be sent to fetch another secret: not a frame in a page, nor while nobody can give it."""
    return (
        request.kind is _NAVIGATION
        and request.head.method == "GET"
        and request.head.fields.fetch_dest in {None, "document"}
        and not request.policy.audit_failing_since_unix
        and request.policy.own_state.condition is not Condition.DOWN
    )


def _has_a_way_in(head: RequestHead, place: Place) -> bool:
    return may_pass_penalty(place.own, is_known_device=bool(device_cookie_of(head.fields)))


def _live(asker: Asker, now: float) -> tuple[Session | None, Reason]:
    if asker.session is None:
        return None, asker.no_session
    reason = judge_session(asker.session, now)
    if reason is None:
        return asker.session, Reason.LOGIN_REQUIRED
    return None, Reason.TOKEN_INVALID if asker.is_token else reason


def _nowhere(head: RequestHead, policy: Policy) -> Verdict:
    """Where no server is mounted at `home`, it leads to the one there is, or to the page that lists them.

    What lies outside is none of ours, but for the root of the host.
    """
    path, home = head.target.path, policy.home
    if path != home and path in {"/", home[:-1]}:
        return _see_other(home)
    if not path.startswith(home):
        return Respond(404, Reason.NO_ROUTE)
    front = policy.front(head.fields.host)
    if not front:
        return Respond(503, Reason.NO_SERVER)
    return _see_other(front) if path == home else Respond(404, Reason.NO_ROUTE)


def _see_other(location: str, reason: Reason = Reason.REDIRECT) -> Respond:
    return Respond(303, reason, headers=(("Location", location),))


def _with_slash(route: Route, head: RequestHead) -> Respond:
    return Respond(308, Reason.REDIRECT, headers=(("Location", slash_redirect(route, head.target) or "/"),))


def _forbidden(reason: Reason, policy: Policy) -> Respond:
    return Respond(403, reason, says=explain_to(reason, policy.contact, policy.own))


def _unfit(reason: Reason, policy: Policy) -> Respond:
    """Refuse the token of somebody who may not do what it was made for, in other words than a page."""
    if reason is Reason.ROLE:
        return Respond(403, reason, says="Only the token of an owner changes which notebook servers are reached.")
    return _forbidden(reason, policy)


def _judge_stranger(head: RequestHead, place: Place) -> Rule | None:
    """Return the rule by which this costs a penalty, unless another site's page made a browser ask for it.

    Else any page could have its visitors refused. A scanner that sends such a header is only spared what it costs.
    """
    if not place.findings or is_of_another_site(head.fields):
        return None
    return place.finding(Action.PENALISE, head.method)


def _ask_for_login(head: RequestHead, kind: RequestKind, reason: Reason, place: Place, policy: Policy) -> Verdict:
    """Ask so that whoever asked can see it; a program with a token is never sent to a page."""
    penalised_by = _judge_stranger(head, place)
    if kind is _WEBSOCKET:
        return Challenge(ChallengeKind.WEBSOCKET, reason, penalised_by=penalised_by)
    if reason in _OF_TOKENS:
        return Challenge(ChallengeKind.API, reason, penalised_by=penalised_by)
    if kind is _NAVIGATION:
        return Challenge(ChallengeKind.PAGE, reason, location=login_location(head, policy), penalised_by=penalised_by)
    how = ChallengeKind.KERNEL if head.method == "GET" and _is_kernel(head, place) else ChallengeKind.API
    return Challenge(how, reason, penalised_by=penalised_by)


def _is_kernel(head: RequestHead, place: Place) -> bool:
    return place.route is not None and not place.is_own and is_kernel(rest_of(place.route, head.target.segments))


def _audit_stance(head: RequestHead, kind: RequestKind, policy: Policy, now: float) -> Verdict | None:
    """THREATS 5.6: while the audit cannot be written nothing is changed, and after ten minutes nothing is read.

    A new websocket counts as a change: what is said on it executes.
    """
    if head.method not in SAFE_METHODS or kind is _WEBSOCKET or audit_grace_is_over(policy, now):
        return Respond(503, Reason.AUDIT_UNAVAILABLE)
    return None


def audit_grace_is_over(policy: Policy, now: float) -> bool:
    """Say whether the audit cannot be written for so long that nothing may go on."""
    since = policy.audit_failing_since_unix
    return since > 0 and now - since > AUDIT_GRACE_SECONDS


def _judge_upstream(route: Route, state: UpstreamState, now: float) -> Verdict | None:
    condition = state.condition
    if condition is _GUARDED:
        return None
    match condition:
        case Condition.GUARDED | Condition.OPEN_ALLOWED:
            return None
        case Condition.OPEN:
            return Respond(503, Reason.UPSTREAM_OPEN, hint="nbgate --allow-open-upstream")
        case Condition.TOKEN_UNKNOWN:
            hint = "nbgate --upstream-token-file FILE, or --upstream-password-file FILE"
            return Respond(502, Reason.UPSTREAM_TOKEN_UNKNOWN, hint=hint)
        case Condition.FOREIGN if route.upstream.tls is not None:
            return Respond(502, Reason.UPSTREAM_CERTIFICATE)
        case Condition.FOREIGN:
            return Respond(502, Reason.UPSTREAM_UID_MISMATCH, hint="nbgate --upstream-user NAME")
        case Condition.DOWN:
            since = state.since_unix
            return Respond(503, Reason.UPSTREAM_REFUSED, says=explain_down(since, now), last_seen_unix=since)
        case Condition.UNKNOWN:
            return Respond(503, Reason.UPSTREAM_CHECKING)


def _forward(request: _Judged, route: Route, state: UpstreamState, target: bytes, place: Place) -> Forward:
    socket = None
    if request.kind is _WEBSOCKET and not place.is_own:
        socket = socket_of(rest_of(route, request.head.target.segments))
    is_page = request.kind is _NAVIGATION and not (place.is_own or place.untouched)
    banner = is_page and request.policy.banner
    data = request.heads.build(
        request.head,
        target,
        route=route,
        state=state,
        session=request.session,
        client=request.asker.client,
        keyring=request.policy.cookie_keys,
        page=banner or place.kernelspecs or (not place.untouched and (bool(state.token) or route.is_moved)),
        plain=socket is not None and socket.is_read,
        navigation=request.kind is _NAVIGATION,
        request_id=request.request_id,
        key=request.asker.key,
    )
    return Forward(route, state, data, socket, place.untouched, banner, place.user_content, place.kernelspecs)


def login_location(head: RequestHead, policy: Policy) -> str:
    """Return the login page's address that comes back to where this navigation was going."""
    return _with_next(LOGIN_PAGE, head, policy)


def _with_next(page: str, head: RequestHead, policy: Policy) -> str:
    path = head.target.raw.decode("ascii")
    return policy.own + (page if path in {"/", policy.home} else f"{page}?next={_quote(path)}")


def _quote(text: str) -> str:
    keep = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/"
    return "".join(char if char in keep else f"%{ord(char):02X}" for char in text)
