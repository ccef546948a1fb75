"""Believe a 101 only when it answers the handshake that was asked for (D23, D24).

Compares values that were parsed elsewhere; it opens no tunnel.
"""

import hashlib
from base64 import b64encode

from msgspec import Struct

from nbgate.errors import UpstreamProtocolError
from nbgate.http.fields import WebsocketOffer
from nbgate.http.headers import split_list
from nbgate.http.response import ResponseHead
from nbgate.reasons import Reason

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3


class Switch(Struct, frozen=True, gc=False):
    """What the upstream chose; `extensions` is its header value."""

    protocol: str | None
    extensions: str | None


def accept_key(key: str) -> str:
    """Return the Sec-WebSocket-Accept that answers `key` (RFC 6455 section 4.2.2)."""
    return b64encode(hashlib.sha1(key.encode("ascii") + _GUID, usedforsecurity=False).digest()).decode("ascii")


def judge_switch(head: ResponseHead, offer: WebsocketOffer) -> Switch:
    """Return what the upstream chose.

    Args:
        head: Its answer.
        offer: The handshake as it was sent upstream: without what the gateway took out of the client's.

    Raises:
        UpstreamProtocolError: When this is not exactly a good answer to `offer`.
    """
    protocol = head.value("sec-websocket-protocol")
    extensions = head.value("sec-websocket-extensions")
    good = (
        head.status == 101
        and head.minor == 1
        and head.upgrade == "websocket"
        and head.value("sec-websocket-accept") == accept_key(offer.key)
        and (protocol is None or protocol in offer.protocols)
        and _extension_names(extensions) <= _extension_names(offer.extensions)
    )
    if not good:
        raise UpstreamProtocolError(Reason.UPSTREAM_BAD_RESPONSE)
    return Switch(protocol, extensions)


def _extension_names(value: str | None) -> frozenset[str]:
    """Return the names, without parameters, of an extension list (RFC 6455 section 9.1)."""
    return frozenset(extension.partition(";")[0].strip(" \t").lower() for extension in split_list(value or ""))
