"""Who is refused for a while: adds up what the workers report, tells them all, and records each penalty once.

What an offence costs is said by the rules and not by the worker, which reads what strangers send; what a login costs
that is tried although it must wait, by an option. Kept in memory: a keeper that is started anew begins without
penalties, and refuses nobody it cannot account for.
"""

from collections.abc import Callable, Iterable
from ipaddress import ip_network
from typing import Final

from msgspec import UNSET

from nbgate.audit.events import Penalised, Unlocked
from nbgate.clock import Clock
from nbgate.config.schema import Config
from nbgate.errors import InputRefused, LinkError
from nbgate.guard.penalties import PenaltyLimits, PenaltyTable
from nbgate.http.forwarded import Networks, parse_networks
from nbgate.keeper.audit import AuditLog
from nbgate.link.messages import Message, PenaltiesPut
from nbgate.model.client import make_client
from nbgate.model.penalty import Offence, Penalty
from nbgate.model.rule import Action, Rules

LOGIN: Final = "login"  # in place of a rule: a login that was tried although it must wait


class KeeperPenalties:
    """All penalties of one gateway.

    Args of the constructor:
        tell: Sends a message to every worker.

    Attributes:
        on_cleared: Called with the netblock whose penalties an operator cleared, None for all.
    """

    def __init__(self, audit: AuditLog, clock: Clock, tell: Callable[[Message], None]) -> None:
        self._audit = audit
        self._clock = clock
        self._tell = tell
        self._table = PenaltyTable(PenaltyLimits(threshold_seconds=0.0, longest_seconds=0.0, netblocks=0))
        self._seconds: dict[str, float] = {}
        self._login_seconds = 0.0
        self._hops: Networks = ()
        self.on_cleared: Callable[[str | None], None] = lambda _netblock: None

    def use(self, config: Config, rules: Rules) -> None:
        """Judge by this configuration from now on; penalties that are in force stay."""
        options = config.penalties
        self._table.limits = PenaltyLimits(
            threshold_seconds=options.threshold_seconds,
            longest_seconds=options.longest_seconds,
            netblocks=options.netblocks,
        )
        self._seconds = {rule.id: rule.seconds for rule in rules.rules if rule.action is Action.PENALISE}
        self._login_seconds = options.login_seconds
        self._hops = parse_networks(config.trusted_proxies)

    def take(self, offences: Iterable[Offence]) -> None:
        """Add up what a worker reports.

        A rule that is no longer in force costs nothing, and a trusted hop is never refused: it speaks for others.

        Raises:
            LinkError: One is about something that is no netblock.
        """
        costs = ((offence, self._seconds.get(offence.rule, 0.0) * offence.count) for offence in offences)
        self._add((offence, seconds) for offence, seconds in costs if not self._is_trusted(offence.netblock))

    def add_login(self, netblock: str) -> None:
        """Add up a login that was tried although it must wait; whose netblock nobody knows is not refused for it."""
        if netblock and not self._is_trusted(netblock):
            self._add([(Offence(netblock, LOGIN), self._login_seconds)])

    def shown(self) -> tuple[Penalty, ...]:
        """Return every penalty in force, the one that ends last first."""
        return tuple(sorted(self.refused(), key=lambda penalty: (-penalty.until_monotonic, penalty.netblock)))

    async def clear(self, netblock: str | None, actor: str) -> int:
        """Forget what a netblock has to its name, or all of them; return how many are refused no more.

        Args:
            netblock: An IP address or a netblock; None for all.
            actor: Who says so.

        Raises:
            InputRefused: `netblock` is neither.
            AuditError: It could not be recorded; they are refused no more all the same.
        """
        cleared = None if netblock is None else _parse_netblock(netblock)
        refused = self._table.refused(self._clock.monotonic())
        freed = [known for known in self._table.clear(cleared) if known in refused]
        if freed:
            self._tell(PenaltiesPut(penalties=_penalties(dict.fromkeys(freed, 0.0))))
        self.on_cleared(cleared)
        stamp = self._audit.stamp()
        await self._audit.append_durable(Unlocked(**stamp, netblock=UNSET if cleared is None else cleared, actor=actor))
        return len(freed)

    def refused(self) -> tuple[Penalty, ...]:
        """Return every penalty in force."""
        return _penalties(self._table.refused(self._clock.monotonic()))

    def _add(self, costs: Iterable[tuple[Offence, float]]) -> None:
        now = self._clock.monotonic()
        changed = {}
        for offence, seconds in costs:
            if seconds <= 0:
                continue
            takes_force = self._table.add(offence.netblock, seconds, now)
            until = self._table.refused_until(offence.netblock, now)
            if until is not None:
                changed[offence.netblock] = until
                if takes_force:
                    self._record(offence, until - now)
        if changed:
            self._tell(PenaltiesPut(penalties=_penalties(changed)))

    def _is_trusted(self, netblock: str) -> bool:
        try:
            network = ip_network(netblock)
        except ValueError as error:
            raise LinkError("an offence of something that is no netblock") from error
        return any(network.version == hop.version and network.overlaps(hop) for hop in self._hops)

    def _record(self, offence: Offence, seconds: float) -> None:
        self._audit.append(
            Penalised(
                **self._audit.stamp(), netblock=offence.netblock, rule=offence.rule, duration_ns=int(seconds * 1e9)
            )
        )


def _parse_netblock(text: str) -> str:
    try:
        netblock = make_client(text.partition("/")[0], 0).netblock
    except ValueError:
        netblock = ""
    if not netblock or ("/" in text and text != netblock):
        raise InputRefused("this is no netblock", hint="name an IP address, or what nbgate penalties list shows")
    return netblock


def _penalties(refused: dict[str, float]) -> tuple[Penalty, ...]:
    return tuple(Penalty(netblock, until) for netblock, until in refused.items())
