"""What one look at a server concludes, whose credential it is shown, and where it is looked for."""

import pytest
from msgspec import structs

from nbgate.errors import StartError
from nbgate.keeper.hints import BY_FLAGS, BY_REQUEST, BY_TABLE
from nbgate.keeper.password_login import LoginAnswer
from nbgate.keeper.probe import MARIMO, UNNAMED, Credential, Finding, Guard
from nbgate.keeper.upstreams import (
    HINT_WHEN_STRANGE,
    NOWHERE,
    Look,
    Watched,
    look,
    resolve_name,
    within_reach,
)
from nbgate.model.route import Condition, Upstream, UpstreamTls
from nbgate.testing.keeper_parts import PASSWORD, TOKEN, FakeUpstream, runtime_file

HERE = Upstream(host="127.0.0.1", port=8888)
OURS = Credential(token=TOKEN)
GUARDED = Look(condition=Condition.GUARDED, base_url="/", credential=OURS, product="JupyterLab", upstream=HERE)
NO_TOKEN = (runtime_file(token=""),)
LOGIN = FakeUpstream().login.credential


def watched(**changes):
    values = {"upstream": HERE, "base_url": "", "allow_open": False}
    return Watched(**(values | changes))


def at(condition):
    return Look(condition=condition, base_url="/", upstream=HERE)


def make(**changes):
    upstream = FakeUpstream()
    for name, value in changes.items():
        setattr(upstream, name, value)
    return upstream


@pytest.mark.parametrize(
    ("upstream", "what", "condition", "token", "base_url"),
    [
        (make(), watched(), Condition.GUARDED, TOKEN, "/"),
        (make(guard=Finding(Guard.DOWN)), watched(), Condition.DOWN, "", "/"),
        (make(guard=Finding(Guard.SILENT)), watched(), Condition.DOWN, "", "/"),
        (make(guard=Finding(Guard.FOREIGN, uid=1)), watched(), Condition.FOREIGN, "", "/"),
        (make(guard=Finding(Guard.OPEN, 200)), watched(), Condition.OPEN, "", "/"),
        (make(guard=Finding(Guard.OPEN, 200)), watched(allow_open=True), Condition.OPEN_ALLOWED, "", "/"),
        (make(servers=()), watched(), Condition.TOKEN_UNKNOWN, "", "/"),
        (make(servers=(runtime_file(token=""),)), watched(), Condition.TOKEN_UNKNOWN, "", "/"),
        (make(token="other"), watched(), Condition.TOKEN_UNKNOWN, "", "/"),
        (make(servers=(runtime_file(base_url="/jl/"),)), watched(), Condition.GUARDED, TOKEN, "/jl/"),
        (make(servers=(runtime_file(base_url="/jl/"),)), watched(base_url="/x/"), Condition.GUARDED, TOKEN, "/x/"),
        (make(servers=(runtime_file(token="old"), runtime_file())), watched(), Condition.GUARDED, TOKEN, "/"),
        (make(servers=(), named_token=TOKEN), watched(), Condition.GUARDED, TOKEN, "/"),
        (make(named_token="wrong"), watched(), Condition.GUARDED, TOKEN, "/"),  # one file, several servers
        (make(named_token="wrong", servers=()), watched(), Condition.TOKEN_UNKNOWN, "", "/"),
        (make(with_credential=Finding(Guard.SILENT)), watched(), Condition.TOKEN_UNKNOWN, "", "/"),
        (make(with_credential=Finding(Guard.FOREIGN, uid=1)), watched(), Condition.FOREIGN, "", "/"),
    ],
)
async def test_what_a_look_concludes(upstream, what, condition, token, base_url):
    found = await look(what, upstream.eyes(), None)
    assert (condition, token, base_url) == (found.condition, found.credential.token, found.base_url)
    assert upstream.asked == [base_url]
    assert upstream.logins == []


@pytest.mark.parametrize(
    ("upstream", "condition", "credential", "hint"),
    [
        (make(servers=NO_TOKEN, named_password=PASSWORD), Condition.GUARDED, LOGIN, ""),
        (make(servers=(), named_password=PASSWORD), Condition.GUARDED, LOGIN, ""),
        (make(named_password="wrong"), Condition.GUARDED, OURS, ""),
        (make(servers=NO_TOKEN, named_password="wrong"), Condition.TOKEN_UNKNOWN, Credential(), BY_FLAGS.refused),
        (make(servers=NO_TOKEN), Condition.TOKEN_UNKNOWN, Credential(), BY_FLAGS.password),
        (
            make(servers=NO_TOKEN, named_password=PASSWORD, login=LoginAnswer(Guard.SILENT)),
            Condition.DOWN,
            Credential(),
            "",
        ),
        (
            make(servers=NO_TOKEN, named_password=PASSWORD, login=LoginAnswer(Guard.DOWN)),
            Condition.DOWN,
            Credential(),
            "",
        ),
    ],
)
async def test_a_server_with_a_password_is_logged_in_at(upstream, condition, credential, hint):
    found = await look(watched(), upstream.eyes(), None)
    assert (condition, credential, hint) == (found.condition, found.credential, found.hint)


