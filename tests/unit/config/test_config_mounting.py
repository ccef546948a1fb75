"""Which servers are named, where each is to be, and who may use which."""

import pytest

from nbgate.config.mounting import judge_mounting
from nbgate.config.schema import Config, RouteOptions

PIN = "0" * 64
TAKEN = "{} is taken: 127.0.0.1:1 is there already"
ONES = "{} would share a host with what {} alone may use at {{user}}.a.org/"
SHARED = "different people may use {} and {}, which share a host: a page of one can act at the other"
FOUND = "servers that are found share a host, and a page of one that bob may use can act at one that only ada may"


def route(at: str, upstream: str = "localhost:9", **options) -> RouteOptions:
    return RouteOptions(at=at, upstream=upstream, **options)


EACH = route("{user}.a.org/", "unix:/run/{user}.sock")


@pytest.mark.parametrize(
    "config",
    [
        Config(),
        Config(upstream=("localhost:1", "localhost:2")),  # each has a base URL of its own, it is hoped
        Config(upstream=("localhost:1", "localhost:2/a/", "/b/=localhost:1")),
        Config(upstream=("/a/=localhost:1", "/b/=localhost:1"), route=(route("/c/"), route("/a/b/"))),
        Config(upstream=("a.org/=localhost:1", "b.org/=localhost:1", "/=localhost:2", "b.org/x/=localhost:3")),
        Config(upstream=("{user}.a.org/=unix:/run/{user}.sock", "{user}.a.org/x/=localhost:1")),
        Config(route=(route("{user}.a.org/", "unix:/run/{user}.sock"),)),
        Config(upstream=("unix:/run/{usr}.sock",)),
        # TLS
        Config(upstream=("https://localhost:1", "localhost:2"), upstream_ca_file="/ca"),
        Config(upstream=("https://localhost:1",), upstream_pin=PIN),
        Config(route=(route("/a/", "https://localhost:1", ca_file="/ca"), route("/b/", "https://[::1]:1", pin=PIN))),
        # other machines
        Config(upstream=("/a/=gpu.org:1",), route=(route("/b/", "192.0.2.7:1"),), allow_remote_upstream=True),
        # options of one route
        Config(route=(route("/a/", "localhost:1/x/", base_url="/x/", disabled_rules=("server-proxy",)),)),
        Config(route=(route("/a/", token_file="/t"), route("/b/", password_file="/p"))),
        # who may use what
        Config(allow=("/=ada",), upstream=("localhost:8888",)),
        Config(allow=("/a/=ada",), upstream=("/a/=localhost:1",)),
        Config(allow=("/a/=ada", "/b/=ada"), upstream=("/a/=localhost:1", "/b/=localhost:2")),
        Config(allow=("/a/=ada,bob", "/b/=bob,ada"), upstream=("localhost:1/a/", "/b/=localhost:2")),
        Config(allow=("/a/=ada",), upstream=("/a/=localhost:1",), route=(route("/b/", allow=("ada",)),)),
        Config(route=(route("a.org/", allow=("ada",)), route("b.org/", allow=("bob",)), route("/"))),
        Config(allow=("/a/=ada", "/b/=bob"), upstream=("/a/=localhost:1", "/b/=localhost:2"), shared_origin=True),
        Config(allow=("/a/=ada", "/b/=bob"), shared_origin=True),
        Config(allow=("/elsewhere/=ada",), upstream=("/a/=localhost:1", "/b/=localhost:2")),
        # hosts beside those that each user has
        Config(route=(EACH, route("ada.a.org/x/", allow=("ada",)), route("a.org/"), route("x.ada.a.org/"), route("/"))),
        Config(route=(EACH, route("ada.b.org/"), route("192.0.2.7/"), route("[::1]/"))),
        Config(upstream=("ada.a.org/x/=localhost:1",), route=(EACH,), allow=("/x/=ada",)),
        Config(route=(EACH, route("ada.a.org/x/", allow=("ada", "bob"))), shared_origin=True),
    ],
)
def test_what_holds_together(config):
    assert [] == list(judge_mounting(config))


