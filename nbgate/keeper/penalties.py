"""Who is refused for a while: adds up what the workers report, tells them all, and records each penalty once.

What an offence costs is said by the rules and not by the worker, which reads what strangers send. Kept in memory: a
keeper that is started anew begins without penalties, and refuses nobody it cannot account for.
"""

from collections.abc import Callable, Iterable
from ipaddress import ip_network

from nbgate.audit.events import Penalised
from nbgate.clock import Clock
from nbgate.config.schema import Config
from nbgate.errors import LinkError
from nbgate.guard.penalties import PenaltyLimits, PenaltyTable
from nbgate.http.forwarded import Networks, parse_networks
from nbgate.keeper.audit import AuditLog
from nbgate.link.messages import Message, PenaltiesPut
from nbgate.model.penalty import Offence, Penalty
from nbgate.model.rule import Action, Rules


class KeeperPenalties:
    """All penalties of one gateway.

    Args of the constructor:
        tell: Sends a message to every worker.
    """

    def __init__(self, audit: AuditLog, clock: Clock, tell: Callable[[Message], None]) -> None:
        self._audit = audit
        self._clock = clock
        self._tell = tell
        self._table = PenaltyTable(PenaltyLimits(threshold_seconds=0.0, longest_seconds=0.0, netblocks=0))
        self._seconds: dict[str, float] = {}
        self._hops: Networks = ()

    def use(self, config: Config, rules: Rules) -> None:
        """Judge by this configuration from now on; penalties that are in force stay."""
        options = config.penalties
        self._table.limits = PenaltyLimits(
            threshold_seconds=options.threshold_seconds,
            longest_seconds=options.longest_seconds,
            netblocks=options.netblocks,
        )
        self._seconds = {rule.id: rule.seconds for rule in rules.rules if rule.action is Action.PENALISE}
        self._hops = parse_networks(config.trusted_proxies)

    def take(self, offences: Iterable[Offence]) -> None:
        """Add up what a worker reports.

        A rule that is no longer in force costs nothing, and a trusted hop is never refused: it speaks for others.

        Raises:
            LinkError: One is about something that is no netblock.
        """
        now = self._clock.monotonic()
        changed = {}
        for offence in offences:
            if self._is_trusted(offence.netblock):
                continue
            seconds = self._seconds.get(offence.rule, 0.0) * offence.count
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

    def refused(self) -> tuple[Penalty, ...]:
        """Return every penalty in force."""
        return _penalties(self._table.refused(self._clock.monotonic()))

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


def _penalties(refused: dict[str, float]) -> tuple[Penalty, ...]:
    return tuple(Penalty(netblock, until) for netblock, until in refused.items())
