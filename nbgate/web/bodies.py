"""Read the small bodies that forms and API calls send: a closed set of text fields, each at most once.

Whatever else arrives is refused with a 4xx before anybody looks at a password. Nothing of a body is ever logged.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

from aiohttp import web
from msgspec import Struct

from nbgate.errors import NbgateError

T = TypeVar("T")

MAX_BODY_BYTES: Final = 8192
MAX_FIELDS: Final = 16
BODY_SECONDS: Final = 10.0
FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = "application/json"
STRINGS: Final = "expected a JSON object of strings"


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
    pairs = await _read_pairs(request, STRINGS)
    if not all(isinstance(value, str) for _, value in pairs):
        raise BodyError(400, STRINGS)
    return _judge(pairs, fields)


async def read_object(request: web.Request) -> Mapping[str, Any]:
    """Return a JSON object, whose values are texts, numbers, truth values, or lists of these.

    Raises:
        BodyError: It is something else (400, 408, 413, 415).
    """
    pairs = await _read_pairs(request, "expected a JSON object")
    values = [each for _, value in pairs for each in (value if type(value) is list else [value])]
    if any(isinstance(value, list) for value in values):  # one within another, or an object
        raise BodyError(400, "expected texts and lists of texts")
    return _judge_texts(dict(pairs), len(pairs), [*(name for name, _ in pairs), *map(str, values)])


async def _read_pairs(request: web.Request, expected: str) -> "_Pairs":
    text = await _read_text(request, JSON)
    try:
        pairs = json.loads(text, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        raise BodyError(400, "malformed JSON") from None
    if not isinstance(pairs, _Pairs):
        raise BodyError(400, expected)
    return pairs


class _Pairs(list[tuple[str, Any]]):
    """What the object of a JSON text holds, duplicates and all; a type of its own, because `[]` is a list too."""


def _judge(pairs: list[tuple[str, str]], fields: Fields) -> Mapping[str, str]:
    found = dict(pairs)
    _judge_texts(found, len(pairs), found.values())
    if set(found) - fields.required - fields.optional:
        raise BodyError(400, "unknown field")
    if fields.required - set(found):
        raise BodyError(400, "missing field")
    return found


def _judge_texts(found: Mapping[str, T], count: int, texts: Iterable[str]) -> Mapping[str, T]:
    """Return `found`, in which each of `count` fields stands, and all `texts` are text."""
    if len(found) != count:
        raise BodyError(400, "duplicate field")
    try:
        "".join(texts).encode()
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
