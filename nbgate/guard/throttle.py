"""How many logins may be tried: by whom, at what, and by everybody together (THREATS 5.2, T01, T02, T04).

Pure: the caller brings monotonic seconds, and says which browsers have logged in before; nothing here knows a password,
reads a clock or writes. Each bucket is held as its debt: attempts that time has not made good yet. A refused attempt is
charged nothing, or a stranger could keep a bucket empty for ever.

Strangers are judged by their netblock, their network, the account and all of them together; a browser that has logged
in to the account before by a bucket of its own, so that nobody can lock its owner out. Names that nobody has share
`SLOTS` rows: made-up names are never held one by one.

Overflow: a table holds at most `MAX_KEYS` rows. Past it the one that was asked for longest ago is forgotten and begins
full again: permissive, because the bucket of everybody lets so few strangers pass that only an operator's own limits
can fill a table; and a row of an account goes only where there are more accounts than that.

Accepted: a name that shares its slot with one under attack waits with it, and a name that somebody has does not. All
strangers together are let in too seldom to empty more than a part of the slots, and where slots lie is a secret.
"""

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct

MAX_KEYS: Final = 65_536
SLOTS: Final = 1024
VOID_FAILURES: Final = 50
IN_FLIGHT_SECONDS: Final = 1.0
_SLOWER: Final = ((500, 15.0), (50, 5.0))  # after so many failures a bucket fills so many times slower
_ROUNDING: Final = 1e-9
_CODE_ALONE: Final = " "  # after an account's key: no name ends so
_VERSION: Final = 1


class Bucket(StrEnum):
    """What is counted; an attempt passes all of its buckets or none."""

    ADDRESS = "address"  # the netblock of a stranger
    NETWORK = "network"  # the network around it
    ACCOUNT = "account"  # all strangers at one account
    DEVICE = "device"  # a browser that has logged in to the account before
    FACTOR = "second-factor"  # wrong codes of strangers behind an account's right password
    FACTOR_DEVICE = "second-factor-device"  # the same of a browser that has logged in before
    EVERYBODY = "everybody"  # all strangers


class Rate(Struct, frozen=True, gc=False):
    """So many at once, and one more after so many seconds."""

    burst: int
    seconds: float


Limits = Mapping[Bucket, Rate]
"""A rate for every bucket."""


class Attempt(Struct, frozen=True, gc=False, kw_only=True):
    """What is known of an attempt before its password is looked at.

    Attributes:
        address: The client's netblock.
        network: The network around it.
        account: The name that was typed, canonical where it can be somebody's.
        known: Somebody has this name.
        device: Of the browser, if it proved that it has logged in to this account before and is not void; else "".
        code_alone: It offers no password. Only a code could open an account then, so that it costs what a wrong code
            costs whoever it is for: or it would tell which accounts such a code opens.
    """

    address: str
    network: str
    account: str
    known: bool
    device: str = ""
    code_alone: bool = False


class Refusal(Struct, frozen=True, gc=False):
    """An attempt must wait for `seconds`, because `bucket` is empty; `key` says which one.

    `is_own` says that its netblock has used up half or more of what it may: not only others made it wait.
    """

    seconds: float
    bucket: Bucket
    key: str
    is_own: bool = False


class _Row(Struct, gc=False):
    """One bucket.

    Attributes:
        at: When its debt was what it is.
        failures: Since the last success; they make a bucket of `ACCOUNT` fill slower, and a device void.
        name: Digest of the name whose failures they are, where names share the row.
    """

    at: float
    debt: float = 0.0
    failures: int = 0
    name: bytes = b""


class _Saved(Struct, frozen=True, array_like=True):
    """A row without its time."""

    debt: float
    failures: int
    name: bytes


class _Snapshot(Struct, frozen=True, array_like=True):
    """All that is to survive a restart."""

    version: int
    rows: dict[Bucket, dict[str, _Saved]]


_DECODER: Final = msgspec.msgpack.Decoder(_Snapshot)


