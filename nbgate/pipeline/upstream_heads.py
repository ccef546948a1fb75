"""The heads that one client connection sends upstream: what is said beside the client's own words, put together once.

Pure but for a memory of the last request: clients repeat their header block, and then only request line and id are new.
"""

from nbgate.crypto.sealing import Keyring
from nbgate.http.head import Fields, RequestHead
from nbgate.model.client import Client
from nbgate.model.route import Route, RouteKind, UpstreamState
from nbgate.model.session import Session
from nbgate.pipeline.claims import device_cookie_of
from nbgate.rewrite.cookies import upstream_cookie
from nbgate.rewrite.request import UpstreamAccess, UpstreamHeads, handshake_lines


class ConnectionHeads:
    """Builds the upstream heads of one client connection."""

    __slots__ = (
        "_access",
        "_heads",
        "_last",
    )

    def __init__(self) -> None:
        self._heads = UpstreamHeads()
        self._last: tuple[Fields, UpstreamState, Session | None, bool, bool] | None = None
        self._access: UpstreamAccess | None = None

    def build(
        self,
        head: RequestHead,
        target: bytes,
        *,
        route: Route,
        state: UpstreamState,
        session: Session | None,
        client: Client,
        keyring: Keyring,
        page: bool,
        plain: bool,
        navigation: bool,
        request_id: str,
        key: bytes = b"",
    ) -> bytes:
        """Return the head for the upstream without framing lines and the empty line.

        Args:
            head: What the client sent.
            target: Where it leads upstream.
            route: By which it goes there.
            state: What is known of that upstream, with its token or our login there.
            session: On whose behalf, if anybody's.
            client: Who is told to the upstream as X-Forwarded-For.
            keyring: Unseals the upstream's cookies.
            page: The answer may be a page that must be rewritten: it is asked for whole and uncompressed.
            plain: A websocket whose frames are looked into: no extensions are passed on.
            navigation: Somebody looks at a page; the keeper's own pages want to know.
            request_id: Of this request.
            key: The digest of the secret by which the session was found; the keeper's own pages want to know.
        """
        if route.kind is RouteKind.OWN:
            return _own_head(head, target, session, client, request_id, key, navigation=navigation)
        access = self._access
        last = self._last
        if (
            access is None
            or last is None
            or last[0] is not head.fields
            or last[1] is not state
            or access.route is not route
            or last[2] is not session
            or last[3] is not page
            or last[4] is not plain
        ):
            user = session.user if session is not None else ""
            access = self._access = UpstreamAccess(
                route=route,
                token=state.token,
                cookie=upstream_cookie(head.fields.cookie, route=route, user=user, keyring=keyring, login=state.cookie),
                xsrf=state.xsrf,
                bearer=state.bearer,
                client_address=client.address,
                identity=page,
                extensions=not plain,
            )
            self._last = (head.fields, state, session, page, plain)
        return self._heads.build(head, target, access, request_id)


def _own_head(
    head: RequestHead,
    target: bytes,
    session: Session | None,
    client: Client,
    request_id: str,
    key: bytes,
    *,
    navigation: bool,
) -> bytes:
    """Return the head for the keeper: who asks, but no cookie that opens anything; `X-Nbgate-*` are ours alone."""
    lines = [
        f"{head.method} {target.decode('ascii')} HTTP/1.1",
        f"Host: {head.fields.host}",
        f"X-Nbgate-Client: {client.address}",
        f"X-Nbgate-Request-Id: {request_id}",
        f"X-Nbgate-Navigation: {int(navigation)}",
    ]
    if session is not None:
        lines += (f"X-Nbgate-Session: {session.id.hex()}", f"X-Nbgate-Session-Key: {key.hex()}")
    if device := device_cookie_of(head.fields):
        lines.append(f"X-Nbgate-Device: {device}")
    if head.fields.websocket is not None:
        lines += handshake_lines(head.fields.websocket, extensions=False)
    return "\r\n".join(lines).encode("ascii") + b"\r\n" + head.fields.forward
