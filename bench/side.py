"""What a running side is. How each is started: `bench.proxies`; nbgate itself: `bench.sides`."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

COOKIE_VALUE_CHARS = 43


@dataclass(frozen=True, slots=True)
class Side:
    """One running side.

    Attributes:
        roots: Its processes; their descendants count too.
        count_records: Says how many small requests its log holds; None where it has no log of requests.
        asks_who: It lets nobody in without the cookie.
    """

    name: str
    port: int
    cookie: str
    roots: list[int]
    count_records: Callable[[], int] | None
    asks_who: bool = False


def random_cookie(port: int) -> tuple[str, str]:
    """Return name and value of a cookie as long as nbgate's."""
    return f"__Host-Http-nbgate-{port}", secrets.token_urlsafe(32)[:COOKIE_VALUE_CHARS]


def count_lines(file: Path, mark: str) -> int:
    """Return how many lines of `file` hold `mark`."""
    needle = mark.encode()
    with file.open("rb") as lines:
        return sum(needle in line for line in lines)
