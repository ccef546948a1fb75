"""Values, their origins, and every problem at once."""

import msgspec
import pytest

from nbgate.config.document import File, Source, build_config
from nbgate.config.schema import Config, RouteOptions
from nbgate.errors import ConfigError, ExitCode

HOME = {"HOME": "/home/ada"}
EXAMPLES = "for example localhost:8888 or http://localhost:8888/base/"
PORT = "port to listen on; 0 lets the system choose"


def build(text: str = "", profile_text: str | None = None, *, environ=HOME, **options):
    source = Source(config="conf/nbgate.toml", folder="/srv", environ=HOME | environ, **options)
    files = [File(path="conf/nbgate.toml", text=text)]
    if profile_text is not None:
        files.append(File(path="/p/lab.toml", text=profile_text, is_profile=True))
    return build_config(source, *files)


def problems(*texts: str, **options) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as caught:
        build(*texts, **options)
    return [(str(problem), problem.hint) for problem in caught.value.problems]


def test_nothing_said_is_the_default_in_the_persons_state_folder():
    loaded = build_config(Source(environ=HOME))

    assert Config(data_dir="/home/ada/.local/state/nbgate") == loaded.config
    assert {"default"} == set(loaded.origins.values())
    assert () == loaded.files


@pytest.mark.parametrize(
    ("flags", "environ", "text", "expected", "origin"),
    [
        ({}, {}, "", "/home/ada/.local/state/nbgate", "default"),
        ({}, {}, 'data_dir = "d"', "/srv/conf/d", "conf/nbgate.toml:1"),
        ({}, {}, 'data_dir = "~/d"', "/home/ada/d", "conf/nbgate.toml:1"),
        ({}, {}, 'data_dir = ""', "/home/ada/.local/state/nbgate", "conf/nbgate.toml:1"),
        ({}, {"NBGATE_DATA_DIR": "e"}, 'data_dir = "d"', "/srv/e", "NBGATE_DATA_DIR"),
        ({}, {"NBGATE_DATA_DIR": ""}, 'data_dir = "/d"', "/d", "conf/nbgate.toml:1"),
        ({"data_dir": "f"}, {"NBGATE_DATA_DIR": "e"}, 'data_dir = "d"', "/srv/f", "--data-dir"),
        ({"data_dir": "/f"}, {}, "", "/f", "--data-dir"),
        ({"data_dir": "~"}, {}, "", "/home/ada", "--data-dir"),
    ],
)
def test_flags_over_environment_over_file_over_default(flags, environ, text, expected, origin):
    loaded = build(text, environ=environ, flags=flags)

    assert (expected, origin) == (loaded.config.data_dir, loaded.origins["data_dir"])


@pytest.mark.parametrize(
    ("flags", "environ", "profile", "expected", "origin"),
    [
        ({}, {}, "", 1, "conf/nbgate.toml:1"),
        ({}, {}, "port = 2", 2, "/p/lab.toml:1"),
        ({}, {"NBGATE_PORT": "3"}, "port = 2", 3, "NBGATE_PORT"),
        ({"port": "4"}, {"NBGATE_PORT": "3"}, "port = 2", 4, "--port"),
    ],
)
def test_a_profile_over_the_file_and_below_the_environment(flags, environ, profile, expected, origin):
    loaded = build("port = 1", profile, environ=environ, flags=flags, profile="lab")

    assert (expected, origin) == (loaded.config.port, loaded.origins["port"])
    assert ("conf/nbgate.toml", "/p/lab.toml") == loaded.files


@pytest.mark.parametrize(
    ("text", "profile", "environ", "expected"),
    [
        ("", "", {}, "/home/ada/.local/state/nbgate/profiles/lab"),
        ('data_dir = "/d"', "", {}, "/d/profiles/lab"),
        ('data_dir = "/d"', 'data_dir = ""', {}, "/home/ada/.local/state/nbgate/profiles/lab"),
        ('data_dir = "/d"', 'data_dir = "e"', {}, "/p/e"),
        ('data_dir = "/d"', "", {"NBGATE_DATA_DIR": "/f"}, "/f"),
    ],
)
def test_a_profile_has_a_data_folder_of_its_own_unless_one_is_named(text, profile, environ, expected):
    assert expected == build(text, profile, environ=environ, profile="lab").config.data_dir


