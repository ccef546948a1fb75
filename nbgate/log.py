"""Operational messages on stderr: one line each, `time level event key=value ...`, nothing that needs a terminal.

Not the audit: a message may be lost, and nothing is decided by it. A traceback is shown as types and places only: local
variables and exception texts can hold what somebody typed.
"""

import sys
import traceback
from typing import Any, Final, Literal, TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

Level = Literal["debug", "info", "warning", "error"]

MAX_VALUE_CHARS: Final = 1024
_NUMBERS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure_log(level: Level, stream: TextIO | None = None) -> None:
    """Send the messages of this process from `level` upwards to stderr, or to `stream`."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            _place_of_exception,
            _render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_NUMBERS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=stream or sys.stderr),
        cache_logger_on_first_use=False,
    )


def _place_of_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    info = event.pop("exc_info", None)
    error = sys.exc_info()[1] if info is True else info
    if isinstance(error, BaseException):
        event["exception"] = type(error).__name__
        frames = traceback.extract_tb(error.__traceback__)
        event["at"] = " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames))
    return event


def _render(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    head = f"{event.pop('time')} {event.pop('level'):<7} {plain(event.pop('event'))}"
    return " ".join([head, *(f"{key}={_quoted(value)}" for key, value in event.items())])


def _quoted(value: Any) -> str:
    text = plain(value)
    return f'"{text}"' if not text or " " in text or "=" in text else text


def plain(value: Any) -> str:
    r"""Return `value` as text that no terminal obeys: quotes, control and non-ASCII characters are escaped."""
    text = str(value)[:MAX_VALUE_CHARS].replace("\\", "\\\\").replace('"', '\\"')
    return "".join(c if " " <= c <= "~" else c.encode("unicode_escape").decode() for c in text)
