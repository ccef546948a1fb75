"""Find the rules that a path matches. Pure; looks at paths alone, never at methods, people or what follows from it.

A rule must not be passed by spelling: paths are compared once-decoded, in folded case, and with or without a slash at
their end. An exception opens something: it is compared exactly, and as sent, so that no second spelling opens it too.
"""

from collections.abc import Iterable

from nbgate.model.rule import SERVER_PROXY_PORT, At, Pattern, Rule, Rules


class RuleTable:
    """Rules by the first segment of their paths, so that ten thousand of them cost no more than ten.

    Args of the constructor:
        rules: The rules in force.
        closed_ports: Ports that are open to nobody, whatever `rules` says: those of notebook servers.
    """

    def __init__(self, rules: Rules, closed_ports: Iterable[int] = ()) -> None:
        self._ports = frozenset(map(str, set(rules.server_proxy_ports) - set(closed_ports)))
        self._by_first: dict[tuple[At, str], list[tuple[Pattern, Rule]]] = {}
        self._any_first: dict[tuple[At, int], list[tuple[Pattern, Rule]]] = {}  # by length; 0: and all below
        for rule in rules.rules:
            for pattern in rule.patterns:
                first = pattern.segments[0]
                if "*" in first:
                    length = 0 if pattern.below else len(pattern.segments)
                    self._any_first.setdefault((rule.at, length), []).append((pattern, rule))
                else:
                    self._by_first.setdefault((rule.at, first), []).append((pattern, rule))

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
        found: dict[str, Rule] = {}
        for pattern, rule in (
            *self._by_first.get((at, folded[0]), ()),
            *self._any_first.get((at, len(folded)), ()),
            *self._any_first.get((at, 0), ()),
        ):
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