def test_values_of_tables_and_flags_come_together_each_with_its_origin():
    text = 'upstream = "localhost:1"\nip = "0:0::1"\n[limits]\nhead_bytes = 4096\n[sessions]\nidle_seconds = 60\n'
    loaded = build(text, flags={"upstream": ["localhost:8888"], "workers": "auto", "allow_open_upstream": True})

    assert ("localhost:8888",) == loaded.config.upstream
    assert ("::1", "auto", True) == (loaded.config.ip, loaded.config.workers, loaded.config.allow_open_upstream)
    assert (4096, 60.0) == (loaded.config.limits.head_bytes, loaded.config.sessions.idle_seconds)
    assert "--upstream" == loaded.origins["upstream"]
    assert "conf/nbgate.toml:4" == loaded.origins["limits.head_bytes"]
    assert "default" == loaded.origins["limits.headers"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('upstream = "localhost:1"', ("localhost:1",)),
        ('upstream = ["localhost:1", "localhost:2"]', ("localhost:1", "localhost:2")),
        ('upstream = "auto"', ()),
        ('upstream = ["auto"]', ()),
        ("upstream = []", ()),
        ("", ()),
    ],
)
def test_one_upstream_stands_without_brackets_and_auto_is_none(text, expected):
    assert expected == build(text).config.upstream


@pytest.mark.parametrize(
    ("variable", "text", "key", "expected"),
    [
        ("NBGATE_PORT", "443", "port", 443),
        ("NBGATE_WORKERS", "auto", "workers", "auto"),
        ("NBGATE_BANNER", "no", "banner", False),
        ("NBGATE_BROWSER", "1", "browser", True),
        ("NBGATE_UPSTREAM", "localhost:1, localhost:2", "upstream", ("localhost:1", "localhost:2")),
        ("NBGATE_KEY", "k", "key", "/srv/k"),
        ("NBGATE_IP", "0:0::1", "ip", "::1"),
    ],
)
def test_a_variable_for_every_option(variable, text, key, expected):
    loaded = build(environ={variable: text, "NBGATE_CERT": "/c"})

    assert (expected, variable) == (getattr(loaded.config, key), loaded.origins[key])


def test_a_variable_of_a_table():
    loaded = build(environ={"NBGATE_LIMITS__DRAIN_SECONDS": "2.5"})

    assert (2.5, "NBGATE_LIMITS__DRAIN_SECONDS") == (
        loaded.config.limits.drain_seconds,
        loaded.origins["limits.drain_seconds"],
    )


def test_paths_of_the_file_begin_at_the_file_and_those_of_flags_where_they_were_typed():
    loaded = build('cert = "a.pem"\nupstream_token_file = "/run/token"\nkey = ""\n', flags={"cert": "b.pem"})

    assert "/srv/b.pem" == loaded.config.cert
    assert "/run/token" == loaded.config.upstream_token_file
    assert "" == loaded.config.key
    assert "/srv/conf/a.pem" == build('cert = "a.pem"').config.cert
    assert "/p/a.pem" == build("", 'cert = "a.pem"', profile="lab").config.cert


def test_everything_wrong_is_said_at_once_with_its_place_and_a_hint():
    text = 'upstrem = "x"\nport = "8443"\n\n[limits]\nhead_byte = 1\n[xyzzy]\na = 1\n'
    environ = {"NBGATE_PROT": "1", "NBGATE_WORKERS": "some", "NBGATE_": "x", "NBGATE_SERVICE_HOST": "10.0.0.1"}
    kubernetes = "Kubernetes sets it for a service of this name: write enableServiceLinks: false in the pod"

    assert [
        (
            "/p/lab.toml:2: not TOML: expected '=' after a key in a key/value pair",
            'values of text need quotes: ip = "*"',
        ),
        ("NBGATE_PROT: unknown variable", "did you mean NBGATE_PORT?"),
        ("NBGATE_: unknown variable", "nbgate config default lists all options; or: unset NBGATE_"),
        ("NBGATE_SERVICE_HOST: unknown variable", kubernetes),
        ("conf/nbgate.toml:1: upstrem: unknown option", "did you mean 'upstream'?"),
        ("conf/nbgate.toml:2: port: '8443' is not an integer from 0 to 65535", "without quotes: port = 8443"),
        ("conf/nbgate.toml:5: limits.head_byte: unknown option", "did you mean 'limits.head_bytes'?"),
        ("conf/nbgate.toml:6: xyzzy: unknown option", "nbgate config default lists all options"),
        (
            "NBGATE_WORKERS: 'some' is not an integer from 1 to 256 or auto",
            "worker processes, or auto for one per core",
        ),
        ("--ip: '127.0.01' is not an address", "did you mean 127.0.0.1?"),
    ] == problems(text, "port = 1\nx", environ=environ, flags={"ip": "127.0.01"}, profile="lab")


