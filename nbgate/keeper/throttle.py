"""How many logins may be tried, over restarts and in the records: the shell around `nbgate.guard.throttle`.

What is refused is recorded at once and then once a minute for each bucket with a count; past `MAX_TOLD` buckets of a
kind the rest of them is one sum. Decides nothing, and looks at no credential.
"""

import asyncio
from collections.abc import Callable
from ipaddress import ip_network
from typing import Final

import msgspec
import structlog
from msgspec import Struct, structs

from nbgate.audit.events import AuthThrottled, Unlocked
from nbgate.clock import Clock
from nbgate.config.schema import Throttle as Options
from nbgate.errors import LoginThrottled
from nbgate.guard.throttle import Attempt, Bucket, Limits, Rate, Refusal, Throttle
from nbgate.keeper.audit import AuditLog
from nbgate.model.client import make_client
from nbgate.ports import StoreRunner, ValueStore

VALUE: Final = "throttle"
SMALL_BYTES: Final = 64 << 10
RARELY_SECONDS: Final = 30.0
MAX_TOLD: Final = 32
MINUTE_SECONDS: Final = 60.0
_REST: Final = " "  # no key of a bucket: all those past `MAX_TOLD`
_log = structlog.get_logger("nbgate.keeper")


class ThrottleParts(Struct, frozen=True, kw_only=True):
    """What `KeeperThrottle` works with.

    Attributes:
        limits: The options in force.
        salt: A secret of this gateway, the same after a restart.
    """

    values: ValueStore
    in_store: StoreRunner
    audit: AuditLog
    clock: Clock
    limits: Callable[[], Options]
    salt: bytes


class _Saved(Struct, frozen=True, array_like=True):
    """A snapshot and when it was taken, by both clocks."""

    unix: float
    monotonic: float
    snapshot: bytes


class _Sum(Struct):
    """Refusals of one bucket that are not recorded yet; `client` and `user` of the last one."""

    began: float
    client: str = ""
    user: str = ""
    count: int = 0


_DECODER: Final = msgspec.msgpack.Decoder(_Saved)


