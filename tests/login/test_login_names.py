"""T06, F18: a million names that nobody has, from as many addresses, leave tables and logs as small as a few thousand.

A keeper in memory under a clock that the test moves, a thousand attempts a second; no password is hashed, because the
hundreds that may be looked at are the subject of the flood over TLS beside this.
"""

import ipaddress
import random
import resource
from collections import Counter

import pytest

from nbgate.errors import CredentialRejected, LoginThrottled
from nbgate.guard.throttle import SLOTS, Bucket
from nbgate.keeper.login import LoginAttempt
from nbgate.keeper.throttle import MAX_TOLD, MINUTE_SECONDS
from nbgate.testing.keeper_parts import PASSWORD, Rig

NAMES = 1_000_000
PER_SECOND = 1000
SEED = 20
LARGEST_RECORD_BYTES = 1024
ROWS_OF_ADDRESSES = 1000
"""Netblocks and networks of who was looked at lately; what time has made good is forgotten."""
GROWTH_BYTES = 16 << 20
"""Of this process; the records are counted and not held."""

pytestmark = pytest.mark.timeout(600)


class Nobody:
    """An authenticator to whom nobody belongs."""

    def __init__(self):
        self.asked = 0

    async def authenticate(self, _offered, *, first=False):
        assert not first, "a stranger is none of those who go first"
        self.asked += 1
        raise CredentialRejected


@pytest.fixture
async def rig():
    rig = Rig(authenticator=Nobody())
    await rig.keeper.accounts.add("ada", PASSWORD, "uid:0 root")
    yield rig
    await rig.close()


def strangers(draw):
    """Yield what strangers send: half of the names could be somebody's, half of the addresses are IPv6."""
    for number in range(NAMES):
        name = f"user{number}" if number % 2 else f"not a name {number}"
        bits = draw.getrandbits(32)
        address = ipaddress.IPv4Address(bits) if number % 4 < 2 else ipaddress.IPv6Address(0x2A << 120 | bits << 64)
        yield LoginAttempt(username=name, password="x", client=str(address), request_id="r1234567")


async def test_t06_a_million_made_up_names_fill_neither_tables_nor_logs(rig, monkeypatch):
    records, sizes = [], []
    monkeypatch.setattr(
        rig.sink, "append", lambda lines: (records.append(lines.count(b"\n")), sizes.append(len(lines)))
    )
    throttle, limits = rig.keeper.login._parts.throttle, rig.keeper.config.throttle
    refused = Counter()
    before = peak_bytes()
    for number, attempt in enumerate(strangers(random.Random(SEED)), 1):
        try:
            await rig.keeper.login.attempt(attempt)
        except (CredentialRejected, LoginThrottled) as error:
            refused[type(error)] += 1
        if not number % PER_SECOND:
            rig.clock.advance(1.0)
            throttle.tell()
            await throttle.store()
    seconds = NAMES / PER_SECOND
    looked_at = refused[CredentialRejected]
    assert NAMES == refused.total()
    assert seconds < looked_at <= limits.global_burst + limits.global_per_second * seconds
    assert looked_at == rig.keeper.login._parts.authenticator.asked
    assert len(throttle._throttle) <= SLOTS + ROWS_OF_ADDRESSES
    sums = len(Bucket) * (MAX_TOLD + 1) * (1 + seconds / MINUTE_SECONDS)
    assert looked_at < sum(records) <= looked_at + sums
    assert sum(sizes) <= sum(records) * LARGEST_RECORD_BYTES
    assert peak_bytes() - before <= GROWTH_BYTES
    assert ["ada"] == [user.name for user in await rig.keeper.accounts.all()]


def peak_bytes():
    """Return the most memory that this process has had in use."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
