"""The listener's TLS context, which notes the name each client asks for (SNI) and refuses names that are not ours.

A client whose handshake fails is told why by its alert. What a request may do under the name its connection asked for
is not decided here.
"""

import contextlib
import socket
import ssl
import sys
from collections.abc import Callable, Collection, Iterable
from typing import Any

from nbgate.http.hosts import name_of
from nbgate.link.tls_context import server_context
from nbgate.model.keys import TlsMaterial
from nbgate.reasons import Reason

LOCALHOST = "localhost"  # who sits at this machine may call it so: its requests are judged where that is known


class ServerSide(ssl.SSLObject):
    """Our end of one connection: `get_extra_info("ssl_object")` of its transport.

    Attributes:
        server_name: The name the client asked for, lower case; None where it asked for none.
        farewell: Sends what OpenSSL has to say about a failure; None once there can be none.
    """

    server_name: str | None = None
    farewell: Callable[[], None] | None = None

    def do_handshake(self) -> None:
        """Go on with the handshake; see `ssl.SSLObject`."""
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError:
            if self.farewell is not None:
                self.farewell()
            raise
        self.farewell = None


class Handshake:
    """One connection's handshake: to the loop it is the context, of which it asks `wrap_bio` and nothing else.

    uvloop, like asyncio, drops what OpenSSL has to say when it fails: the client would see an end without a cause, and
    nobody the alert `unrecognized_name`. Both take a context by `isinstance`, which asks for `__class__`; a real one
    for each connection would have to load the key each time.
    """

    __class__ = ssl.SSLContext  # type: ignore[assignment]
    __slots__ = ("_context", "_sock")

    def __init__(self, context: ssl.SSLContext, sock: socket.socket) -> None:
        self._context = context
        self._sock = sock

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, **options: Any) -> ssl.SSLObject:
        """Return our end, which sends its alert by itself when the handshake fails."""
        ours = self._context.wrap_bio(incoming, outgoing, **options)
        assert isinstance(ours, ServerSide)  # noqa: S101 - `make_context` has set it

        def farewell() -> None:
            with contextlib.suppress(OSError):  # it is gone, or reads nothing
                self._sock.send(outgoing.read())

        ours.farewell = farewell
        return ours


def names_asked_for(hosts: Iterable[str]) -> set[str]:
    """Return by which names clients may ask for us, where these are our public ones, with or without a port.

    Empty where none was named: then it is any.
    """
    names = {name_of(host).strip("[]") for host in hosts}
    return {*names, LOCALHOST} if names else names


def make_context(material: TlsMaterial, names: Collection[str] = ()) -> ssl.SSLContext:
    """Return the context to accept connections with.

    Args:
        material: Chain, key and profile.
        names: Lower case. A client that asks for another name gets the alert `unrecognized_name`, one that asks for
            none is served. Empty: any name. What is added to them later counts too.

    Raises:
        ssl.SSLError: OpenSSL does not take the pair, although the keeper's own test passed.
    """
    context = server_context(material)
    context.sslobject_class = ServerSide
    # OpenSSL calls it in every handshake, also where no name is sent and where a session is resumed.
    context.sni_callback = _note_name(names)
    return context


def _note_name(names: Collection[str]) -> Callable[[Any, str | None, ssl.SSLContext], int | None]:
    def note(ours: Any, name: str | None, _context: ssl.SSLContext) -> int | None:
        if name is not None:
            name = name.lower()
            if names and name not in names:
                return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        ours.server_name = name
        return None

    return note


def failed_handshake(error: BaseException) -> Reason:
    """Say why a handshake failed: for the name the client asked for, or for any other cause."""
    is_name = isinstance(error, ssl.SSLError) and getattr(error, "reason", "") == "CALLBACK_FAILED"
    return Reason.SNI_UNKNOWN if is_name else Reason.HANDSHAKE_FAILED


def keep_names_out_of_the_log() -> None:
    """Print nothing for names that are not ASCII: `ssl` refuses the handshake, and prints a traceback for each."""
    otherwise = sys.unraisablehook

    def hook(unraisable: Any) -> None:
        if not (isinstance(unraisable.exc_value, UnicodeDecodeError) and isinstance(unraisable.object, bytes)):
            otherwise(unraisable)

    sys.unraisablehook = hook
