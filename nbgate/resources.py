"""Find the data that ships with nbgate (`rules/`, `certs/`, `deploy/`), installed or in a checkout.

Reads nothing: it only names places.
"""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_INSTALLED = _PACKAGE / "_data"


def data_path(*parts: str) -> Path:
    """Return the path of a shipped data file, for example `data_path("rules", "methods.toml")`."""
    root = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent
    return root.joinpath(*parts)
