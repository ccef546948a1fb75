"""What a penalty is: a time for which a netblock is refused. Values only; who gets one is decided in `nbgate.guard`."""

from msgspec import Struct


class Offence(Struct, frozen=True, gc=False, array_like=True):
    """Somebody of `netblock`, without a live session, did `count` times what the rule `rule` penalises."""

    netblock: str
    rule: str
    count: int = 1


class Penalty(Struct, frozen=True, gc=False, array_like=True):
    """`netblock` is refused until `until_monotonic`: CLOCK_MONOTONIC, which nobody sets and all processes share."""

    netblock: str
    until_monotonic: float
