"""One request and its answer, from the parsed head to the audit event.

Performs the verdict of `nbgate.pipeline.request`: asks for the session, answers here, or lets `Uplink` carry the
request up and `Relay` the answer down. Every way out leads through `_close`, which records the one event.
"""

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, assert_never

import msgspec

from nbgate.access.paths import RequestKind, classify
from nbgate.edge.admission import Count
from nbgate.edge.context import WorkerContext
from nbgate.edge.patience import NEVER
from nbgate.edge.records import record_open, record_request
from nbgate.edge.tunnel import Tunnel
from nbgate.edge.uplink import Uplink
from nbgate.edge.upstream_connection import UpstreamConnection
from nbgate.errors import ProtocolError
from nbgate.http.head import RequestHead
from nbgate.http.response import ResponseHead
from nbgate.http.upgrade import judge_switch
from nbgate.model.client import Client
from nbgate.model.route import RouteKind
from nbgate.model.session import Session
from nbgate.pipeline import answers
from nbgate.pipeline.claims import device_cookie_of
from nbgate.pipeline.request import SAFE_METHODS, Asker, decide
from nbgate.pipeline.response import judge_answer, switch_head
from nbgate.pipeline.verdict import Challenge, Forward, Respond
from nbgate.policy import Policy
from nbgate.reasons import Reason

if TYPE_CHECKING:
    from nbgate.edge.client_connection import ClientConnection

_PASSED_REFUSALS = frozenset({403, 404, 410, 500, 503})  # of a websocket handshake; the page can act on these