@pytest.mark.parametrize(
    ("text", "flags", "environ", "code"),
    [
        ("", {"ip": "127.0.01"}, {}, ExitCode.USAGE),
        ("", {"port": 70000}, {}, ExitCode.USAGE),
        ("", {"port": "x"}, {}, ExitCode.USAGE),
        ("", {"upstream": ["8888"]}, {}, ExitCode.USAGE),
        ("", {"key": "k"}, {}, ExitCode.USAGE),
        ('ip = "127.0.01"', {}, {}, ExitCode.CONFIGURATION),
        ('upstream = "8888"', {}, {}, ExitCode.CONFIGURATION),
        ('ip = "127.0.01"', {"port": 70000}, {}, ExitCode.CONFIGURATION),
        ("", {"port": 70000}, {"NBGATE_PROT": "1"}, ExitCode.CONFIGURATION),
        ("", {}, {"NBGATE_PORT": "70000"}, ExitCode.CONFIGURATION),
    ],
)
def test_a_mistake_on_the_command_line_alone_is_a_usage_error(text, flags, environ, code):
    with pytest.raises(ConfigError) as caught:
        build(text, flags=flags, environ=environ)

    assert code == caught.value.exit_code


def test_a_mistake_of_the_file_that_a_flag_overrides_is_none():
    assert "localhost" == build('ip = "127.0.01"', flags={"ip": "localhost"}).config.ip


def test_a_key_needs_its_certificate():
    assert [
        (
            "conf/nbgate.toml:1: key: a key without a certificate",
            "name its certificate too: cert in the file, or --cert",
        )
    ] == problems('key = "k"')
    assert [
        ("--key: a key without a certificate", "name its certificate too: cert in the file, or --cert")
    ] == problems(flags={"key": "k"})
    assert "/srv/k" == build(flags={"key": "k", "cert": "c"}).config.key


@pytest.mark.parametrize(
    ("text", "where", "said"),
    [
        ("ip = *\n", "conf/nbgate.toml:1", "not TOML: invalid value"),
        ("a = 1\nb\n", "conf/nbgate.toml:2", "not TOML: expected '='"),
        ("a = 1\na = 2\n", "conf/nbgate.toml:2", "not TOML: cannot overwrite a value"),
        ('a = 1\nb = "x', "conf/nbgate.toml:2", "not TOML: "),
        ("a = 1\n[", "conf/nbgate.toml:2", "not TOML: "),
    ],
)
def test_a_file_that_is_not_toml_is_named_with_its_line(text, where, said):
    ((problem, hint),) = problems(text)

    assert problem.startswith(f"{where}: {said}")
    assert "(at" not in problem
    assert 'values of text need quotes: ip = "*"' == hint


def test_a_source_travels_as_json():
    flags = {"port": "1", "upstream": ["localhost:1"], "allow_open_upstream": True}
    source = Source(config="c", profile="lab", flags=flags, environ=HOME)

    assert source == msgspec.json.decode(msgspec.json.encode(source), type=Source)


@pytest.mark.parametrize(
    ("flags", "environ", "text"),
    [
        ({}, {}, 'hosts = ["A.example", "b.example:8443"]\ntrusted_proxies = ["10.0.0.7"]'),
        ({}, {"NBGATE_HOSTS": "A.example,b.example:8443", "NBGATE_TRUSTED_PROXIES": "10.0.0.7"}, ""),
        ({"hosts": ["A.example", "b.example:8443"], "trusted_proxies": ["10.0.0.7/32"]}, {}, ""),
        ({"hosts": ["A.example, b.example:8443"], "trusted_proxies": ["10.0.0.7"]}, {}, ""),
    ],
)
def test_names_and_networks_come_out_in_one_spelling_however_they_were_given(flags, environ, text):
    config = build(text, environ=environ, flags=flags).config

    assert (("a.example", "b.example:8443"), ("10.0.0.7/32",)) == (config.hosts, config.trusted_proxies)


def test_the_path_of_an_upstream_may_hold_a_comma():
    assert ("unix:/a,b", "unix:/c") == build(flags={"upstream": ["unix:/a,b", "unix:/c"]}).config.upstream


ROUTES = """\
[[route]]
at = "/a/"
upstream = "localhost:1"

[[route]]
at = "B.org/"
upstream = "https://localhost:2"
ca_file = "ca.pem"
token_file = "~/token"
allow = ["Ada"]
"""


def test_routes_of_the_file_with_the_places_of_their_options():
    loaded = build(ROUTES)

    assert (
        RouteOptions(at="/a/", upstream="localhost:1"),
        RouteOptions(
            at="b.org/",
            upstream="https://localhost:2",
            ca_file="/srv/conf/ca.pem",
            token_file="/home/ada/token",
            allow=("ada",),
        ),
    ) == loaded.config.route
    assert "default" == build().origins["route"]
    assert ["conf/nbgate.toml:1", "conf/nbgate.toml:5", "conf/nbgate.toml:10"] == [
        loaded.origins[key] for key in ("route", "route[1]", "route[1].allow")
    ]


