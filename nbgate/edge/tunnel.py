"""A websocket through the gateway: data frames pass byte for byte, control frames are read.

Knows frames, not what is said in them. Whatever this inserts stands between two frames; a frame under way may be
finished for `FINISH_SECONDS`, then the socket is aborted. Server to client nothing is buffered or capped.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nbgate.edge.records import record_close
from nbgate.errors import FrameError
from nbgate.reasons import Reason
from nbgate.websocket.close_codes import (
    MESSAGE_TOO_BIG,
    PROTOCOL_ERROR,
    SERVICE_RESTART,
    SESSION_ENDED,
    map_upstream_close,
)
from nbgate.websocket.frames import Control, Data, FrameTracker, Opcode, Piece, build_close, parse_close

if TYPE_CHECKING:
    from nbgate.edge.exchange import Exchange

FINISH_SECONDS = 0.5
ECHO_SECONDS = 1.0
NEVER = math.inf


class Tunnel:
    """One websocket; made when upstream and gateway have switched protocols."""

    __slots__ = (
        "_client",
        "_close_code",
        "_closed_to_client",
        "_closed_to_upstream",
        "_deadline",
        "_down",
        "_loop",
        "_pending_close",
        "_reason",
        "_recorded",
        "_started",
        "_up",
        "_upstream",
        "_upstream_deadline",
        "exchange",
        "session_id",
    )

    def __init__(self, exchange: "Exchange", *, extensions: bool) -> None:
        self.exchange = exchange
        self.session_id = exchange.session_id
        self._client = exchange.connection
        self._upstream = exchange.uplink.upstream if exchange.uplink is not None else None
        self._loop = exchange.worker.loop
        limits = exchange.policy.limits
        self._up = FrameTracker(
            from_client=True, max_message_bytes=limits.websocket_message_bytes, extensions=extensions
        )
        self._down = FrameTracker(from_client=False, max_message_bytes=None, extensions=extensions)
        self._started = exchange.worker.clock.monotonic()
        self._close_code = 0
        self._reason: Reason | None = None
        self._pending_close = 0
        self._closed_to_client = False
        self._closed_to_upstream = False
        self._deadline = NEVER
        self._upstream_deadline = NEVER
        self._recorded = False
        exchange.worker.websockets += 1

    def client_data(self, data: bytes) -> None:
        """Take bytes of the client."""
        if self._pending_close or self._upstream is None:
            self._take_echo(data)
            return
        try:
            self._pass_up(self._up.feed(data))
        except FrameError as error:
            self._pass_up(self._up.salvaged)
            self.close(error.close_code, error.reason)

    def _pass_up(self, pieces: Sequence[Piece]) -> None:
        for piece in pieces:
            if self._upstream is None:
                return
            if isinstance(piece, Data):
                self._upstream.write(piece.raw)
                if self.session_id is not None:  # pings are no activity: a forgotten tab sends them too (T15)
                    self.exchange.worker.sessions.was_active(self.session_id)
            elif piece.opcode == Opcode.CLOSE:
                self._client_closes(piece)
            else:
                self._upstream.write(piece.raw)

    def upstream_data(self, data: bytes) -> None:
        """Take bytes of the upstream."""
        if self._closed_to_client:
            return
        try:
            self._pass_down(self._down.feed(data))
        except FrameError as error:
            self._pass_down(self._down.salvaged)
            self.close(error.close_code, error.reason)

    def _pass_down(self, pieces: Sequence[Piece]) -> None:
        for piece in pieces:
            if isinstance(piece, Control) and piece.opcode == Opcode.CLOSE:
                self._upstream_closes(piece)
                return
            self._client.write(piece.raw)
            if self._pending_close and self._down.at_boundary:
                break
        if self._pending_close and self._down.at_boundary:
            self._send_close()

    def client_lost(self) -> None:
        """Take note that the client's connection is gone."""
        self._end(Reason.CLIENT_GONE)

    def upstream_lost(self) -> None:
        """Take note that the upstream's connection is gone: without a close frame this is a restart (1012)."""
        self._upstream = None
        if self._closed_to_client:
            self._client.finish()
        else:
            self.close(SERVICE_RESTART, Reason.UPSTREAM_LOST)

    def client_full(self, *, full: bool) -> None:
        """Stop or go on reading from the upstream."""
        if self._upstream is not None:
            if full:
                self._upstream.pause_reading()
            else:
                self._upstream.resume_reading()

    def upstream_full(self, *, full: bool) -> None:
        """Take note that the upstream does, or no longer does, fall behind with reading: not for ever."""
        seconds = self.exchange.policy.limits.upstream_answer_seconds if full else NEVER
        self._upstream_deadline = self._loop.time() + seconds

    def end_session(self, reason: Reason) -> bool:
        """Close with 4401: the session is over. The kernel is not touched. True when the close frame is sent."""
        self.close(SESSION_ENDED, reason)
        return self._closed_to_client

    def drain(self) -> None:
        """Close with 1012: the page reconnects by itself when the gateway is back."""
        self.close(SERVICE_RESTART, Reason.DRAINING)

    def close(self, code: int, reason: Reason) -> None:
        """Begin a close with `code` towards the client, at the next boundary, and let go of the upstream."""
        if self._pending_close or self._closed_to_client:
            return
        self._reason = reason
        self._pending_close = code
        self._let_go_of_upstream(code)
        if self._down.at_boundary:
            self._send_close()
        else:
            self._deadline = self._loop.time() + FINISH_SECONDS
            if self._upstream is None:  # the rest of the frame will never come
                self._client.abort()

    def break_off(self, reason: Reason) -> None:
        """End without a close frame; the caller aborts the client's connection."""
        self._end(reason)

    def expire(self, now: float) -> None:
        """Abort what has not ended in time."""
        if now >= self._deadline:
            self._client.abort()
        elif now >= self._upstream_deadline:
            self._upstream_deadline = NEVER
            self.close(SERVICE_RESTART, Reason.UPSTREAM_TIMEOUT)

    def _send_close(self) -> None:
        code, self._close_code = self._pending_close, self._pending_close
        self._client.write(build_close(code, self._reason.value if self._reason else "", mask=None))
        self._closed_to_client = True
        self._deadline = self._loop.time() + ECHO_SECONDS
        self._drop_upstream()

    def _let_go_of_upstream(self, code: int) -> None:
        """Tell the upstream; a frame of its own under way is still read when the client is owed the rest."""
        if self._upstream is None or self._closed_to_upstream:
            return
        self._closed_to_upstream = True
        if self._up.at_boundary:
            known = code if code in {PROTOCOL_ERROR, MESSAGE_TOO_BIG} else SERVICE_RESTART
            self._upstream.write(build_close(known, "", mask=self.exchange.worker.random(4)))

    def _drop_upstream(self) -> None:
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.close()
            self._loop.call_later(ECHO_SECONDS, upstream.abort)  # one that reads nothing would never be closed
            self._client.release("upstream")

    def _client_closes(self, piece: Control) -> None:
        self._close_code = self._close_code or parse_close(piece.payload) or 1005
        self._closed_to_upstream = True
        self._deadline = self._loop.time() + self.exchange.policy.limits.upstream_connect_seconds
        if self._upstream is not None:
            self._upstream.write(piece.raw)
        if self._closed_to_client:  # it was the echo
            self._drop_upstream()
            self._client.finish()

    def _upstream_closes(self, piece: Control) -> None:
        """Pass the upstream's close (or its echo) on; only a 1001 that it begins becomes 1012."""
        code = parse_close(piece.payload)
        raw = piece.raw
        if not self._closed_to_upstream:
            mapped = map_upstream_close(code)
            if mapped != code and mapped is not None:
                raw = build_close(mapped, "", mask=None)
            self._close_code = mapped or 1005
        self._client.write(raw)
        self._closed_to_client = True
        self._deadline = self._loop.time() + ECHO_SECONDS
        if self._closed_to_upstream:
            self._drop_upstream()
            self._client.finish()

    def _take_echo(self, data: bytes) -> None:
        """After our close only the client's close counts; everything else it still sends is void."""
        if not self._closed_to_client:
            return
        try:
            pieces = self._up.feed(data)
        except FrameError:
            self._client.finish()
            return
        if any(isinstance(piece, Control) and piece.opcode == Opcode.CLOSE for piece in pieces):
            self._client.finish()

    def _end(self, reason: Reason) -> None:
        if self._recorded:
            return
        self._recorded = True
        exchange = self.exchange
        exchange.worker.websockets -= 1
        self._drop_upstream()
        record_close(
            exchange,
            duration_seconds=exchange.worker.clock.monotonic() - self._started,
            close_code=self._close_code,
            up=self._up,
            down=self._down,
            reason=self._reason or (None if self._close_code else reason),
        )