class Exchange:
    """One exchange; made when a request head is complete, gone when its event is recorded.

    Attributes:
        client: Who asks: the connection's, or whom a trusted hop names.
        claim: Which session it says it has.
        count: Where it is counted as long as it is under way.
        wants_body: Bytes of the client belong to this request's body.
        deadline: Loop time by which the upstream must have done its next step.
        rule: Id of the rule that refused it or penalised the client; "" for none.
        tunnel: What a websocket exchange has become.
    """

    __slots__ = (
        "_is_spared",
        "_started",
        "claim",
        "client",
        "connection",
        "count",
        "deadline",
        "forward",
        "head",
        "is_done",
        "kind",
        "policy",
        "reason",
        "request_bytes",
        "request_id",
        "response_bytes",
        "rule",
        "session",
        "status",
        "tunnel",
        "uplink",
        "wants_body",
        "worker",
    )

    def __init__(
        self,
        connection: "ClientConnection",
        client: Client,
        head: RequestHead,
        policy: Policy,
        request_id: str,
        started: float,
    ) -> None:
        self.connection = connection
        self.client = client
        self.count: Count | None = None
        self.worker: WorkerContext = connection.worker
        self.head = head
        self.policy = policy
        self.request_id = request_id
        self.kind = classify(head.method, head.fields)
        self.claim = connection.claim(head)
        if self.claim.is_token and self.kind is RequestKind.NAVIGATION:
            self.kind = RequestKind.API  # whoever shows a token reads no page: nothing is explained in HTML
        self.session: Session | None = None
        self.forward: Forward | None = None
        self.uplink: Uplink | None = None
        self.tunnel: Tunnel | None = None
        self.wants_body = head.has_body
        self.deadline = NEVER
        self.is_done = False
        self.status = 0
        self.reason: Reason | None = None
        self.rule = ""
        self.request_bytes = self.response_bytes = 0
        self._started = started
        self._is_spared = False

    @property
    def user(self) -> str:
        """Return the name of the person on whose behalf this runs, "" for nobody."""
        return self.session.user if self.session is not None else ""

    @property
    def session_id(self) -> bytes | None:
        """Return the id of the session on whose behalf this runs."""
        return self.session.id if self.session is not None else None

    @property
    def is_own(self) -> bool:
        """True when the keeper's own pages answer this."""
        return self.forward is not None and self.forward.route.kind is RouteKind.OWN

    @property
    def has_answered(self) -> bool:
        """Say whether the client was sent the beginning of an answer."""
        return self.uplink is not None and self.uplink.relay is not None and self.uplink.relay.has_begun

    # deciding

    def begin(self) -> None:
        """Find the session, then decide."""
        key = self.claim.key
        if not key:
            self._decide(None, self.claim.reason)
            return
        found = self.worker.sessions.find(key)
        if found is None:
            self.connection.hold("session")
            self.worker.sessions.ask(key, partial(self.connection.guarded, self._session_answered))
        elif isinstance(found, Reason):
            self._decide(None, found)
        else:
            self._decide(found, Reason.LOGIN_REQUIRED)

    def _session_answered(self, session: Session | None, reason: Reason) -> None:
        if not self.is_done:
            self.connection.release("session")
            self._decide(session, reason)

    def _decide(self, session: Session | None, no_session: Reason) -> None:
        if no_session is Reason.KEEPER_UNAVAILABLE:
            self.refuse(no_session, HTTPStatus.SERVICE_UNAVAILABLE)
            return
        too_much = self.worker.admission.judge(self, session, self._started)
        if too_much is not None:
            self.session = session
            self._answer(too_much)
            return
        verdict = decide(
            self.head,
            self.kind,
            Asker(
                self.client,
                session,
                self.claim.reason if self.claim.is_token else no_session,
                self.worker.penalties.seconds_left(self.client.netblock),
                self.claim.key,
                self.claim.is_token,
            ),
            self.policy,
            self.connection.heads,
            self.request_id,
            self.worker.clock.unix(),
        )
        self.session = session
        match verdict:
            case Forward():
                self._forward(verdict)
            case Respond():
                self.worker.note_refusal(self, verdict.reason)
                self._answer(verdict)
            case Challenge():
                self._challenge(verdict)
            case _:
                assert_never(verdict)

    def _forward(self, verdict: Forward) -> None:
        self.forward = verdict
        active = self.kind is RequestKind.NAVIGATION or self.head.method not in SAFE_METHODS or self.claim.is_token
        if self.session is not None and active:
            self.worker.sessions.was_active(self.session.id)
        if self.session is None and self.head.method == "POST" and device_cookie_of(self.head.fields):
            self._is_spared = self.worker.admission.spare(self.connection.ticket)
        self.uplink = Uplink(self, verdict)
        self.uplink.start()

    def resume(self, session: Session, forward: Forward, upstream: UpstreamConnection) -> None:
        """Go on where a repetition left off: the request is sent, the answer has not begun."""
        self.session, self.forward = session, forward
        self.count = self.connection.attach_session(session).requests
        self.count.n += 1
        self.uplink = Uplink(self, forward)
        self.uplink.adopt(upstream)

    def uplink_data(self, data: bytes) -> None:
        """Take bytes of the upstream."""
        if self.uplink is not None:
            self.uplink.upstream_data(data)

    def uplink_lost(self, *, broken: bool) -> None:
        """Take note that the upstream's connection is gone."""
        if self.uplink is not None:
            self.uplink.upstream_lost(broken=broken)

    def uplink_full(self, *, full: bool) -> None:
        """Stop or go on reading from the client."""
        if self.uplink is not None:
            self.uplink.upstream_full(full=full)

    def refuse(self, reason: Reason, status: int) -> None:
        """Answer with the page or JSON that explains `reason`."""
        self._answer(Respond(status, reason))

    def _answer(self, verdict: Respond) -> None:
        self.rule = verdict.rule
        close = verdict.close or self._must_close()
        data = answers.respond(
            verdict,
            self.kind,
            request_id=self.request_id,
            close=close,
            head_only=self.head.method == "HEAD",
            always=self.policy.always_headers,
        )
        self._send_own(data, verdict.status, verdict.reason, close=close)

    def _challenge(self, verdict: Challenge) -> None:
        if verdict.penalised_by is not None:
            self.rule = verdict.penalised_by.id
            self.worker.penalties.report(self.client.netblock, self.rule)
        close = self._must_close()
        data = answers.challenge(
            verdict,
            request_id=self.request_id,
            close=close,
            head_only=self.head.method == "HEAD",
            always=self.policy.always_headers,
        )
        self._send_own(data, verdict.status, verdict.reason, close=close)

    def _send_own(self, data: bytes, status: int, reason: Reason, *, close: bool) -> None:
        self.connection.write(data)
        self.status = status
        self.reason = None if reason is Reason.FIXED else reason
        self.wants_body = False
        self.done(keep=not close)

    def _must_close(self) -> bool:
        """A body that nobody reads ends the connection; so do a drain and a client that asked for it."""
        return self.wants_body or not self.head.keep_alive or self.worker.draining

    # the body

    def client_data(self, data: bytes) -> None:
        """Take bytes of the request body; until the verdict they wait, reading is held."""
        if self.uplink is not None:
            self.uplink.client_data(data)
        else:
            self.connection.buffer += data

    def body_broken(self, error: ProtocolError, *, answered: bool) -> None:
        """End the exchange for a bad or late body; `answered` says that the answer is already under way."""
        if answered:
            self.break_off(error.reason, error.status)
            self.connection.abort()
            return
        self.status, self.reason = error.status, error.reason
        self.connection.write(answers.rejection(error.status, self.policy.always_headers))
        self.release_upstream(reusable=False)
        self.wants_body = False
        self.done(keep=False)
        self.connection.finish()  # whoever sends so is not waited for as one that reads slowly

    def body_late(self) -> None:
        """End the exchange: the body paused for too long (asked by the connection's deadline)."""
        if self.uplink is not None:
            self.uplink.body_late()

    def client_full(self, *, full: bool) -> None:
        """Stop or go on reading from the upstream; who is not read is not late."""
        if self.uplink is not None:
            self.uplink.client_full(full=full)
            if self.uplink.relay is not None and self.uplink.relay.has_begun:
                self.deadline = NEVER if full else self.worker.loop.time() + self.policy.limits.upstream_body_seconds

    # websockets

    def switch(self, head: ResponseHead, rest: bytes) -> None:
        """Become a tunnel, if the upstream's answer is the 101 that was asked for (THREATS D23).

        Raises:
            UpstreamProtocolError: It claims to switch, and does not prove that it read this handshake.
        """
        offer, forward = self.head.fields.websocket, self.forward
        assert offer is not None and forward is not None  # noqa: S101, PT018 - this is a handshake, and it was sent
        if head.status != HTTPStatus.SWITCHING_PROTOCOLS:
            if judge_answer(head, forward) is not None:
                self.suspect()
            self.fail(Reason.UPSTREAM_BAD_RESPONSE, head.status if head.status in _PASSED_REFUSALS else 502)
            return
        is_read = forward.socket is not None and forward.socket.is_read
        switch = judge_switch(head, msgspec.structs.replace(offer, extensions=None) if is_read else offer)
        data = switch_head(
            head,
            self.head,
            forward,
            self.worker.client_heads,
            user=self.user,
            keyring=self.policy.cookie_keys,
            random=self.worker.random,
            request_id=self.request_id,
        )
        if self.uplink is not None:
            self.uplink.wait_no_longer()
        record_open(self)
        self.tunnel = Tunnel(self, extensions=switch.extensions is not None)
        self.connection.write(data)  # now, when nothing of ours can fail any more: no 500 may follow it
        self.deadline = NEVER
        self.is_done = True  # from here the tunnel keeps the account
        self.connection.begin_tunnel(self.tunnel)
        if rest:
            self.tunnel.upstream_data(rest)

    def client_lost(self) -> None:
        """Release the upstream: nobody waits for the answer any more."""
        self.break_off(Reason.CLIENT_GONE, self.status)

    def expire(self) -> None:
        """End the exchange: the upstream took too long."""
        if self.has_answered:
            self.break_off(Reason.UPSTREAM_TIMEOUT, self.status)
            self.connection.abort()
        else:
            self.suspect()
            self.fail(Reason.UPSTREAM_TIMEOUT, HTTPStatus.GATEWAY_TIMEOUT)

    def fail(self, reason: Reason, status: int, *, close: bool = False) -> None:
        """Answer with an error page: the upstream, or the keeper, gave no answer that could be passed on."""
        self.release_upstream(reusable=False)
        if self.is_own:
            reason, status = Reason.KEEPER_UNAVAILABLE, HTTPStatus.SERVICE_UNAVAILABLE
        self._answer(Respond(status, reason, close=close))

    def break_off(self, reason: Reason, status: int) -> None:
        """End without (the rest of) an answer; the caller ends the client's connection."""
        if not self.is_done:
            self.reason = reason
            self.status = self.status or status
            self.release_upstream(reusable=False)
            self._close()

    def done(self, *, keep: bool) -> None:
        """End normally; `keep` says whether the client may ask again on this connection."""
        if not self.is_done:
            self._close()
            self.connection.exchange_done(keep=keep)

    def release_upstream(self, *, reusable: bool) -> None:
        """Give the upstream's connection back, or end it."""
        if self.uplink is not None:
            self.uplink.let_go(reusable=reusable)

    def suspect(self) -> None:
        """Have the keeper look at this exchange's upstream again."""
        if self.forward is not None and not self.is_own:
            self.worker.suspect(self.forward.route.name)

    def leave(self) -> None:
        """Count this no more among what its session has under way; for a tunnel its connection calls it in the end."""
        if self.count is not None:
            self.count.n -= 1
            self.count = None

    def _close(self) -> None:
        self.is_done = True
        self.leave()
        if self.uplink is not None:
            self.uplink.wait_no_longer()
        self.uplink = None  # it points back here: without the cycle all of this is freed at once, not by the collector
        if self._is_spared:
            self.worker.admission.spare_no_longer(self.connection.ticket)
        if self.session is not None or self.worker.refusals.tells(self.client, self.reason, self.status):
            record_request(self, self.worker.clock.monotonic() - self._started)
