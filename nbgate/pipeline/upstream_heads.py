"""The heads that one client connection sends upstream: what is said beside the client's own words, put together once.

Pure but for a memory of the last request: clients repeat their header block, and then only request line and id are new.
"""

from nbgate.crypto.sealing import Keyring
from nbgate.http.head import Fields, RequestHead
from nbgate.model.client import Client
from nbgate.model.route import Route, RouteKind, UpstreamState
from nbgate.model.session import Session
from nbgate.rewrite.cookies import upstream_cookie
from nbgate.rewrite.request import UpstreamAccess, UpstreamHeads, handshake_lines


class ConnectionHeads:
    """Builds the upstream heads of one client connection."""

    __slots__ = (
        "_access",
        "_heads",
        "_key",
    )

    def __init__(self) -> None:
        self._heads = UpstreamHeads()
        self._key: tuple[Fields, UpstreamState, Session | None, bool, bool] | None = None
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
        channel: bool,
        navigation: bool,
        request_id: str,
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
            channel: A kernel or terminal websocket: no extensions are passed on.
            navigation: Somebody looks at a page; the keeper's own pages want to know.
            request_id: Of this request.
        """
        if route.kind is RouteKind.OWN:
            return _own_head(head, target, session, client, request_id, navigation=navigation)
        access = self._access
        key = self._key
        if (
            access is None
            or key is None
            or key[0] is not head.fields
            or key[1] is not state
            or key[2] is not session
            or key[3] is not page
            or key[4] is not channel
        ):
            user = session.user if session is not None else ""
            access = self._access = UpstreamAccess(
                route=route,
                token=state.token,
                cookie=upstream_cookie(head.fields.cookie, route=route, user=user, keyring=keyring, login=state.cookie),
                xsrf=state.xsrf,
                client_address=client.address,
                identity=page,
                extensions=not channel,
            )
            self._key = (head.fields, state, session, page, channel)
        return self._heads.build(head, target, access, request_id)


def _own_head(
    head: RequestHead, target: bytes, session: Session | None, client: Client, request_id: str, *, navigation: bool
) -> bytes:
    """Return the head for the keeper: no cookie and no credential, but who asks; `X-Nbgate-*` are ours alone."""
    lines = [
        f"{head.method} {target.decode('ascii')} HTTP/1.1",
        f"Host: {head.fields.host}",
        f"X-Nbgate-Client: {client.address}",
        f"X-Nbgate-Request-Id: {request_id}",
        f"X-Nbgate-Navigation: {int(navigation)}",
    ]
    if session is not None:
        lines.append(f"X-Nbgate-Session: {session.id.hex()}")
    if head.fields.websocket is not None:
        lines += handshake_lines(head.fields.websocket, extensions=False)
    return "\r\n".join(lines).encode("ascii") + b"\r\n" + head.fields.forward
