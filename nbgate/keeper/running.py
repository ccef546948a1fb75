"""Ask a notebook server what runs in it, for people who may use it: notebooks, consoles, terminals, and since when.

What it answers is a stranger's word: bounded in size, number and time, judged entry by entry, its text made printable.
A look keeps the server as idle as it was. Nothing is remembered for longer than it takes a page to be reloaded, and
who may see it is decided elsewhere.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Final

import msgspec
from msgspec import Struct

from nbgate.clock import Clock
from nbgate.keeper.probe import Credential, maybe_read
from nbgate.model.route import Upstream, UpstreamState

MAX_BYTES: Final = 256 << 10
MAX_ENTRIES: Final = 500  # of a list: what comes behind is counted, not read
MAX_COMMAS: Final = 1 << 15  # a longer list is made to keep us busy: that of `MAX_ENTRIES` has fewer than half
MAX_SHOWN: Final = 12
MAX_PATH_CHARS: Final = 1024
MAX_AT_ONCE: Final = 4
MAX_LOOKS: Final = 64
READ_SECONDS: Final = 5.0
WAIT_SECONDS: Final = 2.0  # somebody looks at a page that is not there yet
KEEP_SECONDS: Final = 2.0
_UNTRACKED: Final = "?no_track_activity=1"  # else whoever looks here keeps an idle server from ending itself
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)


class Activity(StrEnum):
    """What a kernel does."""

    BUSY = "busy"
    IDLE = "idle"
    STARTING = "starting"
    DEAD = "dead"
    UNKNOWN = "unknown"


_STATES: Final = {
    "autorestarting": Activity.STARTING,
    "busy": Activity.BUSY,
    "dead": Activity.DEAD,
    "idle": Activity.IDLE,
    "restarting": Activity.STARTING,
    "starting": Activity.STARTING,
}
_FIRST: Final = (Activity.DEAD, Activity.BUSY, Activity.STARTING, Activity.IDLE, Activity.UNKNOWN)


class Work(Struct, frozen=True, kw_only=True):
    """One notebook or console with its kernel.

    Attributes:
        path: Of the file, from the server's own folder, or a console's name; printable, which says nothing of where it
            leads.
        is_notebook: It is a notebook; else a console, or whatever an extension began.
        seen_unix: When its kernel was last heard of; 0 where that is not known.
    """

    path: str
    is_notebook: bool
    activity: Activity
    seen_unix: float = 0.0


class Running(Struct, frozen=True, kw_only=True):
    """What runs in one server.

    Attributes:
        works: The first of them: what needs somebody, then what is at work, then what was used last.
        more: How many there are besides.
        terminals: How many.
        started_unix: When the server began; 0 where it does not say.
    """

    works: tuple[Work, ...] = ()
    more: int = 0
    terminals: int = 0
    started_unix: float = 0.0


class _Kernel(Struct):
    execution_state: str = ""
    last_activity: str = ""


class _Session(Struct):
    kernel: _Kernel
    path: str = ""
    name: str = ""
    type: str = "notebook"


class _Status(Struct):
    started: str = ""


_ENTRIES: Final = msgspec.json.Decoder(list[msgspec.Raw])
_SESSION: Final = msgspec.json.Decoder(_Session)
_STATUS: Final = msgspec.json.Decoder(_Status)
_Malformed = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)


def maybe_running(sessions: bytes, terminals: bytes | None, status: bytes | None) -> Running | None:
    """Return what the answers say; None where there is no list of sessions in them.

    Args:
        sessions: Of `api/sessions`.
        terminals: Of `api/terminals`; None where it did not come: a server may have none.
        status: Of `api/status`; likewise.
    """
    entries = _maybe_entries(sessions)
    if entries is None:
        return None
    read = [_maybe_work(entry) for entry in entries[:MAX_ENTRIES]]
    works = sorted((work for work in read if work is not None), key=_rank)
    return Running(
        works=tuple(works[:MAX_SHOWN]),
        more=max(0, len(works) - MAX_SHOWN) + max(0, len(entries) - MAX_ENTRIES),
        terminals=len(_maybe_entries(terminals) or ()),
        started_unix=_started(status),
    )


def _rank(work: Work) -> tuple[int, float, str]:
    return _FIRST.index(work.activity), -work.seen_unix, work.path


def _maybe_entries(body: bytes | None) -> list[msgspec.Raw] | None:
    try:
        return None if body is None or body.count(b",") > MAX_COMMAS else _ENTRIES.decode(body)
    except _Malformed:
        return None


def _maybe_work(entry: msgspec.Raw) -> Work | None:
    try:
        session = _SESSION.decode(entry)
    except _Malformed:
        return None
    is_notebook = session.type == "notebook"
    path = session.path if is_notebook else session.name or session.path  # a console's path is a number
    return Work(
        path=_printable(path),
        is_notebook=is_notebook,
        activity=_STATES.get(session.kernel.execution_state, Activity.UNKNOWN),
        seen_unix=_unix(session.kernel.last_activity),
    )


def _started(body: bytes | None) -> float:
    try:
        return 0.0 if body is None else _unix(_STATUS.decode(body).started)
    except _Malformed:
        return 0.0


def _printable(text: str) -> str:
    """Return the text without what moves, hides or turns round the text beside it: U+FFFD stands for that."""
    cut = "\ufffd" if len(text) > MAX_PATH_CHARS else ""
    return "".join(char if char.isprintable() else "\ufffd" for char in text[:MAX_PATH_CHARS]) + cut


def _unix(text: str) -> float:
    try:
        at = datetime.fromisoformat(text)
        return at.timestamp() if at.tzinfo is not None and _EARLIEST < at < _LATEST else 0.0
    except (OverflowError, ValueError):
        return 0.0


Read = Callable[[Upstream, str, dict[str, str]], Awaitable[bytes | None]]
"""Called as `(upstream, target, headers)`; returns the body of a good answer, None for every other."""

read_bounded: Final[Read] = partial(maybe_read, max_bytes=MAX_BYTES, seconds=READ_SECONDS)


class Asked(Struct, frozen=True):
    """One server that is to be looked at: where it is, and what opens it."""

    upstream: Upstream
    base_url: str
    state: UpstreamState


class _Look:
    """A look under way, or one whose outcome is still good."""

    __slots__ = ("ended_monotonic", "task")

    def __init__(self, task: asyncio.Task[Running | None], clock: Clock) -> None:
        self.task = task
        self.ended_monotonic = math.inf
        task.add_done_callback(lambda _: self._end(clock))

    def _end(self, clock: Clock) -> None:
        self.ended_monotonic = clock.monotonic()

    @property
    def outcome(self) -> Running | None:
        """Return what was found so far."""
        return self.task.result() if self.task.done() else None


class WhatRuns:
    """Looks at servers, a few at once; who asks again within `KEEP_SECONDS` is told the same.

    Args of the constructor:
        clock: Where time is read.
        read: How an answer is fetched.
    """

    def __init__(self, clock: Clock, read: Read = read_bounded) -> None:
        self._clock = clock
        self._read = read
        self._free = asyncio.Semaphore(MAX_AT_ONCE)
        self._looks: dict[tuple[Upstream, str], _Look] = {}

    async def of(self, asked: Sequence[Asked]) -> list[Running | None]:
        """Return what runs in each; None where it is not known in time, or a server's answer cannot be understood.

        A server that is slow is looked at to the end: who asks again soon is told. Those past `MAX_LOOKS` are not.
        """
        self._forget()
        looks = [self._begin(each) for each in asked[:MAX_LOOKS]]
        if looks:  # they are not this request's alone: one that is given up must not end them
            await asyncio.wait({look.task for look in looks}, timeout=WAIT_SECONDS)
        return [look.outcome for look in looks] + [None] * (len(asked) - len(looks))

    def _begin(self, asked: Asked) -> _Look:
        place = (asked.upstream, asked.base_url)
        if place not in self._looks:
            self._looks[place] = _Look(asyncio.get_running_loop().create_task(self._look(asked)), self._clock)
        return self._looks[place]

    def _forget(self) -> None:
        since = self._clock.monotonic() - KEEP_SECONDS
        self._looks = {place: look for place, look in self._looks.items() if look.ended_monotonic > since}

    async def _look(self, asked: Asked) -> Running | None:
        state, base_url = asked.state, asked.base_url
        headers = Credential(token=state.token, cookie=state.cookie, xsrf=state.xsrf).headers()
        read = partial(self._read, asked.upstream)
        async with self._free:
            sessions = await read(f"{base_url}api/sessions{_UNTRACKED}", headers)
            if sessions is None:  # nor will it answer the rest
                return None
            terminals = await read(f"{base_url}api/terminals{_UNTRACKED}", headers)
            status = await read(f"{base_url}api/status", headers)
        return maybe_running(sessions, terminals, status)
