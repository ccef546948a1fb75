"""Look for secrets in everything a run left behind: raw, percent-encoded, Base64 and hexadecimal."""

import base64
import urllib.parse


def spellings(secret):
    """Return every form in which `secret` could stand somewhere; Base64 at each of its three alignments."""
    raw = secret.encode()
    forms = {raw, urllib.parse.quote(secret, safe="").encode(), raw.hex().encode(), raw.hex().upper().encode()}
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw)
        inner = encoded[4 if shift else 0 : -4]  # without the characters that depend on its neighbours
        forms |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return forms


def find(secrets, places):
    """Return (place, name of the secret) for every secret of {name: text} found in one of (place, bytes)."""
    forms = {name: spellings(secret) for name, secret in secrets.items()}
    return sorted(
        {
            (place, name)
            for place, data in places
            for name, known in forms.items()
            if any(form in data for form in known)
        }
    )


def files_below(folder):
    """Yield (path, bytes) of every file below `folder`."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path), path.read_bytes()
