"""When something was, in words for people and as programs read it; always UTC.

Pure: the caller says what time it is.
"""

from datetime import UTC, datetime

_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def when(then_unix: float, now_unix: float) -> str:
    """Return for example `at 14:05 UTC, 3 minutes ago`; with the day where it is not today's."""
    then, now = datetime.fromtimestamp(then_unix, UTC), datetime.fromtimestamp(now_unix, UTC)
    day = "" if then.date() == now.date() else f"on {then.day} {_MONTHS[then.month - 1]} {then.year} "
    return f"{day}at {then:%H:%M} UTC, {_ago(now_unix - then_unix)}"


def timestamp(then_unix: float) -> str:
    """Return a time as in RFC 3339, to the second: `2026-11-23T14:05:07Z`."""
    return f"{datetime.fromtimestamp(then_unix, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _ago(seconds: float) -> str:
    found = next(((size, unit) for size, unit in _UNITS if seconds >= size), None)
    if found is None:
        return "just now"
    count = int(seconds // found[0])
    return f"{count} {found[1]}{'' if count == 1 else 's'} ago"