class _Table:
    """The buckets of one kind; the one asked for longest ago stands first."""

    def __init__(self, kind: Bucket, most: int) -> None:
        self._slows = kind is Bucket.ACCOUNT
        self._most = most
        self.rows: dict[str, _Row] = {}

    def wait(self, key: str, rate: Rate, now: float) -> float:
        """Return how long it takes until there is one; 0.0 when there is."""
        row = self.rows.get(key)
        if row is None:
            return 0.0
        interval = self._settle(row, rate, now)
        missing = row.debt + 1.0 - rate.burst
        return missing * interval if missing > _ROUNDING else 0.0

    def row(self, key: str, rate: Rate, now: float) -> _Row:
        """Return the row of `key`, settled; a new one takes the place of the oldest where they are too many."""
        row = self.rows.pop(key, None) or _Row(now)
        self.rows[key] = row
        if len(self.rows) > self._most:
            del self.rows[next(iter(self.rows))]
        self._settle(row, rate, now)
        return row

    def tidy(self, rate: Rate, now: float) -> None:
        """Forget what time has made good."""
        for row in self.rows.values():
            self._settle(row, rate, now)
        self.rows = {key: row for key, row in self.rows.items() if row.debt or row.failures}

    def _settle(self, row: _Row, rate: Rate, now: float) -> float:
        """Let time make good what it can, at the pace of the failures until now; return that pace."""
        interval = rate.seconds
        if self._slows:
            interval *= next((times for failures, times in _SLOWER if row.failures >= failures), 1.0)
        if now > row.at:
            row.debt = max(row.debt - (now - row.at) / interval, 0.0)
            row.at = now
        return interval


