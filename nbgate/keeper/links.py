"""Links that log somebody in once, made by an operator for whoever lost a second factor or is kept out by a stranger.

In memory only, as digests, for ten minutes: a keeper that is started anew knows none. Logs nobody in itself.
"""

import hmac
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from nbgate.audit.events import LoginLink
from nbgate.clock import Clock
from nbgate.crypto.tokens import TOKEN_BYTES, new_session_token, parse_session_token
from nbgate.keeper.account_changes import AccountError, unknown_account
from nbgate.keeper.audit import AuditLog
from nbgate.model.account import User, parse_user_name
from nbgate.model.session import Session
from nbgate.ports import StoreRunner, UserStore

LIFE_SECONDS: Final = 600.0
LINK_FACTOR: Final = "login-link"  # what a session that began with one has proven
MAX_LINKS: Final = 256  # past it the oldest is void


class _Link(Struct, frozen=True):
    """Whom a link logs in, and until when."""

    digest: bytes
    user: str
    created_unix: float  # of the account: another one may have the name by then
    until_monotonic: float


class LoginLinks:
    """The links of one gateway; a person has one at a time.

    Args of the constructor:
        users: The accounts.
        in_store: Runs a call of `users` where the store is used.
        audit: Where each link is recorded when it is made.
        clock: Its monotonic time decides how old a link is.
        random_bytes: Returns that many random bytes.
    """

    def __init__(
        self,
        *,
        users: UserStore,
        in_store: StoreRunner,
        audit: AuditLog,
        clock: Clock,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._users = users
        self._in_store = in_store
        self._audit = audit
        self._clock = clock
        self._random = random_bytes
        self._links: dict[str, _Link] = {}

    async def make(self, user: str, actor: str) -> str:
        """Return the token of a new link, which takes the place of the person's older one.

        Raises:
            InputRefused: That is no user name.
            AccountError: There is no such account (404), or it is disabled (409).
            AuditError: It could not be recorded; there is no link.
        """
        name = parse_user_name(user)
        account = await self._in_store(self._users.get, name)
        if account is None:
            raise unknown_account(name)
        if account.disabled:
            raise AccountError(409, f"the user {name} is disabled", f"type nbgate user enable {name} first")
        await self._audit.append_durable(LoginLink(**self._audit.stamp(), target_user=name, actor=actor))
        token = new_session_token(self._random(TOKEN_BYTES))
        digest = parse_session_token(token)
        assert digest is not None  # noqa: S101 - it was made one line above
        self._links.pop(name, None)
        self._links[name] = _Link(digest, name, account.created_unix, self._clock.monotonic() + LIFE_SECONDS)
        if len(self._links) > MAX_LINKS:
            del self._links[next(iter(self._links))]
        return token

    def require(self, token: str) -> str:
        """Return whom `token` would log in now.

        Raises:
            AccountError: Nobody (410): it is used, too old, or was never made; which of them is nobody's business.
        """
        return self._find(token).user

    def is_for(self, account: User) -> bool:
        """Say whether the link that names this account was made for it."""
        link = self._links.get(account.name)
        return link is not None and link.created_unix == account.created_unix

    def take(self, token: str) -> Callable[[], None]:
        """Make the link void, and return what makes it good again where the login comes to nothing.

        Raises:
            AccountError: As `require`.
        """
        link = self._find(token)
        del self._links[link.user]

        def put_back() -> None:
            self._links.setdefault(link.user, link)

        return put_back

    def void_all(self) -> None:
        """Make every link void."""
        self._links.clear()

    def _find(self, token: str) -> _Link:
        offered = parse_session_token(token)
        now = self._clock.monotonic()
        self._links = {user: link for user, link in self._links.items() if link.until_monotonic > now}
        found = [link for link in self._links.values() if offered and hmac.compare_digest(link.digest, offered)]
        if not found:
            raise AccountError(
                410,
                "this link logs in once and for 10 minutes, and is over",
                "ask whoever runs this gateway for a new one",
            )
        return found[0]


def is_fresh_from_link(session: Session, now_unix: float) -> bool:
    """Say whether a session began with a link, no longer ago than the link would have been good."""
    return session.factors == (LINK_FACTOR,) and 0 <= now_unix - session.created_unix < LIFE_SECONDS