async def test_a_login_is_kept_while_it_opens_and_made_anew_when_not():
    upstream = make(servers=NO_TOKEN, named_password=PASSWORD)
    before = await look(watched(), upstream.eyes(), None)
    assert before == await look(watched(), upstream.eyes(), before)
    assert [PASSWORD] == upstream.logins
    newer = Credential(cookie="username-x=9; _xsrf=2", xsrf="2")
    upstream.login = LoginAnswer(Guard.OPEN, newer)
    assert newer == (await look(watched(), upstream.eyes(), before)).credential
    assert [PASSWORD] * 2 == upstream.logins


async def test_a_stranger_in_the_servers_place_at_the_login_is_foreign():
    upstream = make(servers=NO_TOKEN, named_password=PASSWORD, login=LoginAnswer(Guard.FOREIGN))
    assert Condition.FOREIGN == (await look(watched(), upstream.eyes(), None)).condition


async def test_what_a_server_is_called_is_asked_once_until_it_goes():
    upstream = make()
    asked = []

    async def product(_upstream, base_url):
        asked.append(base_url)
        return "JupyterLab"

    eyes = structs.replace(upstream.eyes(), product=product)
    before = await look(watched(), eyes, None)
    before = await look(watched(), eyes, before)
    upstream.guard = Finding(Guard.DOWN)
    gone = await look(watched(), eyes, before)
    upstream.guard = Finding(Guard.GUARDED)
    await look(watched(), eyes, gone)
    assert (["/"] * 2, "JupyterLab", UNNAMED) == (asked, before.product, gone.product)


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (GUARDED, GUARDED),
        (at(Condition.OPEN_ALLOWED), at(Condition.OPEN_ALLOWED)),
        (at(Condition.OPEN), at(Condition.DOWN)),
    ],
)
async def test_a_server_that_is_only_slow_stays_what_it_was(before, expected):
    assert expected == await look(watched(), make(guard=Finding(Guard.SILENT)).eyes(), before)


async def test_a_known_token_that_gets_no_answer_stays_known():
    upstream = make(with_credential=Finding(Guard.SILENT))
    assert GUARDED == await look(watched(), upstream.eyes(), GUARDED)


async def test_the_base_url_of_a_server_that_went_down_is_remembered():
    upstream = make(servers=(), guard=Finding(Guard.DOWN))
    before = Look(condition=Condition.GUARDED, base_url="/jl/", credential=OURS, upstream=HERE)
    assert "/jl/" == (await look(watched(), upstream.eyes(), before)).base_url


@pytest.mark.parametrize("hints", [BY_FLAGS, BY_TABLE, BY_REQUEST])
async def test_hints_say_what_to_do_in_the_words_of_how_it_was_named(hints):
    upstreams = {
        "open": make(guard=Finding(Guard.OPEN, 200)),
        "lost": make(guard=Finding(Guard.OPEN, 404)),
        "unknown": make(servers=()),
        "password": make(servers=NO_TOKEN),
        "refused": make(servers=NO_TOKEN, named_password="wrong"),
    }
    told = {name: (await look(watched(hints=hints), each.eyes(), None)).hint for name, each in upstreams.items()}
    assert structs.asdict(hints) == told


@pytest.mark.parametrize(
    ("uid", "said", "option"),
    [
        (0, "belongs to root (uid 0)", "root"),
        (4_000_000, "belongs to uid 4000000", "'*'"),
        (-1, "cannot be found out", "'*'"),
    ],
)
async def test_the_hint_names_whose_socket_it_is(uid, said, option):
    foreign = await look(watched(), make(guard=Finding(Guard.FOREIGN, uid=uid)).eyes(), None)
    assert said in foreign.hint
    assert foreign.hint.endswith(f"--upstream-user {option}")


def test_a_look_does_not_show_its_credential():
    assert TOKEN not in repr(GUARDED)
    assert "username-x" not in repr(Look(condition=Condition.GUARDED, base_url="/", credential=LOGIN))


# its own credential


async def token_in(path):
    return {"/right": TOKEN, "/wrong": "wrong"}[path]


async def password_in(path):
    return {"/right": PASSWORD, "/wrong": "wrong"}[path]


