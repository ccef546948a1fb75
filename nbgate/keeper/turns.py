"""Whether somebody may try to log in now: from where they ask, and as whom, is put into what the throttle counts.

Looks at a device cookie, and at no other credential: what is judged here has cost nothing yet (T01, T06).
"""

from typing import Final

from msgspec import structs

from nbgate.clock import Clock
from nbgate.crypto.devices import verify_device_cookie
from nbgate.errors import CredentialRejected, InputRefused, LoginThrottled
from nbgate.guard.throttle import Attempt
from nbgate.keeper.penalties import KeeperPenalties
from nbgate.keeper.throttle import KeeperThrottle, netblock_of, network_of
from nbgate.model.account import User, parse_user_name

_NO_EPOCH: Final = 0


class Turns:
    """Who may try.

    Args of the constructor:
        throttle: Counts, and says who must wait.
        penalties: Hears of strangers who try although they must wait.
        clock: Says which device cookies are too old.
        device_key: Signs device cookies.
    """

    def __init__(
        self, *, throttle: KeeperThrottle, penalties: KeeperPenalties, clock: Clock, device_key: bytes
    ) -> None:
        self._throttle = throttle
        self._penalties = penalties
        self._clock = clock
        self._device_key = device_key

    def count(
        self, name: str, user: User | None, client: str, device_cookie: str, *, code_alone: bool = False
    ) -> Attempt:
        """Return how an attempt is counted.

        A device cookie costs as much to check where there is no such account.

        Args:
            name: The name that was typed, canonical where it can be somebody's.
            user: Whose it is.
            client: The client's address.
            device_cookie: As it came.
            code_alone: No password was typed.
        """
        epoch = _NO_EPOCH if user is None else user.cred_epoch
        try:
            device = verify_device_cookie(self._device_key, name, device_cookie, self._clock.unix(), epoch)
        except CredentialRejected:
            device = ""
        counted = structs.replace(_attempt(name, user, client, device), code_alone=code_alone)
        return self._throttle.without_void(counted)

    def count_in_session(self, user: User, client: str, label: str) -> Attempt:
        """Return how an attempt of whoever uses the session `label` is counted: as one of a browser of its own."""
        return self._throttle.without_void(_attempt(user.name, user, client, f"session-{label}"))

    def take(self, counted: Attempt, client: str) -> None:
        """Take a turn, which ends with `KeeperThrottle.done`.

        Raises:
            LoginThrottled: There is none now; nothing may be looked at.
        """
        try:
            self._throttle.judge(counted, client, recorded_name(counted.account))
        except LoginThrottled as refused:
            if refused.is_own and not counted.device:  # else strangers could have their victim's whole network refused
                self._penalties.add_login(counted.address)
            raise


def _attempt(name: str, user: User | None, client: str, device: str) -> Attempt:
    address = netblock_of(client)
    known = user is not None
    return Attempt(
        address=address, network=network_of(address), account=name, known=known, device=device if known else ""
    )


def recorded_name(username: str) -> str:
    """Return what may be recorded of a name that somebody typed.

    A name that can be nobody's is recorded as its length only: it may be a password typed into the wrong field, or a
    megabyte of noise (CVE-2026-54338).
    """
    try:
        return parse_user_name(username)
    except InputRefused:
        return f"[{len(username)} chars]"