def test_routes_of_a_profile_stand_in_place_of_the_files():
    profile = '[[route]]\nat = "/c/"\nupstream = "https://localhost:3"\nca_file = "c.pem"\n'
    loaded = build(ROUTES, profile, profile="lab")

    assert [("/c/", "/p/c.pem")] == [(route.at, route.ca_file) for route in loaded.config.route]
    assert "/p/lab.toml:4" == loaded.origins["route[0].ca_file"]
    assert "route[1]" not in loaded.origins
    assert 2 == len(build(ROUTES, "port = 1", profile="lab").config.route)


def test_what_is_wrong_with_routes_is_said_at_once_each_with_its_line():
    text = ROUTES + 'pin = "x"\n\n[[route]]\nupstrem = "localhost:1"\nat = "lab"\n'

    assert [
        ("conf/nbgate.toml:11: route.pin: a pin has 64 hex digits, and this has 1 characters", True),
        ("conf/nbgate.toml:13: route: it has no 'upstream'", True),
        ("conf/nbgate.toml:14: route.upstrem: unknown option", True),
        ("conf/nbgate.toml:15: route.at: 'lab' does not say where", True),
        ("--port: 70000 is not an integer from 0 to 65535", True),
    ] == [(text, bool(hint)) for text, hint in problems(text, flags={"port": 70000})]
    assert [
        ("conf/nbgate.toml:1: route: each route is a table of its own", "write [[route]] and its options below it")
    ] == problems('[route]\nat = "/a/"\n')


def test_routes_and_flags_that_do_not_go_together_are_told_where_the_options_stand():
    text = ROUTES + 'pin = "' + "ab" * 32 + '"\n'
    flags = {"upstream": ["/a/=localhost:3"]}

    assert [
        "conf/nbgate.toml:11: route.pin: it has an authority already",
        "conf/nbgate.toml:2: route.at: /a/ is taken: 127.0.0.1:3 is there already",
    ] == [text for text, _ in problems(text, flags=flags)]
    with pytest.raises(ConfigError) as caught:
        build(text, flags=flags)
    assert ExitCode.CONFIGURATION == caught.value.exit_code


@pytest.mark.parametrize(
    ("text", "options", "where"),
    [
        ('upstream = "auto"\n', {}, "conf/nbgate.toml:1: upstream: "),
        ("", {"environ": {"NBGATE_UPSTREAM": "auto"}}, "NBGATE_UPSTREAM: "),
        ("", {"flags": {"upstream": ["auto"]}}, "--upstream: "),
    ],
)
def test_routes_and_what_is_found_are_not_mixed(text, options, where):
    assert [
        (f"{where}auto finds the running servers: it stands alone", "name all servers, or take away [[route]]")
    ] == problems(text + ROUTES, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"text": 'upstream = ["/a/=localhost:1", "b.org/=unix:/run/b"]'},
        {"environ": {"NBGATE_UPSTREAM": "/a/=localhost:1,b.org/=unix:/run/b"}},
        {"flags": {"upstream": ["/a/=localhost:1", "b.org/=unix:/run/b"]}},
    ],
)
def test_places_are_said_in_every_way_an_upstream_is(options):
    assert ("/a/=localhost:1", "b.org/=unix:/run/b") == build(**options).config.upstream


def test_options_of_upstreams_elsewhere():
    pin = ":".join(["AB"] * 32)
    environ = {"NBGATE_ALLOW_REMOTE_UPSTREAM": "yes", "NBGATE_UPSTREAM_PIN": pin}
    config = build('base_url = "/ipython/"', environ=environ, flags={"upstream": ["https://gpu.org/"]}).config

    assert ("/ipython/", True, "ab" * 32) == (config.base_url, config.allow_remote_upstream, config.upstream_pin)
    flags = {"upstream": ["https://localhost/"], "upstream_ca_file": "ca.pem"}
    assert "/srv/ca.pem" == build(flags=flags).config.upstream_ca_file
    assert [
        (
            "--upstream: 'gpu.org' is not known to be this machine",
            f"give it by address, {EXAMPLES}; a server of another machine needs allow_remote_upstream = true",
        )
    ] == problems(flags={"upstream": ["gpu.org:8888"]})


def test_a_profile_may_take_the_routes_away():
    config = build(ROUTES, 'route = []\nupstream = "auto"', profile="lab").config

    assert ((), ()) == (config.route, config.upstream)
