"""Find the rules that a path matches. Pure; looks at paths alone, never at methods, people or what follows from it.

A rule must not be passed by spelling: paths are compared once-decoded, in folded case, and with or without a slash at
their end. An exception opens something: it is compared exactly, and as sent, so that no second spelling opens it too.
"""

from collections.abc import Iterable
from copy import copy

from nbgate.model.rule import SERVER_PROXY_PORT, At, Pattern, Rule, Rules


class RuleTable:
    """Rules by one segment that their paths spell out, so that ten thousand of them cost no more than ten.

    Args of the constructor:
        rules: The rules in force.
        closed_ports: Ports that are open to nobody, whatever `rules` says: those of notebook servers.
    """

    def __init__(self, rules: Rules, closed_ports: Iterable[int] = ()) -> None:
        self._open_ports = frozenset(rules.server_proxy_ports)
        self._ports = frozenset(map(str, self._open_ports.difference(closed_ports)))
        self._whole: dict[tuple[At, tuple[str, ...]], list[tuple[Pattern, Rule]]] = {}
        self._spelled: dict[tuple[At, int, str], list[tuple[Pattern, Rule]]] = {}
        self._wild: dict[tuple[At, int], list[tuple[Pattern, Rule]]] = {}  # by length; 0: and all below
        for rule in rules.rules:
            for pattern in rule.patterns:
                self._places_of(rule.at, pattern).append((pattern, rule))
        self._depth = max((index for _, index, _ in self._spelled), default=-1) + 1

    def with_closed(self, ports: Iterable[int]) -> "RuleTable":
        """Return the same rules with these ports closed, in place of those that were."""
        if not self._open_ports:
            return self
        table = copy(self)
        table._ports = frozenset(map(str, self._open_ports.difference(ports)))  # noqa: SLF001 - a copy of this one
        return table

    def _places_of(self, at: At, pattern: Pattern) -> list[tuple[Pattern, Rule]]:
        """Return where a pattern stands: under itself, at its first segment without a `*`, or with its length."""
        if not pattern.below and not any("*" in segment for segment in pattern.segments):
            return self._whole.setdefault((at, pattern.segments), [])
        for index, segment in enumerate(pattern.segments):
            if "*" not in segment:
                return self._spelled.setdefault((at, index, segment), [])
        return self._wild.setdefault((at, 0 if pattern.below else len(pattern.segments)), [])

    def find(self, at: At, segments: tuple[str, ...], as_sent: tuple[str, ...]) -> tuple[Rule, ...]:
        """Return the rules that match a path, those whose first segment is spelled out before the others.

        Args:
            at: Where the path begins.
            segments: Decoded once; a slash at the end gives a last "".
            as_sent: The same, before it was decoded.
        """
        folded = tuple(map(str.casefold, segments))
        if folded[-1:] == ("",):
            folded = folded[:-1]
        if not folded:
            return ()
        held = [*self._whole.get((at, folded), ())]
        for index, segment in enumerate(folded[: self._depth]):  # most paths meet nothing here, and cost no more
            held += self._spelled.get((at, index, segment), ())
        held += self._wild.get((at, len(folded)), ())
        held += self._wild.get((at, 0), ())
        return self._matching(held, folded, as_sent) if held else ()

    def _matching(
        self, held: list[tuple[Pattern, Rule]], folded: tuple[str, ...], as_sent: tuple[str, ...]
    ) -> tuple[Rule, ...]:
        found: dict[str, Rule] = {}
        for pattern, rule in held:
            if self._fits(pattern, folded) and not any(self._fits(pattern, as_sent) for pattern in rule.exceptions):
                found[rule.id] = rule
        return tuple(found.values())

    def _fits(self, pattern: Pattern, segments: tuple[str, ...]) -> bool:
        wanted = pattern.segments
        if len(segments) < len(wanted) or (len(segments) > len(wanted) and not pattern.below):
            return False
        return all(map(self._fits_segment, wanted, segments))

    def _fits_segment(self, wanted: str, segment: str) -> bool:
        if wanted == SERVER_PROXY_PORT:
            return segment in self._ports
        return wanted == segment or ("*" in wanted and _fits_wild(wanted, segment))


def _fits_wild(wanted: str, segment: str) -> bool:
    """Say whether `segment` is `wanted` with something for each `*`: each piece is looked for once, from left to right.

    The leftmost place of a piece leaves the most room for those after it, so nothing is ever tried twice.
    """
    first, *middle, last = wanted.split("*")
    if len(segment) < len(first) + len(last) or not (segment.startswith(first) and segment.endswith(last)):
        return False
    at, end = len(first), len(segment) - len(last)
    for piece in middle:
        found = segment.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True
