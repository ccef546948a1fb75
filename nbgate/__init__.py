"""nbgate: a TLS gateway with login, rules and an audit trail in front of local notebook servers.

`passwd` is imported when it is asked for: most who import this package need no argon2.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbgate.cli.passwords import passwd

__all__ = ["__version__", "passwd"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "passwd":
        from nbgate.cli.passwords import passwd  # noqa: PLC0415 - see the docstring of this file

        return passwd
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
