"""Times, waits and counts in words, as the pages say them: always UTC, and how long ago that is.

Pure: the caller says what time it is. It escapes nothing and knows no page.
"""

import math
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

_UNITS: Final = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NOW_SECONDS: Final = 10.0
_GOES_ON: Final = 1.5  # of a unit: "90 minutes" says more than "1 hour"


class Moment(Struct, frozen=True):
    """A time as a page shows it.

    Attributes:
        machine: For the `datetime` attribute, for example `2026-11-23T17:30Z`.
        clock: For people, for example `23 Nov 2026, 17:30 UTC`.
        away: From now, for example `5 minutes ago` or `in 3 days`.
    """

    machine: str
    clock: str
    away: str


def moment(then_unix: float, now_unix: float) -> Moment:
    """Return `then_unix` in words."""
    at = datetime.fromtimestamp(then_unix, UTC)
    clock = f"{at.day} {_MONTHS[at.month - 1]} {at.year}, {at:%H:%M} UTC"
    return Moment(f"{at:%Y-%m-%dT%H:%MZ}", clock, _away(then_unix - now_unix))


def span(seconds: float) -> str:
    """Return a length of time in its largest fitting unit, rounded up: who is told to wait does not come too early."""
    whole = max(1, math.ceil(seconds))
    size, unit = next(
        ((size, unit) for size, unit in _UNITS if whole >= size * (_GOES_ON if size > 1 else 1) or whole == size)
    )
    return count(math.ceil(whole / size), unit)


def count(number: int, thing: str, things: str = "") -> str:
    """Return `1 session`, `2 sessions`; `things` where an s does not do."""
    return f"{number} {thing if number == 1 else things or thing + 's'}"


def sentence(*parts: str) -> str:
    """Return public texts and hints, which begin low and end without a full stop, as sentences."""
    return " ".join(f"{part[:1].upper()}{part[1:]}." for part in parts if part)


def _away(seconds: float) -> str:
    if seconds > _NOW_SECONDS:
        return f"in {span(seconds)}"
    if seconds >= -_NOW_SECONDS:
        return "just now"
    size, unit = next((size, unit) for size, unit in _UNITS if -seconds >= size)
    return f"{count(int(-seconds // size), unit)} ago"
