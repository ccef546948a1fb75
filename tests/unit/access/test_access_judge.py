import msgspec
import pytest

from nbgate.access.judge import judge_access, judge_token
from nbgate.model.route import Route, Upstream
from nbgate.model.session import Role, Scope, Session
from nbgate.reasons import Reason

LAB = Route(name="lab", prefix="/lab/", upstream=Upstream(host="127.0.0.1", port=8888))
OURS = Route(name="ours", prefix="/ours/", upstream=Upstream(host="127.0.0.1", port=8889), allowed=("ada", "bob"))
LOGIN = Session(id=bytes(32), user="ada", created_unix=0.0, absolute_unix=1.0, role=Role.EDITOR)
TOKEN = Session(
    id=bytes(32), user="ada", created_unix=0.0, absolute_unix=1.0, role=Role.EDITOR, factors=(), scope=Scope.ALL
)

READS = ["GET", "HEAD"]
REST = ["OPTIONS", "POST", "PUT", "PATCH", "DELETE", "socket", "effect"]
EVERYTHING = READS + REST


def judge(
    what: str, session: Session = LOGIN, *, route: Route = LAB, factors: frozenset[str] = frozenset(), **changes: object
) -> Reason | None:
    return judge_access(
        msgspec.structs.replace(session, **changes),
        route,
        method="GET" if what in {"socket", "effect"} else what,
        websocket=what == "socket",
        has_effect=what == "effect",
        second_factor_roles=factors,
    )


@pytest.mark.parametrize("what", EVERYTHING)
@pytest.mark.parametrize("role", [Role.OWNER, Role.EDITOR])
@pytest.mark.parametrize("session", [LOGIN, TOKEN])
def test_owners_and_editors_and_their_tokens_work(what: str, role: Role, session: Session) -> None:
    assert judge(what, session, role=role) is None


@pytest.mark.parametrize("what", EVERYTHING)
@pytest.mark.parametrize("session", [LOGIN, TOKEN])
def test_a_viewer_reads_and_nothing_else(what: str, session: Session) -> None:
    assert (None if what in READS else Reason.ROLE) is judge(what, session, role=Role.VIEWER)


@pytest.mark.parametrize("what", EVERYTHING)
@pytest.mark.parametrize("session", [LOGIN, TOKEN])
def test_an_auditor_opens_no_notebooks(what: str, session: Session) -> None:
    assert Reason.ROLE is judge(what, session, role=Role.AUDITOR)


@pytest.mark.parametrize("what", EVERYTHING)
@pytest.mark.parametrize(
    ("scope", "good"),
    [
        (Scope.READ, READS),
        (Scope.EXECUTE, EVERYTHING),
        (Scope.ALL, EVERYTHING),
        (Scope.ROUTES_ADMIN, []),
    ],
)
@pytest.mark.parametrize("role", [Role.OWNER, Role.EDITOR])
def test_a_token_does_what_it_was_made_for(what: str, scope: Scope, good: list[str], role: Role) -> None:
    assert (None if what in good else Reason.TOKEN_SCOPE) is judge(what, TOKEN, scope=scope, role=role)


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ((), None),
        (("/lab/",), None),
        (("/x/", "/lab/"), None),
        (("/",), Reason.TOKEN_SCOPE),
        (("/la/",), Reason.TOKEN_SCOPE),
        (("/ours/",), Reason.TOKEN_SCOPE),
    ],
)
def test_a_token_is_good_for_its_routes(routes: tuple[str, ...], expected: Reason | None) -> None:
    assert expected is judge("GET", TOKEN, routes=routes)


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("session", [LOGIN, TOKEN])
@pytest.mark.parametrize("what", EVERYTHING)
def test_who_is_not_on_the_list_is_out_whatever_the_role(role: Role, session: Session, what: str) -> None:
    assert Reason.NOT_ALLOWED is judge(what, session, route=OURS, user="eve", role=role)
    assert Reason.NOT_ALLOWED is not judge(what, session, route=OURS, user="bob", role=role)


