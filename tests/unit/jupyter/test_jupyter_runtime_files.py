import json

import pytest
from msgspec import structs

from nbgate.jupyter.runtime_files import (
    RuntimeFile,
    is_plain_base_url,
    is_runtime_file_name,
    matching,
    maybe_parse_runtime_file,
    maybe_upstream,
    running_once,
)
from nbgate.model.route import Upstream, UpstreamTls

JPSERVER = {
    "base_url": "/",
    "hostname": "localhost",
    "password": False,
    "pid": 4711,
    "port": 8888,
    "root_dir": "/home/ada",
    "secure": False,
    "sock": "",
    "token": "5ecre7",
    "url": "http://localhost:8888/",
    "version": "2.21.1",
}
NBSERVER = {
    "base_url": "/jl/",
    "hostname": "localhost",
    "notebook_dir": "/home/ada",
    "password": True,
    "pid": 4712,
    "port": 8889,
    "secure": False,
    "sock": "",
    "token": "",
    "url": "http://localhost:8889/jl/",
}


def file(**changes):
    values = {"pid": 1, "port": 8888, "base_url": "/", "token": "t", "sock": "", "secure": False}
    return RuntimeFile(**(values | changes))


ADA = file(pid=4711, token="5ecre7", root="/home/ada")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (JPSERVER, ADA),
        (NBSERVER, file(pid=4712, port=8889, base_url="/jl/", token="", root="/home/ada")),
        (JPSERVER | {"base_url": "/user/ada"}, structs.replace(ADA, base_url="/user/ada/")),
        (JPSERVER | {"sock": "/run/j.sock", "port": 0}, structs.replace(ADA, port=0, sock="/run/j.sock")),
        (JPSERVER | {"root_dir": None}, structs.replace(ADA, root="")),
        ({"pid": 5}, file(pid=5, port=0, token="")),
        (JPSERVER | {"token": "two\r\nlines"}, None),
        (JPSERVER | {"token": "a b"}, None),
        (JPSERVER | {"token": "é"}, None),
        (JPSERVER | {"token": None}, None),
        (JPSERVER | {"base_url": "//evil/"}, None),
        (JPSERVER | {"base_url": "jl"}, None),
        (JPSERVER | {"base_url": "/a/../b/"}, None),
        (JPSERVER | {"base_url": "/a b/"}, None),
        (JPSERVER | {"base_url": "/a?b/"}, None),
        (JPSERVER | {"port": 65536}, None),
        (JPSERVER | {"port": -1}, None),
        (JPSERVER | {"pid": 0}, None),
        (JPSERVER | {"pid": "4711"}, None),
        ({}, None),
        ([], None),
    ],
)
def test_a_runtime_file_is_read_or_refused_as_a_whole(text, expected):
    assert expected == maybe_parse_runtime_file(json.dumps(text))


@pytest.mark.parametrize("text", ["", "{", "null", '{"pid": 4711', "\x00"])
def test_a_half_written_file_is_none(text):
    assert maybe_parse_runtime_file(text) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("jpserver-4711.json", True),
        ("nbserver-1.json", True),
        ("jpserver-4711-open.html", False),
        ("jpserver-.json", False),
        ("jpserver-12.json.bak", False),
        ("kernel-12.json", False),
        ("xjpserver-12.json", False),
        ("jpserver-١٢.json", False),
    ],
)
def test_only_files_of_servers_are_looked_at(name, expected):
    assert expected == is_runtime_file_name(name)


@pytest.mark.parametrize(
    ("upstream", "expected"),
    [
        (Upstream(host="localhost", port=8888), ("tcp",)),
        (Upstream(host="127.0.0.1", port=8888), ("tcp",)),
        (Upstream(host="127.0.0.2", port=8888), ("tcp",)),
        (Upstream(host="::1", port=8888), ("tcp",)),
        (Upstream(host="localhost", port=9999), ()),
        (Upstream(host="10.0.0.1", port=8888), ()),
        (Upstream(host="127.0.0.1", port=8888, tls=UpstreamTls(server_name="localhost", pin="0")), ("tls",)),
        (Upstream(path="/run/j.sock"), ("sock",)),
        (Upstream(path="/run/other.sock"), ()),
    ],
)
def test_a_file_matches_by_port_or_socket_of_this_machine(upstream, expected):
    files = [
        file(token="tcp"),
        file(token="tls", secure=True),
        file(token="sock", port=8888, sock="/run/j.sock"),
        file(token="other", port=1),
    ]
    assert expected == tuple(found.token for found in matching(files, upstream))


def test_the_token_is_not_shown():
    assert "5ecre7" not in repr(file(token="5ecre7"))


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        ("/", True),
        ("/a/", True),
        ("/a/b/", True),
        ("/a", False),
        ("", False),
        ("/./", False),
        ("/a;Domain=b/", False),
    ],
)
def test_a_base_url_has_whole_plain_segments(base_url, expected):
    assert expected == is_plain_base_url(base_url)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "127.0.0.1:8888"),
        ({"hostname": "127.0.0.1"}, "127.0.0.1:8888"),
        ({"hostname": "127.0.0.9"}, "127.0.0.9:8888"),
        ({"hostname": ""}, "127.0.0.1:8888"),
        ({"hostname": "*"}, "127.0.0.1:8888"),
        ({"hostname": "0.0.0.0"}, "127.0.0.1:8888"),
        ({"hostname": "::1"}, "[::1]:8888"),
        ({"hostname": "::"}, "[::1]:8888"),
        ({"hostname": "192.0.2.7"}, "None"),
        ({"hostname": "host.example"}, "None"),
        ({"hostname": "127.0.0.1.example"}, "None"),
        ({"port": 0}, "None"),
        ({"secure": True}, "None"),
        ({"sock": "/run/j.sock"}, "unix:/run/j.sock"),
        ({"sock": "/run/j.sock", "secure": True, "port": 0}, "unix:/run/j.sock"),
        ({"sock": "j.sock"}, "None"),
        ({"sock": "/run/\x1b[2J"}, "None"),
        ({"sock": "/run/\ud800"}, "None"),
    ],
)
def test_where_a_server_is_reached_from_its_own_machine(changes, expected):
    assert expected == str(maybe_upstream(file(**changes)))


def test_each_running_server_is_named_once_and_who_began_first_comes_first():
    files = [
        file(pid=5, port=8895),
        file(pid=4, port=8894, base_url="/a/"),
        file(pid=3, port=8895, base_url="/b/"),  # left behind: its port is another server's now
        file(pid=2, port=8892, secure=True, base_url="/tls/"),
        file(pid=1, port=8891),
    ]
    found = [(str(upstream), each.pid, each.base_url) for upstream, each in running_once(files)]
    assert [("127.0.0.1:8891", 1, "/"), ("127.0.0.1:8894", 4, "/a/"), ("127.0.0.1:8895", 5, "/")] == found