class Throttle:
    """All buckets of one gateway; `limits` may be replaced at any time.

    An attempt that `judge` lets pass is under way until `done` is called; meanwhile one of `failed`, `wrong_code` and
    `succeeded` says how it ended, or none if it came to nothing.

    Args of the constructor:
        limits: How much each bucket gives.
        salt: Which names share a slot; a secret.
        most: How many rows a table holds.
    """

    def __init__(self, limits: Limits, *, salt: bytes, most: int = MAX_KEYS) -> None:
        self.limits = limits
        self._salt = salt
        self._tables = {bucket: _Table(bucket, most) for bucket in Bucket}
        self._under_way: dict[str, int] = {}

    def __len__(self) -> int:
        return sum(len(table.rows) for table in self._tables.values())

    def judge(self, attempt: Attempt, now: float) -> Refusal | None:
        """Charge an attempt to its buckets, and count it as under way; or say why it must wait, and charge nothing.

        As many of an account are under way at once as it may still have wrong codes: else a crowd would be judged
        before the first of them is counted. That holds for names that nobody has too.
        """
        keys = self._keys(attempt)
        codes, charged = keys[0], keys[1:]
        bucket, key = codes
        seconds = self._wait(bucket, key, now) or self._wait_for_others(bucket, key)
        for also, its_key in charged:
            wait = self._wait(also, its_key, now)
            if wait > seconds:
                seconds, bucket, key = wait, also, its_key
        if seconds > 0:
            return Refusal(seconds, bucket, key, self._is_own(attempt))
        for each in charged:
            self._row(*each, now).debt += 1.0
        self._under_way[codes[1]] = self._under_way.get(codes[1], 0) + 1
        return None

    def done(self, attempt: Attempt) -> None:
        """Count an attempt as under way no more."""
        key = self._keys(attempt)[0][1]
        self._under_way[key] -= 1
        if not self._under_way[key]:
            del self._under_way[key]

    def failed(self, attempt: Attempt, now: float) -> None:
        """Note that the credential was no one's."""
        row = self._failures_of(attempt, now)
        if not attempt.known:
            name = self._digest(attempt.account)
            if row.name != name:  # nobody's names are many: what one of them did slows no other
                row.name, row.failures = name, 0
        row.failures += 1
        if attempt.code_alone:
            self._row(*self._keys(attempt)[0], now).debt += 1.0

    def wrong_code(self, attempt: Attempt, now: float) -> None:
        """Note that everything but the second factor was right."""
        self.failed(attempt, now)
        if not attempt.code_alone:
            self._row(*self._keys(attempt)[0], now).debt += 1.0

    def succeeded(self, attempt: Attempt, now: float) -> None:
        """Note a login: its failures are forgotten; what the attempts cost is not."""
        self._row(Bucket.ACCOUNT, attempt.account, now).failures = 0
        self._failures_of(attempt, now).failures = 0

    def is_void(self, account: str, device: str) -> bool:
        """Say whether a browser has failed so often that it counts as a stranger."""
        row = self._tables[Bucket.DEVICE].rows.get(_device_key(account, device))
        return row is not None and row.failures >= VOID_FAILURES

    def unlock(self, account: str) -> None:
        """Forget what failed logins cost an account, also the codes of its own browsers; void devices stay void."""
        self._tables[Bucket.ACCOUNT].rows.pop(account, None)
        for key in (account, account + _CODE_ALONE):
            self._tables[Bucket.FACTOR].rows.pop(key, None)
        of_devices = self._tables[Bucket.FACTOR_DEVICE].rows
        for key in [key for key in of_devices if key.startswith(_device_key(account, ""))]:
            del of_devices[key]

    def forget(self, address: str, network: str) -> None:
        """Forget what attempts cost a netblock and the network around it."""
        self._tables[Bucket.ADDRESS].rows.pop(address, None)
        self._tables[Bucket.NETWORK].rows.pop(network, None)

    def forget_all(self) -> None:
        """Forget what attempts cost any netblock and network."""
        self._tables[Bucket.ADDRESS].rows.clear()
        self._tables[Bucket.NETWORK].rows.clear()

    def snapshot(self, now: float) -> bytes:
        """Return all debts and failures as they are at `now`, and forget what time has made good."""
        for bucket, table in self._tables.items():
            table.tidy(self.limits[bucket], now)
        rows = {
            bucket: {key: _Saved(row.debt, row.failures, row.name) for key, row in table.rows.items()}
            for bucket, table in self._tables.items()
        }
        return msgspec.msgpack.encode(_Snapshot(_VERSION, rows))

    def load(self, snapshot: bytes, now: float) -> None:
        """Go on where `snapshot` was taken; all that was before is forgotten.

        Args:
            snapshot: What `snapshot` returned.
            now: When that was, on the clock of today: time since then makes good what it always does.

        Raises:
            ValueError: It is no snapshot of this version.
        """
        saved = _DECODER.decode(snapshot)
        if saved.version != _VERSION:
            raise ValueError("a snapshot of another version")
        for bucket, table in self._tables.items():
            table.rows = {
                key: _Row(now, row.debt, row.failures, row.name) for key, row in saved.rows.get(bucket, {}).items()
            }

    def _keys(self, attempt: Attempt) -> tuple[tuple[Bucket, str], ...]:
        """Return where wrong codes of an attempt are counted, and then what it is charged to."""
        if attempt.device:
            key = _device_key(attempt.account, attempt.device)
            return (Bucket.FACTOR_DEVICE, key), (Bucket.DEVICE, key)
        key = self._account_key(attempt)
        return (
            (Bucket.FACTOR, key + _CODE_ALONE if attempt.code_alone else key),  # who has a password never waits for it
            (Bucket.ADDRESS, attempt.address),
            (Bucket.NETWORK, attempt.network),
            (Bucket.ACCOUNT, key),
            (Bucket.EVERYBODY, ""),
        )

    def _is_own(self, attempt: Attempt) -> bool:
        row = self._tables[Bucket.ADDRESS].rows.get(attempt.address)
        return row is not None and 2 * row.debt >= self.limits[Bucket.ADDRESS].burst

    def _wait(self, bucket: Bucket, key: str, now: float) -> float:
        return self._tables[bucket].wait(key, self.limits[bucket], now)

    def _wait_for_others(self, bucket: Bucket, key: str) -> float:
        """Return how long to wait because those under way may all have wrong codes; 0.0 where they leave one."""
        under_way = self._under_way.get(key)
        if under_way is None:
            return 0.0
        row = self._tables[bucket].rows.get(key)
        left = self.limits[bucket].burst - (0.0 if row is None else row.debt)
        return IN_FLIGHT_SECONDS if under_way + 1.0 > left + _ROUNDING else 0.0

    def _failures_of(self, attempt: Attempt, now: float) -> _Row:
        bucket = Bucket.DEVICE if attempt.device else Bucket.ACCOUNT
        return self._row(bucket, dict(self._keys(attempt))[bucket], now)

    def _row(self, bucket: Bucket, key: str, now: float) -> _Row:
        return self._tables[bucket].row(key, self.limits[bucket], now)

    def _account_key(self, attempt: Attempt) -> str:
        """Return the name of an account; `#` and a number, which is no name, for all those that nobody has."""
        if attempt.known:
            return attempt.account
        return f"#{int.from_bytes(self._digest(attempt.account)) % SLOTS}"

    def _digest(self, name: str) -> bytes:
        return hashlib.blake2b(name.encode(errors="replace"), key=self._salt, digest_size=8).digest()


def _device_key(account: str, device: str) -> str:
    return f"{account} {device}"  # no name and no device holds a space
