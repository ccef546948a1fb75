"""Wait for something another process or thread does, with a deadline and a name for what is missing."""

import time
from collections.abc import Callable
from typing import TypeVar

INTERVAL_SECONDS = 0.005
T = TypeVar("T")


def wait_until(look: Callable[[], T | None], *, what: str, deadline_seconds: float = 10.0) -> T:
    """Call `look` until it gives something true, and return that.

    Raises:
        TimeoutError: It did not within `deadline_seconds`; the text says `what` was waited for.
    """
    end = time.monotonic() + deadline_seconds
    while not (seen := look()):
        if time.monotonic() > end:
            message = f"not within {deadline_seconds:g} s: {what}"
            raise TimeoutError(message)
        time.sleep(INTERVAL_SECONDS)
    return seen
