"""What has to hold, in one place, and how a run is judged and shown."""

from dataclasses import dataclass

BOUNDS = {
    "steady": {
        "requests that failed": 0,
        "websockets lost": 0,
        "p99 of requests, ms": 100,
        "p99 of messages there and back, ms": 100,
        "memory grown, MiB": 4,
        "descriptors more": 4,
    },
    "mixed": {
        "requests that failed": 0,
        "memory grown, MiB": 8,
        "descriptors more": 4,
    },
    "slow": {
        "requests that failed": 0,
        "p99 of requests, ms": 300,
        "logins that failed": 0,
        "p99 of logins, ms": 1000,
        "descriptors of the worker": 600,
        "slow ones that stayed too long": 0,
        "descriptors more": 4,
    },
    "certificate": {
        "handshakes that failed": 0,
        "websockets lost": 0,
        "certificates not in use in time": 0,
        "certificates in use that should not be": 0,
        "lines too few or too many about a bad pair": 0,
    },
    "reloads": {
        "requests that failed": 0,
        "reloads that failed": 0,
        "memory grown, MiB": 8,
        "descriptors more": 4,
    },
    "logins": {
        "requests that failed": 0,
        "p99 in the flood, times that": 5,
        "passwords checked at once": 2,
        "memory of the keeper grown, MiB": 192,
        "login of a known browser meanwhile, s": 3,
        "answers that are no refusal": 0,
    },
}
"""For each scenario: the most of everything that may be counted or measured in it.

Memory and descriptors are those of each process of the gateway alone, the one that grew most: the median of the last
quarter of the run less that of the second one.
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was counted or measured; `limit` is None where it is for information only."""

    scenario: str
    what: str
    value: float
    limit: float | None

    @property
    def holds(self) -> bool:
        """Say whether it is within its bound."""
        return self.limit is None or self.value <= self.limit


def judge(scenario: str, seen: dict[str, float]) -> list[Finding]:
    """Return what was seen beside its bounds.

    Raises:
        KeyError: Something that has a bound was not looked at.
    """
    bounds = BOUNDS[scenario]
    judged = [Finding(scenario, what, seen[what], limit) for what, limit in bounds.items()]
    return judged + [Finding(scenario, what, value, None) for what, value in seen.items() if what not in bounds]


def as_table(findings: list[Finding]) -> str:
    """Return the findings as Markdown."""
    rows = ["| scenario | what | seen | at most | |", "| --- | --- | ---: | ---: | --- |"]
    for it in findings:
        limit = "" if it.limit is None else f"{it.limit:g}"
        verdict = "" if it.limit is None else "holds" if it.holds else "**DOES NOT HOLD**"
        rows.append(f"| {it.scenario} | {it.what} | {it.value:.6g} | {limit} | {verdict} |")
    return "\n".join(rows) + "\n"
