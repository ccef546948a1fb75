"""Carry an upstream's cookies through the browser without the browser reading them (T24).

The name gets the route's in front, the value is sealed for this route, person and name: mounts neither see nor
overwrite each other's cookies, and nobody can use what another person's browser holds. Only `_xsrf` stays as it is:
the pages of notebook servers read it. Workers keep nothing, so any worker can serve the next request.

No clock here: a cookie's expiry is passed on, the browser judges it. Nothing of ours ever goes upstream.
"""

import re
from collections.abc import Callable, Iterable

from nbgate.crypto.sealing import Keyring
from nbgate.errors import CredentialRejected
from nbgate.http.cookies import parse_cookies
from nbgate.model.route import Route

PURPOSE = "upstream-cookies"
MAX_COOKIES = 50
MAX_COOKIE_BYTES = 4096

Nonce = Callable[[], bytes]

XSRF = "_xsrf"
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r'"[!#-+\--:<-\[\]-~]*"|[!#-+\--:<-\[\]-~]*')  # RFC 6265 section 4.1.1
_EXPIRES = re.compile(r"[A-Za-z]{3,9},? [0-9A-Za-z :+-]{10,40}")
_MAX_AGE = re.compile(r"-?[0-9]{1,10}")

# Names a browser treats as ours or as holding a promise of ours; compared folded, because browsers do.
_RESERVED_PREFIXES = ("__host-", "__http-", "__secure-")
_RESERVED_PART = "nbgate"


def is_login_cookie(name: str) -> bool:
    """Say whether a notebook server's cookie of this name belongs to a login there."""
    return name == XSRF or name.startswith("username-")


def client_set_cookies(
    values: Iterable[str], *, route: Route, user: str, keyring: Keyring, nonce: Nonce, logged_in: bool = False
) -> bytes:
    """Return the Set-Cookie lines for the client, each with its CRLF.

    Args:
        values: The upstream's Set-Cookie values, as sent. What is hostile or broken is left out, what is more than
            `MAX_COOKIES` too.
        route: Where they come from.
        user: For whom; canonical user name.
        keyring: Made for `PURPOSE`.
        nonce: Gives 12 fresh random bytes at each call.
        logged_in: The gateway itself is logged in there: the cookies of that login are not the client's.
    """
    lines: list[bytes] = []
    for value in values:
        if logged_in and is_login_cookie(value.partition("=")[0].strip(" \t")):
            continue
        line = _client_line(value, route, user, keyring, nonce)
        if line is not None:
            lines.append(f"Set-Cookie: {line}\r\n".encode("ascii"))
            if len(lines) == MAX_COOKIES:
                break
    return b"".join(lines)


def upstream_cookie(header: str | None, *, route: Route, user: str, keyring: Keyring, login: str = "") -> str | None:
    """Return the Cookie header for the upstream: its own cookies as it set them, nothing else; None for none.

    `login` holds the cookies of our own login there: they stand in the place of whatever the client has of these.

    A cookie that does not unseal (another person's, another gateway's, an old key's) is as if it had not been sent.
    Of two with one name the first counts: browsers send the longest path first, and tornado would take the last one.
    """
    if header is None:
        return login or None
    own = _public_prefix(route)
    kept: dict[str, str] = {}
    for public_name, value in parse_cookies(header):
        if public_name == XSRF and _VALUE.fullmatch(value) is not None:
            kept.setdefault(XSRF, value)
        elif public_name.startswith(own):
            name = public_name.removeprefix(own)
            if name not in kept:
                _keep_unsealed(kept, name, value, keyring, _context(route, user, name))
    pairs = [f"{name}={value}" for name, value in kept.items() if not (login and is_login_cookie(name))]
    return "; ".join([*pairs, login] if login else pairs) or None


def _keep_unsealed(kept: dict[str, str], name: str, value: str, keyring: Keyring, context: bytes) -> None:
    try:
        kept[name] = keyring.unseal(value, context).decode("ascii")
    except CredentialRejected:
        return


def _client_line(text: str, route: Route, user: str, keyring: Keyring, nonce: Nonce) -> str | None:
    """Return the client's form of one Set-Cookie value, or None when it must not reach a browser."""
    if len(text) > MAX_COOKIE_BYTES:
        return None
    pair, *attributes = text.split(";")
    name, equals, value = (part.strip(" \t") for part in pair.partition("="))
    if not equals or _is_reserved(name) or _NAME.fullmatch(name) is None or _VALUE.fullmatch(value) is None:
        return None
    if name == XSRF:
        public, http_only = f"{name}={value}", ""
    else:
        public, http_only = f"{_public_prefix(route)}{name}=", "; HttpOnly"
        if value.strip('"'):  # an empty one deletes, and there is nothing to hide in it
            public += keyring.seal(value.encode("ascii"), _context(route, user, name), nonce())
    if len(public) > MAX_COOKIE_BYTES:  # browsers count name and value, and drop what is longer
        return None
    return f"{public}; Path={route.prefix}{_lifetime(attributes)}{http_only}; Secure; SameSite=Lax"


def _lifetime(attributes: Iterable[str]) -> str:
    """Return the attributes that say how long the cookie lives; all others are ours to set."""
    kept = ""
    for attribute in attributes:
        name, _, value = (part.strip(" \t") for part in attribute.partition("="))
        if name.lower() == "expires" and _EXPIRES.fullmatch(value) is not None:
            kept += f"; Expires={value}"
        elif name.lower() == "max-age" and _MAX_AGE.fullmatch(value) is not None:
            kept += f"; Max-Age={value}"
    return kept


def _is_reserved(name: str) -> bool:
    folded = name.casefold()
    return folded.startswith(_RESERVED_PREFIXES) or _RESERVED_PART in folded


def _public_prefix(route: Route) -> str:
    return f"nbg-{route.name}-"  # a route's name has no "-": no two routes share a beginning


def _context(route: Route, user: str, name: str) -> bytes:
    return f"{route.name}\0{user}\0{name}".encode()  # none of the three holds a NUL
