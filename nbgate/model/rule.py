"""What a rule is, compiled: which paths it matches, and what that means. Shared nouns, no verbs: matching is a room."""

from enum import StrEnum

from msgspec import Struct

SERVER_PROXY_PORT = "{server_proxy_port}"  # as a whole segment of an exception: any of `Rules.server_proxy_ports`


class Action(StrEnum):
    """What happens to a request that a rule matches."""

    DENY = "deny"  # 403, whoever asks
    PENALISE = "penalise"  # costs who has no live session a penalty; the request goes its way


class At(StrEnum):
    """Where the paths of a rule begin."""

    HOST = "host"  # at the root of the host, outside every mount with a prefix of its own
    MOUNT = "mount"  # at the base URL of a notebook server


class Pattern(Struct, frozen=True, gc=False, array_like=True):
    """One path: its segments, in which `*` stands for any run of characters; `below`: and everything below it."""

    segments: tuple[str, ...]
    below: bool = False


class Rule(Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """One rule.

    Attributes:
        id: Its name, kebab-case.
        methods: Which methods it is about; empty: all.
        patterns: What it matches, in folded case.
        exceptions: What it does not match all the same, compared exactly and as sent.
        seconds: What it costs, when it penalises.
        says: One sentence for the person who is refused: what is closed, and what to do instead.
    """

    id: str
    action: Action
    at: At
    patterns: tuple[Pattern, ...]
    methods: frozenset[str] = frozenset()
    exceptions: tuple[Pattern, ...] = ()
    seconds: float = 0.0
    says: str = ""


class Rules(Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """All rules in force, in the order of their packs, and the ports that users may reach through a notebook server."""

    rules: tuple[Rule, ...] = ()
    server_proxy_ports: tuple[int, ...] = ()
