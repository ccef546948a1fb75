"""Tell systemd how the gateway is (sd_notify): ready, reloading, ending. Says nothing where nobody asked to be told.

Source: sd_notify(3). Not needed for anything: what cannot be sent is left unsaid.
"""

import contextlib
import socket
import time

READY = "READY=1"
STOPPING = "STOPPING=1"


def reloading() -> str:
    """Return what announces a reload; READY=1 ends it."""
    return f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}"


class Notifier:
    """Speaks to the service manager at `address`, the value of NOTIFY_SOCKET; "" for none."""

    def __init__(self, address: str) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    def __call__(self, state: str) -> None:
        """Send `state`, one or more lines NAME=VALUE."""
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.sendto(state.encode(), self._address)
