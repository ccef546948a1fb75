"""Cuts request heads out of one connection's bytes, and reads them by the policy in force.

Keeps what makes that cheap: how far the bytes were searched and judged, the parser with the last header block, the
session it claims. It reads no socket, and a head that is good is all it says.
"""

from nbgate.http.head import Fields, HeadLimits, HeadParser, RequestHead, find_head_end, judge_partial
from nbgate.http.headers import HeaderTables
from nbgate.pipeline.claims import NOTHING, Claim, claim_of
from nbgate.policy import Policy


class HeadReader:
    """One connection's heads."""

    __slots__ = ("_claim", "_fields", "_is_partial", "_judged", "_limits", "_parser", "_scanned", "_tables")

    def __init__(self) -> None:
        self._is_partial = False
        self._scanned = 0
        self._judged = 0
        self._parser: HeadParser | None = None
        self._limits: HeadLimits | None = None
        self._tables: HeaderTables | None = None
        self._fields: Fields | None = None
        self._claim = NOTHING

    @property
    def last_block(self) -> bytes:
        """Return the header block of the last head that was good."""
        return self._parser.last_block if self._parser is not None else b""

    def find_end(self, buffer: bytes, policy: Policy) -> int:
        """Return the index after the head with which `buffer` begins, or -1 while it is not complete.

        Raises:
            ProtocolError: No continuation could make it a good one.
        """
        end = find_head_end(buffer, self._scanned)
        if end < 0:
            self._judged = judge_partial(buffer, policy.head_limits, self._judged)
            self._scanned = len(buffer)
            self._is_partial = True
        elif self._is_partial:
            self._scanned = self._judged = 0
            self._is_partial = False
        return end

    def read(self, raw: bytes, policy: Policy) -> RequestHead:
        """Read a complete head.

        Raises:
            ProtocolError: It is no good one.
        """
        if self._parser is None or self._limits is not policy.head_limits or self._tables is not policy.tables:
            self._parser = HeadParser(policy.head_limits, policy.tables)
            self._limits, self._tables = policy.head_limits, policy.tables
        return self._parser.parse(raw)

    def claim(self, head: RequestHead) -> Claim:
        """Return which session a request claims; judged once for a header block, but for a websocket's handshake."""
        fields = head.fields
        if fields.websocket is not None:
            return claim_of(fields, head.target.query)
        if fields is not self._fields:
            self._fields = fields
            self._claim = claim_of(fields)
        return self._claim
