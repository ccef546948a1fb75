"""The static files of nbgate's own pages, served from memory under names that change with their content.

The banner's script alone has a lasting name: notebook pages ask for it, and workers, who add it there, know no digest.
Only files listed here exist: there is no folder to walk out of (CVE-2024-23334).
"""

import hashlib
from pathlib import Path
from typing import Final

from msgspec import Struct

PREFIX: Final = "/_nbgate/static/"
LASTING: Final = frozenset({"banner.js"})
_TYPES: Final = {
    "banner.js": "text/javascript",
    "diagnose.js": "text/javascript",
    "logo.svg": "image/svg+xml",
    "signed-in.js": "text/javascript",
    "style.css": "text/css",
}
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_AN_HOUR: Final = "public, max-age=3600"


class Asset(Struct, frozen=True):
    """One static file; where `name` holds a digest of `body`, browsers may keep it for ever."""

    name: str
    body: bytes
    content_type: str
    cache_control: str


class Assets:
    """All static files, read once."""

    def __init__(self, folder: Path) -> None:
        self._by_file = {name: _load(folder / name, kind) for name, kind in _TYPES.items()}
        self._by_name = {asset.name: asset for asset in self._by_file.values()}

    def url(self, file: str) -> str:
        """Return the path of a file, below the gateway's own base URL.

        Raises:
            KeyError: There is no such file: the template is wrong.
        """
        return PREFIX + self._by_file[file].name

    def find(self, name: str) -> Asset | None:
        """Return the asset of a request's last path segment, or None."""
        return self._by_name.get(name)


def _load(path: Path, content_type: str) -> Asset:
    body = path.read_bytes()
    if path.name in LASTING:
        return Asset(path.name, body, content_type, _AN_HOUR)
    digest = hashlib.sha256(body).hexdigest()[:12]
    return Asset(f"{path.stem}-{digest}{path.suffix}", body, content_type, _FOR_EVER)
