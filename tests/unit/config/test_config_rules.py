"""What an operator may say about rules and ports."""

import pytest

from nbgate.config.document import File, Source, build_config
from nbgate.config.rules import judge_ids, judge_ports
from nbgate.config.schema import Config, RouteOptions
from nbgate.errors import ConfigError
from nbgate.rules.pack import shipped_pack

HOME = {"HOME": "/home/ada"}


def test_every_shipped_rule_can_be_disabled():
    assert [] == list(judge_ids([row.id for row in shipped_pack()]))


@pytest.mark.parametrize(
    ("name", "hint"), [("server-prox", "did you mean 'server-proxy'?"), ("x", "there are scanner-appliances, ")]
)
def test_an_id_that_is_no_rule_is_told(name, hint):
    ((text, told),) = judge_ids(["server-proxy", name])
    assert (f"there is no rule {name!r}", True) == (text, told.startswith(hint))


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (Config(server_proxy_ports=(8050, 5006)), []),
        (Config(server_proxy_ports=(8443,)), ["port 8443 is not opened: nbgate itself"]),
        (Config(server_proxy_ports=(9443,), port=9443), ["port 9443 is not opened: nbgate itself"]),
        (Config(server_proxy_ports=(8080,), http_port=8080), ["port 8080 is not opened: nbgate itself"]),
        (
            Config(server_proxy_ports=(8889, 22), upstream=("localhost:8888", "http://127.0.0.1:8889/a/")),
            [
                "port 8889 is not opened: a notebook server, which has its own mount",
                "port 22 is not opened: SSH: it is no HTTP: only its presence can be probed",
            ],
        ),
        (Config(server_proxy_ports=(8889,), upstream=("unix:/run/a.sock",)), []),
        (
            Config(server_proxy_ports=(8889,), route=(RouteOptions(at="/a/", upstream="localhost:8889"),)),
            ["port 8889 is not opened: a notebook server, which has its own mount"],
        ),
        (Config(server_proxy_ports=(8889,), upstream=("gpu.example.org:8889",)), []),
    ],
)
def test_ports_that_stay_closed(config, told):
    assert told == [text for text, _ in judge_ports(config)]


@pytest.mark.parametrize(
    ("environment", "flags"),
    [
        ({"NBGATE_SERVER_PROXY_PORTS": "8050, 5006"}, {}),
        ({}, {"server_proxy_ports": "8050,5006"}),
        ({}, {"server_proxy_ports": ["8050", "5006"]}),
    ],
)
def test_ports_come_as_numbers_from_everywhere(environment, flags):
    loaded = build_config(Source(environ=HOME | environment, flags=flags))
    assert (8050, 5006) == loaded.config.server_proxy_ports


def test_all_that_is_wrong_is_told_with_its_place():
    text = 'disabled_rules = ["no-such"]\nserver_proxy_ports = [6379, 8050]\n'
    with pytest.raises(ConfigError) as caught:
        build_config(Source(environ=HOME), File(path="/x.toml", text=text))
    assert [
        "/x.toml:1: disabled_rules: there is no rule 'no-such'",
        "/x.toml:2: server_proxy_ports: port 6379 is not opened: Redis: it takes commands line by line, also out of an HTTP request",
    ] == [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    "text", ["server_proxy_ports = 8050", 'server_proxy_ports = ["8050"]', "server_proxy_ports = [0]"]
)
def test_what_is_no_list_of_ports_is_refused(text):
    with pytest.raises(ConfigError, match="is not a list of integers from 1 to 65535"):
        build_config(Source(environ=HOME), File(path="/x.toml", text=text))