@pytest.mark.parametrize(
    ("config", "key", "text"),
    [
        # places
        (Config(upstream=("localhost:1", "127.0.0.1:1")), "upstream", "127.0.0.1:1 is named twice"),
        (Config(upstream=("unix:/a", "unix:/a")), "upstream", "unix:/a is named twice"),
        (Config(upstream=("localhost:1/x/", "localhost:2/x")), "upstream", TAKEN.format("/x/")),
        (Config(upstream=("localhost:1/x/", "/x/=localhost:2")), "upstream", TAKEN.format("/x/")),
        (Config(upstream=("/x/=localhost:1", "/x/=localhost:1")), "upstream", TAKEN.format("/x/")),
        (Config(upstream=("a.org/=localhost:1", "A.org/=localhost:2")), "upstream", TAKEN.format("a.org/")),
        (Config(upstream=("/x/=localhost:1",), route=(route("/y/"), route("/x/"))), "route[1].at", TAKEN.format("/x/")),
        (
            Config(route=(route("{user}.a.org/", "localhost:1"), route("{user}.a.org/"))),
            "route[1].at",
            TAKEN.format("{user}.a.org/"),
        ),
        # TLS
        (
            Config(upstream=("/a/=https://localhost:1",)),
            "upstream",
            "nobody vouches for an upstream that is reached by https",
        ),
        (Config(upstream_ca_file="/ca"), "upstream_ca_file", "no upstream is reached by https"),
        (Config(upstream=("localhost:1",), upstream_pin=PIN), "upstream_pin", "no upstream is reached by https"),
        (
            Config(route=(route("/a/", "https://localhost:1", ca_file="/x"),), upstream_ca_file="/ca"),
            "upstream_ca_file",
            "no upstream is reached by https",
        ),
        (
            Config(upstream=("https://localhost:1",), upstream_ca_file="/ca", upstream_pin=PIN),
            "upstream_pin",
            "the upstream has an authority already",
        ),
        (
            Config(
                upstream=("https://localhost:1/x/",),
                upstream_pin=PIN,
                route=(route("/y/"), route("/a/", "https://localhost:1")),
            ),
            "route[1].upstream",
            "nobody vouches for a server that is reached by https",
        ),
        (Config(route=(route("/a/", ca_file="/ca"),)), "route[0].ca_file", "the server is not reached by https"),
        (Config(route=(route("/a/", "unix:/s", pin=PIN),)), "route[0].pin", "the server is not reached by https"),
        (
            Config(route=(route("/a/", "https://localhost:1", ca_file="/ca", pin=PIN),)),
            "route[0].pin",
            "it has an authority already",
        ),
        # other machines
        (Config(upstream=("/a/=gpu.org:1",)), "upstream", "'gpu.org' is not known to be this machine"),
        (Config(route=(route("/b/", "192.0.2.7:1"),)), "route[0].upstream", "192.0.2.7 is not this machine"),
        # {user}
        (
            Config(upstream=("/a/=unix:/run/{user}.sock",)),
            "upstream",
            "{user} in a path needs {user} in the host it is mounted at",
        ),
        (
            Config(route=(route("a.org/", "unix:/run/{user}.sock"),)),
            "route[0].upstream",
            "{user} in a path needs {user} in the host it is mounted at",
        ),
        (
            Config(route=(route("{user}.a.org/", allow=("ada",)),)),
            "route[0].allow",
            "{user} says who may use it: each user their own",
        ),
        (
            Config(upstream=("{user}.a.org/=localhost:1",), allow=("/=ada",)),
            "allow",
            "{user} says who may use it: each user their own",
        ),
        # options of one route
        (
            Config(route=(route("/a/", "localhost:1/x/", base_url="/y/"),)),
            "route[0].base_url",
            "the address in upstream says /x/",
        ),
        (
            Config(route=(route("/a/", token_file="/t", password_file="/p"),)),
            "route[0].password_file",
            "it has a token already",
        ),
        (
            Config(route=(route("/a/", disabled_rules=("server-prox",)),)),
            "route[0].disabled_rules",
            "there is no rule 'server-prox'",
        ),
        (
            Config(allow=("/a/=ada",), route=(route("/a/", allow=("ada",)),)),
            "route[0].allow",
            "the option allow says who may use /a/ too",
        ),
        # who may use what (T25)
        (Config(allow=("/=ada",)), "allow", FOUND),
        (
            Config(allow=("/a/=ada",), upstream=("localhost:1", "localhost:2")),
            "allow",
            "where 127.0.0.1:1 will be is not known, nor who may use it",
        ),
        (
            Config(allow=("/a/=ada",), upstream=("/b/=localhost:1", "localhost:2")),
            "allow",
            "where 127.0.0.1:2 will be is not known, nor who may use it",
        ),
        (
            Config(allow=("/a/=ada",), upstream=("/a/=localhost:1", "/b/=localhost:2")),
            "allow",
            SHARED.format("/a/", "/b/"),
        ),
        (
            Config(allow=("/a/=ada",), upstream=("/a/=localhost:1", "localhost:2")),
            "allow",
            SHARED.format("/a/", "127.0.0.1:2"),
        ),
        (
            Config(upstream=("/a/=localhost:1",), route=(route("/b/"), route("/c/", allow=("ada",)))),
            "route[1].allow",
            SHARED.format("/a/", "/c/"),
        ),
        (
            Config(route=(route("/a/", allow=("ada",)), route("/b/"))),
            "route[0].allow",
            SHARED.format("/a/", "/b/"),
        ),
        (
            Config(route=(route("a.org/", allow=("ada",)), route("a.org/x/", allow=("ada", "bob")))),
            "route[1].allow",
            SHARED.format("a.org/", "a.org/x/"),
        ),
        (Config(route=(EACH, route("ada.a.org/x/"))), "route[1].at", ONES.format("ada.a.org/x/", "ada")),
        (Config(route=(route("ada.a.org/"), EACH)), "route[0].at", ONES.format("ada.a.org/", "ada")),
        (
            Config(route=(EACH, route("ada.a.org/", allow=("bob",)))),
            "route[1].allow",
            ONES.format("ada.a.org/", "ada"),
        ),
        (
            Config(route=(EACH, route("ada.a.org/", allow=("ada", "bob")))),
            "route[1].allow",
            ONES.format("ada.a.org/", "ada"),
        ),
        (
            Config(upstream=("ada.a.org/x/=localhost:1",), route=(EACH,), allow=("/x/=bob",)),
            "allow",
            ONES.format("ada.a.org/x/", "ada"),
        ),
        (
            Config(upstream=("{user}.a.org/=localhost:1", "www.a.org/=localhost:2")),
            "upstream",
            ONES.format("www.a.org/", "www"),
        ),
    ],
)
def test_what_is_wrong(config, key, text):
    ((found, told, hint),) = judge_mounting(config)

    assert (key, text) == (found, told)
    assert hint


def test_everything_is_said_at_once():
    config = Config(
        upstream=("https://gpu.org/", "/a/=localhost:1"),
        route=(
            route("/a/", "unix:/{user}", pin=PIN),
            route("/b/", "https://192.0.2.7", allow=("ada",), disabled_rules=("x",)),
        ),
    )

    assert [
        "upstream",
        "route[0].pin",
        "route[1].upstream",
        "route[1].disabled_rules",
        "upstream",
        "route[0].upstream",
        "route[1].upstream",
        "route[0].at",
        "route[1].allow",
    ] == [key for key, _, _ in judge_mounting(config)]