class KeeperThrottle:
    """All login buckets of one gateway."""

    def __init__(self, parts: ThrottleParts) -> None:
        self._parts = parts
        self._throttle = Throttle(limits_of(parts.limits()), salt=parts.salt)
        self._sums: dict[tuple[Bucket, str], _Sum] = {}
        self._store_from = 0.0
        self._changed = asyncio.Event()  # what is not stored yet

    def without_void(self, attempt: Attempt) -> Attempt:
        """Return an attempt as it is to be judged: a browser that has failed too often is a stranger."""
        is_void = attempt.device and self._throttle.is_void(attempt.account, attempt.device)
        return structs.replace(attempt, device="") if is_void else attempt

    def judge(self, attempt: Attempt, client: str, user: str) -> None:
        """Charge an attempt; from then on it is under way until `done`.

        Args:
            attempt: The attempt, as `without_void` gives it.
            client: The client's address, for the record.
            user: What may be recorded of the name that was typed.

        Raises:
            LoginThrottled: It must wait; nothing of it may be looked at, and it is not under way.
        """
        now = self._parts.clock.monotonic()
        self._changed.set()  # whatever comes of it
        self._throttle.limits = limits_of(self._parts.limits())
        refusal = self._throttle.judge(attempt, now)
        if refusal is not None:
            self._count(refusal, client, user, now)
            raise LoginThrottled(refusal.seconds, is_own=refusal.is_own)

    def done(self, attempt: Attempt) -> None:
        """Count an attempt as under way no more."""
        self._throttle.done(attempt)

    def failed(self, attempt: Attempt) -> None:
        """Note that the credential was no one's."""
        self._throttle.failed(attempt, self._parts.clock.monotonic())

    def wrong_code(self, attempt: Attempt) -> None:
        """Note that everything but the second factor was right."""
        self._throttle.wrong_code(attempt, self._parts.clock.monotonic())

    def succeeded(self, attempt: Attempt) -> None:
        """Note a login."""
        self._throttle.succeeded(attempt, self._parts.clock.monotonic())

    async def unlock(self, user: str, actor: str) -> None:
        """Forget what failed logins cost an account.

        Raises:
            AuditError: It could not be recorded; it is forgotten all the same.
        """
        self._throttle.unlock(user)
        self._changed.set()
        await self._parts.audit.append_durable(Unlocked(**self._parts.audit.stamp(), target_user=user, actor=actor))

    def forget(self, netblock: str | None) -> None:
        """Forget what attempts cost a netblock and the network around it; None: any of them."""
        self._changed.set()
        if netblock is None:
            self._throttle.forget_all()
        else:
            self._throttle.forget(netblock, network_of(netblock))

    async def load(self) -> None:
        """Go on where the keeper before this one was; a restart gives back what time has given and no more."""
        value = await self._parts.in_store(self._parts.values.get, VALUE)
        if value is None:
            return
        now = self._parts.clock.monotonic()
        try:
            saved = _DECODER.decode(value)
            self._throttle.load(saved.snapshot, now - self._since(saved))
        except ValueError:  # of another version of nbgate
            _log.warning("the counts of failed logins cannot be read and begin anew")

    async def store_changes(self) -> None:
        """Wait until there is something to store, and store it if it is time."""
        await self._changed.wait()
        await self.store()

    async def store(self, *, is_last: bool = False) -> None:
        """Write down how the buckets are, if they have changed.

        A large snapshot, as a flood makes it, is written every `RARELY_SECONDS` at most; a small one each time, so that
        whoever can make a keeper fail again and again does not begin anew with it.

        Args:
            is_last: The keeper ends: write it however large it is.
        """
        clock = self._parts.clock
        now = clock.monotonic()
        if not self._changed.is_set() or (now < self._store_from and not is_last):
            return
        self._changed.clear()
        value = msgspec.msgpack.encode(_Saved(clock.unix(), now, self._throttle.snapshot(now)))
        self._store_from = now + (RARELY_SECONDS if len(value) > SMALL_BYTES else 0.0)
        try:
            await self._parts.in_store(self._parts.values.put, VALUE, value)
        except BaseException:
            self._changed.set()
            raise

    def tell(self) -> None:
        """Record the sums of the minutes that are over."""
        now = self._parts.clock.monotonic()
        for key, each in list(self._sums.items()):
            if now - each.began < MINUTE_SECONDS:
                continue
            if each.count:
                self._record(key[0], each.client, each.user, each.count)
                each.began, each.count = now, 0
            else:
                del self._sums[key]

    def _since(self, saved: _Saved) -> float:
        """Return how long ago `saved` was; where the clocks differ, the shorter: neither may give what time did not.

        Monotonic time begins anew with the machine: then only the wall clock knows.
        """
        wall = max(self._parts.clock.unix() - saved.unix, 0.0)
        monotonic = self._parts.clock.monotonic() - saved.monotonic
        return wall if monotonic < 0 else min(wall, monotonic)

    def _count(self, refusal: Refusal, client: str, user: str, now: float) -> None:
        key = refusal.bucket, refusal.key
        if key not in self._sums and sum(bucket is refusal.bucket for bucket, _ in self._sums) >= MAX_TOLD:
            key, client, user = (refusal.bucket, _REST), "", ""
        known = self._sums.get(key)
        if known is None:
            self._sums[key] = _Sum(now)
            self._record(refusal.bucket, client, user, 1)
        else:
            known.client, known.user = client, user
            known.count += 1

    def _record(self, bucket: Bucket, client: str, user: str, count: int) -> None:
        audit = self._parts.audit
        audit.append(
            AuthThrottled(
                **audit.stamp(),
                outcome="failure",
                bucket=bucket.value,
                client_ip=client,
                user=user,
                count=count,
            )
        )


def limits_of(options: Options) -> Limits:
    """Return what each bucket gives."""
    return {
        Bucket.ADDRESS: Rate(options.address_burst, options.address_seconds),
        Bucket.NETWORK: Rate(options.network_burst, options.network_seconds),
        Bucket.ACCOUNT: Rate(options.account_burst, options.account_seconds),
        Bucket.DEVICE: Rate(options.device_burst, options.device_seconds),
        Bucket.FACTOR: Rate(options.factor_burst, options.factor_seconds),
        Bucket.FACTOR_DEVICE: Rate(options.factor_burst, options.factor_device_seconds),
        Bucket.EVERYBODY: Rate(options.global_burst, 1.0 / options.global_per_second),
    }


def netblock_of(client: str) -> str:
    """Return the netblock of an address; who names none is a program on the private socket, and all of them are one."""
    try:
        return make_client(client, 0).netblock
    except ValueError:
        return ""


def network_of(netblock: str) -> str:
    """Return the /24 or /56 around a netblock; "" for what is none."""
    try:
        network = ip_network(netblock)
    except ValueError:
        return ""
    return str(network.supernet(new_prefix=24 if network.version == 4 else 56))
