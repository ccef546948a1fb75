"""Read rule packs: check every row, compile it, and try it on the cases that stand beside it.

A pack of which one row cannot be trusted is refused as a whole, with all that is wrong. Only `shipped_pack` touches
files, and it is called at the edges. What a rule may say is no more than this; it brings no code along.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec
from msgspec import Struct, field

from nbgate.errors import ConfigError, Problem, ProtocolError
from nbgate.http.target import parse_target
from nbgate.model.rule import SERVER_PROXY_PORT, Action, At, Pattern, Rule, Rules
from nbgate.resources import data_path
from nbgate.rules.match import RuleTable

PACKS = ("baseline.toml",)
LEAST_MATCHING, LEAST_PASSING = 1, 2
SPECIMEN_PORT = 8050  # the one listed port while cases are tried

_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_METHOD = re.compile(r"[A-Z]{3,10}")
_PLAIN = re.compile(r"(/[a-z0-9._~!$&'()+,;=:@-]+)+")
_GLOB = re.compile(r"(/[a-z0-9._~!$&'()*+,;=:@-]+)+")
_GRAMMAR = "lower case, begins with one slash, ends without; * stands for anything in a segment of glob and except"


class Row(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule as it is written.

    Attributes:
        equals, prefix, glob: The paths: exactly this one; this one and all below; with `*` in it, `/**` at its end for
            all below.
        exceptions: Paths like those of `glob` that it does not match all the same.
        matching, passing: Cases, for example `POST /login`.
    """

    id: str
    severity: Literal["low", "medium", "high", "critical"]
    why: str
    reference: str
    action: Action
    at: At = At.MOUNT
    methods: tuple[str, ...] = ()
    equals: tuple[str, ...] = ()
    prefix: tuple[str, ...] = ()
    glob: tuple[str, ...] = ()
    exceptions: tuple[str, ...] = field(default=(), name="except")
    seconds: float = 0.0
    says: str = ""
    matching: tuple[str, ...] = field(default=(), name="match")
    passing: tuple[str, ...] = field(default=(), name="pass")


class _Pack(Struct, frozen=True, forbid_unknown_fields=True):
    rule: tuple[Row, ...]


def load_pack(file: str, text: str) -> tuple[Row, ...]:
    """Return the rows of the pack `text`, each of which passes its own cases.

    Raises:
        ConfigError: Something is wrong with the pack; every problem at once.
    """
    try:
        rows = msgspec.convert(tomllib.loads(text), _Pack).rule
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError((Problem(f"rules/{file}", str(error), "rules/README.md says what a rule is"),)) from error
    problems = tuple(_judge_rows(file, rows))
    if problems:
        raise ConfigError(problems)
    return rows


def shipped_pack() -> tuple[Row, ...]:
    """Return the rules that are installed with the package.

    Raises:
        ConfigError: They were damaged.
    """
    return tuple(row for file in PACKS for row in load_pack(file, data_path("rules", file).read_text(encoding="utf-8")))


def in_force(rows: Iterable[Row], *, disabled: Iterable[str], server_proxy_ports: tuple[int, ...]) -> Rules:
    """Return what of `rows` applies where the rules `disabled` do not, compiled."""
    without = frozenset(disabled)
    return Rules(
        rules=tuple(compile_row(row) for row in rows if row.id not in without),
        server_proxy_ports=server_proxy_ports,
    )


def compile_row(row: Row) -> Rule:
    """Return the rule that a checked row describes."""
    return Rule(
        id=row.id,
        action=row.action,
        at=row.at,
        methods=frozenset(row.methods),
        patterns=(
            *(_pattern(path) for path in row.equals),
            *(_pattern(f"{path}/**") for path in row.prefix),
            *(_pattern(path) for path in row.glob),
        ),
        exceptions=tuple(_pattern(path) for path in row.exceptions),
        seconds=row.seconds,
        says=row.says,
    )


def _pattern(path: str) -> Pattern:
    plain = path.removesuffix("/**")
    return Pattern(tuple(plain[1:].split("/")), below=plain != path)


def _judge_rows(file: str, rows: tuple[Row, ...]) -> Iterator[Problem]:
    before = ""
    for row in rows:
        where = f"rules/{file}: rule {row.id or '(nameless)'}"
        if before and row.id <= before:
            yield Problem(where, f"stands after {before}", "sort the rules by id, each id once")
        before = row.id
        wrong = [Problem(where, text, hint) for text, hint in _judge_row(row)]
        yield from wrong or (Problem(where, text, "the rule or its case is wrong") for text in _try_cases(row))


def _judge_row(row: Row) -> Iterator[tuple[str, str]]:
    """Say what is wrong with the words of a row, and what to write."""
    if _ID.fullmatch(row.id) is None:
        yield f"{row.id!r} is no id", "lower case words with hyphens between them"
    for name in ("why", "reference"):
        if not getattr(row, name).strip():
            yield f"{name} is empty", "say why the rule is there, and where that can be read"
    if row.action is Action.DENY and (row.seconds or not row.says.strip()):
        yield "a rule that denies has a sentence for who is refused, and costs no seconds", 'says = "..."'
    if row.action is Action.PENALISE and (row.seconds <= 0 or row.says):
        yield "a rule that penalises costs seconds, and refuses nobody by itself", "seconds = 10.0"
    for method in row.methods:
        if _METHOD.fullmatch(method) is None:
            yield f"{method!r} is no method", "upper case; no methods at all means every method"
    yield from _judge_paths(row)
    for name, cases, least in (("match", row.matching, LEAST_MATCHING), ("pass", row.passing, LEAST_PASSING)):
        if len(cases) < least:
            yield f"{name} holds {len(cases)} cases", f'at least {least}, for example {name} = ["GET /lab"]'


def _judge_paths(row: Row) -> Iterator[tuple[str, str]]:
    if not (row.equals or row.prefix or row.glob):
        yield "it names no path", "equals, prefix or glob"
    for path in (*row.equals, *row.prefix):
        if _PLAIN.fullmatch(path) is None:
            yield f"{path!r} is no path of a rule", _GRAMMAR
    for path in (*row.glob, *(path.replace(SERVER_PROXY_PORT, "0") for path in row.exceptions)):
        if _GLOB.fullmatch(path) is None or "**" in path.removesuffix("/**"):
            yield f"{path!r} is no path of a rule", _GRAMMAR


def _try_cases(row: Row) -> Iterator[str]:
    """Try the rule alone on its own cases."""
    table = RuleTable(Rules(rules=(compile_row(row),), server_proxy_ports=(SPECIMEN_PORT,)))
    for cases, expected in ((row.matching, True), (row.passing, False)):
        for case in cases:
            method, _, path = case.partition(" ")
            try:
                target = parse_target(path.replace(SERVER_PROXY_PORT, str(SPECIMEN_PORT)).encode())
            except ProtocolError as error:
                yield f"the case {case!r} never gets this far: {error.reason.value}"
                continue
            found = table.find(row.at, target.segments, tuple(target.raw_path[1:].split("/")))
            if (bool(found) and (not row.methods or method in row.methods)) is not expected:
                yield f"{case!r} is {'not ' if expected else ''}matched"
