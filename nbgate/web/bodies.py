"""Read the small bodies that forms and API calls send: a closed set of text fields, each at most once.

Whatever else arrives is refused with a 4xx before anybody looks at a password. Nothing of a body is ever logged.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from aiohttp import web
from msgspec import Struct

from nbgate.errors import NbgateError

MAX_BODY_BYTES: Final = 8192
MAX_FIELDS: Final = 16
BODY_SECONDS: Final = 10.0
FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = "application/json"


class BodyError(NbgateError):
    """Theirs: a body that is too long, too slow, of another type, or holds other fields than it may."""

    def __init__(self, status: int, public: str) -> None:
        super().__init__(public)
        self.status = status


class Fields(Struct, frozen=True):
    """The names a body may hold: all of `required`, and any of `optional`."""

    required: frozenset[str]
    optional: frozenset[str] = frozenset()


async def read_form(request: web.Request, fields: Fields) -> Mapping[str, str]:
    """Return the fields of a urlencoded form.

    Raises:
        BodyError: It is something else (400, 408, 413, 415).
    """
    text = await _read_text(request, FORM)
    try:
        pairs = parse_qsl(
            text, keep_blank_values=True, strict_parsing=bool(text), errors="strict", max_num_fields=MAX_FIELDS
        )
    except ValueError:
        raise BodyError(400, "malformed form") from None
    return _judge(pairs, fields)


async def read_json(request: web.Request, fields: Fields) -> Mapping[str, str]:
    """Return the fields of a flat JSON object whose values are strings.

    Raises:
        BodyError: It is something else (400, 408, 413, 415).
    """
    text = await _read_text(request, JSON)
    try:
        pairs = json.loads(text, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        raise BodyError(400, "malformed JSON") from None
    if not isinstance(pairs, _Pairs) or not all(isinstance(value, str) for _, value in pairs):
        raise BodyError(400, "expected a JSON object of strings")
    return _judge(pairs, fields)


class _Pairs(list[tuple[str, Any]]):
    """What the object of a JSON text holds, duplicates and all; a type of its own, because `[]` is a list too."""


def _judge(pairs: list[tuple[str, str]], fields: Fields) -> Mapping[str, str]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BodyError(400, "duplicate field")
    if set(found) - fields.required - fields.optional:
        raise BodyError(400, "unknown field")
    if fields.required - set(found):
        raise BodyError(400, "missing field")
    try:
        "".join(found.values()).encode()
    except UnicodeEncodeError:  # a lone surrogate, written as \ud800
        raise BodyError(400, "malformed text") from None
    return found


def typed_code(form: Mapping[str, str]) -> str:
    """Return the code that somebody typed into a form; apps show it in two groups, and so people type a space."""
    return form.get("code", "").replace(" ", "")


async def _read_text(request: web.Request, content_type: str) -> str:
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise BodyError(415, "encoded bodies are not read here")
    if request.content_type != content_type or (request.charset or "utf-8").lower() != "utf-8":
        raise BodyError(415, f"expected {content_type}")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await request.read()
    except TimeoutError:
        raise BodyError(408, "the body did not arrive in time") from None
    except ConnectionError:
        raise BodyError(400, "the body broke off") from None
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise BodyError(400, "malformed text") from None
