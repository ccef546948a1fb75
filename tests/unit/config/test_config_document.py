"""Values, their origins, and every problem at once."""

import msgspec
import pytest

from nbgate.config.document import Source, build_config, default_data_dir, require_upstream
from nbgate.config.schema import Config
from nbgate.errors import ConfigError, ExitCode

HOME = {"HOME": "/home/ada"}


def build(text: str = "", **options):
    return build_config(Source(config="conf/nbgate.toml", folder="/srv", environ=HOME, **options), text)


def problems(text: str = "", **options) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as caught:
        build(text, **options)
    return [(str(problem), problem.hint) for problem in caught.value.problems]


def test_nothing_said_is_the_default_in_the_persons_state_folder():
    loaded = build_config(Source(environ=HOME))

    assert Config(data_dir="/home/ada/.local/state/nbgate") == loaded.config
    assert {"default"} == set(loaded.origins.values())
    assert "" == loaded.path


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
    source = Source(config="conf/nbgate.toml", folder="/srv", flags=flags, environ=HOME | environ)
    loaded = build_config(source, text)

    assert (expected, origin) == (loaded.config.data_dir, loaded.origins["data_dir"])


def test_values_of_tables_and_flags_come_together_each_with_its_origin():
    text = 'upstream = "localhost:1"\nip = "0:0::1"\n[limits]\nhead_bytes = 4096\n[sessions]\nidle_seconds = 60\n'
    loaded = build(text, flags={"upstream": "localhost:8888", "workers": "auto", "allow_open_upstream": True})

    assert "localhost:8888" == loaded.config.upstream
    assert ("::1", "auto", True) == (loaded.config.ip, loaded.config.workers, loaded.config.allow_open_upstream)
    assert (4096, 60.0) == (loaded.config.limits.head_bytes, loaded.config.sessions.idle_seconds)
    assert "--upstream" == loaded.origins["upstream"]
    assert "conf/nbgate.toml:4" == loaded.origins["limits.head_bytes"]
    assert "default" == loaded.origins["limits.headers"]
    assert "conf/nbgate.toml" == loaded.path


def test_paths_of_the_file_begin_at_the_file_and_those_of_flags_where_they_were_typed():
    loaded = build('cert = "a.pem"\nupstream_token_file = "/run/token"\nkey = ""\n', flags={"cert": "b.pem"})

    assert "/srv/b.pem" == loaded.config.cert
    assert "/run/token" == loaded.config.upstream_token_file
    assert "" == loaded.config.key
    assert "/srv/conf/a.pem" == build('cert = "a.pem"').config.cert


def test_everything_wrong_is_said_at_once_with_its_place_and_a_hint():
    text = 'upstrem = "x"\nport = "8443"\n\n[limits]\nhead_byte = 1\n[xyzzy]\na = 1\n'

    assert [
        ("conf/nbgate.toml:1: upstrem: unknown option", "did you mean 'upstream'?"),
        ("conf/nbgate.toml:2: port: expected `int`, got `str`", "port to listen on; 0 lets the system choose"),
        ("conf/nbgate.toml:5: limits.head_byte: unknown option", "did you mean 'limits.head_bytes'?"),
        ("conf/nbgate.toml:6: xyzzy: unknown option", "docs/reference/configuration.md lists all options"),
        ("--ip: '127.0.01' is not an address", "did you mean 127.0.0.1?"),
    ] == problems(text, flags={"ip": "127.0.01"})


@pytest.mark.parametrize(
    ("text", "flags", "code"),
    [
        ("", {"ip": "127.0.01"}, ExitCode.USAGE),
        ("", {"port": 70000}, ExitCode.USAGE),
        ("", {"upstream": "8888"}, ExitCode.USAGE),
        ('ip = "127.0.01"', {}, ExitCode.CONFIGURATION),
        ('upstream = "8888"', {}, ExitCode.CONFIGURATION),
        ('ip = "127.0.01"', {"port": 70000}, ExitCode.CONFIGURATION),
    ],
)
def test_a_mistake_on_the_command_line_alone_is_a_usage_error(text, flags, code):
    with pytest.raises(ConfigError) as caught:
        build(text, flags=flags)

    assert code == caught.value.exit_code


def test_a_mistake_of_the_file_that_a_flag_overrides_is_none():
    assert "localhost" == build('ip = "127.0.01"', flags={"ip": "localhost"}).config.ip


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


@pytest.mark.parametrize(
    ("environ", "is_root", "expected"),
    [
        (HOME, False, "/home/ada/.local/state/nbgate"),
        (HOME | {"XDG_STATE_HOME": "/state"}, False, "/state/nbgate"),
        (HOME | {"XDG_STATE_HOME": "state"}, False, "/home/ada/.local/state/nbgate"),
        (HOME | {"XDG_STATE_HOME": "/state"}, True, "/var/lib/nbgate"),
        ({}, False, "/.local/state/nbgate"),
    ],
)
def test_the_default_data_folder(environ, is_root, expected):
    assert expected == default_data_dir(Source(environ=environ, is_root=is_root))


def test_a_source_travels_as_json():
    source = Source(config="c", flags={"port": 1, "workers": "auto", "allow_open_upstream": True}, environ=HOME)

    assert source == msgspec.json.decode(msgspec.json.encode(source), type=Source)


@pytest.mark.parametrize(
    ("text", "config", "code", "expected"),
    [
        ("", "", ExitCode.USAGE, ["no upstream: where is the notebook server?"]),
        ("", "n.toml", ExitCode.CONFIGURATION, ["n.toml: no upstream: where is the notebook server?"]),
        (
            'upstream = "localhost:1"\nkey = "k"',
            "n.toml",
            ExitCode.CONFIGURATION,
            ["n.toml:2: a key without a certificate"],
        ),
        (
            'key = "k"',
            "n.toml",
            ExitCode.CONFIGURATION,
            ["n.toml: no upstream: where is the notebook server?", "n.toml:1: a key without a certificate"],
        ),
    ],
)
def test_what_serving_needs_beyond_what_every_command_needs(text, config, code, expected):
    with pytest.raises(ConfigError) as caught:
        require_upstream(build_config(Source(config=config), text))

    assert code == caught.value.exit_code
    assert expected == [str(problem) for problem in caught.value.problems]


def test_with_an_upstream_one_can_serve():
    require_upstream(build('upstream = "localhost:8888"\ncert = "c"\nkey = "k"'))
