from nbgate.model.account import StoredSession
from nbgate.model.session import Role, Scope, Session
from nbgate.web.lists import ROLES, SCOPES, logins_of, session_rows, tokens_of
from nbgate.web.words import moment

NOW = 1_800_000_000.0


def stored(number, *, label="", client="", **changes):
    values = {"user": "ada", "created_unix": NOW - 60, "absolute_unix": NOW + 60} | changes
    session = Session(id=bytes([number]) * 32, **values)
    return StoredSession(session=session, last_seen_unix=NOW, cred_epoch=1, label=label, client=client)


class Keeper:
    """What is open in a session: as many as its id begins with."""

    def channels(self, session_id):
        return session_id[0]


def rows(*sessions, here=b""):
    return session_rows(sessions, Keeper(), lambda unix: moment(unix, NOW), here)


def test_a_login_is_named_by_its_browser_address_and_proof():
    (row,) = rows(stored(1, label="Firefox on Linux", client="192.0.2.7", factors=("password", "totp")))
    assert ("Firefox on Linux", "192.0.2.7", "password and code from a phone") == (row.device, row.client, row.proven)
    assert ("1 minute ago", "just now", "in 1 minute") == (row.since.away, row.seen.away, row.until.away)
    assert ("010101010101", "1 notebook or terminal", False) == (row.id, row.notebooks, row.is_here)


def test_what_is_not_known_is_said_to_be_so():
    login, token = rows(stored(0, factors=("badge",)), stored(2, scope=Scope.ALL))
    assert ("An unknown browser", "unknown", "badge", "nothing") == (
        login.device,
        login.client,
        login.proven,
        login.notebooks,
    )
    assert ("A token without a name", "everything you may do") == (token.device, token.proven)


def test_tokens_and_logins_are_kept_apart_and_the_one_that_asks_is_first():
    made = rows(stored(1), stored(2, scope=Scope.READ, routes=("/lab1/",)), stored(3), here=b"\3" * 32)
    assert ["030303030303", "010101010101"] == [row.id for row in logins_of(made)]
    (token,) = tokens_of(made)
    assert (("/lab1/",), "read notebooks and files") == (token.routes, token.proven)


def test_every_role_and_every_scope_of_a_token_has_words():
    assert set(Role) == set(ROLES)
    assert set(Scope) - {Scope.LOGIN} == set(SCOPES)
