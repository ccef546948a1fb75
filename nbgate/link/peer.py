"""Ask the kernel who is at the other end of a Unix socket.

Judges nobody: who may speak with whom is the caller's to say.
"""

import socket
import struct

_CREDENTIALS = struct.Struct("=iII")  # struct ucred: pid, uid, gid


def peer_uid(sock: socket.socket) -> int:
    """Return the uid of the process that connected `sock`, or listened on it, as it was at that moment (unix(7))."""
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(raw)[1])
