"""Map the addresses that a classic page's inline scripts hold (R11): what `require.config` names, and MathJax.

It reads no JavaScript: it looks for lines that these pages are known to hold, below keys that are listed here.
"""

import re

from nbgate.model.route import Route

_WHERE = {
    b"baseUrl": b"static/",
    b"custom": b"custom",
    b"custom-preload": b"custom-preload",
    b"kernelspecs": b"kernelspecs",
    b"nbextensions": b"nbextensions",
    b"window.mathjax_url": b"static/",
}
_REQUIRE = b"require.config"
_MATHJAX = b"mathjax_url"
_ENTRY = re.compile(
    rb"(?<![\w.-])(?:(baseUrl|custom|custom-preload|kernelspecs|nbextensions)['\"]?\s*:|(window\.mathjax_url)\s*=)"
    rb"\s*(['\"])(/[^'\"\\<>\n]*)\3"
)
_SAFE = re.compile(r"[^\w/.~%@:+,;=!$*()-]", re.ASCII)


def map_script(text: bytes, route: Route) -> bytes:
    """Return the text of an inline script with the base URL in those places replaced by the route's prefix."""
    if _REQUIRE not in text and _MATHJAX not in text:
        return text
    base = route.base_url.encode("ascii")
    prefix = _SAFE.sub(lambda found: f"\\x{ord(found[0]):02x}", route.prefix).encode("ascii")

    def public(found: re.Match[bytes]) -> bytes:
        if not found[4].startswith(base + _WHERE[found[1] or found[2]]):
            return found[0]
        return found[0][: found.start(4) - found.start()] + prefix + found[4][len(base) :] + found[3]

    return _ENTRY.sub(public, text)