def eyes_of(upstream, **changes):
    return structs.replace(upstream.eyes(), token_in=token_in, password_in=password_in, **changes)


@pytest.mark.parametrize(
    ("upstream", "own", "condition", "hint"),
    [
        (make(servers=()), {"token": TOKEN}, Condition.GUARDED, ""),
        (make(servers=()), {"token_file": "/right"}, Condition.GUARDED, ""),
        (make(servers=(), named_token=TOKEN), {"token_file": "/wrong"}, Condition.TOKEN_UNKNOWN, BY_FLAGS.unknown),
        (make(servers=(), named_token=TOKEN), {"token": "wrong"}, Condition.TOKEN_UNKNOWN, BY_FLAGS.unknown),
        (make(servers=(), named_token=TOKEN), {"may_use_named": False}, Condition.TOKEN_UNKNOWN, BY_FLAGS.unknown),
        (make(servers=(), named_password=PASSWORD), {"may_use_named": False}, Condition.TOKEN_UNKNOWN, ""),
        (make(servers=NO_TOKEN), {"password_file": "/right"}, Condition.GUARDED, ""),
        (make(servers=NO_TOKEN), {"password_file": "/wrong"}, Condition.TOKEN_UNKNOWN, BY_FLAGS.refused),
        (make(servers=(), named_token=TOKEN), {"password_file": "/wrong"}, Condition.TOKEN_UNKNOWN, BY_FLAGS.refused),
        (make(), {"token": "wrong"}, Condition.GUARDED, ""),  # its runtime file knows better
    ],
)
async def test_a_credential_that_was_named_for_one_server_goes_before_the_one_for_all(upstream, own, condition, hint):
    found = await look(watched(**own), eyes_of(upstream), None)
    assert condition is found.condition
    assert found.hint.startswith(hint)


async def test_what_was_named_for_all_is_not_shown_to_a_server_that_may_not_have_it():
    """Whoever may add a server could otherwise add their own, and read the operator's token there."""
    shown = []
    upstream = make(servers=(), named_token="of the operator", named_password="of the operator")

    async def opens(_upstream, _base_url, credential):
        shown.append(credential)
        return Finding(Guard.GUARDED, 403)

    eyes = structs.replace(upstream.eyes(), opens=opens)
    assert Condition.TOKEN_UNKNOWN is (await look(watched(may_use_named=False), eyes, None)).condition
    assert ([], []) == (shown, upstream.logins)
    await look(watched(), eyes, None)
    assert (["of the operator"], ["of the operator"]) == ([each.token for each in shown], upstream.logins)


async def test_marimo_is_shown_its_token_as_it_wants_it():
    upstream = make()

    async def product(_upstream, _base_url):
        return MARIMO

    async def opens(_upstream, _base_url, credential):
        return Finding(Guard.OPEN if credential.bearer else Guard.GUARDED)

    found = await look(watched(), structs.replace(upstream.eyes(), product=product, opens=opens), None)
    assert (Condition.GUARDED, True, MARIMO) == (found.condition, found.credential.bearer, found.product)


async def test_a_file_that_cannot_be_read_is_an_error():
    with pytest.raises(StartError):
        await look(watched(token_file="/nowhere/token"), make().eyes(), None)
    with pytest.raises(StartError):
        await look(watched(password_file="/nowhere/password"), make(servers=()).eyes(), None)


def test_what_is_watched_shows_no_token():
    assert TOKEN not in repr(watched(token=TOKEN))


# its health


@pytest.mark.parametrize(
    ("finding", "condition", "hint"),
    [
        (Finding(Guard.OPEN, 200), Condition.GUARDED, ""),
        (Finding(Guard.DOWN, 503), Condition.DOWN, "its health path /up answers 503"),
        (Finding(Guard.SILENT), Condition.DOWN, "its health path /up does not answer"),
        (Finding(Guard.FOREIGN, uid=0), Condition.FOREIGN, "the socket that answers belongs to root (uid 0)"),
    ],
)
async def test_a_path_that_was_named_says_whether_it_lives(finding, condition, hint):
    asked = []

    async def health(_upstream, target):
        asked.append(target)
        return finding

    upstream = make(servers=(runtime_file(base_url="/jl/"),))
    found = await look(watched(health="/up"), structs.replace(upstream.eyes(), health=health), None)
    assert (condition, ["/jl/up"]) == (found.condition, asked)
    assert found.hint.startswith(hint)


# where it is

FAR = Upstream(host="192.0.2.7", port=8888, owners=(0, 7))
NAMED = Upstream(port=8888, name="lab.example.org", owners=(0, 7))


