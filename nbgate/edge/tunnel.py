"""A websocket through the gateway: data frames pass byte for byte, control frames are read.

Knows frames, and of what is said in them only whether a person says it. Whatever this inserts, pings and closes,
stands between two frames; a frame under way may be finished for `FINISH_SECONDS`, then the socket is aborted. Server
to client nothing is buffered or capped. It has no timer of its own: the worker's sweep calls `expire`.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nbgate.edge.records import record_close
from nbgate.errors import FrameError
from nbgate.jupyter.paths import Socket
from nbgate.reasons import Reason
from nbgate.websocket.close_codes import (
    SERVICE_RESTART,
    SESSION_ENDED,
    map_upstream_close,
)
from nbgate.websocket.frames import Control, Data, FrameTracker, Opcode, Piece, build_close, build_frame, parse_close
from nbgate.websocket.pulse import Pulse
from nbgate.websocket.rooms import RoomTalk

if TYPE_CHECKING:
    from nbgate.edge.exchange import Exchange

FINISH_SECONDS = 0.5
ECHO_SECONDS = 1.0
MARK_BYTES = 8
NEVER = math.inf


class Tunnel:
    """One websocket; made when upstream and gateway have switched protocols."""

    __slots__ = (
        "_client",
        "_client_is_full",
        "_client_pulse",
        "_close_code",
        "_closed_to_client",
        "_closed_to_upstream",
        "_deadline",
        "_down",
        "_look_at",
        "_loop",
        "_mark",
        "_pending_close",
        "_reason",
        "_recorded",
        "_room",
        "_socket",
        "_started",
        "_up",
        "_upstream",
        "_upstream_deadline",
        "_upstream_pulse",
        "exchange",
        "session_id",
    )

    def __init__(self, exchange: "Exchange", *, extensions: bool) -> None:
        self.exchange = exchange
        self.session_id = exchange.session_id
        self._socket = exchange.forward.socket if exchange.forward is not None else None
        self._room = RoomTalk() if self._socket is Socket.ROOM else None
        self._client = exchange.connection
        self._upstream = exchange.uplink.upstream if exchange.uplink is not None else None
        self._loop = exchange.worker.loop
        self._up = FrameTracker(from_client=True, extensions=extensions, limits=exchange.policy.frame_limits)
        self._down = FrameTracker(from_client=False, extensions=extensions)
        self._started = exchange.worker.clock.monotonic()
        now, limits = self._loop.time(), exchange.policy.limits
        self._client_pulse = Pulse(now, limits.websocket_ping_seconds, limits.websocket_silence_seconds)
        self._upstream_pulse = Pulse(now, limits.websocket_ping_seconds, limits.websocket_silence_seconds)
        self._look_at = self._client_pulse.due
        self._mark = exchange.worker.random(MARK_BYTES)  # tells the pongs to our pings from the others
        self._client_is_full = False
        self._close_code = 0
        self._reason: Reason | None = None
        self._pending_close = 0
        self._closed_to_client = False
        self._closed_to_upstream = False
        self._deadline = NEVER
        self._upstream_deadline = NEVER
        self._recorded = False
        exchange.worker.websockets += 1
        if self._socket is Socket.CHANNEL and self.session_id is not None:
            exchange.worker.channels[self.session_id] += 1

    def client_data(self, data: bytes) -> None:
        """Take bytes of the client."""
        now = self._client_pulse.heard = self._loop.time()
        if self._pending_close or self._upstream is None:
            self._take_echo(data)
            return
        try:
            self._pass_up(self._up.feed(data, now))
        except FrameError as error:
            self._pass_up(self._up.salvaged)
            self.close(error.close_code, error.reason)

    def _pass_up(self, pieces: Sequence[Piece]) -> None:
        for piece in pieces:
            if self._upstream is None:
                return
            if isinstance(piece, Data):
                self._upstream.write(piece.raw)
                if self.session_id is not None and self._is_activity(piece.raw):
                    self.exchange.worker.sessions.was_active(self.session_id)
            elif piece.opcode == Opcode.CLOSE:
                self._client_closes(piece)
            elif not self._is_ours(piece):
                self._upstream.write(piece.raw)

    def _is_activity(self, raw: bytes) -> bool:
        """Say whether a person sent these data frames; a forgotten tab sends pings, presence and the like (T15)."""
        if self._room is not None:
            return self._room.feed(raw)
        return self._socket is not Socket.EVENTS

    def upstream_data(self, data: bytes) -> None:
        """Take bytes of the upstream."""
        self._upstream_pulse.heard = self._loop.time()
        if self._closed_to_client:
            return
        if self._pending_close:
            data = data[: self._down.remaining]  # the frame under way is finished, no other is begun
        try:
            self._pass_down(self._down.feed(data))
        except FrameError as error:
            self._pass_down(self._down.salvaged)
            self.close(error.close_code, error.reason)

    def _pass_down(self, pieces: Sequence[Piece]) -> None:
        for piece in pieces:
            if isinstance(piece, Data):
                self._client.write(piece.raw)
            elif piece.opcode == Opcode.CLOSE:
                self._upstream_closes(piece)
                return
            elif not self._is_ours(piece):
                self._client.write(piece.raw)
        if self._pending_close and self._down.at_boundary:
            self._send_close()

    def _is_ours(self, piece: Control) -> bool:
        """Say whether this answers a ping of ours: whoever is behind us did not ask."""
        return piece.opcode == Opcode.PONG and piece.payload == self._mark

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
        self._client_is_full = full
        self._nobody_is_late(self._loop.time())
        if self._upstream is not None:
            if full:
                self._upstream.pause_reading()
            else:
                self._upstream.resume_reading()

    def upstream_full(self, *, full: bool) -> None:
        """Take note that the upstream does, or no longer does, fall behind with reading: not for ever."""
        seconds = self.exchange.policy.limits.upstream_answer_seconds if full else NEVER
        self._upstream_deadline = self._loop.time() + seconds
        self._nobody_is_late(self._loop.time())

    def end_session(self, reason: Reason) -> bool:
        """Close with 4401: the session is over. The kernel is not touched. True when the close frame is sent."""
        self.close(SESSION_ENDED, reason)
        return self._closed_to_client

    def drain(self, reason: Reason = Reason.DRAINING) -> None:
        """Close with 1012: the page reconnects by itself when the gateway, or its server, is back."""
        self.close(SERVICE_RESTART, reason)

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
        """Abort what has not ended in time, and ask who is silent."""
        if now >= self._deadline:
            self._client.abort()
        elif now >= self._upstream_deadline:
            self._upstream_deadline = NEVER
            self.close(SERVICE_RESTART, Reason.UPSTREAM_TIMEOUT)
        elif now >= self._look_at and not (self._pending_close or self._closed_to_client or self._closed_to_upstream):
            if self._client_is_full or self._upstream_deadline != NEVER:
                self._nobody_is_late(now)
            self._feel_client(now)
            self._feel_upstream(now)
            answered_by = now + self.exchange.policy.limits.websocket_ping_seconds  # then the next ping may be due
            self._look_at = min(self._client_pulse.due, self._upstream_pulse.due, answered_by)

    def _nobody_is_late(self, now: float) -> None:
        """While one end is behind the other is not read: what it says, pongs too, waits."""
        self._client_pulse.heard = self._upstream_pulse.heard = now

    def _feel_client(self, now: float) -> None:
        pulse = self._client_pulse
        if now < pulse.due:
            return
        if pulse.is_asked:
            self._end(Reason.WEBSOCKET_SILENT)
            self._client.abort()
        elif self._down.at_boundary:
            self._client.write(build_frame(Opcode.PING, self._mark, mask=None))
            pulse.asked(now)

    def _feel_upstream(self, now: float) -> None:
        pulse, upstream = self._upstream_pulse, self._upstream
        if now < pulse.due or upstream is None:
            return
        if pulse.is_asked:
            self.close(SERVICE_RESTART, Reason.WEBSOCKET_SILENT)
        elif self._up.at_boundary:
            upstream.write(build_frame(Opcode.PING, self._mark, mask=self.exchange.worker.random(4)))
            pulse.asked(now)

    def _send_close(self) -> None:
        code, self._close_code = self._pending_close, self._pending_close
        self._client.write(build_close(code, self._reason.value if self._reason else "", mask=None))
        self._closed_to_client = True
        self._deadline = self._loop.time() + ECHO_SECONDS
        self._drop_upstream()
        if self._up.closed:  # both have said it
            self._client.finish()

    def _let_go_of_upstream(self, code: int) -> None:
        """Tell the upstream; a frame of its own under way is still read when the client is owed the rest."""
        if self._upstream is None or self._closed_to_upstream:
            return
        self._closed_to_upstream = True
        if self._up.at_boundary:
            known = SERVICE_RESTART if code == SESSION_ENDED else code
            self._upstream.write(build_close(known, mask=self.exchange.worker.random(4)))

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
        if self._socket is Socket.CHANNEL and self.session_id is not None:
            exchange.worker.channels[self.session_id] -= 1
        self._drop_upstream()
        record_close(
            exchange,
            duration_seconds=exchange.worker.clock.monotonic() - self._started,
            close_code=self._close_code,
            up=self._up,
            down=self._down,
            reason=self._reason or (None if self._close_code else reason),
        )
