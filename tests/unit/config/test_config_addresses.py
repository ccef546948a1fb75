"""Addresses as people type them."""

import pytest

from nbgate.config.addresses import AddressError, parse_listen_ip, parse_upstream, parse_upstreams
from nbgate.model.route import Upstream

HERE = Upstream(host="127.0.0.1", port=8888)


@pytest.mark.parametrize(
    ("text", "upstream", "base_url"),
    [
        ("localhost:8888", HERE, "/"),
        ("LOCALHOST:8888", HERE, "/"),
        ("127.0.0.1:8888", HERE, "/"),
        ("127.0.0.1:8888/base", HERE, "/base/"),
        ("http://localhost:8888", HERE, "/"),
        ("http://localhost:8888/", HERE, "/"),
        ("http://localhost:8888/base/", HERE, "/base/"),
        ("http://localhost:8888/user/a.b%40c/", HERE, "/user/a.b%40c/"),
        ("[::1]:8888", Upstream(host="::1", port=8888), "/"),
        ("http://[::1]:8888/x/", Upstream(host="::1", port=8888), "/x/"),
        ("127.5.0.1:80", Upstream(host="127.5.0.1", port=80), "/"),
        ("unix:/run/jupyter.sock", Upstream(path="/run/jupyter.sock"), "/"),
    ],
)
def test_an_upstream_is_host_and_port_and_base(text, upstream, base_url):
    assert (upstream, base_url) == parse_upstream(text)


@pytest.mark.parametrize(
    ("text", "problem", "hint"),
    [
        ("localhost", "an upstream needs a port", "did you mean localhost:8888?"),
        ("http://", "an upstream needs a port", "did you mean localhost:8888?"),
        ("[::1]", "an upstream needs a port", "did you mean [::1]:8888?"),
        ("localhost:0", "an upstream needs a port", "did you mean localhost:8888?"),
        ("8888", "an upstream needs a host and a port", "did you mean localhost:8888?"),
        (":8888", "an upstream needs a host", "did you mean localhost:8888?"),
        ("locahost:8888", "'locahost' is not known to be this machine", "did you mean localhost:8888?"),
        ("127.0.01:8888", "'127.0.01' is not known to be this machine", "did you mean 127.0.0.1:8888?"),
        ("example.org:80", "'example.org' is not known", "give it by address"),
        ("192.168.1.4:8888", "192.168.1.4 is not this machine", "run nbgate on its machine"),
        ("0.0.0.0:8888", "0.0.0.0 is where a server listens", "did you mean localhost:8888?"),
        ("localhost:port", "the port of an upstream is a number", "for example localhost:8888"),
        ("localhost:70000", "the port of an upstream is a number", "for example localhost:8888"),
        ("https://localhost:8888", "cannot be reached by 'https'", "write host:port or an http:// address"),
        ("ftp://localhost:8888", "cannot be reached by 'ftp'", "write host:port"),
        ("http://localhost:8888/lab?token=5ecret", "an address alone", "write http://127.0.0.1:8888/; its token is"),
        ("http://user:pw@[::1]:8888", "an address alone", "write http://[::1]:8888/"),
        ("http://localhost:8888/#x", "an address alone", "write http://127.0.0.1:8888/"),
        ("http://localhost:8888//x", "the base of an upstream is a plain path", "c.ServerApp.base_url"),
        ("http://localhost:8888/a/../b", "the base of an upstream is a plain path", "c.ServerApp.base_url"),
        ("http://localhost:8888/a;Domain=b/", "the base of an upstream is a plain path", "c.ServerApp.base_url"),
        ("http://localhost:8888/a%2", "the base of an upstream is a plain path", "c.ServerApp.base_url"),
        ("http://[::1", "this is not an address", "for example localhost:8888"),
        ("local host:8888", "this is not an address", "for example localhost:8888"),
        ("höst:8888", "this is not an address", "for example localhost:8888"),
        ("unix:jupyter.sock", "a unix socket is named by its whole path", "unix:/run"),
    ],
)
def test_a_mistyped_upstream_is_refused_with_what_to_write(text, problem, hint):
    with pytest.raises(AddressError) as caught:
        parse_upstream(text)

    assert problem in str(caught.value)
    assert hint in caught.value.hint
    assert "5ecret" not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], ()),
        (["auto"], ()),
        (["localhost:8888"], ((HERE, "/"),)),
        (["localhost:8888", "localhost:9/a/"], ((HERE, "/"), (Upstream(host="127.0.0.1", port=9), "/a/"))),
        (["localhost:8888", "localhost:9/"], ((HERE, "/"), (Upstream(host="127.0.0.1", port=9), "/"))),
        (["unix:/a", "unix:/b"], ((Upstream(path="/a"), "/"), (Upstream(path="/b"), "/"))),
    ],
)
def test_several_upstreams(texts, expected):
    assert expected == parse_upstreams(texts)


@pytest.mark.parametrize(
    ("texts", "problem", "hint"),
    [
        (["auto", "localhost:8888"], "auto finds the running servers: it stands alone", "name all upstreams, or none"),
        (["auto", "auto"], "auto finds the running servers", "name all upstreams"),
        (["localhost:8888", "127.0.0.1:8888/x/"], "127.0.0.1:8888/x/ is named twice", "name each notebook server once"),
        (["unix:/a", "unix:/a"], "unix:/a is named twice", "name each notebook server once"),
        (["localhost:1/x/", "localhost:2/x"], "two upstreams have the same base URL /x/", "--ServerApp.base_url=/ada/"),
        (["localhost:1", "8888"], "an upstream needs a host and a port", "did you mean localhost:8888?"),
    ],
)
def test_upstreams_that_cannot_be_told_apart(texts, problem, hint):
    with pytest.raises(AddressError) as caught:
        parse_upstreams(texts)

    assert problem in str(caught.value)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("localhost", "localhost"),
        ("*", "*"),
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "0.0.0.0"),
        ("::", "::"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("FE80::1%eth0", "fe80::1%eth0"),
    ],
)
def test_where_to_listen(text, expected):
    assert expected == parse_listen_ip(text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("127.0.01", "did you mean 127.0.0.1?"),
        ("127.0.0.1.", "did you mean 127.0.0.1?"),
        ("locahost", "did you mean localhost?"),
        ("[::1]", "did you mean ::1?"),
        ("0.0.0", "did you mean 0.0.0.0?"),
        ("myhost.example", "write an IP address of this machine, localhost, or * for all"),
        ("", "write an IP address of this machine, localhost, or * for all"),
    ],
)
def test_a_mistyped_address_to_listen_on_is_refused_with_a_guess(text, hint):
    with pytest.raises(AddressError, match="is not an address") as caught:
        parse_listen_ip(text)

    assert hint == caught.value.hint
