"""Close codes: what they mean here, which may stand on the wire, and the one that is changed on its way.

Data and two questions; sends nothing.
"""

GOING_AWAY = 1001
PROTOCOL_ERROR = 1002
INVALID_PAYLOAD = 1007
POLICY_VIOLATION = 1008
MESSAGE_TOO_BIG = 1009
SERVICE_RESTART = 1012
SESSION_ENDED = 4401

# RFC 6455 section 7.4 and the IANA registry. 1004 is reserved; 1005, 1006 and 1015 say what happened without a frame.
_REGISTERED = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})
_PRIVATE = range(3000, 5000)


def may_be_sent(code: int) -> bool:
    """Say whether `code` may stand in a close frame."""
    return code in _REGISTERED or code in _PRIVATE


def map_upstream_close(code: int | None) -> int | None:
    """Return the code a client gets for a close that its upstream began.

    After 1001 JupyterLab 4.6 never reconnects by itself, although the server only restarts: it gets 1012. An empty
    close stays empty.
    """
    return SERVICE_RESTART if code == GOING_AWAY else code