def resolving(*answers):
    """Return eyes to which a name leads first here, then there; the last answer stays."""
    answers = list(answers)

    async def resolve(name):
        assert "lab.example.org" == name
        return answers.pop(0) if len(answers) > 1 else answers[0]

    return structs.replace(make(servers=(), named_token=TOKEN).eyes(), resolve=resolve)


@pytest.mark.parametrize(
    ("upstream", "host", "owners"),
    [
        (structs.replace(HERE, owners=(7,)), "127.0.0.1", (7,)),
        (Upstream(host="::1", port=1, owners=(7,)), "::1", (7,)),
        (FAR, "192.0.2.7", ()),
        (NAMED, NOWHERE, ()),
        (Upstream(path="/run/j.sock", owners=(7,)), "", (7,)),
    ],
)
def test_whose_socket_answers_is_asked_on_this_machine_alone(upstream, host, owners):
    reached = within_reach(upstream)
    assert (host, owners) == (reached.host, reached.owners)


@pytest.mark.parametrize(("address", "owners"), [("192.0.2.7", ()), ("127.0.0.1", (0, 7)), ("::1", (0, 7))])
async def test_a_name_is_resolved_and_stays_the_name_the_server_is_called_by(address, owners):
    found = await look(watched(upstream=NAMED, resolve="lab.example.org"), resolving((address,)), None)
    expected = structs.replace(NAMED, host=address, owners=owners)
    assert (Condition.GUARDED, expected) == (found.condition, found.upstream)
    assert "lab.example.org:8888" == found.upstream.authority


async def test_an_address_stays_as_long_as_the_name_leads_to_it():
    """Servers of names rotate what they say: each turn would end every websocket."""
    eyes = resolving(("192.0.2.1", "192.0.2.2"), ("192.0.2.2", "192.0.2.1"), ("192.0.2.2",), ())
    what, before, hosts = watched(upstream=NAMED, resolve="lab.example.org"), None, []
    for _ in range(4):
        before = await look(what, eyes, before)
        hosts.append((before.upstream.host, before.condition))
    good = Condition.GUARDED
    expected = [("192.0.2.1", good), ("192.0.2.1", good), ("192.0.2.2", good), (NOWHERE, Condition.DOWN)]
    assert expected == hosts
    assert "the name lab.example.org leads to no address" == before.hint


async def test_of_a_server_at_another_address_nothing_is_known():
    upstream = make(servers=(), guard=Finding(Guard.SILENT))
    before = structs.replace(GUARDED, upstream=structs.replace(HERE, port=1), base_url="/jl/")
    found = await look(watched(), upstream.eyes(), before)
    assert (Condition.DOWN, "/jl/", Credential()) == (found.condition, found.base_url, found.credential)


@pytest.mark.parametrize(
    ("address", "is_added", "host"),
    [
        ("169.254.169.254", True, NOWHERE),
        ("fe80::1%eth0", True, NOWHERE),
        ("224.0.0.1", True, NOWHERE),
        ("192.0.2.7", True, "192.0.2.7"),
        ("169.254.169.254", False, "169.254.169.254"),
    ],
)
async def test_a_name_leads_who_added_a_server_to_no_secret_of_a_cloud(address, is_added, host):
    """Who owns the name says where it leads, also after the route was judged."""
    what = watched(upstream=NAMED, resolve="lab.example.org", must_be_known=is_added)
    found = await look(what, resolving((address,)), None)
    assert host == found.upstream.host


async def test_a_name_that_cannot_be_resolved_leads_nowhere():
    assert "127.0.0.1" in await resolve_name("localhost")
    assert () == await resolve_name("no such name")
    assert () == await resolve_name(f"{'a' * 64}.example.org")


def test_its_address_says_how_it_is_reached():
    tls = UpstreamTls(server_name="lab.example.org", pin="0" * 64)
    addresses = [watched(upstream=each).address for each in (HERE, structs.replace(NAMED, tls=tls))]
    assert ["127.0.0.1:8888", "https://lab.example.org:8888"] == addresses


async def test_a_server_that_must_be_known_is_accepted_without_a_credential_only_when_it_is():
    """Whoever may add a server could otherwise reach whatever listens on this machine."""
    upstream, names = make(guard=Finding(Guard.OPEN, 200)), [UNNAMED, UNNAMED, "JupyterLab"]

    async def product(_upstream, _base_url):
        return names.pop(0)

    eyes, before, conditions = structs.replace(upstream.eyes(), product=product), None, []
    for _ in range(4):
        before = await look(watched(allow_open=True, must_be_known=True), eyes, before)
        conditions.append((before.condition, before.hint))
    strange, known = (Condition.OPEN, HINT_WHEN_STRANGE), (Condition.OPEN_ALLOWED, "")
    assert [strange, strange, known, known] == conditions
