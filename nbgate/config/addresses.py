"""What is common to the addresses a person types: what is wrong with one, base URLs, and where nbgate listens.

Pure and without names to resolve: only what can be judged by looking at it.
"""

import re
from difflib import get_close_matches
from ipaddress import ip_address

AUTO = "auto"
LISTEN_WORDS = ("localhost", "*")
_USUAL_IPS = (*LISTEN_WORDS, "127.0.0.1", "0.0.0.0", "::1", "::")
_BASE = re.compile(r"/(?:(?:[A-Za-z0-9._~!$&'()*+,=:@-]|%[0-9A-Fa-f]{2})+/)*")


class AddressError(ValueError):
    """What is wrong with an address, and in `hint` what to write instead. Repeats no query: it may hold a token."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.hint = hint


def is_base(text: str) -> bool:
    """Say whether `text` is a plain path that begins and ends with a slash, as a server's base URL is."""
    return bool(_BASE.fullmatch(text)) and not {".", ".."} & set(text.split("/"))


def parse_base(path: str) -> str:
    """Return the base URL that the path of an upstream's address names; it may lack its last slash.

    Raises:
        AddressError: No server can have it.
    """
    base = path if path.endswith("/") else f"{path}/"
    if not is_base(base):
        raise AddressError(
            "the base of an upstream is a plain path", "write what its c.ServerApp.base_url says, for example /base/"
        )
    return base


def parse_listen_ip(text: str) -> str:
    """Return where to listen: an IP address in its usual spelling, `localhost`, or `*` for all addresses.

    Raises:
        AddressError: It is none of these.
    """
    if text in LISTEN_WORDS:
        return text
    try:
        return str(ip_address(text))
    except ValueError:
        inner = text.strip("[]")
        close = [inner] if inner != text and ":" in inner else get_close_matches(text, _USUAL_IPS, n=1)
        meant = f"did you mean {close[0]}?" if close else "write an IP address of this machine, localhost, or * for all"
        raise AddressError(f"{text!r} is not an address", meant) from None