@pytest.mark.parametrize(
    ("factors", "role", "expected"),
    [
        (("password",), Role.OWNER, Reason.SECOND_FACTOR_REQUIRED),
        (("login-link",), Role.OWNER, Reason.SECOND_FACTOR_REQUIRED),
        (("password", "totp"), Role.OWNER, None),
        (("password", "recovery"), Role.OWNER, None),
        (("totp",), Role.OWNER, None),
        (("password",), Role.EDITOR, None),
    ],
)
def test_a_role_that_needs_a_second_factor_gets_nowhere_without(
    factors: tuple[str, ...], role: Role, expected: Reason | None
) -> None:
    for what in EVERYTHING:
        session = msgspec.structs.replace(LOGIN, factors=factors)
        assert expected is judge(what, session, role=role, factors=frozenset({"owner", "viewer"}))


def test_a_token_was_made_by_who_had_to_prove_it() -> None:
    assert judge("POST", TOKEN, factors=frozenset({"editor"})) is None


def test_the_role_is_judged_before_the_second_factor() -> None:
    """Who may not do it anyway is not sent to set one up."""
    assert Reason.ROLE is judge("POST", role=Role.VIEWER, factors=frozenset({"viewer"}))
    assert Reason.SECOND_FACTOR_REQUIRED is judge("GET", role=Role.VIEWER, factors=frozenset({"viewer"}))


def test_a_token_for_a_prefix_is_not_good_for_the_same_one_of_another_host() -> None:
    lab = msgspec.structs.replace(LAB, host="lab1.example.org")
    assert Reason.TOKEN_SCOPE is judge("GET", TOKEN, route=lab, routes=("/lab/",))
    assert judge("GET", TOKEN, route=lab, routes=("lab1.example.org/lab/",)) is None
    assert Reason.TOKEN_SCOPE is judge("GET", TOKEN, routes=("lab1.example.org/lab/",))
    assert judge("GET", TOKEN, route=lab) is None


SESSION, ROUTES = ("_nbgate", "api", "session"), ("_nbgate", "api", "routes")


@pytest.mark.parametrize(
    ("own", "method", "scopes"),
    [
        (SESSION, "GET", {Scope.READ, Scope.EXECUTE, Scope.ROUTES_ADMIN, Scope.ALL}),
        (SESSION, "HEAD", set()),
        (SESSION, "DELETE", set()),
        *((ROUTES, method, {Scope.ROUTES_ADMIN, Scope.ALL}) for method in ("GET", "POST", "DELETE", "PUT")),
        ((*ROUTES, ""), "GET", set()),
        ((*ROUTES, "x"), "POST", set()),
        (ROUTES[:2], "GET", set()),
        (("_nbgate", "admin"), "GET", set()),
        ((), "GET", set()),
    ],
)
def test_what_a_token_opens_of_ours(own: tuple[str, ...], method: str, scopes: set[Scope]) -> None:
    for scope in set(Scope) - {Scope.LOGIN}:
        token = msgspec.structs.replace(TOKEN, scope=scope, role=Role.OWNER)
        assert (None if scope in scopes else Reason.TOKEN_SCOPE) is judge_token(token, own, method)


@pytest.mark.parametrize("scope", [Scope.ALL, Scope.ROUTES_ADMIN])
@pytest.mark.parametrize(
    ("role", "routes", "expected"),
    [
        (Role.OWNER, (), None),
        (Role.OWNER, ("/lab/",), Reason.TOKEN_SCOPE),
        (Role.EDITOR, (), Reason.ROLE),
        (Role.VIEWER, (), Reason.ROLE),
        (Role.AUDITOR, (), Reason.ROLE),
        (Role.EDITOR, ("/lab/",), Reason.TOKEN_SCOPE),
    ],
)
def test_routes_are_changed_by_owners_tokens_that_are_good_for_all(
    scope: Scope, role: Role, routes: tuple[str, ...], expected: Reason | None
) -> None:
    token = msgspec.structs.replace(TOKEN, scope=scope, role=role, routes=routes)
    assert expected is judge_token(token, ROUTES, "POST")
    assert judge_token(token, SESSION, "GET") is None
